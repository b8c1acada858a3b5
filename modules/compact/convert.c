#include "modules/compact/convert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/compact/disk.h"
#include "modules/compact/plan.h"
#include "plugins/common/fault.h"

#define PIECE_BYTES  (16u << 10) /* of a gzip file at once: unpacked they may be a thousand times as many */
#define UNPACKED_MAX (64u << 20)
#define TURN_US      200000 /* so often it is asked whether to stop */

void converter_set(converter *c, copier *files, const ss_host *host, const convert_rules *rules)
{
    c->copier = files;
    c->host = host;
    c->rules = rules;
}

void converter_free(converter *c)
{
    if (c->open)
        duck_close(&c->duck);
    c->open = false;
}

static bool open_duck(converter *c, ss_error *err)
{
    const duck_limits limits = {.memory_bytes = PARQUET_MEMORY_BYTES};
    c->open = c->open || duck_open(&c->duck, c->rules->library, &limits, err);
    return c->open;
}

/* ---- lines, file after file ---- */

typedef struct feeding {
    converter *c;
    const lake_index *x;
    const size_t *files;
    size_t count, at; /* at: the file that is read, or the next one */
    int fd;           /* -1: none is open */
    grow unpacked;
    size_t taken;
    enum copy_result rc; /* why it ended */
    ss_error *err;
} feeding;

static bool open_next(feeding *f)
{
    const index_file *file = &f->x->files[f->files[f->at]];
    f->fd = copy_open(f->x, file, &f->rc, f->err);
    unpack_begin(f->c->copier->unpack, plan_kind(file->name) == FILE_GZIP);
    return f->fd >= 0;
}

static void close_file(feeding *f)
{
    if (f->fd < 0)
        return;
    (void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
    (void)close(f->fd);
    f->fd = -1;
}

/* One more piece into unpacked; at a file's end it is judged. */
static bool feed(feeding *f)
{
    char piece[PIECE_BYTES];
    copier *c = f->c->copier;
    const index_file *file = &f->x->files[f->files[f->at]];
    if (f->fd < 0 && !open_next(f))
        return false;
    ssize_t n = read(f->fd, piece, sizeof piece);
    if (n < 0) {
        f->rc = (ss_fail(f->err, SS_RETRY, "%.200s/%.200s%.200s: %m", f->x->root, file->folder, file->name),
                 COPY_FAILED);
        return false;
    }
    bool whole = unpack_add(c->unpack, piece, (size_t)n);
    if (f->unpacked.full) {
        f->rc = (ss_fail(f->err, SS_RETRY, "no memory for lines"), COPY_FAILED);
        return false;
    }
    if (n > 0 && whole)
        return true;
    f->rc = copy_judge(c, f->x, file, whole, f->err);
    close_file(f);
    f->at += f->rc == COPY_DONE;
    return f->rc == COPY_DONE;
}

static ssize_t read_lines(void *arg, char *to, size_t size, ss_error *err)
{
    feeding *f = arg;
    if (f->c->copier->stopping(f->c->copier->arg))
        return f->rc = COPY_STOPPED, -1;
    if (f->taken == f->unpacked.len) {
        grow_clear(&f->unpacked);
        f->taken = 0;
    }
    while (f->unpacked.len == 0 && f->at < f->count)
        if (!feed(f)) {
            if (f->rc != COPY_STOPPED)
                (void)ss_fail(err, SS_RETRY, "%s", f->err->text);
            return -1;
        }
    size_t len = f->unpacked.len - f->taken;
    len = len < size ? len : size;
    if (len > 0)
        memcpy(to, f->unpacked.at + f->taken, len);
    f->taken += len;
    FAULT_POINT("compact.lines_fed");
    return (ssize_t)len;
}

/* ---- which columns ---- */

static void no_field(void *arg, const ss_field *field)
{
    (void)arg;
    (void)field;
}

/* The YAML's receivers; else those whose names are parts of the folder's. */
static parquet_columns *columns_of(const converter *c, const char *folder, ss_error *err)
{
    ss_str found[CONVERT_RECEIVERS_MAX];
    size_t count = 0;
    const ss_host *h = c->host;
    if (c->rules->receiver_count > 0)
        return parquet_columns_new(h, c->rules->receivers, c->rules->receiver_count, err);
    for (const char *at = folder; *at && count < CONVERT_RECEIVERS_MAX;) {
        size_t len = strcspn(at, "/");
        if (len > 0 && h->catalog(h->self, ss_s(at, len), no_field, NULL) == SS_OK)
            found[count++] = ss_s(at, len);
        at += len + (at[len] == '/');
    }
    return parquet_columns_new(h, found, count, err);
}

/* ---- one file ---- */

static int64_t clock_us(void *arg)
{
    const ss_host *h = arg;
    return h->now_us(h->self);
}

static enum copy_result write_all(converter *c, parquet_write *w, ss_error *err)
{
    const ss_host *h = c->host;
    for (;;) {
        if (c->copier->stopping(c->copier->arg))
            return COPY_STOPPED;
        switch (parquet_step(w, h->now_us(h->self) + TURN_US, clock_us, (void *)(uintptr_t)h, err)) {
        case PARQUET_DONE:
            return COPY_DONE;
        case PARQUET_FAILED:
            return COPY_FAILED;
        default:
            break;
        }
    }
}

static enum copy_result convert_lines(converter *c, const lake_index *x, const size_t *files, size_t count,
                                      const char *path, const parquet_settings *s, size_t *bad, ss_error *err)
{
    feeding f = {.c = c,
                 .x = x,
                 .files = files,
                 .count = count,
                 .fd = -1,
                 .unpacked = {.limit = UNPACKED_MAX},
                 .rc = COPY_DONE};
    ss_error why = {.struct_size = sizeof why};
    f.err = &why;
    parquet_columns *columns = columns_of(c, x->files[*files].folder, err);
    const line_source source = {read_lines, &f};
    unpack_into(c->copier->unpack, &f.unpacked);
    parquet_write *w = columns ? parquet_begin(&c->duck, columns, &source, path, s, err) : NULL;
    enum copy_result rc = w ? write_all(c, w, err) : COPY_FAILED;
    parquet_end(w);
    unpack_into(c->copier->unpack, NULL);
    close_file(&f);
    grow_free(&f.unpacked);
    parquet_columns_free(columns);
    if (rc == COPY_FAILED && f.rc != COPY_DONE) { /* not DuckDB's fault */
        rc = f.rc;
        *bad = f.at < count ? files[f.at] : files[count - 1];
        *err = why;
    }
    return rc;
}

/* ---- Parquet files ---- */

static char **paths_of(const lake_index *x, const size_t *files, size_t count)
{
    char **paths = calloc(count, sizeof *paths);
    for (size_t i = 0; paths && i < count; i++) {
        const index_file *f = &x->files[files[i]];
        if (asprintf(&paths[i], "%s/%s%s", x->root, f->folder, f->name) < 0)
            paths[i] = NULL;
    }
    return paths;
}

static void paths_free(char **paths, size_t count)
{
    for (size_t i = 0; paths && i < count; i++)
        free(paths[i]);
    free(paths);
}

/* Each is there, with as many bytes as its manifest says. */
static enum copy_result look_at(const lake_index *x, const size_t *files, size_t count, size_t *bad,
                                ss_error *err)
{
    struct stat st;
    enum copy_result rc = COPY_DONE;
    for (size_t i = 0; i < count && rc == COPY_DONE; i++) {
        const index_file *f = &x->files[ *bad = files[i]];
        int fd = copy_open(x, f, &rc, err);
        if (fd < 0)
            return rc;
        bool same = fstat(fd, &st) == 0 && st.st_size == f->bytes;
        (void)close(fd);
        rc = same ? COPY_DONE : copy_damaged(x, f, "does not have the bytes that its manifest names", err);
    }
    return rc;
}

static enum copy_result join(converter *c, char **paths, size_t count, int64_t rows, const char *to,
                             const parquet_settings *s, ss_error *err)
{
    parquet_write *w = parquet_join(&c->duck, (const char *const *)paths, count, to, s, err);
    enum copy_result rc = w ? write_all(c, w, err) : COPY_FAILED;
    if (rc == COPY_DONE && parquet_lines(w) != (uint64_t)rows)
        rc = (ss_fail(err, SS_RETRY, "there are %llu rows where manifests name %lld",
                      (unsigned long long)parquet_lines(w), (long long)rows),
              COPY_FAILED);
    parquet_end(w);
    return rc;
}

/* Which of them it is: each alone. */
static enum copy_result find_bad(converter *c, const lake_index *x, const size_t *files, char **paths,
                                 size_t count, const char *to, const parquet_settings *s, size_t *bad,
                                 ss_error *err)
{
    ss_error why = {.struct_size = sizeof why};
    for (size_t i = 0; i < count; i++) {
        enum copy_result rc = join(c, &paths[i], 1, x->files[files[i]].count, to, s, &why);
        if (rc == COPY_STOPPED)
            return rc;
        *bad = files[i];
        if (rc == COPY_FAILED)
            return copy_damaged(x, &x->files[files[i]], "does not hold the rows that its manifest names",
                                err);
    }
    return COPY_FAILED; /* err as it was */
}

static enum copy_result join_all(converter *c, const lake_index *x, const size_t *files, size_t count,
                                 const char *path, const parquet_settings *s, size_t *bad, ss_error *err)
{
    int64_t rows = 0;
    enum copy_result rc = look_at(x, files, count, bad, err);
    if (rc != COPY_DONE)
        return rc;
    for (size_t i = 0; i < count; i++)
        rows += x->files[files[i]].count;
    char **paths = paths_of(x, files, count);
    bool good = paths != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = paths[i] != NULL;
    rc = COPY_FAILED;
    if (good)
        rc = join(c, paths, count, rows, path, s, err);
    else
        (void)ss_fail(err, SS_RETRY, "no memory for paths");
    if (good && rc == COPY_FAILED && s->row_group == PARQUET_ROW_GROUP_MIN)
        rc = find_bad(c, x, files, paths, count, path, s, bad, err);
    paths_free(paths, count);
    return rc;
}

/* ---- all ---- */

/* Memory may be short where rows are wide: then once more with small row groups. */
static enum copy_result make(converter *c, const lake_index *x, const size_t *files, size_t count,
                             const char *path, size_t *bad, ss_error *err)
{
    bool lines = plan_kind(x->files[*files].name) != FILE_PARQUET;
    parquet_settings s = c->rules->settings;
    for (;;) {
        enum copy_result rc = lines ? convert_lines(c, x, files, count, path, &s, bad, err)
                                    : join_all(c, x, files, count, path, &s, bad, err);
        if (rc != COPY_FAILED || s.row_group == PARQUET_ROW_GROUP_MIN)
            return rc;
        s.row_group = PARQUET_ROW_GROUP_MIN;
    }
}

static enum copy_result sync_file(const char *path, lake_object *sum, ss_error *err)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool good =
        fd >= 0 && fstat(fd, &st) == 0 && fchmod(fd, FILE_MODE) == 0; /* DuckDB knows only the umask */
    FAULT_POINT("compact.parquet_written");
    good = good && fdatasync(fd) == 0;
    if (!good)
        (void)ss_fail(err, SS_RETRY, "cannot sync %.400s: %m; check the disk and the kernel's log", path);
    else
        sum->bytes = (int64_t)st.st_size;
    if (fd >= 0) {
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        (void)close(fd);
    }
    FAULT_POINT("compact.parquet_synced");
    return good ? COPY_DONE : COPY_FAILED;
}

enum copy_result convert_files(converter *c, const lake_index *x, const size_t *files, size_t count,
                               const char *to, lake_object *sum, size_t *bad, ss_error *err)
{
    char path[PATH_MAX];
    *sum = (lake_object){.path = {NULL, 0}};
    (void)snprintf(path, sizeof path, "%s/%s", x->root, to);
    enum copy_result rc = open_duck(c, err) ? make(c, x, files, count, path, bad, err) : COPY_FAILED;
    for (size_t i = 0; i < count; i++)
        copy_add_up(sum, &x->files[files[i]], i == 0);
    if (rc == COPY_DONE)
        rc = sync_file(path, sum, err);
    if (rc != COPY_DONE)
        (void)unlink(path);
    return rc;
}
