#include "core/journal/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/journal/summary.h"

#define VERIFY_TEXT_MAX 256

typedef struct verifying {
    int dirfd;
    uint64_t id, next_seq; /* the segment, and what it should begin with; 0: not known */
    void (*tell)(void *arg, const char *text);
    void *arg;
    verify_result *out;
} verifying;

__attribute__((format(printf, 2, 3))) static void tell(verifying *v, const char *format, ...)
{
    char text[VERIFY_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    v->tell(v->arg, text);
}

static void on_damaged(void *arg, uint64_t from, uint64_t through)
{
    verifying *v = arg;
    tell(v, "segment %" PRIu64 ": records %" PRIu64 " to %" PRIu64 " cannot be read", v->id, from, through);
}

/* Was the file retired, or recycled, while we read it? Then what we saw says nothing. */
static bool retired_meanwhile(const verifying *v, int fd)
{
    char name[SEGMENT_NAME_BYTES];
    struct stat now, then;
    segment_name(name, v->id);
    return fstatat(v->dirfd, name, &now, AT_SYMLINK_NOFOLLOW) != 0 || fstat(fd, &then) != 0 ||
           now.st_ino != then.st_ino || now.st_dev != then.st_dev;
}

static bool both_copies_good(int fd)
{
    journal_segment_head copy;
    return file_pread_all(fd, &copy, sizeof copy, 0) == (ssize_t)sizeof copy && format_head_ok(&copy) &&
           file_pread_all(fd, &copy, sizeof copy, JOURNAL_HEAD_COPY_BYTES) == (ssize_t)sizeof copy &&
           format_head_ok(&copy);
}

static void check_order(verifying *v, const journal_segment_head *head)
{
    if (v->next_seq == 0 || head->first_seq <= v->next_seq)
        return;
    uint64_t missing = head->first_seq - v->next_seq;
    v->out->missing += missing;
    tell(v, "records %" PRIu64 " to %" PRIu64 " are missing before segment %" PRIu64, v->next_seq,
         head->first_seq - 1, v->id);
}

static void add_result(verifying *v, const scan_result *found)
{
    v->out->records += found->records;
    v->out->frames += found->frames;
    v->out->damaged += found->damaged;
    v->out->torn_bytes += found->cut_bytes;
    v->out->bad_pages += found->bad_pages;
    if (found->bad_pages > 0)
        tell(v, "segment %" PRIu64 ": the disk cannot read %" PRIu64 " pages", v->id, found->bad_pages);
    if (found->cut_bytes > 0)
        tell(v,
             "segment %" PRIu64 ": an unfinished write at the end (%" PRIu64
             " bytes), never acknowledged; the next "
             "start cuts it",
             v->id, found->cut_bytes);
}

static void verify_segment(verifying *v, int fd)
{
    journal_segment_head head;
    scan_result found;
    int state = segment_head_read(fd, v->id, &head);
    if (state == SEGMENT_HEAD_BAD) {
        if (retired_meanwhile(v, fd))
            return;
        v->out->bad_heads++;
        tell(v, "segment %" PRIu64 " has no readable head: it is skipped", v->id);
        return;
    }
    uint64_t damaged_before = v->out->damaged;
    scan_bound bound = summary_bound(v->dirfd, v->id);
    if (scan_segment(fd, &head, bound, NULL, NULL, NULL, &found) != 0 || retired_meanwhile(v, fd))
        return;
    if (state == SEGMENT_HEAD_REBUILT || !both_copies_good(fd)) {
        v->out->bad_heads++;
        tell(v, "segment %" PRIu64 ": a copy of its head is damaged", v->id);
    }
    check_order(v, &head);
    add_result(v, &found);
    if (v->out->damaged > damaged_before) /* once more, to name them */
        (void)scan_segment(fd, &head, bound, NULL, on_damaged, v, &found);
    v->next_seq = found.next_seq;
    v->out->segments++;
}

int journal_verify(const char *dir, void (*tell_fn)(void *arg, const char *text), void *arg,
                   verify_result *out, ss_error *err)
{
    segment_list list;
    verifying v = {
        .dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .tell = tell_fn, .arg = arg, .out = out};
    *out = (verify_result){0};
    if (v.dirfd < 0 || segment_list_read(v.dirfd, &list) != 0) {
        (void)ss_fail(err, SS_FATAL, "%s: %s. Name the data directory of a server that ran once", dir,
                      strerror(errno));
        if (v.dirfd >= 0)
            (void)close(v.dirfd);
        return -1;
    }
    for (size_t i = 0; i < list.count; i++) {
        v.id = list.ids[i];
        int fd = segment_open(v.dirfd, v.id, O_RDONLY);
        if (fd < 0)
            continue; /* retired in this moment */
        verify_segment(&v, fd);
        (void)close(fd);
    }
    segment_list_free(&list);
    (void)close(v.dirfd);
    return 0;
}

bool verify_clean(const verify_result *r)
{
    return r->damaged == 0 && r->missing == 0 && r->bad_heads == 0 && r->bad_pages == 0;
}
