#include "core/journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/journal/segment.h"
#include "core/journal/summary.h"

#define READER_CHUNK_MIN ((size_t)16 * 1024)  /* per pread: small while following the end, ... */
#define READER_CHUNK_MAX ((size_t)256 * 1024) /* ... and what fits the CPU's cache when far behind */
#define READER_NO_LIMIT  UINT64_MAX
#define READER_UNKNOWN   UINT64_MAX

/* What the bytes at `offset` are expected to be. */
enum reader_mode {
    AT_FRAME, /* a frame's head                                                    */
    IN_BODY,  /* the next record of the frame                                      */
    LOST      /* anything: looks for the next whole frame head or expected record  */
};

enum reader_step { AGAIN = 0, SHORT = -1, MORE = -2 /* else: enum journal_read */ };

typedef struct reader_name { /* interned: slices into it live as long as the reader */
    struct reader_name *next;
    size_t len;
    char bytes[];
} reader_name;

typedef struct reader_source {
    const reader_name *name; /* NULL: not in this segment's dictionary */
    uint32_t schema_rev;
} reader_source;

struct journal_reader {
    int dirfd, fd; /* fd < 0: the segment has to be found */
    uint64_t id, next_seq;
    journal_segment_head head;
    dev_t dev;
    ino_t ino;

    /* The buffer: [pos, fill) is the file from `offset` on; below pos are records that were handed out. */
    char *bytes;
    size_t size, pos, fill, chunk;
    uint64_t offset;
    bool lent;
    uint64_t
        fresh_limit; /* everything up to this seq was on disk before the first byte of [pos, fill) was read */

    uint64_t bound_limit; /* up to this seq it is known that end_offset is right */
    uint64_t end_offset, end_seq;
    enum reader_mode mode;
    uint64_t body_end, frame_last; /* IN_BODY; frame_last also after a body was lost */
    uint64_t lost_at;              /* LOST: where that began */

    reader_source *sources; /* by number */
    uint32_t source_count;
    reader_name *names;
};

/* ---- the dictionary ---- */

static const reader_name *intern(journal_reader *r, ss_str text)
{
    for (const reader_name *n = r->names; n; n = n->next)
        if (ss_eq(ss_s(n->bytes, n->len), text))
            return n;
    reader_name *n = malloc(sizeof *n + text.len + 1);
    if (!n)
        return NULL;
    n->len = text.len;
    memcpy(n->bytes, text.ptr, text.len);
    n->bytes[text.len] = '\0';
    n->next = r->names;
    r->names = n;
    return n;
}

static void take_dictionary(journal_reader *r, const char *body, size_t len)
{
    size_t at = 0;
    uint32_t number;
    journal_source s;
    while (at < len && names_dictionary_next(body, len, &at, &number, &s)) {
        if (number >= r->source_count) {
            reader_source *sources = realloc(r->sources, (size_t)(number + 1) * sizeof *sources);
            if (!sources)
                return;
            memset(sources + r->source_count, 0, (size_t)(number + 1 - r->source_count) * sizeof *sources);
            r->sources = sources;
            r->source_count = number + 1;
        }
        r->sources[number] = (reader_source){.name = intern(r, s.name), .schema_rev = s.schema_rev};
    }
}

/* ---- the buffer ---- */

static void drop_buffer(journal_reader *r)
{
    if (!r->lent)
        r->pos = 0;
    r->fill = r->pos;
}

static void go_to(journal_reader *r, uint64_t offset)
{
    if (offset >= r->offset && offset - r->offset <= r->fill - r->pos)
        r->pos += (size_t)(offset - r->offset);
    else
        drop_buffer(r);
    r->offset = offset;
}

/* Room for `need` bytes behind pos. Goes back to the buffer's beginning, which is still in the CPU's cache,
   whenever nothing is lent. */
static bool make_room(journal_reader *r, size_t need)
{
    if (r->lent || r->pos == 0)
        return r->size - r->pos >= need;
    memmove(r->bytes, r->bytes + r->pos, r->fill - r->pos);
    r->fill -= r->pos;
    r->pos = 0;
    return r->size >= need;
}

/* At least `need` bytes at offset in the buffer: AGAIN; SHORT at the end of what may be read; or FULL, ERROR.
 */
static int fetch(journal_reader *r, size_t need, uint64_t limit, ss_error *err)
{
    if (r->end_offset != READER_UNKNOWN && (r->offset > r->end_offset || r->end_offset - r->offset < need))
        return SHORT;
    if (!make_room(r, need))
        return r->lent ? JOURNAL_READ_FULL : SHORT;
    if (r->fill == r->pos)
        r->fresh_limit = limit;
    while (r->fill - r->pos < need) {
        size_t have = r->fill - r->pos, want = need - have > r->chunk ? need - have : r->chunk;
        if (want > r->size - r->fill)
            want = r->size - r->fill;
        ssize_t n = pread(r->fd, r->bytes + r->fill, want, (off_t)(r->offset + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EIO) { /* a bad sector: zeros are as unreadable, and the walk goes on behind */
            n = (ssize_t)(want < JOURNAL_HEAD_COPY_BYTES ? want : JOURNAL_HEAD_COPY_BYTES);
            memset(r->bytes + r->fill, 0, (size_t)n);
        }
        if (n < 0) {
            (void)ss_fail(err, SS_RETRY, "journal segment %" PRIu64 ": %s", r->head.segment_id,
                          strerror(errno));
            return JOURNAL_READ_ERROR;
        }
        if (n == 0)
            return SHORT;
        r->fill += (size_t)n;
        if (r->chunk < READER_CHUNK_MAX)
            r->chunk *= 2;
    }
    return AGAIN;
}

static inline int need(journal_reader *r, size_t bytes, uint64_t limit, ss_error *err)
{
    bool inside = r->end_offset == READER_UNKNOWN || r->offset + bytes <= r->end_offset;
    return r->fill - r->pos >= bytes && inside ? AGAIN : fetch(r, bytes, limit, err);
}

/* ---- segments ---- */

static void close_segment(journal_reader *r)
{
    if (r->fd >= 0)
        (void)close(r->fd);
    r->fd = -1;
    drop_buffer(r);
}

/* The new segment's first frame is next; 0, or -1 where there is no such file or its head is bad. */
static int enter_segment(journal_reader *r, uint64_t id)
{
    journal_segment_head head;
    struct stat st;
    int fd = segment_open(r->dirfd, id, O_RDONLY);
    if (fd < 0)
        return -1;
    if (segment_head_read(fd, id, &head) == SEGMENT_HEAD_BAD || fstat(fd, &st) != 0) {
        (void)close(fd);
        errno = EBADMSG;
        return -1;
    }
    close_segment(r);
    r->fd = fd;
    r->head = head;
    r->dev = st.st_dev;
    r->ino = st.st_ino;
    r->offset = head.head_bytes;
    r->mode = AT_FRAME;
    r->end_offset = r->end_seq = READER_UNKNOWN;
    r->bound_limit = 0;
    r->frame_last = 0;
    for (uint32_t i = 0; i < r->source_count; i++)
        r->sources[i].name = NULL;
    return 0;
}

/* Is the file still the segment it was when we opened it? Else it was recycled: what we read may be new. */
static bool still_named(const journal_reader *r)
{
    char name[SEGMENT_NAME_BYTES];
    struct stat st;
    segment_name(name, r->head.segment_id);
    return fstatat(r->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == r->dev &&
           st.st_ino == r->ino;
}

/* The next segment's head says where this one ends. It exists before anything behind that end is published,
   so it is enough to look once for each new limit. */
static void learn_bound(journal_reader *r, uint64_t limit)
{
    journal_segment_head next;
    uint64_t id = r->head.segment_id + 1;
    if (r->end_offset != READER_UNKNOWN)
        return;
    r->bound_limit = limit;
    int fd = segment_open(r->dirfd, id, O_RDONLY);
    if (fd < 0)
        return;
    if (segment_head_read(fd, id, &next) != SEGMENT_HEAD_BAD && next.prev_segment_id == r->head.segment_id) {
        r->end_offset = next.prev_end_offset;
        r->end_seq = next.prev_end_seq;
    }
    (void)close(fd);
}

static int report(journal_reader *r, journal_item *out, enum journal_read what, uint64_t from,
                  uint64_t through)
{
    *out = (journal_item){.from = from, .through = through};
    r->next_seq = through + 1;
    return (int)what;
}

/* Damage, unless we were overtaken by recycling: then the place is looked up anew. */
static int report_damage(journal_reader *r, journal_item *out, uint64_t through, uint64_t limit)
{
    if (r->fd >= 0 && !still_named(r)) {
        close_segment(r);
        return AGAIN;
    }
    return report(r, out, JOURNAL_READ_DAMAGED, r->next_seq, through < limit ? through : limit);
}

static bool first_seq_of(const journal_reader *r, uint64_t id, uint64_t *first)
{
    journal_segment_head head;
    int fd = segment_open(r->dirfd, id, O_RDONLY);
    bool ok = fd >= 0 && segment_head_read(fd, id, &head) != SEGMENT_HEAD_BAD;
    if (fd >= 0)
        (void)close(fd);
    if (ok)
        *first = head.first_seq;
    return ok;
}

/* Index of the last segment that begins at or before next_seq, by halving; -1: none. */
static ssize_t search_list(const journal_reader *r, const segment_list *list)
{
    size_t lo = 0, hi = list->count; /* answer in [lo - 1, hi - 1] */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2, probe = mid;
        uint64_t first = 0;
        while (probe < hi && !first_seq_of(r, list->ids[probe], &first)) /* a bad head: ask its successor */
            probe++;
        if (probe < hi && first <= r->next_seq)
            lo = probe + 1;
        else
            hi = mid;
    }
    while (lo > 0) { /* lo - 1 may have a bad head */
        uint64_t first;
        if (first_seq_of(r, list->ids[lo - 1], &first))
            return (ssize_t)lo - 1;
        lo--;
    }
    return -1;
}

/* next_seq lies before every segment that can be read. */
static int before_all(journal_reader *r, const segment_list *list, uint64_t limit, journal_item *out)
{
    uint64_t first = 0;
    bool unreadable = false;
    for (size_t i = 0; i < list->count; i++) {
        if (!first_seq_of(r, list->ids[i], &first)) {
            char name[SEGMENT_NAME_BYTES];
            segment_name(name, list->ids[i]);
            unreadable |= faccessat(r->dirfd, name, F_OK, 0) == 0; /* else it was retired in this moment */
            continue;
        }
        if (first <= r->next_seq)
            return AGAIN;
        first = first - 1 < limit ? first - 1 : limit;
        return report(r, out, unreadable ? JOURNAL_READ_DAMAGED : JOURNAL_READ_GAP, r->next_seq, first);
    }
    return SHORT;
}

static int locate(journal_reader *r, uint64_t limit, journal_item *out, ss_error *err)
{
    segment_list list;
    if (segment_list_read(r->dirfd, &list) != 0) {
        (void)ss_fail(err, SS_RETRY, "journal directory: %s", strerror(errno));
        return JOURNAL_READ_ERROR;
    }
    ssize_t found = search_list(r, &list);
    int step = AGAIN;
    if (found < 0)
        step = before_all(r, &list, limit, out);
    else if (enter_segment(r, list.ids[found]) != 0)
        step = SHORT; /* retired in this moment */
    segment_list_free(&list);
    if (step != SHORT)
        return step;
    if (limit == READER_NO_LIMIT)
        return JOURNAL_READ_END;
    (void)ss_fail(err, SS_RETRY, "journal: no segment holds record %" PRIu64, r->next_seq);
    return JOURNAL_READ_ERROR;
}

/* Enters the first segment behind this one that can be read. false: there is none. */
static bool enter_later(journal_reader *r)
{
    segment_list list;
    bool entered = enter_segment(r, r->head.segment_id + 1) == 0;
    if (entered || segment_list_read(r->dirfd, &list) != 0)
        return entered;
    uint64_t after = r->head.segment_id;
    for (size_t i = 0; i < list.count && !entered; i++)
        entered = list.ids[i] > after && enter_segment(r, list.ids[i]) == 0;
    segment_list_free(&list);
    return entered;
}

/* This segment is done. */
static int next_segment(journal_reader *r, uint64_t limit, journal_item *out, ss_error *err)
{
    bool expired = !still_named(r);
    if (enter_later(r)) {
        if (r->head.first_seq <= r->next_seq)
            return AGAIN;
        if (expired) { /* find out what is gone from the oldest that is left */
            close_segment(r);
            return AGAIN;
        }
        uint64_t through = r->head.first_seq - 1;
        return report(r, out, JOURNAL_READ_DAMAGED, r->next_seq, through < limit ? through : limit);
    }
    if (expired) {
        close_segment(r);
        return AGAIN;
    }
    if (limit == READER_NO_LIMIT) {
        drop_buffer(r);
        return JOURNAL_READ_END;
    }
    if (r->mode ==
        LOST) /* the rest of the newest segment is unreadable; what is written later will be found */
        return report_damage(r, out, limit, limit);
    (void)ss_fail(err, SS_RETRY, "journal: the segment after %" PRIu64 " is missing", r->head.segment_id);
    return JOURNAL_READ_ERROR;
}

/* ---- records ---- */

static int hand_out(journal_reader *r, const journal_record_head *h, journal_item *out)
{
    const reader_source *s = h->source < r->source_count ? &r->sources[h->source] : NULL;
    const char *p = (const char *)(h + 1);
    r->pos += JOURNAL_ALIGN(h->length);
    r->offset += JOURNAL_ALIGN(h->length);
    if (!s || !s->name) /* nobody knows where it belongs */
        return report(r, out, JOURNAL_READ_DAMAGED, h->seq, h->seq);
    ss_record *rec = &out->record;
    rec->seq = h->seq;
    rec->receive_us = h->receive_us;
    rec->event_us = h->event_us;
    rec->receiver = ss_s(s->name->bytes, s->name->len);
    rec->app = ss_s(p, h->app_len);
    p += h->app_len;
    rec->type = ss_s(p, h->type_len);
    p += h->type_len;
    rec->id = ss_s(p, h->id_len);
    p += h->id_len;
    rec->key = ss_s(p, h->key_len);
    p += h->key_len;
    rec->json = rec->body = ss_s(p, h->json_len);
    rec->schema_rev = s->schema_rev;
    rec->aside = ss_s(p + h->json_len, h->length - (size_t)(p + h->json_len - (const char *)h));
    rec->flags = h->flags & JOURNAL_RECORD_FAILED ? SS_RECORD_FAILED : 0;
    rec->attempt = rec->spare = 0;
    out->from = out->through = h->seq;
    out->record_flags = h->flags;
    r->next_seq = h->seq + 1;
    r->lent = true;
    return JOURNAL_READ_RECORD;
}

/* *out: the head at pos of a whole record with lo <= seq <= hi; NULL: there is none. */
static int record_here(journal_reader *r, uint64_t lo, uint64_t hi, uint64_t end, uint64_t limit,
                       const journal_record_head **out, ss_error *err)
{
    *out = NULL;
    int step = need(r, sizeof(journal_record_head), limit, err);
    if (step != AGAIN)
        return step;
    const journal_record_head *h = (const journal_record_head *)(const void *)(r->bytes + r->pos);
    if (h->seq < lo || h->seq > hi || !format_record_sane(h) || JOURNAL_ALIGN(h->length) > end - r->offset)
        return AGAIN;
    step = need(r, JOURNAL_ALIGN(h->length), limit, err);
    if (step != AGAIN)
        return step;
    h = (const journal_record_head *)(const void *)(r->bytes + r->pos); /* the buffer may have moved */
    if (format_record_crc(h) == h->crc)
        *out = h;
    return AGAIN;
}

static int get_lost(journal_reader *r, uint64_t at)
{
    r->mode = LOST;
    r->lost_at = at;
    if (!still_named(r))
        close_segment(r); /* overtaken */
    return AGAIN;
}

static int step_body(journal_reader *r, uint64_t limit, journal_item *out, ss_error *err)
{
    if (r->next_seq > r->frame_last || r->offset >= r->body_end) {
        go_to(r, r->body_end + sizeof(journal_frame_trailer));
        r->mode = AT_FRAME;
        return r->next_seq > r->frame_last ? AGAIN : report_damage(r, out, r->frame_last, limit);
    }
    const journal_record_head *h;
    int step = record_here(r, 0, r->next_seq, r->body_end, limit, &h, err);
    if (step != AGAIN && step != SHORT)
        return step;
    if (step == SHORT || !h)
        return get_lost(r, r->offset);
    if (h->seq == r->next_seq)
        return hand_out(r, h, out);
    go_to(r, r->offset + JOURNAL_ALIGN(h->length)); /* before the place where reading began */
    return AGAIN;
}

/* ---- frames ---- */

static int take_frame(journal_reader *r, const journal_frame_head *h, uint64_t limit, journal_item *out,
                      ss_error *err)
{
    uint64_t next = r->offset + format_frame_bytes(h);
    if (h->first_seq > r->next_seq) /* the records before it are gone; the frame is looked at again */
        return report_damage(r, out, h->first_seq - 1, limit);
    /* Where the next segment's head, or the locator, knows another end, this is not the one. */
    if (h->type == JOURNAL_FRAME_FOOTER && r->end_offset == READER_UNKNOWN &&
        segment_may_end_at(r->fd, &r->head, r->offset))
        return next_segment(r, limit, out, err);
    if (h->type == JOURNAL_FRAME_RECORDS) {
        uint64_t last = h->first_seq + h->count - 1;
        if (last < r->next_seq) {
            go_to(r, next);
            return AGAIN;
        }
        r->frame_last = last;
        r->body_end = next - sizeof(journal_frame_trailer);
        r->mode = IN_BODY;
        go_to(r, r->offset + sizeof *h + h->position_bytes);
        return AGAIN;
    }
    if (h->type == JOURNAL_FRAME_DICTIONARY && h->body_bytes <= JOURNAL_META_BODY_MAX) {
        uint32_t len = h->body_bytes, crc = h->extra_crc;
        int step = need(r, sizeof *h + len, limit, err);
        if (step != AGAIN && step != SHORT)
            return step;
        const char *body = r->bytes + r->pos + sizeof *h;
        if (step == AGAIN && journal_crc32c(0, body, len) == crc)
            take_dictionary(r, body, len);
    }
    go_to(r, next);
    return AGAIN;
}

static int step_frame(journal_reader *r, uint64_t limit, journal_item *out, ss_error *err)
{
    if (r->next_seq > r->bound_limit)
        learn_bound(r, limit);
    if (r->next_seq > r->fresh_limit) /* read before it was durable */
        drop_buffer(r);
    if (r->offset >= r->end_offset)
        return next_segment(r, limit, out, err);
    int step = need(r, sizeof(journal_frame_head), limit, err);
    if (step != AGAIN && step != SHORT)
        return step;
    const journal_frame_head *h = (const journal_frame_head *)(const void *)(r->bytes + r->pos);
    if (step == SHORT || !format_frame_ok(h, &r->head))
        return get_lost(r, r->offset);
    r->mode = AT_FRAME;
    return take_frame(r, h, limit, out, err);
}

/* The end of the segment was reached while looking for something whole. */
static int lost_to_the_end(journal_reader *r, uint64_t limit, journal_item *out, ss_error *err)
{
    uint64_t known = r->end_offset;
    learn_bound(r, limit);
    if (known != r->end_offset) { /* the segment was closed meanwhile: look again, up to its end */
        go_to(r, r->lost_at);
        return AGAIN;
    }
    if (r->end_offset != READER_UNKNOWN) {
        go_to(r, r->end_offset);
        r->mode = AT_FRAME;
        return r->end_seq >= r->next_seq ? report_damage(r, out, r->end_seq, limit) : AGAIN;
    }
    go_to(r, r->lost_at); /* what is written later stands behind it */
    if (r->frame_last >= r->next_seq && r->frame_last <= limit)
        return report_damage(r, out, r->frame_last, limit);
    return next_segment(r, limit, out, err);
}

/* Moves over what cannot be anything: most of a lost stretch. */
static void skip_noise(journal_reader *r, uint64_t hi)
{
    while (r->fill - r->pos >= sizeof(journal_frame_head)) {
        const journal_record_head *h = (const journal_record_head *)(const void *)(r->bytes + r->pos);
        if (h->length == JOURNAL_FRAME_MAGIC || (h->seq >= r->next_seq && h->seq <= hi))
            return;
        r->pos += 8;
        r->offset += 8;
    }
}

static int step_lost(journal_reader *r, uint64_t limit, journal_item *out, ss_error *err)
{
    if (r->next_seq > r->fresh_limit)
        drop_buffer(r);
    int step = need(r, sizeof(journal_record_head), limit, err);
    if (step == SHORT)
        return lost_to_the_end(r, limit, out, err);
    if (step != AGAIN)
        return step;
    const journal_frame_head *f = (const journal_frame_head *)(const void *)(r->bytes + r->pos);
    if (f->magic == JOURNAL_FRAME_MAGIC && (step = need(r, sizeof *f, limit, err)) == AGAIN) {
        f = (const journal_frame_head *)(const void *)(r->bytes + r->pos);
        if (format_frame_ok(f, &r->head)) {
            r->mode = AT_FRAME;
            return AGAIN;
        }
    }
    if (step != AGAIN && step != SHORT)
        return step;
    uint64_t end = r->end_offset == READER_UNKNOWN ? UINT64_MAX : r->end_offset;
    uint64_t hi = limit < UINT64_MAX / 2 ? limit : UINT64_MAX / 2;
    const journal_record_head *h;
    step = record_here(r, r->next_seq, hi, end, limit, &h, err);
    if (step != AGAIN && step != SHORT)
        return step;
    if (step == AGAIN && h) {
        if (h->seq > r->next_seq) /* it is found again in the next step */
            return report_damage(r, out, h->seq - 1, limit);
        r->lost_at = r->offset + JOURNAL_ALIGN(h->length);
        return hand_out(r, h, out);
    }
    go_to(r, r->offset + 8);
    skip_noise(r, hi);
    return AGAIN;
}

/* ---- the calls ---- */

journal_reader *journal_reader_open(const char *dir, uint64_t after_seq, size_t buffer_bytes, ss_error *err)
{
    journal_reader *r = calloc(1, sizeof *r);
    if (!r) {
        (void)ss_fail(err, SS_FATAL, "journal reader: out of memory");
        return NULL;
    }
    size_t least = JOURNAL_RECORD_MAX + JOURNAL_META_BODY_MAX;
    r->size = buffer_bytes > least ? JOURNAL_ALIGN(buffer_bytes) : least;
    r->bytes = aligned_alloc(64, (r->size + 63) & ~(size_t)63);
    r->next_seq = after_seq + 1;
    r->chunk = READER_CHUNK_MIN;
    r->fd = -1;
    r->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->dirfd < 0 || !r->bytes) {
        (void)ss_fail(err, SS_RETRY, "journal %s: %s", dir, r->dirfd < 0 ? strerror(errno) : "out of memory");
        journal_reader_close(r);
        return NULL;
    }
    r->id = journal_directory_id(r->dirfd, NULL);
    return r;
}

enum journal_read journal_reader_next(journal_reader *r, uint64_t limit_seq, journal_item *out, ss_error *err)
{
    for (;;) {
        if (r->next_seq > limit_seq) {
            r->chunk = READER_CHUNK_MIN;
            return JOURNAL_READ_END;
        }
        int step;
        if (r->fd < 0)
            step = locate(r, limit_seq, out, err);
        else if (r->mode == IN_BODY)
            step = step_body(r, limit_seq, out, err);
        else if (r->mode == AT_FRAME)
            step = step_frame(r, limit_seq, out, err);
        else
            step = step_lost(r, limit_seq, out, err);
        if (step != AGAIN)
            return (enum journal_read)step;
    }
}

void journal_reader_release(journal_reader *r)
{
    r->lent = false;
    if (r->pos == r->fill)
        r->pos = r->fill = 0;
}

void journal_reader_close(journal_reader *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        (void)close(r->fd);
    if (r->dirfd >= 0)
        (void)close(r->dirfd);
    while (r->names) {
        reader_name *next = r->names->next;
        free(r->names);
        r->names = next;
    }
    free(r->sources);
    free(r->bytes);
    free(r);
}

uint64_t journal_reader_id(const journal_reader *r)
{
    return r->id;
}
