#include "modules/lake/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "modules/lake/columnar.h"
#include "modules/lake/files.h"
#include "plugins/common/fault.h"

void part_free(cut_part *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    sha256_free(p->hash);
    for (size_t i = 0; i < p->receiver_count; i++)
        free((char *)(uintptr_t)p->receivers[i].ptr);
    free(p->lines);
    free(p->dir);
    free(p);
}

void part_tmp(const cut *c, const cut_part *p, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%.*s%u.tmp", PATH_MAX - 16, c->tmp_dir, p->number);
}

void part_lines_tmp(const cut *c, const cut_part *p, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%.*s%u.lines.tmp", PATH_MAX - 24, c->tmp_dir, p->number);
}

static void path_of(const cut *c, const cut_part *p, char out[PATH_MAX])
{
    if (p->parquet)
        part_lines_tmp(c, p, out);
    else
        part_tmp(c, p, out);
}

static bool is_gzip(const cut *c, const cut_part *p)
{
    return c->settings.gzip && !p->parquet;
}

/* Behind what is there; hashed where that is wanted. */
static int32_t part_write(const cut *c, cut_part *p, const char *path, const char *bytes, size_t len,
                          ss_error *err)
{
    bool hashed = c->s3 && !p->parquet;
    if (hashed && !p->hash && !(p->hash = sha256_new()))
        return ss_fail(err, SS_RETRY, "lake: out of memory for a hash");
    int32_t rc = files_write(p->fd, path, bytes, len, p->out_bytes, err);
    if (rc == SS_OK && hashed && !sha256_add(p->hash, bytes, len))
        rc = ss_fail(err, SS_FATAL, "lake: out of memory for a hash");
    if (rc == SS_OK)
        p->out_bytes += len;
    return rc;
}

static int32_t part_open(cut *c, cut_part *p, ss_error *err)
{
    char path[PATH_MAX], comment[CUT_NAME_MAX] = "", header[CUT_NAME_MAX + 16];
    if (p->fd >= 0)
        return SS_OK;
    path_of(c, p, path);
    p->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (p->out_bytes ? 0 : O_TRUNC), 0640);
    if (p->fd < 0)
        return ss_fail(err, SS_RETRY, "lake: cannot create %.300s: %s; check space and rights", path,
                       strerror(errno));
    p->created = true;
    if (p->out_bytes > 0 || !is_gzip(c, p))
        return SS_OK;
    if (!c->s3) /* S3 has the comment in the object's metadata: this header needs no numbers that come late */
        (void)cut_comment(c, 0, 0, 0, 0, comment);
    size_t len = gz_put_header(header, comment);
    int32_t rc = part_write(c, p, path, header, len, err);
    if (rc != SS_OK) { /* the next try begins with the header again */
        (void)close(p->fd);
        p->fd = -1;
    }
    return rc;
}

/* Write-back begins at once and is waited for a little later: the last sync has little to do, and the
   journal's syncs do not queue behind a mountain of ours. */
static void part_pace(cut_part *p)
{
    if (p->out_bytes - p->started_at < CUT_PACE_STEP_BYTES)
        return;
    (void)sync_file_range(p->fd, (off_t)p->started_at, (off_t)(p->out_bytes - p->started_at),
                          SYNC_FILE_RANGE_WRITE);
    uint64_t until = p->started_at;
    p->started_at = p->out_bytes;
    if (until - p->waited_at < CUT_PACE_BYTES)
        return;
    (void)sync_file_range(p->fd, (off_t)p->waited_at, (off_t)(until - p->waited_at),
                          SYNC_FILE_RANGE_WAIT_BEFORE);
    p->waited_at = until;
}

/* Compresses and writes what the buffer has. After a failure the same bytes are written to the same place. */
static int32_t part_flush(cut *c, cut_part *p, ss_error *err)
{
    if (p->lines_len == 0)
        return SS_OK;
    int32_t rc = part_open(c, p, err);
    if (rc != SS_OK)
        return rc;
    const char *bytes = p->lines;
    ssize_t len = (ssize_t)p->lines_len;
    if (is_gzip(c, p)) {
        if (!c->gz)
            c->gz = gz_new(c->settings.level);
        len = c->gz ? gz_chunk(c->gz, p->lines, p->lines_len, &bytes) : -1;
        if (len < 0)
            return ss_fail(err, SS_RETRY, "lake: out of memory for compressing");
    }
    char path[PATH_MAX];
    path_of(c, p, path);
    rc = part_write(c, p, path, bytes, (size_t)len, err);
    if (rc != SS_OK)
        return rc;
    FAULT_POINT("lake.chunk_written");
    p->crc = gz_crc(p->crc, p->lines, p->lines_len);
    p->lines_len = 0;
    if (!c->s3 && !p->parquet) /* these are not synced: what a crash takes is made again from the journal */
        part_pace(p);
    if (p->lines_size > 2 * CUT_CHUNK_BYTES) { /* one huge line is no reason to keep its room */
        free(p->lines);
        p->lines_size = CUT_FIRST_BYTES;
        p->lines = malloc(p->lines_size);
        p->lines_size = p->lines ? p->lines_size : 0;
    }
    return SS_OK;
}

/* One full-grown buffer is kept for the next partition: new memory costs more than what is written to it. */
static void lines_give_back(cut *c, cut_part *p)
{
    if (p->lines_size == CUT_CHUNK_BYTES && !c->spare_lines)
        c->spare_lines = p->lines;
    else
        free(p->lines);
    p->lines = NULL;
    p->lines_size = 0;
}

/* Gives buffer and descriptor back; the file is opened again when more comes. */
static int32_t part_spill(cut *c, cut_part *p, ss_error *err)
{
    int32_t rc = part_flush(c, p, err);
    if (rc != SS_OK)
        return rc;
    lines_give_back(c, p);
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
    for (size_t i = 0; i < c->open_count; i++)
        if (c->open[i] == p)
            c->open[i] = c->open[--c->open_count];
    return SS_OK;
}

/* A place among the open ones; the longest unused one has to go for it. */
static int32_t part_admit(cut *c, cut_part *p, ss_error *err)
{
    if (p->lines)
        return SS_OK;
    bool open = false;
    for (size_t i = 0; i < c->open_count; i++)
        open |= c->open[i] == p;
    if (!open && c->open_count == CUT_OPEN_MAX) {
        cut_part *oldest = c->open[0];
        for (size_t i = 1; i < c->open_count; i++)
            if (c->open[i]->used < oldest->used)
                oldest = c->open[i];
        int32_t rc = part_spill(c, oldest, err);
        if (rc != SS_OK)
            return rc;
    }
    bool spare = c->spare_lines != NULL;
    p->lines = spare ? c->spare_lines : malloc(CUT_FIRST_BYTES);
    if (!p->lines)
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    p->lines_size = spare ? CUT_CHUNK_BYTES : CUT_FIRST_BYTES;
    c->spare_lines = NULL;
    if (!open)
        c->open[c->open_count++] = p;
    return SS_OK;
}

int32_t part_room(cut *c, cut_part *p, size_t need, ss_error *err)
{
    int32_t rc = part_admit(c, p, err);
    if (rc != SS_OK)
        return rc;
    if (p->lines_len > 0 && p->lines_len + need > CUT_CHUNK_BYTES) {
        rc = part_flush(c, p, err);
        if (rc == SS_OK)
            rc = part_admit(c, p, err);
    }
    if (rc != SS_OK || p->lines_len + need <= p->lines_size)
        return rc;
    size_t size = p->lines_size;
    while (size < p->lines_len + need)
        size *= 2;
    char *lines = realloc(p->lines, size);
    if (!lines)
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    p->lines = lines;
    p->lines_size = size;
    return SS_OK;
}

/* Its bytes are behind out_bytes once they are written; a try that failed writes them to the same place. */
static int32_t part_trailer(cut *c, cut_part *p, const char *path, const char *trailer, ss_error *err)
{
    if (p->trailed)
        return SS_OK;
    int32_t rc = part_write(c, p, path, trailer, GZ_TRAILER_BYTES, err);
    p->trailed = rc == SS_OK;
    return rc;
}

static int32_t part_hashed(cut_part *p, ss_error *err)
{
    unsigned char hash[SHA256_BYTES];
    if (!p->hash || !sha256_end(p->hash, hash))
        return ss_fail(err, SS_FATAL, "lake: out of memory for a hash");
    sha256_hex(p->sha_hex, hash);
    sha256_free(p->hash);
    p->hash = NULL;
    return SS_OK;
}

/* The last bytes, and the header's numbers, which are known now. */
static int32_t close_lines(cut *c, cut_part *p, ss_error *err)
{
    char path[PATH_MAX], comment[CUT_NAME_MAX], header[CUT_NAME_MAX + 16], trailer[GZ_TRAILER_BYTES];
    int32_t rc = part_flush(c, p, err);
    if (rc == SS_OK)
        rc = part_open(c, p, err);
    if (rc != SS_OK)
        return rc;
    path_of(c, p, path);
    if (is_gzip(c, p)) {
        gz_put_trailer(trailer, p->crc, p->raw_bytes);
        rc = part_trailer(c, p, path, trailer, err);
        (void)cut_comment(c, c->a, c->b, p->count, p->crc, comment);
        size_t len = gz_put_header(header, comment);
        if (rc == SS_OK && !c->s3)
            rc = files_write(p->fd, path, header, len, 0, err);
    }
    FAULT_POINT("lake.before_sync");
    if (rc == SS_OK && !p->parquet)
        rc = c->s3 ? part_hashed(p, err) : files_sync(p->fd, path, err);
    if (rc != SS_OK)
        return rc;
    FAULT_POINT("lake.after_sync");
    p->written = true;
    lines_give_back(c, p);
    (void)close(p->fd);
    p->fd = -1;
    return SS_OK;
}

int32_t part_close(cut *c, cut_part *p, int64_t deadline_us, ss_error *err)
{
    if (p->closed || p->count == 0) /* 0: its first record could not be taken */
        return SS_OK;
    int32_t rc = p->written ? SS_OK : close_lines(c, p, err);
    if (rc == SS_OK && p->parquet)
        rc = columnar_convert(c, p, deadline_us, err);
    p->closed = rc == SS_OK;
    return rc;
}
