/* The committer's work: batches become frames, frames become durable. */
#include <errno.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/journal/state.h"

typedef struct commit_group { /* the batches of one sync */
    journal_batch *first, *last;
    uint64_t bytes, records, app_bytes, first_seq;
} commit_group;

static void add(_Atomic uint64_t *counter, uint64_t n)
{
    (void)atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- telling the owners ---- */

static void finish_batches(journal_writer *w, journal_batch *batch, enum journal_event what)
{
    while (batch) {
        journal_batch *next = batch->next; /* notify() may reuse the batch at once */
        if (what == JOURNAL_REFUSED)
            add(&w->refused_records, batch->count);
        (void)atomic_fetch_sub(&w->queued_bytes, batch->bytes);
        batch->notify(batch, what);
        batch = next;
    }
}

static journal_batch *pop_pending(journal_writer *w)
{
    journal_batch *batch = w->pending_first;
    w->pending_first = batch->next;
    if (!w->pending_first)
        w->pending_last = NULL;
    batch->next = NULL;
    return batch;
}

static void refuse_pending(journal_writer *w)
{
    journal_batch *first = w->pending_first;
    w->pending_first = w->pending_last = NULL;
    finish_batches(w, first, JOURNAL_REFUSED);
}

/* ---- when the disk says no ---- */

static void set_stuck(journal_writer *w, uint32_t state)
{
    w->probe_at_us = clock_mono_us() + JOURNAL_PROBE_US;
    if (state == JOURNAL_FULL)
        keeper_release_reserve(w);
    if (atomic_exchange(&w->stuck, state) != state)
        writer_publish_state(w);
}

static bool is_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

/* There is an open segment afterwards, or nothing can be taken. */
static bool have_segment(journal_writer *w)
{
    if (w->active.open)
        return true;
    if (atomic_load(&w->stuck) && clock_mono_us() < w->probe_at_us)
        return false;
    if (active_begin(w) != 0) {
        int error = errno;
        if (!atomic_load(&w->stuck))
            log_error(
                "journal: no new segment in %s: %s. Nothing is accepted until this works; it is tried again "
                "every second",
                w->dir, strerror(error));
        set_stuck(w, is_full(error) ? JOURNAL_FULL : JOURNAL_FAILED);
        return false;
    }
    if (atomic_exchange(&w->stuck, 0) != 0) {
        log_info("journal: writing again, segment %" PRIu64, w->active.head.segment_id);
        writer_publish_state(w);
    }
    return true;
}

void commit_probe(journal_writer *w)
{
    (void)have_segment(w);
}

/* What was written may or may not be on disk: this segment is never touched again, the next one's head says
   where it ends. */
static void commit_failed(journal_writer *w, commit_group *g, const char *what, int error)
{
    writer_segment *s = &w->active;
    log_error("journal segment %" PRIu64 ": %s failed: %s. %" PRIu64
              " records were refused; going on in a new segment",
              s->head.segment_id, what, strerror(error), g->records);
    w->next_seq = g->first_seq;
    bool empty = w->next_seq == s->head.first_seq;
    if (active_is_ours(s))
        (void)close(s->fd);
    active_leave(w, false);
    if (is_full(error)) {
        pthread_mutex_lock(&w->lock);
        w->disk_full = true;
        pthread_mutex_unlock(&w->lock);
        set_stuck(w, JOURNAL_FULL);
    } else if (empty) { /* the second failure in a row: no new file for each commit */
        set_stuck(w, JOURNAL_FAILED);
    }
    finish_batches(w, g->first, JOURNAL_REFUSED);
}

/* ---- frames ---- */

static void frame_reset(journal_writer *w, uint64_t commit_first)
{
    writer_frame *f = &w->frame;
    buf_reset(&f->positions);
    f->iov_count = 2; /* [0] head, [1] positions */
    f->body_bytes = 0;
    f->head = (journal_frame_head){.type = JOURNAL_FRAME_RECORDS,
                                   .segment_id = w->active.head.segment_id,
                                   .segment_key = w->active.head.segment_key,
                                   .first_seq = w->next_seq,
                                   .commit_delta = (uint32_t)(w->next_seq - commit_first)};
}

static int write_iovs(int fd, struct iovec *iov, int count, uint64_t offset)
{
    while (count > 0) {
        ssize_t n = pwritev(fd, iov, count, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return -1;
        }
        offset += (uint64_t)n;
        while (count > 0 && (size_t)n >= iov->iov_len) {
            n -= (ssize_t)iov->iov_len;
            iov++;
            count--;
        }
        if (count > 0) {
            iov->iov_base = (char *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
    return 0;
}

static int frame_write(journal_writer *w)
{
    writer_frame *f = &w->frame;
    f->head.count = (uint32_t)(w->next_seq - f->head.first_seq);
    if (f->head.count == 0)
        return 0;
    f->head.body_bytes = (uint32_t)f->body_bytes;
    f->head.position_bytes = (uint32_t)f->positions.len;
    f->head.extra_crc = journal_crc32c(0, f->positions.ptr, f->positions.len);
    f->head.commit_us = clock_now_us();
    format_frame_seal(&f->head, &f->trailer);
    f->iov[0] = (struct iovec){&f->head, sizeof f->head};
    f->iov[1] = (struct iovec){f->positions.ptr, f->positions.len};
    f->iov[f->iov_count++] = (struct iovec){&f->trailer, sizeof f->trailer};
    uint64_t bytes = format_frame_bytes(&f->head);
    if (write_iovs(w->active.fd, f->iov, f->iov_count, w->active.offset) != 0)
        return -1;
    w->active.offset += bytes;
    add(&w->bytes, bytes);
    return 0;
}

static journal_record_head *head_at(const journal_batch *batch, size_t offset)
{
    return (journal_record_head *)(void *)(batch->records + offset);
}

/* Numbers and sums the records from..end of a batch, which are whole requests. */
static void number_records(journal_writer *w, journal_batch *batch, size_t from, size_t end)
{
    bool begin = true;
    while (from < end) {
        journal_record_head *h = head_at(batch, from);
        h->seq = w->next_seq++;
        h->flags = begin ? h->flags | JOURNAL_REQUEST_BEGIN : h->flags & (uint16_t)~JOURNAL_REQUEST_BEGIN;
        begin = (h->flags & JOURNAL_REQUEST_END) != 0;
        h->crc = format_record_crc(h);
        (void)counts_add(&w->counts, h); /* out of memory: counted in the total only */
        from += JOURNAL_ALIGN(h->length);
    }
}

static size_t request_end(const journal_batch *batch, size_t from)
{
    while (from < batch->bytes) {
        const journal_record_head *h = head_at(batch, from);
        from += JOURNAL_ALIGN(h->length);
        if (h->flags & JOURNAL_REQUEST_END)
            break;
    }
    return from < batch->bytes ? from : batch->bytes;
}

static size_t places_bytes(const journal_batch *batch)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < batch->place_count; i++)
        bytes += names_position_bytes(batch->places[i].source, batch->places[i].position);
    return bytes;
}

static void places_put(const journal_batch *batch, buf *out)
{
    for (uint32_t i = 0; i < batch->place_count; i++)
        names_position_put(batch->places[i].source, batch->places[i].position, out);
}

/* Places alone, in a frame of their own behind what is there already. Its commit_delta says that it proves
   nothing about the frames that are synced together with it. */
static int write_places(journal_writer *w, const journal_batch *batch, uint64_t commit_first)
{
    if (frame_write(w) != 0)
        return -1;
    buf frame;
    buf_init(&frame, JOURNAL_PLACES_MAX_BYTES + JOURNAL_FRAME_OVERHEAD);
    journal_frame_head head = {.type = JOURNAL_FRAME_POSITIONS,
                               .segment_id = w->active.head.segment_id,
                               .segment_key = w->active.head.segment_key,
                               .first_seq = w->next_seq,
                               .commit_delta = (uint32_t)(w->next_seq - commit_first),
                               .count = batch->place_count,
                               .body_bytes = (uint32_t)places_bytes(batch),
                               .commit_us = clock_now_us()};
    journal_frame_trailer trailer;
    buf_add(&frame, &head, sizeof head);
    places_put(batch, &frame);
    int rc = -1;
    errno = ENOMEM;
    if (!frame.failed) {
        head.extra_crc = journal_crc32c(0, frame.ptr + sizeof head, head.body_bytes);
        format_frame_seal(&head, &trailer);
        memcpy(frame.ptr, &head, sizeof head);
        buf_add(&frame, &trailer, sizeof trailer);
        rc = frame.failed ? -1 : file_pwrite_all(w->active.fd, frame.ptr, frame.len, (off_t)w->active.offset);
    }
    if (rc == 0) {
        w->active.offset += frame.len;
        add(&w->bytes, frame.len);
    }
    buf_fini(&frame);
    frame_reset(w, commit_first);
    return rc;
}

/* Adds a piece to the frame; where it would get too large, writes the frame first. */
static int frame_add(journal_writer *w, journal_batch *batch, size_t from, size_t end, uint64_t commit_first)
{
    writer_frame *f = &w->frame;
    size_t position = places_bytes(batch);
    if (f->body_bytes > 0 &&
        (f->body_bytes + (end - from) > JOURNAL_FRAME_BODY_MAX || f->iov_count >= (int)JOURNAL_IOVS ||
         f->positions.len + position > JOURNAL_META_BODY_MAX)) {
        if (frame_write(w) != 0)
            return -1;
        frame_reset(w, commit_first);
    }
    number_records(w, batch, from, end);
    f->iov[f->iov_count++] = (struct iovec){batch->records + from, end - from};
    f->body_bytes += end - from;
    if (end == batch->bytes)
        places_put(batch, &f->positions);
    return 0;
}

static int write_batch(journal_writer *w, journal_batch *batch, uint64_t commit_first)
{
    batch->first_seq = w->next_seq;
    if (batch->count == 0)
        return write_places(w, batch, commit_first);
    if (batch->bytes <= JOURNAL_FRAME_BODY_MAX)
        return frame_add(w, batch, 0, batch->bytes, commit_first);
    /* Larger than a frame: several frames, but each request in one. */
    size_t from = 0;
    while (from < batch->bytes) {
        size_t end = request_end(batch, from), next = end;
        while (next < batch->bytes && (next = request_end(batch, end)) - from <= JOURNAL_FRAME_BODY_MAX)
            end = next;
        if (frame_add(w, batch, from, end, commit_first) != 0)
            return -1;
        from = end;
    }
    return 0;
}

/* Receivers that were registered since the segment's dictionary was written. */
static int write_new_sources(journal_writer *w)
{
    writer_segment *s = &w->active;
    if (s->source_edits == atomic_load(&w->source_edits))
        return 0;
    buf frames;
    buf_init(&frames, SEGMENT_FOOTER_MAX);
    pthread_mutex_lock(&w->lock);
    active_put_dictionary(w, &s->head, 1, &frames);
    s->source_edits = atomic_load(&w->source_edits);
    pthread_mutex_unlock(&w->lock);
    errno = ENOMEM;
    int rc = frames.failed ? -1 : file_pwrite_all(s->fd, frames.ptr, frames.len, (off_t)s->offset);
    if (rc == 0)
        s->offset += frames.len;
    buf_fini(&frames);
    return rc;
}

static int write_group(journal_writer *w, const commit_group *g)
{
    if (write_new_sources(w) != 0)
        return -1;
    frame_reset(w, g->first_seq);
    for (journal_batch *batch = g->first; batch; batch = batch->next)
        if (write_batch(w, batch, g->first_seq) != 0)
            return -1;
    return frame_write(w);
}

/* ---- one commit ---- */

/* The pipeline builds the records: anything odd here is a bug there, and must not reach the disk. */
static bool batch_sane(const journal_writer *w, const journal_batch *batch, uint64_t *app_bytes)
{
    size_t at = 0;
    uint32_t count = 0;
    uint32_t sources = atomic_load_explicit(&w->source_count, memory_order_relaxed);
    if (batch->bytes > JOURNAL_BATCH_MAX)
        return false;
    while (at < batch->bytes) {
        if (batch->bytes - at < sizeof(journal_record_head))
            return false;
        const journal_record_head *h = head_at(batch, at);
        if (!format_record_sane(h) || h->source == 0 || h->source >= sources ||
            JOURNAL_ALIGN(h->length) > batch->bytes - at)
            return false;
        *app_bytes += h->app_len;
        at += JOURNAL_ALIGN(h->length);
        count++;
    }
    for (uint32_t i = 0; i < batch->place_count; i++) {
        const journal_place *p = &batch->places[i];
        if (p->source.len == 0 || p->source.len > JOURNAL_NAME_MAX || p->position.len > JOURNAL_POSITION_MAX)
            return false;
    }
    return count == batch->count && (count > 0 || batch->place_count > 0) &&
           places_bytes(batch) <= JOURNAL_PLACES_MAX_BYTES;
}

static uint64_t meta_bytes(journal_writer *w)
{
    uint64_t bytes =
        JOURNAL_FRAME_OVERHEAD + sizeof(journal_footer) + sizeof(journal_locator) + w->counts.footer_bytes;
    pthread_mutex_lock(&w->lock);
    for (uint32_t i = 0; i < w->sources.count; i++) /* in the footer, and twice in frames where it changed */
        bytes += 3 * names_dictionary_entry_bytes(&w->sources, i);
    for (uint32_t i = 0; i < w->positions.count; i++)
        bytes += names_position_bytes(ss_s("", 1), ss_s("", w->positions.items[i].position_len)) +
                 w->positions.items[i].source_len;
    pthread_mutex_unlock(&w->lock);
    return bytes + 4 * JOURNAL_FRAME_OVERHEAD;
}

static uint64_t batch_cost(const journal_batch *batch)
{
    uint64_t frames = 1 + 2 * (batch->bytes / JOURNAL_FRAME_BODY_MAX);
    return batch->bytes + frames * JOURNAL_FRAME_OVERHEAD + 2 * places_bytes(batch);
}

static void group_add(commit_group *g, journal_batch *batch)
{
    if (g->last)
        g->last->next = batch;
    else
        g->first = batch;
    g->last = batch;
    g->records += batch->count;
}

/* Takes as many pending batches as fit this segment and one sync. A batch is never torn apart: it is refused
   or durable as a whole. Returns false when the segment has to be switched first. */
static bool take_group(journal_writer *w, commit_group *g)
{
    const writer_segment *s = &w->active;
    uint64_t used = s->offset + meta_bytes(w), room = w->options.segment_bytes;
    *g = (commit_group){.first_seq = w->next_seq};
    while (w->pending_first) {
        journal_batch *batch = w->pending_first;
        uint64_t apps = g->app_bytes;
        if (!batch_sane(w, batch, &apps)) {
            log_error("journal: a batch of %u records is malformed and was refused; this is a bug, please "
                      "report it",
                      batch->count);
            finish_batches(w, pop_pending(w), JOURNAL_REFUSED);
            continue;
        }
        uint64_t bytes = g->bytes + batch_cost(batch);
        bool fits = used + bytes + counts_growth(&w->counts, g->records + batch->count, apps) <= room;
        if (!fits && !g->first && s->offset > s->start)
            return false;
        if (g->first && (!fits || bytes > JOURNAL_COMMIT_BYTES))
            break;
        g->bytes = bytes;
        g->app_bytes = apps;
        group_add(g, pop_pending(w));
    }
    return true;
}

static void apply_positions(journal_writer *w, const commit_group *g)
{
    for (const journal_batch *b = g->first; b; b = b->next) {
        if (b->place_count == 0)
            continue;
        pthread_mutex_lock(&w->lock);
        for (uint32_t i = 0; i < b->place_count; i++)
            if (names_positions_set(&w->positions, b->places[i].source, b->places[i].position) != 0)
                log_error("journal: no room for the position of source %.*s (at most %u sources)",
                          (int)b->places[i].source.len, b->places[i].source.ptr, JOURNAL_POSITIONS_MAX);
        pthread_mutex_unlock(&w->lock);
    }
}

static void emulate_slow_disk(int64_t us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (us > 0 && clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
        ;
}

static int sync_active(journal_writer *w)
{
    int64_t began = clock_mono_us();
    FAULT_POINT("journal.before_sync");
    if (fdatasync(w->active.fd) != 0) {
        add(&w->failed_syncs, 1);
        return -1;
    }
    FAULT_POINT("journal.after_sync");
    emulate_slow_disk(w->options.sync_delay_us);
    w->last_sync_us = clock_mono_us() - began;
    add(&w->syncs, 1);
    add(&w->sync_us_total, (uint64_t)w->last_sync_us);
    return 0;
}

static void notify_written(const commit_group *g)
{
    for (journal_batch *b = g->first; b; b = b->next)
        if (b->wants_written)
            b->notify(b, JOURNAL_WRITTEN);
}

static void check_max_bytes(journal_writer *w)
{
    atomic_store(&w->active_bytes, w->active.offset);
    if (w->options.max_bytes == 0 || atomic_load(&w->over_max))
        return;
    if (atomic_load(&w->closed_bytes) + w->active.offset > w->options.max_bytes)
        writer_nudge_keeper(w);
}

static void commit_group_now(journal_writer *w, commit_group *g)
{
    writer_segment *s = &w->active;
    uint64_t good_end = s->offset;
    const char *what = "write";
    bool ok = false;
    errno = EBADF;
    FAULT_POINT("journal.before_write");
    if (active_is_ours(s) && write_group(w, g) == 0) {
        FAULT_POINT("journal.after_write");
        notify_written(g);
        what = "sync";
        errno = EBADF;
        ok = active_is_ours(s) && sync_active(w) == 0;
    }
    if (!ok) {
        int error = errno;
        s->offset = good_end;
        commit_failed(w, g, what, error);
        return;
    }
    apply_positions(w, g);
    w->streak = g->records >= JOURNAL_WINDOW_COUNT ? w->streak + 1 : 0;
    add(&w->commits, 1);
    add(&w->records, g->records);
    check_max_bytes(w);
    FAULT_POINT("journal.before_publish");
    journal_publish(w->board, w->next_seq - 1);
    FAULT_POINT("journal.before_notify");
    finish_batches(w, g->first, JOURNAL_SYNCED);
}

void commit_pending(journal_writer *w)
{
    while (w->pending_first) {
        if (!have_segment(w)) {
            refuse_pending(w);
            return;
        }
        commit_group group;
        if (!take_group(w, &group))
            active_end(w, false);
        else if (group.first)
            commit_group_now(w, &group);
    }
}
