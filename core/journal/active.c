/* The segment that is written to: its beginning, its end. Committer thread only (and journal_open before it).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/journal/state.h"

static void take_file_identity(writer_segment *s)
{
    struct stat st;
    if (fstat(s->fd, &st) == 0) {
        s->dev = st.st_dev;
        s->ino = st.st_ino;
    }
}

bool active_is_ours(const writer_segment *s)
{
    struct stat st;
    return fstat(s->fd, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino && st.st_nlink > 0;
}

/* The closed segment joins the list that the keeper works on. */
static void list_segment(journal_writer *w, const writer_segment *s, bool sealed)
{
    recovery_segment entry = {.id = s->head.segment_id,
                              .first_seq = s->head.first_seq,
                              .last_seq = w->next_seq - 1,
                              .end_offset = s->offset,
                              .file_bytes = s->file_bytes > s->offset ? s->file_bytes : s->offset,
                              .last_receive_us = w->counts.receive_max_us,
                              .sealed = sealed};
    pthread_mutex_lock(&w->lock);
    if (w->segment_count == w->segment_size) {
        size_t size = w->segment_size ? 2 * w->segment_size : 64;
        recovery_segment *segments = realloc(w->segments, size * sizeof *segments);
        if (segments) {
            w->segments = segments;
            w->segment_size = size;
        }
    }
    if (w->segment_count < w->segment_size) /* else: it stays on disk until the next start */
        w->segments[w->segment_count++] = entry;
    w->active_first_seq = w->next_seq;
    (void)atomic_fetch_add(&w->closed_bytes, entry.file_bytes);
    pthread_mutex_unlock(&w->lock);
    atomic_store(&w->active_bytes, 0);
}

/* An empty segment's number is used again: its file is replaced. */
void active_leave(journal_writer *w, bool sealed)
{
    writer_segment *s = &w->active;
    s->open = false;
    if (w->next_seq == s->head.first_seq)
        return;
    list_segment(w, s, sealed);
    w->next_segment_id = s->head.segment_id + 1;
    w->prev_id = s->head.segment_id;
    w->prev_end_offset = s->offset;
    w->prev_end_seq = w->next_seq - 1;
}

static segment_facts *facts_of_active(journal_writer *w)
{
    segment_facts *f = segment_facts_new();
    if (!f)
        return NULL;
    const counts *c = &w->counts;
    f->footer = (journal_footer){.first_seq = w->active.head.first_seq,
                                 .last_seq = w->next_seq - 1,
                                 .event_min_us = c->event_min_us,
                                 .event_max_us = c->event_max_us,
                                 .receive_min_us = c->receive_min_us,
                                 .receive_max_us = c->receive_max_us,
                                 .records = c->records};
    f->footer.pair_count = counts_put(c, &f->pairs);
    f->end_offset = w->active.offset;
    buf names;
    buf_init(&names, SEGMENT_FOOTER_MAX);
    pthread_mutex_lock(&w->lock);
    for (uint32_t i = 0; i < w->sources.count; i++)
        names_dictionary_put(&w->sources, i, &names);
    bool ok = !names.failed && names_dictionary_read(&f->dictionary, names.ptr, names.len);
    for (uint32_t i = 0; i < w->positions.count; i++) {
        const names_position *p = &w->positions.items[i];
        ok &= names_positions_set(&f->positions, ss_s(p->source, p->source_len),
                                  ss_s(p->position, p->position_len)) == 0;
    }
    pthread_mutex_unlock(&w->lock);
    buf_fini(&names);
    if (!ok) {
        segment_facts_free(f);
        return NULL;
    }
    return f;
}

/* Writes the footer. Not synced: the next segment's head says where this one ends, so that a lost footer
   costs a scan and nothing else. */
void active_end(journal_writer *w, bool last)
{
    writer_segment *s = &w->active;
    segment_facts *facts = facts_of_active(w);
    FAULT_POINT("journal.before_footer");
    /* At the end a file that is mostly empty gives its room back; a full one stays whole, to be recycled. */
    if (last && s->offset < s->file_bytes / 2 && active_is_ours(s) && ftruncate(s->fd, (off_t)s->offset) == 0)
        s->file_bytes = 0;
    bool sealed =
        facts && active_is_ours(s) && segment_footer_write(s->fd, &s->head, facts, s->file_bytes) == 0;
    FAULT_POINT("journal.after_footer");
    if (sealed) {
        uint64_t end = s->offset + segment_footer_bytes(facts) + sizeof(journal_locator);
        s->file_bytes = s->file_bytes > end ? s->file_bytes : end;
    } else {
        log_warn("journal segment %" PRIu64 " got no footer (%s): its counts will be read from its records",
                 s->head.segment_id, strerror(errno));
    }
    segment_facts_free(facts);
    if (active_is_ours(s))
        (void)close(s->fd);
    active_leave(w, sealed);
    writer_nudge_keeper(w);
}

/* Entries from..end as frames of at most JOURNAL_META_BODY_MAX, the whole sequence twice: a bad byte here
   would cost the names of all records. */
void active_put_dictionary(journal_writer *w, const journal_segment_head *head, uint32_t from, buf *out)
{
    buf body;
    buf_init(&body, JOURNAL_META_BODY_MAX);
    for (int copy = 0; copy < 2; copy++) {
        uint32_t count = 0;
        for (uint32_t i = from; i < w->sources.count; i++) {
            if (body.len + names_dictionary_entry_bytes(&w->sources, i) > JOURNAL_META_BODY_MAX) {
                segment_meta_write(head, JOURNAL_FRAME_DICTIONARY, w->next_seq, count, body.ptr, body.len,
                                   out);
                buf_reset(&body);
                count = 0;
            }
            names_dictionary_put(&w->sources, i, &body);
            count++;
        }
        if (body.len > 0)
            segment_meta_write(head, JOURNAL_FRAME_DICTIONARY, w->next_seq, count, body.ptr, body.len, out);
        buf_reset(&body);
    }
    buf_fini(&body);
}

static void put_positions(journal_writer *w, const journal_segment_head *head, buf *out)
{
    buf body;
    buf_init(&body, JOURNAL_META_BODY_MAX);
    for (int copy = 0; copy < 2; copy++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < w->positions.count; i++) {
            const names_position *p = &w->positions.items[i];
            ss_str source = ss_s(p->source, p->source_len), position = ss_s(p->position, p->position_len);
            if (body.len + names_position_bytes(source, position) > JOURNAL_META_BODY_MAX) {
                segment_meta_write(head, JOURNAL_FRAME_POSITIONS, w->next_seq, count, body.ptr, body.len,
                                   out);
                buf_reset(&body);
                count = 0;
            }
            names_position_put(source, position, &body);
            count++;
        }
        if (body.len > 0)
            segment_meta_write(head, JOURNAL_FRAME_POSITIONS, w->next_seq, count, body.ptr, body.len, out);
        buf_reset(&body);
    }
    buf_fini(&body);
}

/* Head, positions, dictionary: what stands before the first commit. */
static int put_start(journal_writer *w, writer_segment *s, buf *out)
{
    uint64_t key;
    if (getrandom(&key, sizeof key, 0) != (ssize_t)sizeof key)
        return -1;
    s->head = (journal_segment_head){.journal_id = w->id,
                                     .segment_id = w->next_segment_id,
                                     .segment_key = key,
                                     .first_seq = w->next_seq,
                                     .prev_segment_id = w->prev_id,
                                     .prev_end_offset = w->prev_end_offset,
                                     .prev_end_seq = w->prev_end_seq,
                                     .segment_bytes = w->options.segment_bytes,
                                     .created_us = clock_now_us()};
    segment_head_write(&s->head, out);
    pthread_mutex_lock(&w->lock);
    put_positions(w, &s->head, out);
    active_put_dictionary(w, &s->head, 1, out);
    s->source_edits = atomic_load(&w->source_edits);
    pthread_mutex_unlock(&w->lock);
    s->start = s->offset = out->len;
    if (out->failed)
        errno = ENOMEM;
    return out->failed ? -1 : 0;
}

static int open_file(journal_writer *w, writer_segment *s, char from[SEGMENT_NAME_BYTES])
{
    pthread_mutex_lock(&w->lock);
    bool spare = keeper_take_spare(w, from);
    bool full = w->disk_full;
    if (!spare)
        (void)snprintf(from, SEGMENT_NAME_BYTES, "spare-%" PRIu64 ".new", w->spare_number++);
    pthread_mutex_unlock(&w->lock);
    if (!spare && full) {
        errno = ENOSPC;
        return -1;
    }
    /* Without a spare the file grows while it is written: slower syncs, but no waiting now. */
    s->fd = openat(w->dirfd, from, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (spare ? 0 : O_CREAT | O_EXCL), 0600);
    s->file_bytes = spare ? w->options.segment_bytes : 0;
    return s->fd < 0 ? -1 : 0;
}

/* The file gets its name only when its head is on disk, and counts only when the name is. */
static int name_file(journal_writer *w, writer_segment *s, const char *from, const buf *start)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(name, s->head.segment_id);
    FAULT_POINT("journal.before_head_write");
    if (file_pwrite_all(s->fd, start->ptr, start->len, 0) != 0)
        return -1;
    FAULT_POINT("journal.before_head_sync");
    if (fdatasync(s->fd) != 0)
        return -1;
    FAULT_POINT("journal.before_segment_rename");
    if (renameat(w->dirfd, from, w->dirfd, name) != 0)
        return -1;
    FAULT_POINT("journal.before_segment_dir_sync");
    if (fsync(w->dirfd) != 0)
        return -1;
    FAULT_POINT("journal.after_segment_dir_sync");
    return 0;
}

int active_begin(journal_writer *w)
{
    writer_segment *s = &w->active;
    char from[SEGMENT_NAME_BYTES];
    buf start;
    buf_init(&start, SEGMENT_FOOTER_MAX);
    s->fd = -1;
    int rc = open_file(w, s, from);
    if (rc == 0)
        rc = put_start(w, s, &start);
    if (rc == 0)
        rc = name_file(w, s, from, &start);
    int saved = errno;
    buf_fini(&start);
    if (rc != 0) {
        if (s->fd >= 0) {
            (void)close(s->fd);
            (void)unlinkat(w->dirfd, from, 0);
        }
        errno = saved;
        return -1;
    }
    take_file_identity(s);
    counts_reset(&w->counts);
    s->open = true;
    pthread_mutex_lock(&w->lock);
    w->active_first_seq = w->next_seq;
    pthread_mutex_unlock(&w->lock);
    atomic_store(&w->active_bytes, s->offset);
    (void)atomic_fetch_add(&w->segments_begun, 1);
    writer_nudge_keeper(w);
    return 0;
}
