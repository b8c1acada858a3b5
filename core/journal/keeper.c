/* The keeper thread: lets old segments go when nobody needs them, and keeps spare files ready. It works with
   low priority and in pieces, so that the committer never waits for it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/journal/state.h"
#include "core/journal/summary.h"

#define KEEPER_CHUNK_BYTES  (1024u * 1024) /* of prewriting, each synced by itself */
#define KEEPER_INTERVAL_US  1000000
#define KEEPER_NICE         10
#define KEEPER_IO_PRIORITY  ((2 << 13) | 7) /* IOPRIO_CLASS_BE, lowest */
#define KEEPER_FREE_FACTOR  3u              /* a full disk counts as mended with room for so many segments */
#define KEEPER_SPARE_PREFIX "spare-"

/* ---- spares ---- */

static struct timespec in_us(int64_t us)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + us % 1000000 * 1000;
    until.tv_sec += us / 1000000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    return until;
}

/* Pauses as long as the last piece took: the disk is the committer's at least half of the time. False: the
   journal is being closed. */
static bool pause_between(journal_writer *w, int64_t us)
{
    struct timespec until = in_us(us < KEEPER_INTERVAL_US ? us : KEEPER_INTERVAL_US);
    pthread_mutex_lock(&w->lock);
    while (!atomic_load(&w->closing) &&
           pthread_cond_timedwait(&w->keeper_wake, &w->lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&w->lock);
    return !atomic_load(&w->closing);
}

static void wait_for_work(journal_writer *w)
{
    struct timespec until = in_us(KEEPER_INTERVAL_US);
    pthread_mutex_lock(&w->lock);
    while (!w->keeper_nudged && !atomic_load(&w->closing) &&
           pthread_cond_timedwait(&w->keeper_wake, &w->lock, &until) != ETIMEDOUT)
        ;
    w->keeper_nudged = false;
    pthread_mutex_unlock(&w->lock);
}

/* Zeros, written and synced: a later sync of the file has no metadata to write. */
static int prewrite(journal_writer *w, int fd)
{
    uint64_t size = w->options.segment_bytes;
    char *zeros = calloc(1, KEEPER_CHUNK_BYTES);
    int rc = zeros ? 0 : -1;
    if (rc == 0 && fallocate(fd, 0, 0, (off_t)size) != 0 && errno != EOPNOTSUPP)
        rc = -1;
    for (uint64_t at = 0; rc == 0 && at < size;) {
        size_t len = size - at < KEEPER_CHUNK_BYTES ? (size_t)(size - at) : KEEPER_CHUNK_BYTES;
        int64_t began = clock_mono_us();
        rc = file_pwrite_all(fd, zeros, len, (off_t)at);
        if (rc == 0)
            rc = fdatasync(fd);
        at += len;
        if (rc == 0 && !pause_between(w, clock_mono_us() - began)) {
            errno = ECANCELED;
            rc = -1;
        }
    }
    free(zeros);
    return rc;
}

static void push_spare(journal_writer *w, const char *name)
{
    pthread_mutex_lock(&w->lock);
    bool room = w->spare_count < JOURNAL_SPARES;
    w->spare_error = 0;
    if (room)
        (void)snprintf(w->spares[w->spare_count++], SEGMENT_NAME_BYTES, "%s", name);
    pthread_mutex_unlock(&w->lock);
    if (!room)
        (void)unlinkat(w->dirfd, name, 0);
}

/* Said once, not with each try. */
static void note_spare_failure(journal_writer *w, int error)
{
    if (error == ECANCELED)
        return;
    bool full = error == ENOSPC || error == EDQUOT;
    pthread_mutex_lock(&w->lock);
    bool said = w->spare_error == error;
    w->spare_error = error;
    w->disk_full |= full;
    pthread_mutex_unlock(&w->lock);
    if (!said)
        log_warn("journal: a spare segment of %" PRIu64 " bytes cannot be prepared in %s: %s. %s",
                 w->options.segment_bytes, w->dir, strerror(error),
                 full ? "Make room on the disk" : "Check the disk");
}

static bool make_spare(journal_writer *w)
{
    char fresh[SEGMENT_NAME_BYTES], name[SEGMENT_NAME_BYTES];
    pthread_mutex_lock(&w->lock);
    uint64_t number = w->spare_number++;
    pthread_mutex_unlock(&w->lock);
    (void)snprintf(name, sizeof name, KEEPER_SPARE_PREFIX "%" PRIu64, number);
    (void)snprintf(fresh, sizeof fresh, "%.24s.new", name);
    int fd = openat(w->dirfd, fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -1 : prewrite(w, fd);
    FAULT_POINT("journal.before_spare_rename");
    if (rc == 0)
        rc = renameat(w->dirfd, fresh, w->dirfd, name);
    int saved = errno;
    if (fd >= 0)
        (void)close(fd);
    if (rc == 0) {
        push_spare(w, name);
        return true;
    }
    (void)unlinkat(w->dirfd, fresh, 0);
    note_spare_failure(w, saved);
    return false;
}

/* After ENOSPC nothing is prewritten until there is room for more than the spares. */
static bool disk_has_room(journal_writer *w)
{
    struct statvfs st;
    pthread_mutex_lock(&w->lock);
    bool full = w->disk_full;
    pthread_mutex_unlock(&w->lock);
    if (!full)
        return true;
    if (fstatvfs(w->dirfd, &st) != 0 ||
        (uint64_t)st.f_bavail * st.f_frsize < KEEPER_FREE_FACTOR * w->options.segment_bytes)
        return false;
    pthread_mutex_lock(&w->lock);
    w->disk_full = w->reserve_released = false;
    pthread_mutex_unlock(&w->lock);
    return true;
}

static void fill_spares(journal_writer *w)
{
    for (;;) {
        pthread_mutex_lock(&w->lock);
        bool enough = w->spare_count == JOURNAL_SPARES;
        pthread_mutex_unlock(&w->lock);
        if (enough || atomic_load(&w->closing) || !disk_has_room(w) || !make_spare(w))
            return;
    }
}

bool keeper_take_spare(journal_writer *w, char out[SEGMENT_NAME_BYTES])
{
    /* On a full disk the last one is not for records: see keeper_release_reserve(). */
    if (w->spare_count == 0 || (w->disk_full && w->spare_count < JOURNAL_SPARES))
        return false;
    memcpy(out, w->spares[--w->spare_count], SEGMENT_NAME_BYTES);
    return true;
}

void keeper_release_reserve(journal_writer *w)
{
    char name[SEGMENT_NAME_BYTES] = "";
    pthread_mutex_lock(&w->lock);
    w->disk_full = true;
    if (!w->reserve_released && w->spare_count == 1) {
        memcpy(name, w->spares[--w->spare_count], sizeof name);
        w->reserve_released = true;
    }
    pthread_mutex_unlock(&w->lock);
    if (name[0] && unlinkat(w->dirfd, name, 0) == 0)
        log_warn("journal: the disk is full; %" PRIu64
                 " bytes held back were released so that modules can go on",
                 w->options.segment_bytes);
}

/* What an earlier process left: whole spares are used, unfinished ones go. */
void keeper_find_spares(journal_writer *w)
{
    int fd = openat(w->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct stat st;
        size_t prefix = strlen(KEEPER_SPARE_PREFIX), len = strlen(e->d_name);
        if (strncmp(e->d_name, KEEPER_SPARE_PREFIX, prefix) != 0 || len >= SEGMENT_NAME_BYTES)
            continue;
        char *end = NULL;
        uint64_t number = strtoull(e->d_name + prefix, &end, 10);
        if (number >= w->spare_number && number < UINT64_MAX)
            w->spare_number = number + 1;
        if (*end == '\0' && fstatat(w->dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && (uint64_t)st.st_size == w->options.segment_bytes)
            push_spare(w, e->d_name);
        else
            (void)unlinkat(w->dirfd, e->d_name, 0);
    }
    (void)closedir(dir);
}

/* ---- retention ---- */

/* Bytes of records from behind the oldest segment to the end. Under lock. */
static uint64_t bytes_behind_oldest(const journal_writer *w)
{
    uint64_t bytes = atomic_load(&w->active_bytes);
    for (size_t i = 1; i < w->segment_count; i++)
        bytes += w->segments[i].end_offset;
    return bytes;
}

static bool slot_needs(const journal_slot *slot, uint64_t last_seq, uint64_t behind)
{
    uint64_t cursor = atomic_load(&slot->synced_cursor), max = atomic_load(&slot->max_bytes);
    if (atomic_load(&slot->used) == 0 || (cursor != UINT64_MAX && cursor >= last_seq))
        return false;
    return max == 0 || behind < max; /* beyond its max_bytes a module's cursor pins nothing */
}

/* The oldest closed segment, when it may go. */
static bool find_retiree(journal_writer *w, recovery_segment *out)
{
    bool may_go = false;
    pthread_mutex_lock(&w->lock);
    if (w->segment_count > 0) {
        *out = w->segments[0];
        uint64_t behind = bytes_behind_oldest(w);
        may_go = true;
        for (uint32_t i = 0; i < JOURNAL_READERS_MAX && may_go; i++)
            may_go = !slot_needs(&w->board->slots[i], out->last_seq, behind);
        /* retain_ms gives way where keeping delivered records would mean to refuse new ones. */
        if (may_go && w->options.retain_ms > 0 && !atomic_load(&w->over_max))
            may_go = clock_now_us() - out->last_receive_us >= w->options.retain_ms * 1000;
    }
    pthread_mutex_unlock(&w->lock);
    return may_go;
}

/* Tells the ledger. A segment that cannot be read any more is told without counts. */
static int fold(journal_writer *w, const recovery_segment *s)
{
    journal_segment_head head = {.segment_id = s->id, .first_seq = s->first_seq};
    segment_facts *facts = NULL;
    if (!w->options.retire)
        return 0;
    int fd = segment_open(w->dirfd, s->id, O_RDONLY);
    if (fd >= 0 && segment_head_read(fd, s->id, &head) != SEGMENT_HEAD_BAD)
        facts = summary_facts(fd, &head, (scan_bound){s->end_offset, s->last_seq});
    if (!facts && (facts = segment_facts_new()) != NULL)
        facts->footer = (journal_footer){
            .first_seq = s->first_seq, .last_seq = s->last_seq, .damaged = s->last_seq + 1 - s->first_seq};
    int rc = facts ? summary_call(facts, &head, s->file_bytes, w->options.retire, w->options.retire_arg) : -1;
    segment_facts_free(facts);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static void forget_oldest(journal_writer *w)
{
    pthread_mutex_lock(&w->lock);
    (void)atomic_fetch_sub(&w->closed_bytes, w->segments[0].file_bytes);
    w->segment_count--;
    memmove(w->segments, w->segments + 1, w->segment_count * sizeof *w->segments);
    atomic_store(&w->board->first_seq, w->segment_count > 0 ? w->segments[0].first_seq : w->active_first_seq);
    pthread_mutex_unlock(&w->lock);
}

/* Renames the file to a spare's name, or removes it. recycled: the name, where it can be used again. */
static void remove_file(journal_writer *w, uint64_t id, char recycled[SEGMENT_NAME_BYTES])
{
    char name[SEGMENT_NAME_BYTES];
    struct stat st;
    segment_name(name, id);
    recycled[0] = '\0';
    bool whole = fstatat(w->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                 (uint64_t)st.st_size == w->options.segment_bytes;
    pthread_mutex_lock(&w->lock);
    bool wanted = whole && w->spare_count < JOURNAL_SPARES;
    uint64_t number = wanted ? w->spare_number++ : 0;
    pthread_mutex_unlock(&w->lock);
    if (wanted)
        (void)snprintf(recycled, SEGMENT_NAME_BYTES, KEEPER_SPARE_PREFIX "%" PRIu64, number);
    int rc = wanted ? renameat(w->dirfd, name, w->dirfd, recycled) : unlinkat(w->dirfd, name, 0);
    if (rc != 0) {
        recycled[0] = '\0';
        log_warn("journal: segment file %s/%s cannot be removed: %s", w->dir, name, strerror(errno));
    }
}

static bool retire_oldest(journal_writer *w)
{
    recovery_segment s;
    char recycled[SEGMENT_NAME_BYTES];
    if (!find_retiree(w, &s))
        return false;
    FAULT_POINT("journal.before_retire");
    if (fold(w, &s) != 0) /* the ledger said why */
        return false;
    FAULT_POINT("journal.before_retire_remove");
    forget_oldest(w);
    remove_file(w, s.id, recycled);
    FAULT_POINT("journal.before_retire_dir_sync");
    /* Only a file whose old name is gone for good may get new content. */
    if (fsync(w->dirfd) != 0)
        log_warn("journal: sync of %s failed: %s", w->dir, strerror(errno));
    else if (recycled[0])
        push_spare(w, recycled);
    FAULT_POINT("journal.after_retire");
    return true;
}

/* ---- accounts ---- */

static void check_limits(journal_writer *w)
{
    uint64_t bytes = atomic_load(&w->closed_bytes) + atomic_load(&w->active_bytes),
             max = w->options.max_bytes;
    atomic_store(&w->board->bytes, bytes);
    if (max == 0)
        return;
    uint32_t over = bytes > max;
    if (atomic_exchange(&w->over_max, over) != over) {
        writer_publish_state(w);
        if (over)
            log_error("journal: %" PRIu64 " bytes, max_bytes is %" PRIu64
                      ": nothing is accepted until modules have "
                      "read on. See which one is behind with `streamsteam status`",
                      bytes, max);
        else
            log_info("journal: below max_bytes again");
    }
    bool half = bytes > max / 2;
    if (half && !w->half_alarm)
        log_warn("journal: %" PRIu64 " bytes, more than half of max_bytes %" PRIu64 ": a module is behind",
                 bytes, max);
    if (half || bytes < max / 10 * 4) /* the alarm comes again only after it was well below */
        w->half_alarm = half;
}

static void lower_priority(void)
{
    pid_t tid = (pid_t)syscall(SYS_gettid);
    (void)setpriority(PRIO_PROCESS, (id_t)tid, KEEPER_NICE);
    (void)syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, tid, KEEPER_IO_PRIORITY);
}

void *keeper_main(void *writer)
{
    journal_writer *w = writer;
    lower_priority();
    while (!atomic_load(&w->closing)) {
        check_limits(w);
        while (!atomic_load(&w->closing) && retire_oldest(w))
            ;
        check_limits(w);
        fill_spares(w);
        wait_for_work(w);
    }
    return NULL;
}
