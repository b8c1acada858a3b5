#include "core/pipeline/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool stage_init(stage *s, ss_error *err)
{
    *s = (stage){.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (s->wake_fd < 0)
        (void)ss_fail(err, SS_LIMIT, "eventfd: %s: raise the limit of open files", strerror(errno));
    return s->wake_fd >= 0;
}

static void free_batch(stage_batch *b)
{
    free(b->journal.records);
    free(b);
}

void stage_fini(stage *s)
{
    if (s->open)
        free_batch(s->open);
    for (stage_batch *b = s->spare, *next; b; b = next) {
        next = b->next;
        free_batch(b);
    }
    if (s->wake_fd >= 0)
        (void)close(s->wake_fd);
    *s = (stage){.wake_fd = -1};
}

/* On the committer thread. After the state is set the batch may be gone at any time. */
static void on_journal(journal_batch *journal, enum journal_event what)
{
    stage_batch *b = journal->owner;
    stage *s = b->stage;
    uint32_t bit = what == JOURNAL_WRITTEN  ? STAGE_WRITTEN
                   : what == JOURNAL_SYNCED ? STAGE_SYNCED
                                            : STAGE_REFUSED;
    (void)atomic_fetch_or(&b->state, bit);
    if (atomic_exchange(&s->sleeping, 0u))
        stage_wake(s);
}

static stage_batch *take_spare(stage *s)
{
    stage_batch *b = s->spare;
    if (!b)
        return NULL;
    s->spare = b->next;
    s->spare_bytes -= b->size;
    s->spare_count--;
    if (s->spare_unused > s->spare_count)
        s->spare_unused = s->spare_count;
    return b;
}

static stage_batch *open_batch(stage *s)
{
    if (s->open)
        return s->open;
    stage_batch *b = take_spare(s);
    if (!b) {
        b = calloc(1, sizeof *b);
        if (!b)
            return NULL;
        b->journal.records = malloc(STAGE_FIRST_BYTES);
        if (!b->journal.records) {
            free(b);
            return NULL;
        }
        b->size = STAGE_FIRST_BYTES;
    }
    char *records = b->journal.records;
    b->journal = (journal_batch){.records = records, .notify = on_journal, .owner = b};
    b->stage = s;
    atomic_store_explicit(&b->state, 0u, memory_order_relaxed);
    b->written_done = false;
    b->for_written = b->for_synced = (stage_waiters){0};
    b->next = NULL;
    s->open = b;
    return b;
}

stage_mark stage_mark_here(stage *s)
{
    return s->open ? (stage_mark){s->open->journal.bytes, s->open->journal.count} : (stage_mark){0};
}

void stage_rollback(stage *s, stage_mark mark)
{
    if (!s->open)
        return;
    s->open->journal.bytes = mark.bytes;
    s->open->journal.count = mark.count;
}

char *stage_reserve(stage *s, size_t len)
{
    stage_batch *b = open_batch(s);
    if (!b)
        return NULL;
    if (b->size - b->journal.bytes < len) {
        if (len > STAGE_MAX_BYTES || b->journal.bytes > STAGE_MAX_BYTES - len)
            return NULL;
        size_t size = b->size;
        while (size - b->journal.bytes < len)
            size *= 2;
        char *grown = realloc(b->journal.records, size);
        if (!grown)
            return NULL;
        b->journal.records = grown;
        b->size = size;
    }
    return b->journal.records + b->journal.bytes;
}

void stage_add(stage *s, size_t used)
{
    journal_batch *j = &s->open->journal;
    size_t padded = JOURNAL_ALIGN(used);
    memset(j->records + j->bytes + used, 0, padded - used);
    j->bytes += padded;
    j->count++;
}

void stage_flag(stage *s, size_t offset, uint16_t flags)
{
    journal_record_head head;
    char *at = s->open->journal.records + offset;
    memcpy(&head, at, sizeof head);
    head.flags = (uint16_t)(head.flags | flags);
    memcpy(at, &head, sizeof head);
}

void stage_wait(stage *s, stage_waiter *w, bool written_is_enough)
{
    stage_waiters *list = written_is_enough ? &s->open->for_written : &s->open->for_synced;
    w->next = NULL;
    if (list->last)
        list->last->next = w;
    else
        list->first = w;
    list->last = w;
    if (written_is_enough)
        s->open->journal.wants_written = 1;
}

bool stage_places(stage *s, const journal_place *places, uint32_t count)
{
    stage_batch *b = open_batch(s);
    if (!b)
        return false;
    b->journal.places = places;
    b->journal.place_count = count;
    return true;
}

void stage_submit(stage *s)
{
    stage_batch *b = s->open;
    if (!b || (b->journal.count == 0 && b->journal.place_count == 0))
        return;
    s->open = NULL;
    if (s->last)
        s->last->next = b;
    else
        s->first = b;
    s->last = b;
    s->bytes_submitted += b->journal.bytes;
    journal_submit(s->journal, &b->journal);
}

static void tell(stage_waiters *list, void (*done)(void *, stage_waiter *, bool), void *arg, bool stored)
{
    stage_waiter *w = list->first;
    *list = (stage_waiters){0};
    while (w) {
        stage_waiter *next = w->next;
        done(arg, w, stored);
        w = next;
    }
}

static void keep_or_free(stage *s, stage_batch *b)
{
    if (b->size > STAGE_KEEP_BYTES || s->spare_bytes + b->size > STAGE_SPARE_BYTES) {
        free_batch(b);
        return;
    }
    b->next = s->spare;
    s->spare = b;
    s->spare_bytes += b->size;
    s->spare_count++;
}

void stage_trim(stage *s)
{
    for (uint32_t n = s->spare_unused; n > 0 && s->spare_count > STAGE_SPARE_LEAST; n--)
        free_batch(take_spare(s));
    s->spare_unused = s->spare_count;
}

bool stage_collect(stage *s, void (*done)(void *, stage_waiter *, bool), void *arg)
{
    bool any = false;
    stage_batch **link = &s->first;
    stage_batch *before = NULL;
    while (*link) {
        stage_batch *b = *link;
        uint32_t state = atomic_load_explicit(&b->state, memory_order_acquire);
        if ((state & STAGE_WRITTEN) && !b->written_done) {
            b->written_done = any = true;
            tell(&b->for_written, done, arg, true);
        }
        if (!(state & (STAGE_SYNCED | STAGE_REFUSED))) {
            before = b;
            link = &b->next;
            continue;
        }
        any = true;
        *link = b->next;
        if (s->last == b)
            s->last = before;
        bool stored = (state & STAGE_SYNCED) != 0;
        tell(&b->for_written, done, arg, stored);
        tell(&b->for_synced, done, arg, stored);
        keep_or_free(s, b);
    }
    return any;
}

static bool has_news(const stage *s)
{
    for (const stage_batch *b = s->first; b; b = b->next) {
        uint32_t state = atomic_load(&b->state);
        if ((state & (STAGE_SYNCED | STAGE_REFUSED)) || ((state & STAGE_WRITTEN) && !b->written_done))
            return true;
    }
    return false;
}

bool stage_sleep(stage *s)
{
    atomic_store(&s->sleeping, 1u);
    if (!has_news(s))
        return true;
    atomic_store(&s->sleeping, 0u);
    return false;
}

void stage_awake(stage *s)
{
    atomic_store_explicit(&s->sleeping, 0u, memory_order_relaxed);
}

void stage_wake(stage *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->wake_fd, &one, sizeof one);
    (void)n; /* full: the owner is awake anyway */
}
