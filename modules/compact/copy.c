#include "modules/compact/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/compact/plan.h"
#include "plugins/common/fault.h"

#define COPY_BUFFER (1u << 20)
#define PACE_BYTES  (8 << 20) /* then their write-back begins: the last sync has little to do */

bool copier_init(copier *c, bool (*stopping)(void *arg), void *arg)
{
    *c = (copier){.unpack = unpack_new(), .buffer = malloc(COPY_BUFFER), .stopping = stopping, .arg = arg};
    return c->unpack && c->buffer;
}

void copier_free(copier *c)
{
    unpack_free(c->unpack);
    free(c->buffer);
    *c = (copier){.unpack = NULL};
}

typedef struct target {
    int fd;
    off_t at, paced;
} target;

static bool put(target *t, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(t->fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes += n;
        len -= (size_t)n;
        t->at += n;
    }
    if (t->at - t->paced >= PACE_BYTES) {
        (void)sync_file_range(t->fd, t->paced, t->at - t->paced, SYNC_FILE_RANGE_WRITE);
        t->paced = t->at;
    }
    return true;
}

enum copy_result copy_damaged(const lake_index *x, const index_file *f, const char *what, ss_error *err)
{
    (void)ss_fail(err, SS_REJECT,
                  "%.200s/%.200s%.200s %s; it is left as it is: put it back from a backup, or see what of it "
                  "can be read",
                  x->root, f->folder, f->name, what);
    return COPY_DAMAGED;
}

enum copy_result copy_judge(copier *c, const lake_index *x, const index_file *f, bool whole, ss_error *err)
{
    unpacked got;
    if (!whole || !unpack_end(c->unpack, &got))
        return copy_damaged(x, f, "is damaged", err);
    if (got.lines != f->count || got.raw_bytes != f->raw_bytes || got.crc != f->crc || !got.ends_in_newline)
        return copy_damaged(x, f, "does not hold the lines that its manifest names", err);
    return COPY_DONE;
}

static enum copy_result copy_bytes(copier *c, const lake_index *x, const index_file *f, int from, target *to,
                                   ss_error *err)
{
    bool whole = true;
    ssize_t n = 0;
    unpack_begin(c->unpack, plan_kind(f->name) == FILE_GZIP);
    while (whole && (n = read(from, c->buffer, COPY_BUFFER)) > 0) {
        if (c->stopping(c->arg))
            return COPY_STOPPED;
        whole = unpack_add(c->unpack, c->buffer, (size_t)n);
        if (whole && !put(to, c->buffer, (size_t)n))
            return ss_fail(err, SS_RETRY, "cannot write below %.200s/" COMPACT_DIR ": %m; free some space",
                           x->root),
                   COPY_FAILED;
        FAULT_POINT("compact.chunk_copied");
    }
    if (n < 0)
        return ss_fail(err, SS_RETRY, "%.200s/%.200s%.200s: %m", x->root, f->folder, f->name), COPY_FAILED;
    return copy_judge(c, x, f, whole, err);
}

int copy_open(const lake_index *x, const index_file *f, enum copy_result *rc, ss_error *err)
{
    char path[PATH_MAX];
    *rc = COPY_DAMAGED;
    if (snprintf(path, sizeof path, "%s/%s%s", x->root, f->folder, f->name) >= (int)sizeof path)
        return (void)copy_damaged(x, f, "has too long a path", err), -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    else if (errno == ENOENT)
        (void)copy_damaged(x, f, "is not there, though a manifest names it", err);
    else
        *rc = (ss_fail(err, SS_RETRY, "%.400s: %m; let the server's user read it", path), COPY_FAILED);
    return fd;
}

static enum copy_result copy_one(copier *c, const lake_index *x, const index_file *f, target *to,
                                 ss_error *err)
{
    enum copy_result rc;
    int from = copy_open(x, f, &rc, err);
    if (from < 0)
        return rc;
    rc = copy_bytes(c, x, f, from, to, err);
    (void)posix_fadvise(from, 0, 0, POSIX_FADV_DONTNEED); /* nobody else should lose its pages for this */
    (void)close(from);
    return rc;
}

void copy_add_up(lake_object *sum, const index_file *f, bool first)
{
    sum->crc = first ? f->crc : crc_join(sum->crc, f->crc, f->raw_bytes);
    sum->bytes += f->bytes;
    sum->raw_bytes += f->raw_bytes;
    sum->count += f->count;
    sum->min_us = first || f->min_us < sum->min_us ? f->min_us : sum->min_us;
    sum->max_us = first || f->max_us > sum->max_us ? f->max_us : sum->max_us;
    sum->errors = f->errors;
}

enum copy_result copy_files(copier *c, const lake_index *x, const size_t *files, size_t count, const char *to,
                            lake_object *sum, size_t *bad, ss_error *err)
{
    char path[PATH_MAX];
    enum copy_result rc = COPY_DONE;
    *sum = (lake_object){.path = {NULL, 0}};
    (void)snprintf(path, sizeof path, "%s/%s", x->root, to);
    target t = {.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640)};
    if (t.fd < 0)
        return ss_fail(err, SS_RETRY, "cannot create %.400s: %m; check space and rights", path), COPY_FAILED;
    for (size_t i = 0; i < count && rc == COPY_DONE; i++) {
        *bad = files[i];
        rc = copy_one(c, x, &x->files[files[i]], &t, err);
        copy_add_up(sum, &x->files[files[i]], i == 0);
    }
    FAULT_POINT("compact.before_sync");
    if (rc == COPY_DONE && fdatasync(t.fd) != 0)
        rc = (ss_fail(err, SS_RETRY, "cannot sync %.400s: %m; check the disk and the kernel's log", path),
              COPY_FAILED);
    FAULT_POINT("compact.after_sync");
    sum->bytes = (int64_t)t.at;
    (void)posix_fadvise(t.fd, 0, 0, POSIX_FADV_DONTNEED);
    (void)close(t.fd);
    if (rc != COPY_DONE)
        (void)unlink(path);
    return rc;
}
