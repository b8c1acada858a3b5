#include "core/journal/scan.h"

#include <stdlib.h>

#include "core/journal/window.h"

typedef struct scan {
    window window;
    int fd;
    const journal_segment_head *head;
    uint64_t limit;    /* offset behind which nothing counts */
    uint64_t last_seq; /* the highest seq that may be here   */
    segment_facts *facts;
    counts *counts; /* NULL without facts */
    scan_damaged_fn *damaged;
    void *arg;
    scan_result *out;
} scan;

static const void *bytes_at(scan *s, uint64_t offset, size_t need)
{
    return offset <= s->limit && s->limit - offset >= need ? window_at(&s->window, offset, need) : NULL;
}

static bool frame_at(scan *s, uint64_t offset, journal_frame_head *out)
{
    const journal_frame_head *h = bytes_at(s, offset, sizeof *h);
    if (!h || h->magic != JOURNAL_FRAME_MAGIC || !format_frame_ok(h, s->head))
        return false;
    *out = *h;
    return true;
}

static bool trailer_at(scan *s, uint64_t offset, journal_frame_trailer *out)
{
    const journal_frame_trailer *t = bytes_at(s, offset, sizeof *t);
    if (!t || !format_trailer_ok(t, s->head))
        return false;
    *out = *t;
    return true;
}

/* A whole record with lo <= seq <= hi, or NULL. */
static const journal_record_head *record_at(scan *s, uint64_t offset, uint64_t end, uint64_t lo, uint64_t hi)
{
    const journal_record_head *h = bytes_at(s, offset, sizeof *h);
    if (!h || h->seq < lo || h->seq > hi || !format_record_sane(h) || offset + h->length > end)
        return NULL;
    h = bytes_at(s, offset, h->length);
    return h && h->crc == format_record_crc(h) ? h : NULL;
}

static void count_damaged(scan *s, uint64_t from, uint64_t through)
{
    s->out->damaged += through - from + 1;
    if (s->damaged)
        s->damaged(s->arg, from, through);
}

/* Looks at the records from..last between two offsets; visits them (counts, reports damage) or only says
   whether all are whole. */
static bool walk_records(scan *s, uint64_t offset, uint64_t end, uint64_t from, uint64_t last, bool visit)
{
    uint64_t expect = from, there = s->limit < s->window.file_bytes ? s->limit : s->window.file_bytes;
    end = end < there ? end : there;
    while (expect <= last && offset < end) {
        const journal_record_head *h = record_at(s, offset, end, expect, last);
        if (!h) {
            if (!visit)
                return false;
            offset += 8;
            continue;
        }
        if (!visit && h->seq != expect)
            return false;
        if (visit) {
            if (h->seq > expect)
                count_damaged(s, expect, h->seq - 1);
            s->out->records++;
            if (s->counts)
                (void)counts_add(s->counts, h);
        }
        expect = h->seq + 1;
        offset += JOURNAL_ALIGN(h->length);
    }
    if (expect <= last && visit)
        count_damaged(s, expect, last);
    return expect > last;
}

/* ---- requests: all of one, or nothing ---- */

typedef struct request { /* the one that the walk is in */
    uint64_t offset, first_seq;
    bool broken;
} request;

static void leave_out(scan *s, uint64_t offset, uint64_t end, uint64_t from, uint64_t last)
{
    while (from <= last && offset < end) {
        const journal_record_head *h = record_at(s, offset, end, from, last);
        if (h) {
            s->out->left_out++;
            buf_add(&s->facts->left_out, &offset, sizeof offset);
            from = h->seq + 1;
        }
        offset += h ? JOURNAL_ALIGN(h->length) : 8;
    }
}

/* The request ends before `end`, with `last`. */
static void close_request(scan *s, const request *r, uint64_t end, uint64_t last)
{
    if (r->first_seq > last)
        return;
    if (!r->broken) {
        (void)walk_records(s, r->offset, end, r->first_seq, last, true);
        return;
    }
    count_damaged(s, r->first_seq, last);
    leave_out(s, r->offset, end, r->first_seq, last);
}

/* As walk_records() visits them, but of a request that is not whole no record counts. Where a damaged record
   stood, the next request begins with the next record that says so. */
static void walk_requests(scan *s, uint64_t offset, uint64_t end, uint64_t from, uint64_t last)
{
    uint64_t expect = from, there = s->limit < s->window.file_bytes ? s->limit : s->window.file_bytes;
    request r = {offset, from, false};
    end = end < there ? end : there;
    while (expect <= last && offset < end) {
        const journal_record_head *h = record_at(s, offset, end, expect, last);
        if (!h) {
            offset += 8;
            continue;
        }
        uint64_t seq = h->seq, next = offset + JOURNAL_ALIGN(h->length);
        uint16_t flags = h->flags;
        r.broken |= seq > expect;
        if (flags & JOURNAL_REQUEST_BEGIN) {
            close_request(s, &r, offset, seq - 1);
            r = (request){offset, seq, false};
        }
        expect = seq + 1;
        offset = next;
        if (flags & JOURNAL_REQUEST_END) {
            close_request(s, &r, offset, seq);
            r = (request){offset, expect, false};
        }
    }
    r.broken |= expect <= last;
    close_request(s, &r, end, last);
}

/* ---- frames ---- */

/* The trailer is there, or every record is whole: then a byte went bad later; else it was never finished. */
static bool frame_complete(scan *s, uint64_t offset, const journal_frame_head *h)
{
    journal_frame_trailer t;
    uint64_t body = offset + sizeof *h + h->position_bytes, end = body + h->body_bytes;
    if (trailer_at(s, end, &t) && format_trailer_matches(&t, h, s->head))
        return true;
    if (h->type != JOURNAL_FRAME_RECORDS) {
        const char *bytes = h->body_bytes <= WINDOW_BYTES ? bytes_at(s, body, h->body_bytes) : NULL;
        return bytes && journal_crc32c(0, bytes, h->body_bytes) == h->extra_crc;
    }
    return end <= s->limit && end <= s->window.file_bytes &&
           walk_records(s, body, end, h->first_seq, h->first_seq + h->count - 1, false);
}

/* Moves *at to the next place that may be a frame or a trailer: the loop over a segment's unused rest. */
static bool find_magic(scan *s, uint64_t *at)
{
    const char *p;
    while ((p = bytes_at(s, *at, sizeof(journal_frame_trailer))) != NULL) {
        const window *w = &s->window;
        uint64_t end = w->start + w->fill < s->limit ? w->start + w->fill : s->limit;
        size_t bytes = (size_t)(end - *at) & ~(size_t)7;
        for (size_t i = 0; i < bytes; i += 8) {
            uint32_t word;
            memcpy(&word, p + i, sizeof word);
            if (word == JOURNAL_FRAME_MAGIC || word == JOURNAL_TRAILER_MAGIC) {
                *at += i;
                return true;
            }
        }
        *at += bytes;
    }
    return false;
}

/* Was the frame at offset, which is not whole, synced once? Then there is a frame of a later commit than the
   one that holds `expect`. Where only its head is damaged, its trailer is there; or it was no frame of
   records, and the next one, which is whole, begins with `expect`. */
static bool synced_once(scan *s, uint64_t offset, uint64_t expect, bool head_damaged)
{
    journal_frame_head h;
    journal_frame_trailer t;
    for (uint64_t at = offset + 8; find_magic(s, &at); at += 8) {
        if (frame_at(s, at, &h) &&
            (h.first_seq - h.commit_delta > expect || (head_damaged && h.type == JOURNAL_FRAME_RECORDS &&
                                                       h.first_seq == expect && frame_complete(s, at, &h))))
            return true;
        if (head_damaged && trailer_at(s, at, &t) && t.first_seq == expect && t.count > 0 &&
            t.body_bytes + sizeof h <= at - offset)
            return true;
    }
    return false;
}

/* Is there a frame of a later commit than the one that holds `expect`? Then that one was synced. */
static bool committed_since(scan *s, uint64_t offset, uint64_t expect)
{
    journal_frame_head h;
    for (uint64_t at = offset + 8; find_magic(s, &at); at += 8)
        if (frame_at(s, at, &h) && h.first_seq - h.commit_delta > expect)
            return true;
    return false;
}

/* Visits the records of the frame that ends at `end`. One with damaged records that nothing proves to have
   been synced may be what a power cut left of a write: then its requests are there whole, or not at all.
   false: it was such a frame, and something is missing. */
static bool visit_records(scan *s, uint64_t offset, uint64_t end, uint64_t from, uint64_t last)
{
    uint64_t damaged = s->out->damaged;
    if (s->facts && s->facts->whole_requests && !walk_records(s, offset, end, from, last, false) &&
        !committed_since(s, offset, last)) {
        walk_requests(s, offset, end, from, last);
        return s->out->damaged == damaged;
    }
    (void)walk_records(s, offset, end, from, last, true);
    return true;
}

static void take_meta(scan *s, uint64_t offset, const journal_frame_head *h)
{
    const char *body = h->body_bytes <= WINDOW_BYTES ? bytes_at(s, offset + sizeof *h, h->body_bytes) : NULL;
    if (!s->facts || !body || journal_crc32c(0, body, h->body_bytes) != h->extra_crc)
        return;
    if (h->type == JOURNAL_FRAME_DICTIONARY)
        (void)names_dictionary_read(&s->facts->dictionary, body, h->body_bytes);
    else if (h->type == JOURNAL_FRAME_POSITIONS)
        (void)names_positions_read(&s->facts->positions, body, h->body_bytes);
}

static void take_positions(scan *s, uint64_t offset, const journal_frame_head *h)
{
    if (!s->facts || h->position_bytes == 0 || h->position_bytes > WINDOW_BYTES)
        return;
    const char *bytes = bytes_at(s, offset + sizeof *h, h->position_bytes);
    if (bytes && journal_crc32c(0, bytes, h->position_bytes) == h->extra_crc)
        (void)names_positions_read(&s->facts->positions, bytes, h->position_bytes);
}

static void take_frame(scan *s, uint64_t offset, const journal_frame_head *h)
{
    if (h->type != JOURNAL_FRAME_RECORDS) {
        take_meta(s, offset, h);
        return;
    }
    uint64_t body = offset + sizeof *h + h->position_bytes;
    uint64_t from = h->first_seq, last = h->first_seq + h->count - 1;
    if (from > s->out->next_seq)
        count_damaged(s, s->out->next_seq, from - 1);
    if (from < s->out->next_seq)
        from = s->out->next_seq;
    if (last > s->last_seq)
        last = s->last_seq;
    bool whole = true;
    if (from <= last) {
        whole = visit_records(s, body, body + h->body_bytes, from, last);
        s->out->next_seq = last + 1;
    }
    if (whole) /* else the source sends it again */
        take_positions(s, offset, h);
    s->out->frames++;
}

/* Behind a place where no frame could be read: the next whole frame, or a trailer whose head is damaged.
   Records in between are taken where they are whole. Returns the offset to go on at, 0 = nothing more. */
static uint64_t skip_damage(scan *s, uint64_t offset)
{
    journal_frame_head h;
    journal_frame_trailer t;
    uint64_t expect = s->out->next_seq;
    for (uint64_t at = offset + 8; find_magic(s, &at); at += 8) {
        if (trailer_at(s, at, &t) && t.first_seq >= expect && t.count > 0 && t.body_bytes <= at - offset) {
            uint64_t last = t.first_seq + t.count - 1;
            if (last <= s->last_seq) {
                (void)visit_records(s, offset + 8, at, expect, last);
                s->out->next_seq = last + 1;
            }
            s->out->frames++;
            return at + sizeof t;
        }
        if (frame_at(s, at, &h) && h.first_seq >= expect && h.first_seq - 1 <= s->last_seq) {
            if (h.first_seq > expect)
                (void)walk_records(s, offset + 8, at, expect, h.first_seq - 1, true);
            s->out->next_seq = h.first_seq;
            return at;
        }
    }
    return 0;
}

/* One step. Returns the next offset, 0 at the end. */
static uint64_t step(scan *s, uint64_t offset, bool bounded)
{
    journal_frame_head h;
    bool is_frame = frame_at(s, offset, &h);
    if (is_frame && h.type == JOURNAL_FRAME_FOOTER && segment_may_end_at(s->fd, s->head, offset)) {
        if (h.first_seq > s->out->next_seq && h.first_seq - 1 <= s->last_seq) {
            count_damaged(s, s->out->next_seq, h.first_seq - 1);
            s->out->next_seq = h.first_seq;
        }
        s->out->footer = true;
        return 0;
    }
    if (!bounded && !(is_frame && frame_complete(s, offset, &h)) &&
        !synced_once(s, offset, s->out->next_seq, !is_frame)) {
        s->out->cut_bytes =
            is_frame ? format_frame_bytes(&h) : 0; /* torn: never synced, never acknowledged */
        return 0;
    }
    if (!is_frame || offset + format_frame_bytes(&h) > s->window.file_bytes)
        return skip_damage(s, offset);
    take_frame(s, offset, &h);
    return offset + format_frame_bytes(&h);
}

static void finish(scan *s, scan_bound bound)
{
    scan_result *out = s->out;
    if (bound.seq != UINT64_MAX && out->next_seq <= bound.seq) {
        (void)walk_records(s, out->end_offset, s->limit, out->next_seq, bound.seq, true);
        out->next_seq = bound.seq + 1;
    }
    if (bound.offset != UINT64_MAX)
        out->end_offset = bound.offset;
    out->bad_pages = s->window.bad_pages;
    if (bound.seq == UINT64_MAX && out->bad_pages > 0 && s->window.last_bad_offset >= out->end_offset)
        out->uncertain = (s->window.file_bytes - out->end_offset) / sizeof(journal_record_head) + 1;
    if (!s->facts)
        return;
    journal_footer *f = &s->facts->footer;
    *f = (journal_footer){.first_seq = s->head->first_seq,
                          .last_seq = out->next_seq - 1,
                          .event_min_us = s->counts->event_min_us,
                          .event_max_us = s->counts->event_max_us,
                          .receive_min_us = s->counts->receive_min_us,
                          .receive_max_us = s->counts->receive_max_us,
                          .records = out->records,
                          .damaged = out->damaged};
    f->pair_count = counts_put(s->counts, &s->facts->pairs);
    f->pair_bytes = (uint32_t)s->facts->pairs.len;
    s->facts->end_offset = out->end_offset;
}

int scan_segment(int fd, const journal_segment_head *head, scan_bound bound, segment_facts *facts,
                 scan_damaged_fn *damaged, void *arg, scan_result *out)
{
    scan s = {.fd = fd,
              .head = head,
              .limit = bound.offset,
              .last_seq = bound.seq,
              .facts = facts,
              .damaged = damaged,
              .arg = arg,
              .out = out};
    *out = (scan_result){.end_offset = head->head_bytes, .next_seq = head->first_seq};
    if (facts && (s.counts = malloc(sizeof *s.counts)) == NULL)
        return -1;
    if (s.counts)
        counts_init(s.counts);
    int rc = window_init(&s.window, fd);
    if (rc == 0) {
        uint64_t next;
        while ((next = step(&s, out->end_offset, bound.offset != UINT64_MAX)) != 0)
            out->end_offset = next;
        finish(&s, bound);
        window_fini(&s.window);
    }
    if (s.counts) {
        counts_fini(s.counts);
        free(s.counts);
    }
    return rc;
}
