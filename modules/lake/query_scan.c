#include "modules/lake/query_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "plugins/common/parquet_inside.h"

#define READ_BYTES  (256u * 1024)
#define DAMAGED     "it is not whole: put it back from a backup"
#define CHUNK_BYTES (4u << 20) /* of lines in one chunk: a few thousand huge ones must fit into memory */

typedef struct scan {
    const scan_set *set;
    size_t next; /* file */
    gzFile in;   /* gzip or not */
    char *buffer;
    size_t from, to, size;
    bool ended; /* of the file */
    ss_error why;
} scan;

static const duck_api *functions; /* of the one library that this process has loaded */

static void scan_free(void *data)
{
    scan *s = data;
    if (s->in)
        (void)gzclose(s->in);
    free(s->buffer);
    free(s);
}

/* ---- lines ---- */

static bool scan_fail(scan *s, const char *why)
{
    (void)ss_fail(&s->why, SS_RETRY, "%.200s: %.200s", s->set->files[s->next - 1]->path, why);
    return false;
}

static bool next_file(scan *s)
{
    char path[PATH_MAX];
    const lake_file *file = s->set->files[s->next++];
    (void)snprintf(path, sizeof path, "%.2500s/%.1024s", s->set->lake, file->path);
    s->from = s->to = 0;
    s->ended = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return scan_fail(s, strerror(errno));
    struct stat st;
    bool whole = fstat(fd, &st) == 0 && (file->bytes < 0 || st.st_size == file->bytes);
    s->in = whole ? gzdopen(fd, "rb") : NULL;
    if (s->in)
        return true;
    (void)close(fd);
    return scan_fail(s, whole ? "out of memory" : DAMAGED);
}

/* zlib tells only now that the file ended inside a gzip member. */
static bool end_file(scan *s)
{
    int code = gzclose(s->in);
    s->in = NULL;
    return code == Z_OK || scan_fail(s, DAMAGED);
}

static bool more_room(scan *s)
{
    if (s->from > 0) {
        memmove(s->buffer, s->buffer + s->from, s->to - s->from);
        s->to -= s->from;
        s->from = 0;
    }
    if (s->to + READ_BYTES <= s->size)
        return true;
    size_t size = s->size ? s->size * 2 : 2 * READ_BYTES;
    char *buffer = size <= 2 * SCAN_LINE_MAX ? realloc(s->buffer, size) : NULL;
    if (!buffer)
        return scan_fail(s, "a line that is too long");
    s->buffer = buffer;
    s->size = size;
    return true;
}

static bool read_more(scan *s)
{
    if (!more_room(s))
        return false;
    int n = gzread(s->in, s->buffer + s->to, READ_BYTES), code = Z_OK;
    if (n < 0)
        return scan_fail(s, gzerror(s->in, &code));
    s->to += (size_t)n;
    s->ended = n == 0;
    return true;
}

/* 1: a line without its newline; 0: the last file is done; -1: why. */
static int next_line(scan *s, ss_str *line)
{
    size_t seen = 0;
    for (;;) {
        if (!s->in && s->next == s->set->count)
            return 0;
        if (!s->in && !next_file(s))
            return -1;
        char *from = s->buffer + s->from;
        size_t have = s->to - s->from;
        char *end = have > seen ? memchr(from + seen, '\n', have - seen) : NULL;
        if (end || (s->ended && have > 0)) {
            size_t len = end ? (size_t)(end - from) : have;
            *line = ss_s(from, len);
            s->from += len + (end != NULL);
            return 1;
        }
        seen = have;
        if (s->ended) {
            seen = 0;
            if (!end_file(s))
                return -1;
        } else if (!read_more(s)) {
            return -1;
        }
    }
}

/* ---- the table function ---- */

static void on_bind(void *info)
{
    const scan_set *set = functions->bind_get_extra_info(info);
    if (!parquet_columns_bind(set->columns, functions, info))
        functions->bind_set_error(info, "out of memory for columns");
}

static void on_init(void *info)
{
    scan *s = calloc(1, sizeof *s);
    if (!s) {
        functions->init_set_error(info, "out of memory");
        return;
    }
    s->set = functions->init_get_extra_info(info);
    functions->init_set_init_data(info, s, scan_free);
}

static void on_fill(void *info, void *chunk)
{
    scan *s = functions->function_get_init_data(info);
    parquet_columns *columns = s->set->columns;
    uint64_t rows = 0, most = functions->vector_size();
    size_t bytes = 0;
    ss_str line;
    int got = 1;
    parquet_columns_begin(columns, functions, chunk);
    while (rows < most && bytes < CHUNK_BYTES && (got = next_line(s, &line)) > 0) {
        if (!parquet_columns_put(columns, functions, rows, line)) {
            (void)ss_fail(&s->why, SS_RETRY, "out of memory for a line");
            got = -1;
            break;
        }
        bytes += line.len;
        rows++;
    }
    if (got < 0)
        functions->function_set_error(info, s->why.text);
    parquet_columns_finish(columns, functions, chunk, rows);
}

bool scan_register(duck *d, const char *name, scan_set *set, ss_error *err)
{
    functions = d->api;
    void *f = functions->create_table_function();
    functions->table_function_set_name(f, name);
    functions->table_function_set_extra_info(f, set, NULL);
    functions->table_function_set_bind(f, on_bind);
    functions->table_function_set_init(f, on_init);
    functions->table_function_set_function(f, on_fill);
    bool good = functions->register_table_function(d->connection, f) == 0;
    functions->destroy_table_function(&f);
    if (!good)
        duck_fail(err, "take a table function", NULL);
    return good;
}

void scan_set_free(scan_set *set)
{
    parquet_columns_free(set->columns);
    free(set->files);
    *set = (scan_set){.lake = NULL};
}
