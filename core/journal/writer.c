#include "core/journal/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/journal/state.h"
#include "core/journal/summary.h"

#define SEGMENT_BYTES_DEFAULT ((uint64_t)64 * 1024 * 1024)
#define QUEUE_BYTES_DEFAULT   ((uint64_t)32 * 1024 * 1024)
#define SEGMENT_BYTES_MAX     ((uint64_t)4 * 1024 * 1024 * 1024)
#define SEGMENTS_IN_MAX       4u             /* max_bytes holds at least so many segments        */
#define WINDOW_BYTES_ENOUGH   (1024u * 1024) /* queued: no reason to wait for more               */
#define TIMER_SLACK_NS        1000u          /* the kernel's usual 50 us would double the window */

enum committer_sleep { AWAKE = 0, IDLE = 1, IN_WINDOW = 2 };

/* ---- the committer's bed ---- */

static void wake_committer(journal_writer *w)
{
    if (atomic_exchange(&w->sleeping, AWAKE) != AWAKE)
        (void)syscall(SYS_futex, &w->sleeping, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Sleeps until woken or for us (< 0: no limit). What would wake it is looked at after the flag
   is set, so that no wake-up is lost. */
static void committer_sleep(journal_writer *w, uint32_t how, int64_t us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    atomic_store(&w->sleeping, how);
    bool stay =
        atomic_load(&w->closing) || (how == IDLE ? atomic_load(&w->submitted) != NULL
                                                 : atomic_load(&w->queued_bytes) >= WINDOW_BYTES_ENOUGH);
    if (!stay)
        (void)syscall(SYS_futex, &w->sleeping, FUTEX_WAIT_PRIVATE, how, us < 0 ? NULL : &t, NULL, 0);
    atomic_store(&w->sleeping, AWAKE);
}

void journal_submit(journal_writer *w, journal_batch *batch)
{
    uint64_t queued = atomic_fetch_add(&w->queued_bytes, batch->bytes) + batch->bytes;
    batch->next = atomic_load_explicit(&w->submitted, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&w->submitted, &batch->next, batch))
        ;
    uint32_t sleeping = atomic_load(&w->sleeping);
    if (sleeping == IDLE || (sleeping == IN_WINDOW && queued >= WINDOW_BYTES_ENOUGH))
        wake_committer(w);
}

/* Appends what was submitted, oldest first. */
static void take_submitted(journal_writer *w)
{
    journal_batch *newest = atomic_exchange(&w->submitted, NULL), *oldest = NULL;
    journal_batch *last = newest;
    while (newest) {
        journal_batch *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    if (!oldest)
        return;
    if (w->pending_last)
        w->pending_last->next = oldest;
    else
        w->pending_first = oldest;
    w->pending_last = last;
}

/* Only while the commits are large and follow each other: then a little patience saves CPU, and costs at most
   as much time as a sync does anyway. */
static void wait_for_more(journal_writer *w)
{
    int64_t us = w->last_sync_us < w->options.window_us ? w->last_sync_us : w->options.window_us;
    if (w->streak < JOURNAL_WINDOW_STREAK || us <= 0 || atomic_load(&w->closing) ||
        atomic_load(&w->queued_bytes) >= WINDOW_BYTES_ENOUGH)
        return;
    committer_sleep(w, IN_WINDOW, us);
    take_submitted(w);
}

static void *committer_main(void *writer)
{
    journal_writer *w = writer;
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    for (;;) {
        bool closing =
            atomic_load(&w->closing) != 0; /* read first: what was submitted before is seen below */
        take_submitted(w);
        if (w->pending_first) {
            wait_for_more(w);
            commit_pending(w);
            continue;
        }
        if (closing)
            break;
        committer_sleep(w, IDLE, atomic_load(&w->stuck) ? JOURNAL_PROBE_US : -1);
        if (!w->active.open)
            commit_probe(w);
    }
    if (w->active.open)
        active_end(w, true);
    return NULL;
}

/* ---- opening ---- */

static uint64_t segment_bytes_of(const journal_options *o)
{
    uint64_t bytes = o->segment_bytes ? o->segment_bytes : SEGMENT_BYTES_DEFAULT;
    if (o->max_bytes > 0 && bytes > o->max_bytes / SEGMENTS_IN_MAX)
        bytes = o->max_bytes / SEGMENTS_IN_MAX; /* else a full journal could not get rid of a segment */
    if (bytes < JOURNAL_SEGMENT_BYTES_MIN)
        bytes = JOURNAL_SEGMENT_BYTES_MIN;
    return (bytes < SEGMENT_BYTES_MAX ? bytes : SEGMENT_BYTES_MAX) & ~(uint64_t)4095;
}

static journal_writer *writer_new(const journal_options *options, journal_board *board)
{
    journal_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->keeper_wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_mutex_init(&w->lock, NULL);
    w->options = *options;
    w->options.dir = w->dir;
    w->options.segment_bytes = segment_bytes_of(options);
    if (w->options.queue_bytes == 0)
        w->options.queue_bytes = QUEUE_BYTES_DEFAULT;
    (void)snprintf(w->dir, sizeof w->dir, "%s", options->dir);
    w->board = board;
    w->dirfd = w->lockfd = w->active.fd = -1;
    buf_init(&w->frame.positions, 2 * JOURNAL_META_BODY_MAX);
    counts_init(&w->counts);
    atomic_store(&w->source_count, 1); /* number 0 is nobody's */
    return w;
}

static void writer_free(journal_writer *w)
{
    if (!w)
        return;
    if (w->lockfd >= 0)
        (void)close(w->lockfd); /* gives the LOCK back */
    if (w->dirfd >= 0)
        (void)close(w->dirfd);
    free(w->segments);
    names_dictionary_fini(&w->sources);
    names_positions_fini(&w->positions);
    counts_fini(&w->counts);
    buf_fini(&w->frame.positions);
    (void)pthread_cond_destroy(&w->keeper_wake);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

static int open_directory(journal_writer *w, ss_error *err)
{
    if (strlen(w->dir) + SEGMENT_NAME_BYTES >= sizeof w->dir)
        return ss_fail(err, -1, "journal: the path %.64s... is too long", w->dir);
    if (file_make_dirs(w->dir, 0700) != 0)
        return ss_fail(err, -1, "journal: cannot create %s: %s. Check data_dir and its owner", w->dir,
                       strerror(errno));
    w->dirfd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->dirfd < 0)
        return ss_fail(err, -1, "journal: cannot open %s: %s", w->dir, strerror(errno));
    w->lockfd = journal_lock(w->dirfd, true);
    if (w->lockfd < 0)
        return ss_fail(err, -1, "journal: cannot lock %s/LOCK: %s", w->dir, strerror(errno));
    return 0;
}

static int open_id(journal_writer *w, ss_error *err)
{
    bool from_file;
    w->id = journal_directory_id(w->dirfd, &from_file);
    if (w->id == 0)
        w->id = journal_new_id();
    if (from_file)
        return 0;
    /* A new journal; or the id was found in a segment, because the file was lost or damaged. */
    if (w->id == 0 || journal_directory_set_id(w->dir, w->id) != 0)
        return ss_fail(err, -1, "journal: cannot write %s/id: %s", w->dir, strerror(errno));
    FAULT_POINT("journal.after_id_write");
    return 0;
}

/* A number that was once published must not be given to another record, even if its segment is lost. */
static uint64_t highest_known_seq(const journal_board *board, uint64_t id)
{
    if (atomic_load(&board->journal_id) != id)
        return 0;
    uint64_t highest = atomic_load(&board->durable_seq);
    for (uint32_t i = 0; i < JOURNAL_READERS_MAX; i++) {
        uint64_t cursor = atomic_load(&board->slots[i].synced_cursor);
        if (atomic_load(&board->slots[i].used) && cursor != UINT64_MAX && cursor > highest)
            highest = cursor;
    }
    return highest;
}

static void take_recovered(journal_writer *w, recovery_result *r)
{
    w->segments = r->segments;
    w->segment_count = w->segment_size = r->count;
    r->segments = NULL;
    w->positions = r->positions;
    r->positions.count = 0;
    w->next_seq = r->next_seq;
    w->next_segment_id = r->next_segment_id;
    atomic_store(&w->damaged_records, r->damaged_records);
    atomic_store(&w->cut_bytes, r->cut_bytes);
    uint64_t known = highest_known_seq(w->board, w->id);
    if (known >= w->next_seq) {
        log_error("journal: records %" PRIu64 "..%" PRIu64
                  " were acknowledged and are missing from %s; they count as "
                  "damaged. Was the directory replaced by a backup?",
                  w->next_seq, known, w->dir);
        w->next_seq = known + 1;
    }
    for (size_t i = 0; i < w->segment_count; i++)
        (void)atomic_fetch_add(&w->closed_bytes, w->segments[i].file_bytes);
    if (w->segment_count > 0) {
        const recovery_segment *last = &w->segments[w->segment_count - 1];
        w->prev_id = last->id;
        w->prev_end_offset = last->end_offset;
        w->prev_end_seq = last->last_seq;
    }
}

/* Where even the first segment cannot be made (full disk), the journal opens and refuses until it can. */
static void begin_first_segment(journal_writer *w)
{
    keeper_find_spares(w);
    commit_probe(w);
}

static void publish_opened(journal_writer *w)
{
    journal_board *b = w->board;
    atomic_store(&b->first_seq, w->segment_count > 0 ? w->segments[0].first_seq : w->next_seq);
    atomic_store(&b->bytes, atomic_load(&w->closed_bytes) + atomic_load(&w->active_bytes));
    atomic_store(&b->journal_id, w->id);
    writer_publish_state(w);
    FAULT_POINT("journal.before_first_publish");
    journal_publish(b, w->next_seq - 1);
}

static int recover(journal_writer *w, ss_error *err)
{
    recovery_result r;
    FAULT_POINT("journal.before_recovery");
    if (recovery_run(w->dirfd, &r, err) != 0)
        return -1;
    take_recovered(w, &r);
    recovery_free(&r);
    FAULT_POINT("journal.after_recovery");
    begin_first_segment(w);
    publish_opened(w);
    return 0;
}

static int start_threads(journal_writer *w, ss_error *err)
{
    int rc = pthread_create(&w->committer, NULL, committer_main, w);
    if (rc != 0)
        return ss_fail(err, -1, "journal: cannot start a thread: %s", strerror(rc));
    rc = pthread_create(&w->keeper, NULL, keeper_main, w);
    if (rc != 0) {
        atomic_store(&w->closing, 1);
        wake_committer(w);
        (void)pthread_join(w->committer, NULL);
        return ss_fail(err, -1, "journal: cannot start a thread: %s", strerror(rc));
    }
    (void)pthread_setname_np(w->committer, "committer");
    (void)pthread_setname_np(w->keeper, "keeper");
    return 0;
}

journal_writer *journal_open(const journal_options *options, journal_board *board, ss_error *err)
{
    journal_writer *w = writer_new(options, board);
    if (!w) {
        (void)ss_fail(err, SS_FATAL, "journal: out of memory");
        return NULL;
    }
    if (open_directory(w, err) != 0 || open_id(w, err) != 0 || recover(w, err) != 0 ||
        start_threads(w, err) != 0) {
        writer_free(w);
        return NULL;
    }
    return w;
}

void journal_close(journal_writer *w)
{
    if (!w)
        return;
    atomic_store(&w->closing, 1);
    wake_committer(w);
    pthread_mutex_lock(&w->lock);
    (void)pthread_cond_broadcast(&w->keeper_wake);
    pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->committer, NULL);
    (void)pthread_join(w->keeper, NULL);
    atomic_store(&w->board->state, JOURNAL_CLOSED);
    FAULT_POINT("journal.closed");
    writer_free(w);
}

/* ---- the small calls ---- */

void writer_publish_state(journal_writer *w)
{
    pthread_mutex_lock(&w->lock);
    uint32_t stuck = atomic_load(&w->stuck);
    atomic_store(&w->board->state, stuck ? stuck : atomic_load(&w->over_max) ? JOURNAL_FULL : JOURNAL_OPEN);
    pthread_mutex_unlock(&w->lock);
}

void writer_nudge_keeper(journal_writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->keeper_nudged = true;
    (void)pthread_cond_signal(&w->keeper_wake);
    pthread_mutex_unlock(&w->lock);
}

static bool same_source(const names_source *known, const journal_source *s)
{
    return known->schema_rev == s->schema_rev && known->catalog_hash == s->catalog_hash &&
           ss_eq(ss_s(known->version, known->version_len), s->version);
}

int journal_source_id(journal_writer *w, const journal_source *source)
{
    pthread_mutex_lock(&w->lock);
    int number = names_dictionary_find(&w->sources, source->name);
    bool known = number > 0 && same_source(&w->sources.sources[number], source);
    if (number < 0)
        number = w->sources.count == 0 ? 1 : (int)w->sources.count;
    if (number > (int)JOURNAL_SOURCES_MAX || source->name.len == 0 || source->name.len > JOURNAL_NAME_MAX)
        number = -1;
    else if (!known && names_dictionary_set(&w->sources, (uint32_t)number, source) != 0)
        number = -1;
    if (number > 0 && !known) {
        atomic_store(&w->source_count, w->sources.count);
        (void)atomic_fetch_add(&w->source_edits, 1);
    }
    pthread_mutex_unlock(&w->lock);
    return number;
}

bool journal_ready(const journal_writer *w)
{
    return atomic_load_explicit(&w->stuck, memory_order_relaxed) == 0 &&
           atomic_load_explicit(&w->over_max, memory_order_relaxed) == 0 &&
           atomic_load_explicit(&w->queued_bytes, memory_order_relaxed) < w->options.queue_bytes;
}

size_t journal_position(journal_writer *w, ss_str source, char *out, size_t size)
{
    pthread_mutex_lock(&w->lock);
    const names_position *p = names_positions_find(&w->positions, source);
    size_t len = p && p->position_len <= size ? p->position_len : 0;
    if (len > 0)
        memcpy(out, p->position, len);
    pthread_mutex_unlock(&w->lock);
    return len;
}

void journal_positions(journal_writer *w, ss_str prefix, void (*visit)(void *arg, const journal_place *place),
                       void *arg)
{
    pthread_mutex_lock(&w->lock);
    for (uint32_t i = 0; i < w->positions.count; i++) {
        const names_position *p = &w->positions.items[i];
        journal_place place = {ss_s(p->source, p->source_len), ss_s(p->position, p->position_len)};
        if (p->source_len >= prefix.len && memcmp(p->source, prefix.ptr, prefix.len) == 0)
            visit(arg, &place);
    }
    pthread_mutex_unlock(&w->lock);
}

bool journal_places_fit(journal_writer *w, const journal_place *places, uint32_t count)
{
    pthread_mutex_lock(&w->lock);
    uint32_t more = 0;
    for (uint32_t i = 0; i < count; i++)
        more += places[i].position.len > 0 && !names_positions_find(&w->positions, places[i].source);
    bool fit = w->positions.count + more <= JOURNAL_POSITIONS_MAX;
    pthread_mutex_unlock(&w->lock);
    return fit;
}

void journal_read_stats(const journal_writer *w, journal_stats *out)
{
    *out = (journal_stats){.commits = atomic_load(&w->commits),
                           .records = atomic_load(&w->records),
                           .bytes = atomic_load(&w->bytes),
                           .syncs = atomic_load(&w->syncs),
                           .sync_us_total = atomic_load(&w->sync_us_total),
                           .refused_records = atomic_load(&w->refused_records),
                           .damaged_records = atomic_load(&w->damaged_records),
                           .cut_bytes = atomic_load(&w->cut_bytes),
                           .failed_syncs = atomic_load(&w->failed_syncs),
                           .segments = atomic_load(&w->segments_begun),
                           .queue_bytes = atomic_load(&w->queued_bytes)};
}
