#include "modules/lake/columnar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/lake/files.h"
#include "modules/lake/part.h"
#include "plugins/common/fault.h"

#define FILE_MODE  0640             /* as files of lines have it; DuckDB knows only the umask */
#define SLICE_US   (20 * 1000000LL) /* where there is no deadline                               */
#define SHARE      4                /* of the time until the deadline one part in so many is left over */
#define HASH_BYTES (256u * 1024)

typedef struct columnar {
    duck duck; /* does not move */
    parquet_columns *columns;
    char key[CUT_COLUMNS_KEY_MAX]; /* of the receivers that columns are of */
    parquet_write *write;
    int fd; /* of the lines that are read */
    char path[PATH_MAX];
} columnar;

bool columnar_note(cut_part *p, ss_str receiver)
{
    for (size_t i = p->receiver_count; i-- > 0;)
        if (ss_eq(p->receivers[i], receiver))
            return true;
    if (p->receiver_count == CUT_RECEIVERS_MAX) /* what only those have is in ss_extra */
        return true;
    char *copy = strndup(receiver.ptr ? receiver.ptr : "", receiver.len);
    if (copy)
        p->receivers[p->receiver_count++] = ss_s(copy, receiver.len);
    return copy != NULL;
}

/* ---- DuckDB ---- */

static columnar *open_columnar(cut *c, ss_error *err)
{
    const duck_limits limits = {.memory_bytes = PARQUET_MEMORY_BYTES};
    if (c->columnar)
        return c->columnar;
    columnar *k = calloc(1, sizeof *k);
    if (!k)
        return ss_fail(err, SS_RETRY, "out of memory"), NULL;
    k->fd = -1;
    if (!duck_open(&k->duck, c->library, &limits, err)) {
        free(k);
        return NULL;
    }
    return c->columnar = k;
}

static int by_name(const void *one, const void *other)
{
    const ss_str *a = one, *b = other;
    return strcmp(a->ptr, b->ptr);
}

/* Those of the part's receivers, in the same order whoever came first; kept for the next part. */
static bool take_columns(cut *c, cut_part *p, ss_error *err)
{
    columnar *k = c->columnar;
    char key[CUT_COLUMNS_KEY_MAX] = "";
    size_t len = 0;
    qsort(p->receivers, p->receiver_count, sizeof *p->receivers, by_name);
    for (size_t i = 0; i < p->receiver_count && len < sizeof key; i++)
        len += (size_t)snprintf(key + len, sizeof key - len, "%s\n", p->receivers[i].ptr);
    if (k->columns && len < sizeof key && strcmp(key, k->key) == 0)
        return true;
    parquet_columns_free(k->columns);
    k->columns = parquet_columns_new(c->host, p->receivers, p->receiver_count, err);
    memcpy(k->key, key, sizeof key);
    return k->columns != NULL;
}

static ssize_t read_lines(void *arg, char *to, size_t size, ss_error *err)
{
    const columnar *k = arg;
    for (;;) {
        ssize_t n = read(k->fd, to, size);
        if (n >= 0 || errno != EINTR)
            return n >= 0 ? n : (ss_fail(err, SS_RETRY, "%.300s: %s", k->path, strerror(errno)), -1);
    }
}

static bool begin(cut *c, cut_part *p, ss_error *err)
{
    char target[PATH_MAX];
    columnar *k = open_columnar(c, err);
    if (!k || !take_columns(c, p, err))
        return false;
    parquet_settings s = c->settings.columnar;
    s.row_group = p->cautious ? PARQUET_ROW_GROUP_MIN : s.row_group;
    part_lines_tmp(c, p, k->path);
    part_tmp(c, p, target);
    k->fd = open(k->path, O_RDONLY | O_CLOEXEC);
    if (k->fd < 0)
        return ss_fail(err, SS_RETRY, "%.300s: %s", k->path, strerror(errno)), false;
    const line_source source = {read_lines, k};
    k->write = parquet_begin(&k->duck, k->columns, &source, target, &s, err);
    FAULT_POINT("lake.parquet_begun");
    return k->write != NULL;
}

/* ---- the finished file ---- */

static int32_t hash_file(cut_part *p, int fd, ss_error *err)
{
    unsigned char hash[SHA256_BYTES];
    sha256 *h = sha256_new();
    char *piece = malloc(HASH_BYTES);
    ssize_t n = -1;
    bool good = h && piece;
    while (good && (n = read(fd, piece, HASH_BYTES)) > 0)
        good = sha256_add(h, piece, (size_t)n);
    good = good && n == 0 && sha256_end(h, hash);
    sha256_free(h);
    free(piece);
    if (!good)
        return ss_fail(err, SS_FATAL, "lake: cannot read its own Parquet file for a hash");
    sha256_hex(p->sha_hex, hash);
    return SS_OK;
}

static int32_t settle_file(cut *c, cut_part *p, ss_error *err)
{
    char path[PATH_MAX];
    struct stat st;
    part_tmp(c, p, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || fchmod(fd, FILE_MODE) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return ss_fail(err, SS_FATAL, "lake: cannot open its own file %.300s: %s", path, strerror(errno));
    }
    FAULT_POINT("lake.parquet_written");
    int32_t rc = c->s3 ? hash_file(p, fd, err) : files_sync(fd, path, err);
    (void)close(fd);
    FAULT_POINT("lake.parquet_synced");
    p->out_bytes = (uint64_t)st.st_size;
    if (rc == SS_OK)
        columnar_forget(c, p);
    return rc;
}

static int32_t finished(cut *c, cut_part *p, ss_error *err)
{
    uint64_t lines = parquet_lines(c->columnar->write), bytes = parquet_bytes(c->columnar->write);
    columnar_stop(c);
    if (lines != p->count || bytes != p->raw_bytes)
        return ss_fail(err, SS_FATAL,
                       "lake: a temporary file has %llu lines where %llu were written; check the disk",
                       (unsigned long long)lines, (unsigned long long)p->count);
    return settle_file(c, p, err);
}

/* The first failure may be one of memory: wide rows, long values. Small row groups need little. */
static int32_t failed(cut *c, cut_part *p, const ss_error *why, ss_error *err)
{
    columnar_stop(c);
    columnar_close(c);
    p->cautious = !p->cautious; /* where that was not the reason, the next try is a usual one */
    if (!p->cautious)
        return ss_fail(err, SS_RETRY, "lake: %.400s", why->text);
    ss_logf(c->host, SS_WARNING, "%s; it is tried again with small row groups", why->text);
    err->text[0] = '\0';
    return SS_RETRY;
}

static int64_t clock_us(void *arg)
{
    const ss_host *h = arg;
    return h->now_us(h->self);
}

int32_t columnar_convert(cut *c, cut_part *p, int64_t deadline_us, ss_error *err)
{
    ss_error why = {.struct_size = sizeof why};
    const ss_host *h = c->host;
    int64_t now = h->now_us(h->self);
    int64_t left = deadline_us > 0 ? deadline_us - now : SLICE_US;
    if ((!c->columnar || !c->columnar->write) && !begin(c, p, &why))
        return failed(c, p, &why, err);
    switch (parquet_step(c->columnar->write, now + left / SHARE * (SHARE - 1), clock_us, (void *)(uintptr_t)h,
                         &why)) {
    case PARQUET_DONE:
        return finished(c, p, err);
    case PARQUET_MORE:
        err->text[0] = '\0';
        return SS_RETRY;
    default:
        return failed(c, p, &why, err);
    }
}

/* ---- ends ---- */

void columnar_forget(const cut *c, cut_part *p)
{
    char path[PATH_MAX];
    if (!p->parquet || !p->created)
        return;
    part_lines_tmp(c, p, path);
    (void)unlink(path);
}

void columnar_stop(cut *c)
{
    columnar *k = c->columnar;
    if (!k)
        return;
    parquet_end(k->write);
    k->write = NULL;
    if (k->fd >= 0)
        (void)close(k->fd);
    k->fd = -1;
}

void columnar_close(cut *c)
{
    columnar_stop(c);
    if (!c->columnar)
        return;
    parquet_columns_free(c->columnar->columns);
    duck_close(&c->columnar->duck);
    free(c->columnar);
    c->columnar = NULL;
}
