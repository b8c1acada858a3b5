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

/* A spare that is being written, one piece between two looks at what is more urgent: a segment that may go
   becomes a spare at once, and its pages are in memory already. */
typedef struct fresh_spare {
    int fd; /* -1: none */
    uint64_t number, at;
    char *zeros; /* a piece; made once, since its pages cost more than writing them */
} fresh_spare;

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

/* Pauses as long as the last piece took: the disk is the committer's at least half of the time. */
static void pause_between(journal_writer *w, int64_t us)
{
    struct timespec until = in_us(us < KEEPER_INTERVAL_US ? us : KEEPER_INTERVAL_US);
    pthread_mutex_lock(&w->lock);
    while (!atomic_load(&w->closing) &&
           pthread_cond_timedwait(&w->keeper_wake, &w->lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&w->lock);
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

static void fresh_names(const fresh_spare *f, char name[SEGMENT_NAME_BYTES],
                        char unfinished[SEGMENT_NAME_BYTES])
{
    (void)snprintf(name, SEGMENT_NAME_BYTES, KEEPER_SPARE_PREFIX "%" PRIu64, f->number);
    (void)snprintf(unfinished, SEGMENT_NAME_BYTES, "%.24s.new", name);
}

static void fresh_drop(journal_writer *w, fresh_spare *f)
{
    char name[SEGMENT_NAME_BYTES], unfinished[SEGMENT_NAME_BYTES];
    if (f->fd < 0)
        return;
    fresh_names(f, name, unfinished);
    (void)close(f->fd);
    (void)unlinkat(w->dirfd, unfinished, 0);
    f->fd = -1;
    free(f->zeros);
    f->zeros = NULL;
}

static int fresh_begin(journal_writer *w, fresh_spare *f)
{
    char name[SEGMENT_NAME_BYTES], unfinished[SEGMENT_NAME_BYTES];
    pthread_mutex_lock(&w->lock);
    *f = (fresh_spare){.number = w->spare_number++};
    pthread_mutex_unlock(&w->lock);
    fresh_names(f, name, unfinished);
    f->fd = openat(w->dirfd, unfinished, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return -1;
    f->zeros = calloc(1, KEEPER_CHUNK_BYTES);
    if (!f->zeros)
        return -1;
    return fallocate(f->fd, 0, 0, (off_t)w->options.segment_bytes) != 0 && errno != EOPNOTSUPP ? -1 : 0;
}

/* Zeros, written and synced: a later sync of the file has no metadata to write. */
static int fresh_write(journal_writer *w, fresh_spare *f)
{
    uint64_t left = w->options.segment_bytes - f->at;
    size_t len = left < KEEPER_CHUNK_BYTES ? (size_t)left : KEEPER_CHUNK_BYTES;
    if (file_pwrite_all(f->fd, f->zeros, len, (off_t)f->at) != 0)
        return -1;
    f->at += len;
    return fdatasync(f->fd);
}

static int fresh_finish(journal_writer *w, fresh_spare *f)
{
    char name[SEGMENT_NAME_BYTES], unfinished[SEGMENT_NAME_BYTES];
    fresh_names(f, name, unfinished);
    FAULT_POINT("journal.before_spare_rename");
    if (renameat(w->dirfd, unfinished, w->dirfd, name) != 0)
        return -1;
    (void)close(f->fd);
    f->fd = -1;
    free(f->zeros);
    f->zeros = NULL;
    push_spare(w, name);
    return 0;
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

/* One piece of what is missing, then a pause. false: nothing is missing, or it cannot be made now. What was
   begun and is not needed any more, because a segment could be recycled, waits for the next time. */
static bool prepare_spare(journal_writer *w, fresh_spare *f)
{
    pthread_mutex_lock(&w->lock);
    bool enough = w->spare_count == JOURNAL_SPARES;
    pthread_mutex_unlock(&w->lock);
    if (enough)
        return false;
    if (!disk_has_room(w)) {
        fresh_drop(w, f);
        return false;
    }
    int64_t began = clock_mono_us();
    int rc = f->fd < 0 ? fresh_begin(w, f) : 0;
    if (rc == 0)
        rc = fresh_write(w, f);
    if (rc == 0 && f->at == w->options.segment_bytes)
        rc = fresh_finish(w, f);
    if (rc != 0) {
        note_spare_failure(w, errno);
        fresh_drop(w, f);
        return false;
    }
    pause_between(w, clock_mono_us() - began);
    return true;
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

/* A segment that was written without a spare is a little short: its end is filled up. */
static bool is_whole(const journal_writer *w, const char *name)
{
    struct stat st;
    off_t want = (off_t)w->options.segment_bytes;
    int fd = openat(w->dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool whole = fd >= 0 && fstat(fd, &st) == 0 && st.st_size <= want &&
                 (st.st_size == want || (st.st_size > want / 2 && fallocate(fd, 0, 0, want) == 0));
    if (fd >= 0)
        (void)close(fd);
    return whole;
}

/* Renames the file to a spare's name, or removes it. recycled: the name, where it can be used again. */
static void remove_file(journal_writer *w, uint64_t id, char recycled[SEGMENT_NAME_BYTES])
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(name, id);
    recycled[0] = '\0';
    pthread_mutex_lock(&w->lock);
    bool wanted = w->spare_count < JOURNAL_SPARES;
    uint64_t number = wanted ? w->spare_number++ : 0;
    pthread_mutex_unlock(&w->lock);
    if (wanted && is_whole(w, name))
        (void)snprintf(recycled, SEGMENT_NAME_BYTES, KEEPER_SPARE_PREFIX "%" PRIu64, number);
    int rc = recycled[0] ? renameat(w->dirfd, name, w->dirfd, recycled) : unlinkat(w->dirfd, name, 0);
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
    fresh_spare fresh = {.fd = -1};
    lower_priority();
    while (!atomic_load(&w->closing)) {
        check_limits(w);
        while (!atomic_load(&w->closing) && retire_oldest(w))
            ;
        check_limits(w);
        if (!prepare_spare(w, &fresh))
            wait_for_work(w);
    }
    fresh_drop(w, &fresh);
    return NULL;
}
