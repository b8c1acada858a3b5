#include "core/journal/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/log.h"

typedef struct recovering {
    int dirfd;
    segment_list list;
    journal_segment_head *heads; /* by index in list; segment_id 0: the head is bad */
    recovery_result *out;
    bool positions_known;
} recovering;

static uint64_t file_bytes(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int64_t file_written_us(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000 : 0;
}

static void warn_damaged(void *arg, uint64_t from, uint64_t through)
{
    log_warn("journal segment %" PRIu64 ": records %" PRIu64 "..%" PRIu64 " are damaged and will be skipped",
             *(const uint64_t *)arg, from, through);
}

static void read_heads(recovering *r)
{
    for (size_t i = 0; i < r->list.count; i++) {
        uint64_t id = r->list.ids[i];
        int fd = segment_open(r->dirfd, id, O_RDONLY);
        int state = fd < 0 ? SEGMENT_HEAD_BAD : segment_head_read(fd, id, &r->heads[i]);
        if (state == SEGMENT_HEAD_BAD) {
            r->heads[i] = (journal_segment_head){0};
            log_error("journal segment %" PRIu64
                      " has no readable head: it is left alone and skipped. Look at it "
                      "with `streamsteam journal verify`",
                      id);
        } else if (state == SEGMENT_HEAD_REBUILT) {
            log_warn("journal segment %" PRIu64 ": both copies of the head are damaged; rebuilt from a frame",
                     id);
        }
        if (fd >= 0)
            (void)close(fd);
    }
}

/* Where segment i ends, as far as the next one's head knows. */
static scan_bound bound_of(const recovering *r, size_t i)
{
    if (i + 1 < r->list.count && r->heads[i + 1].prev_segment_id == r->list.ids[i])
        return (scan_bound){r->heads[i + 1].prev_end_offset, r->heads[i + 1].prev_end_seq};
    return SCAN_NO_BOUND;
}

/* A segment that has a successor: nothing is written to it. */
static void take_closed(recovering *r, size_t i, recovery_segment *s, int fd)
{
    scan_bound bound = bound_of(r, i);
    segment_facts *facts = segment_facts_new();
    if (facts && segment_footer_read(fd, &r->heads[i], false, facts) == 0) {
        s->sealed = true;
        s->end_offset = facts->end_offset;
        s->last_seq = facts->footer.last_seq;
        if (facts->footer.records > 0)
            s->last_receive_us = facts->footer.receive_max_us;
    } else if (bound.seq != UINT64_MAX) {
        s->end_offset = bound.offset;
        s->last_seq = bound.seq;
    } else { /* its successor's head is lost too */
        scan_result found;
        if (scan_segment(fd, &r->heads[i], bound, NULL, warn_damaged, &s->id, &found) == 0) {
            s->end_offset = found.end_offset;
            s->last_seq = found.next_seq - 1;
            r->out->damaged_records += found.damaged;
        }
    }
    segment_facts_free(facts);
}

static void take_positions(recovering *r, segment_facts *facts)
{
    names_positions_fini(&r->out->positions);
    r->out->positions = facts->positions;
    facts->positions.count = 0;
    r->positions_known = true;
}

/* Cuts what was never synced and writes the footer, so that the segment is as good as one sealed in time. No
   sync: the next segment's head says where this one ends, a lost footer only costs a scan. */
static int seal(int fd, const journal_segment_head *head, const segment_facts *facts)
{
    FAULT_POINT("journal.recovery_before_cut");
    if (ftruncate(fd, (off_t)facts->end_offset) != 0)
        return -1;
    FAULT_POINT("journal.recovery_before_footer");
    return segment_footer_write(fd, head, facts, 0);
}

/* What a scan left out must not come back for a reader: its checksum is turned round, and that is synced
   before anything is published. Nothing else of it changes, so that one can still look at it. */
static bool leave_out(int fd, const buf *offsets)
{
    FAULT_POINT("journal.recovery_before_leave_out");
    for (size_t i = 0; i < offsets->len; i += sizeof(uint64_t)) {
        uint64_t at;
        uint32_t crc;
        memcpy(&at, offsets->ptr + i, sizeof at);
        at += offsetof(journal_record_head, crc);
        if (file_pread_all(fd, &crc, sizeof crc, (off_t)at) != (ssize_t)sizeof crc)
            return false;
        crc = ~crc;
        if (file_pwrite_all(fd, &crc, sizeof crc, (off_t)at) != 0)
            return false;
    }
    return !offsets->failed && (offsets->len == 0 || fdatasync(fd) == 0);
}

/* Footer, or else: sync first (the page cache may hold what the disk does not), then scan, cut, seal. */
static int take_last(recovering *r, size_t i, recovery_segment *s, int fd)
{
    const journal_segment_head *head = &r->heads[i];
    segment_facts *facts = segment_facts_new();
    if (!facts)
        return -1;
    if (segment_footer_read(fd, head, true, facts) == 0) {
        s->sealed = true;
    } else {
        segment_facts_free(facts);
        if ((facts = segment_facts_new()) == NULL)
            return -1;
        scan_result found;
        FAULT_POINT("journal.recovery_before_sync");
        bool synced = fdatasync(fd) == 0;
        if (!synced)
            log_error("journal segment %" PRIu64 ": sync failed: %s. Check the disk", s->id, strerror(errno));
        FAULT_POINT("journal.recovery_before_scan");
        facts->whole_requests = true;
        if (scan_segment(fd, head, SCAN_NO_BOUND, facts, warn_damaged, &s->id, &found) != 0) {
            segment_facts_free(facts);
            return -1;
        }
        r->out->damaged_records += found.damaged;
        r->out->cut_bytes += found.cut_bytes;
        bool left_out = leave_out(fd, &facts->left_out);
        if (!left_out)
            log_error("journal segment %" PRIu64 ": parts of an unfinished request cannot be taken out: %s",
                      s->id, strerror(errno));
        if (found.bad_pages == 0 && synced && left_out)
            s->sealed = seal(fd, head, facts) == 0;
        if (!s->sealed)
            log_error("journal segment %" PRIu64 " cannot be sealed: it stays as it is", s->id);
        s->file_bytes = file_bytes(fd);
        facts->footer.last_seq += found.uncertain;
        log_info("journal segment %" PRIu64 " recovered: %" PRIu64 " records, %" PRIu64 " damaged (%" PRIu64
                 " of them whole, but not their request), %" PRIu64 " bytes of an unfinished write cut",
                 s->id, found.records, found.damaged, found.left_out, found.cut_bytes);
    }
    s->end_offset = facts->end_offset;
    s->last_seq = facts->footer.last_seq;
    if (facts->footer.records > 0)
        s->last_receive_us = facts->footer.receive_max_us;
    take_positions(r, facts);
    segment_facts_free(facts);
    return 0;
}

/* The last segment's positions are lost with it: those of the newest segment that can be read. */
static void find_positions(recovering *r)
{
    for (size_t i = r->list.count; i > 0 && !r->positions_known; i--) {
        scan_result found;
        int fd = r->heads[i - 1].segment_id == 0 ? -1 : segment_open(r->dirfd, r->list.ids[i - 1], O_RDONLY);
        segment_facts *facts = fd < 0 ? NULL : segment_facts_new();
        if (facts && scan_segment(fd, &r->heads[i - 1], bound_of(r, i - 1), facts, NULL, NULL, &found) == 0)
            take_positions(r, facts);
        segment_facts_free(facts);
        if (fd >= 0)
            (void)close(fd);
    }
}

/* A segment that nobody can read may have held as many records as fit: their numbers are not used again. */
static void skip_numbers(recovery_result *out, uint64_t bytes)
{
    out->next_seq += bytes / sizeof(journal_record_head);
}

static int take_segment(recovering *r, size_t i)
{
    recovery_result *out = r->out;
    bool last = i + 1 == r->list.count;
    int fd = segment_open(r->dirfd, r->list.ids[i], last ? O_RDWR : O_RDONLY);
    recovery_segment s = {.id = r->list.ids[i],
                          .first_seq = out->next_seq,
                          .last_seq = out->next_seq - 1,
                          .file_bytes = fd < 0 ? 0 : file_bytes(fd),
                          .last_receive_us = fd < 0 ? 0 : file_written_us(fd)};
    int rc = 0;
    if (fd < 0 || r->heads[i].segment_id == 0) {
        if (last)
            skip_numbers(out, s.file_bytes);
        else if (r->heads[i + 1].segment_id != 0 && r->heads[i + 1].first_seq > out->next_seq)
            out->next_seq = r->heads[i + 1].first_seq;
        s.last_seq = out->next_seq - 1;
        out->segments[out->count++] = s;
    } else {
        s.first_seq = r->heads[i].first_seq;
        s.last_seq = s.first_seq - 1;
        if (last)
            rc = take_last(r, i, &s, fd);
        else
            take_closed(r, i, &s, fd);
        if (s.last_seq + 1 > out->next_seq)
            out->next_seq = s.last_seq + 1;
        /* An empty last segment is written anew under its own number: numbers have no holes. */
        if (!last || s.last_seq >= s.first_seq)
            out->segments[out->count++] = s;
        else
            out->next_segment_id = s.id;
    }
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

int recovery_run(int dirfd, recovery_result *out, ss_error *err)
{
    recovering r = {.dirfd = dirfd, .out = out};
    *out = (recovery_result){.next_segment_id = 1, .next_seq = 1};
    int rc = segment_list_read(dirfd, &r.list);
    if (rc == 0 && r.list.count > 0) {
        r.heads = calloc(r.list.count, sizeof *r.heads);
        out->segments = calloc(r.list.count, sizeof *out->segments);
        rc = r.heads && out->segments ? 0 : -1;
    }
    if (rc == 0 && r.list.count > 0) {
        out->next_segment_id = r.list.ids[r.list.count - 1] + 1;
        read_heads(&r);
        for (size_t i = 0; i < r.list.count && rc == 0; i++)
            rc = take_segment(&r, i);
        find_positions(&r);
    }
    if (rc != 0) {
        (void)ss_fail(err, SS_FATAL, "journal: the directory cannot be recovered: %s", strerror(errno));
        recovery_free(out);
    }
    free(r.heads);
    segment_list_free(&r.list);
    return rc;
}

void recovery_free(recovery_result *r)
{
    free(r->segments);
    names_positions_fini(&r->positions);
    *r = (recovery_result){0};
}
