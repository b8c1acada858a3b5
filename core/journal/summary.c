#include "core/journal/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/log.h"

#define ID_TEXT_BYTES 64

segment_facts *summary_facts(int fd, const journal_segment_head *head, scan_bound bound)
{
    segment_facts *facts = segment_facts_new();
    if (facts && segment_footer_read(fd, head, true, facts) != 0) {
        scan_result found;
        segment_facts_free(facts); /* a broken footer may have left something in it */
        facts = segment_facts_new();
        if (facts && scan_segment(fd, head, bound, facts, NULL, NULL, &found) != 0) {
            segment_facts_free(facts);
            facts = NULL;
        }
    }
    return facts;
}

static size_t fill_counts(const segment_facts *facts, journal_count *out, size_t max)
{
    size_t count = 0;
    for (size_t at = 0; facts->pairs.len - at >= sizeof(journal_pair) && count < max; count++) {
        journal_pair pair;
        memcpy(&pair, facts->pairs.ptr + at, sizeof pair);
        if (facts->pairs.len - at < sizeof pair + pair.app_len)
            break;
        bool known = pair.source < facts->dictionary.count && facts->dictionary.sources[pair.source].name;
        const names_source *s = known ? &facts->dictionary.sources[pair.source] : NULL;
        out[count] = (journal_count){.receiver = s ? ss_s(s->name, s->name_len) : ss_s("", 0),
                                     .app = ss_s(facts->pairs.ptr + at + sizeof pair, pair.app_len),
                                     .records = pair.records};
        at += sizeof pair + JOURNAL_ALIGN(pair.app_len);
    }
    return count;
}

int summary_call(const segment_facts *facts, const journal_segment_head *head, uint64_t file_bytes,
                 int (*fn)(void *arg, const journal_segment_summary *), void *arg)
{
    const journal_footer *f = &facts->footer;
    size_t max = facts->pairs.len / sizeof(journal_pair);
    journal_count *list = calloc(max + 1, sizeof *list);
    if (!list)
        return -1;
    journal_segment_summary s = {.journal_id = head->journal_id,
                                 .segment_id = head->segment_id,
                                 .first_seq = f->first_seq,
                                 .last_seq = f->last_seq,
                                 .records = f->records,
                                 .damaged = f->damaged,
                                 .bytes = file_bytes,
                                 .event_min_us = f->event_min_us,
                                 .event_max_us = f->event_max_us,
                                 .receive_min_us = f->receive_min_us,
                                 .receive_max_us = f->receive_max_us,
                                 .counts = list,
                                 .count_count = fill_counts(facts, list, max)};
    int rc = fn(arg, &s);
    free(list);
    return rc;
}

scan_bound summary_bound(int dirfd, uint64_t id)
{
    journal_segment_head next;
    int fd = segment_open(dirfd, id + 1, O_RDONLY);
    scan_bound bound = SCAN_NO_BOUND;
    if (fd >= 0 && segment_head_read(fd, id + 1, &next) != SEGMENT_HEAD_BAD && next.prev_segment_id == id)
        bound = (scan_bound){next.prev_end_offset, next.prev_end_seq};
    if (fd >= 0)
        (void)close(fd);
    return bound;
}

static int visit_segment(int dirfd, uint64_t id, int (*fn)(void *arg, const journal_segment_summary *),
                         void *arg)
{
    journal_segment_head head;
    struct stat st;
    int rc = 0, fd = segment_open(dirfd, id, O_RDONLY);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1; /* retired meanwhile */
    uint64_t bytes = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    segment_facts *facts = NULL;
    if (segment_head_read(fd, id, &head) != SEGMENT_HEAD_BAD)
        facts = summary_facts(fd, &head, summary_bound(dirfd, id));
    if (facts) {
        rc = summary_call(facts, &head, bytes, fn, arg);
    } else {
        journal_segment_summary s = {.segment_id = id, .first_seq = 1, .bytes = bytes};
        rc = fn(arg, &s);
    }
    segment_facts_free(facts);
    (void)close(fd);
    return rc;
}

static int open_directory(const char *dir, ss_error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        (void)ss_fail(err, SS_FATAL, "%s: %s. Name the journal's directory (DATA/journal)", dir,
                      strerror(errno));
    return fd;
}

int journal_summaries(const char *dir, int (*fn)(void *arg, const journal_segment_summary *), void *arg,
                      ss_error *err)
{
    segment_list list;
    int dirfd = open_directory(dir, err);
    if (dirfd < 0)
        return -1;
    int rc = segment_list_read(dirfd, &list);
    if (rc != 0)
        (void)ss_fail(err, SS_FATAL, "%s: %s", dir, strerror(errno));
    for (size_t i = 0; rc == 0 && i < list.count; i++)
        rc = visit_segment(dirfd, list.ids[i], fn, arg);
    segment_list_free(&list);
    (void)close(dirfd);
    return rc;
}

typedef struct seq_range {
    uint64_t first, last;
} seq_range;

static int take_range(void *arg, const journal_segment_summary *s)
{
    seq_range *range = arg;
    if (s->last_seq < s->first_seq)
        return 0;
    if (range->last == 0)
        range->first = s->first_seq;
    range->last = s->last_seq;
    return 0;
}

int journal_last_seq(const char *dir, uint64_t *first_seq, uint64_t *last_seq, ss_error *err)
{
    segment_list list;
    seq_range range = {0};
    int dirfd = open_directory(dir, err);
    if (dirfd < 0)
        return -1;
    int rc = segment_list_read(dirfd, &list);
    if (rc != 0)
        (void)ss_fail(err, SS_FATAL, "%s: %s", dir, strerror(errno));
    for (size_t i = 0; rc == 0 && i < list.count && range.last == 0; i++)
        rc = visit_segment(dirfd, list.ids[i], take_range, &range);
    *first_seq = range.last ? range.first : 1;
    range.last = 0;
    for (size_t i = list.count; rc == 0 && i > 0 && range.last == 0; i--)
        rc = visit_segment(dirfd, list.ids[i - 1], take_range, &range);
    *last_seq = range.last;
    segment_list_free(&list);
    (void)close(dirfd);
    return rc;
}

/* ---- id and lock ---- */

/* "streamsteam-journal ID CRC": text, so that one can look at it. */
static uint64_t id_from_file(int dirfd)
{
    char text[ID_TEXT_BYTES] = "";
    uint64_t id = 0;
    uint32_t crc = 0;
    int fd = openat(dirfd, "id", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    ssize_t n = file_pread_all(fd, text, sizeof text - 1, 0);
    (void)close(fd);
    if (n <= 0 || sscanf(text, "streamsteam-journal %16" SCNx64 " %8" SCNx32, &id, &crc) != 2)
        return 0;
    return crc == journal_crc32c(0, &id, sizeof id) ? id : 0;
}

uint64_t journal_directory_id(int dirfd, bool *from_file)
{
    segment_list list;
    uint64_t id = id_from_file(dirfd);
    if (from_file)
        *from_file = id != 0;
    if (id != 0 || segment_list_read(dirfd, &list) != 0)
        return id;
    for (size_t i = list.count; i > 0 && id == 0; i--) { /* the file is lost or damaged: the newest segment */
        journal_segment_head head;
        int fd = segment_open(dirfd, list.ids[i - 1], O_RDONLY);
        if (fd >= 0 && segment_head_read(fd, list.ids[i - 1], &head) == SEGMENT_HEAD_OK)
            id = head.journal_id;
        if (fd >= 0)
            (void)close(fd);
    }
    segment_list_free(&list);
    return id;
}

int journal_directory_set_id(const char *dir, uint64_t id)
{
    char path[PATH_MAX], text[ID_TEXT_BYTES];
    if ((size_t)snprintf(path, sizeof path, "%s/id", dir) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int len = snprintf(text, sizeof text, "streamsteam-journal %016" PRIx64 " %08" PRIx32 "\n", id,
                       journal_crc32c(0, &id, sizeof id));
    FAULT_POINT("journal.before_id_write");
    return file_replace(path, text, (size_t)len, 0600);
}

uint64_t journal_new_id(void)
{
    uint64_t id = 0;
    while (id == 0)
        if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id && errno != EINTR)
            return 0;
    return id;
}

int journal_lock(int dirfd, bool wait)
{
    int fd = openat(dirfd, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -1;
    int rc = flock(fd, LOCK_EX | LOCK_NB);
    if (rc != 0 && errno == EWOULDBLOCK && wait) {
        log_info("journal: waiting until the process that holds the LOCK is done");
        do
            rc = flock(fd, LOCK_EX);
        while (rc != 0 && errno == EINTR);
    }
    if (rc == 0)
        return fd;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}
