/* A table function that reads lines, and a COPY of it into the file, done in small tasks. */
#include "plugins/common/parquet.h"

#include <limits.h>
#include <stdlib.h>

#include "plugins/common/fault.h"
#include "plugins/common/parquet_inside.h"

#define FUNCTION     "ss_lines"
#define CHUNK_BYTES  (4u << 20)  /* of lines in one chunk: a few thousand huge ones must fit into memory */
#define GROUP_BYTES  (24u << 20) /* of values in one row group: it is in memory until it is written      */
#define SQL_MAX      (PATH_MAX * 2 + 512)
#define JOIN_SQL_MAX (16u << 20)

struct parquet_write {
    duck *duck;
    parquet_columns *columns;
    line_reader reader;
    void *prepared, *pending;
    uint64_t joined; /* rows */
    bool joins;
    ss_error why; /* of the function: what the statement's own text would hide */
};

/* ---- options ---- */

bool parquet_options(const ss_host *h, const ss_config *cfg, bool wanted, parquet_settings *s,
                     char library[PATH_MAX], ss_error *err)
{
    ss_str file = h->cfg_str(cfg, "parquet.library"), compression = h->cfg_str(cfg, "parquet.compression");
    ss_error why = {.struct_size = sizeof why};
    if (file.len == 0 && !wanted) /* else also for a file that was begun when it was wanted */
        return true;
    if (file.len == 0 || file.len >= PATH_MAX)
        return ss_fail(err, SS_REJECT, "parquet.library: 1 to %d bytes", PATH_MAX - 1), false;
    (void)snprintf(library, PATH_MAX, "%.*s", (int)file.len, file.ptr);
    (void)snprintf(s->compression, sizeof s->compression, "%.*s", (int)compression.len, compression.ptr);
    s->row_group = (uint32_t)h->cfg_int(cfg, "parquet.row_group");
    return !wanted || duck_load(library, &why) ||
           (ss_fail(err, SS_REJECT, "format: parquet: %.400s", why.text), false);
}

/* ---- the table function ---- */

static const duck_api *functions; /* of the one library that this process has loaded */

static void on_bind(void *info)
{
    const duck *d = functions->bind_get_extra_info(info);
    parquet_write *w = d->lines;
    if (!w || !parquet_columns_bind(w->columns, functions, info))
        functions->bind_set_error(info, "out of memory for columns");
}

static void on_init(void *info)
{
    (void)info;
}

static void on_fill(void *info, void *chunk)
{
    const duck *d = functions->function_get_extra_info(info);
    parquet_write *w = d->lines;
    uint64_t rows = 0, most = functions->vector_size(), until = w->reader.bytes + CHUNK_BYTES;
    ss_str line;
    int got = 1;
    FAULT_POINT("parquet.chunk");
    parquet_columns_begin(w->columns, functions, chunk);
    while (rows < most && w->reader.bytes < until &&
           (got = line_reader_next(&w->reader, &line, &w->why)) > 0) {
        if (!parquet_columns_put(w->columns, functions, rows, line)) {
            (void)ss_fail(&w->why, SS_RETRY, "out of memory for a line");
            got = -1;
            break;
        }
        rows++;
    }
    if (got < 0)
        functions->function_set_error(info, w->why.text);
    parquet_columns_finish(w->columns, functions, chunk, rows);
}

static bool add_function(duck *d, ss_error *err)
{
    functions = d->api;
    if (d->has_lines)
        return true;
    void *f = functions->create_table_function();
    functions->table_function_set_name(f, FUNCTION);
    functions->table_function_set_extra_info(f, d, NULL);
    functions->table_function_set_bind(f, on_bind);
    functions->table_function_set_init(f, on_init);
    functions->table_function_set_function(f, on_fill);
    d->has_lines = functions->register_table_function(d->connection, f) == 0;
    functions->destroy_table_function(&f);
    if (!d->has_lines)
        duck_fail(err, "take a table function", NULL);
    return d->has_lines;
}

/* ---- the statement ---- */

static void put_quoted(buf *out, const char *text)
{
    buf_adds(out, "'");
    for (; *text; text++)
        buf_add(out, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
    buf_adds(out, "'");
}

static void put_options(buf *out, const char *to, const parquet_settings *s)
{
    buf_adds(out, ") TO ");
    put_quoted(out, to);
    buf_addf(
        out,
        " (FORMAT parquet, USE_TMP_FILE false, COMPRESSION %s, ROW_GROUP_SIZE %u, ROW_GROUP_SIZE_BYTES %u%s)",
        s->compression, s->row_group, GROUP_BYTES,
        strcmp(s->compression, "zstd") == 0 ? ", COMPRESSION_LEVEL 1" : "");
}

static bool make_pending(parquet_write *w, const char *sql, ss_error *err)
{
    const duck_api *api = w->duck->api;
    if (api->prepare(w->duck->connection, sql, &w->prepared) != 0) {
        duck_fail(err, "prepare a Parquet file", w->prepared ? api->prepare_error(w->prepared) : NULL);
        return false;
    }
    if (api->pending_prepared(w->prepared, &w->pending) == 0)
        return true;
    duck_fail(err, "begin a Parquet file", w->pending ? api->pending_error(w->pending) : NULL);
    return false;
}

/* from: the statement so far; it goes. */
static parquet_write *begin(parquet_write *w, buf *from, const char *to, const parquet_settings *s,
                            ss_error *err)
{
    put_options(from, to, s);
    const char *sql = buf_text(from);
    bool good = !from->failed ? duck_run(w->duck, "SET preserve_insertion_order = false", NULL, err) &&
                                    make_pending(w, sql, err)
                              : (ss_fail(err, SS_RETRY, "out of memory"), false);
    buf_fini(from);
    if (good)
        return w;
    parquet_end(w);
    return NULL;
}

parquet_write *parquet_begin(duck *d, parquet_columns *c, const line_source *source, const char *path,
                             const parquet_settings *s, ss_error *err)
{
    parquet_write *w = calloc(1, sizeof *w);
    buf sql;
    if (!w)
        return ss_fail(err, SS_RETRY, "out of memory"), NULL;
    *w = (parquet_write){
        .duck = d, .columns = c, .reader.source = *source, .why = {.struct_size = sizeof w->why}};
    d->lines = w;
    buf_init(&sql, SQL_MAX);
    buf_adds(&sql, "COPY (SELECT * FROM " FUNCTION "()");
    if (add_function(d, err))
        return begin(w, &sql, path, s, err);
    buf_fini(&sql);
    parquet_end(w);
    return NULL;
}

parquet_write *parquet_join(duck *d, const char *const *paths, size_t count, const char *to,
                            const parquet_settings *s, ss_error *err)
{
    parquet_write *w = calloc(1, sizeof *w);
    buf sql;
    if (!w)
        return ss_fail(err, SS_RETRY, "out of memory"), NULL;
    *w = (parquet_write){.duck = d, .joins = true, .why = {.struct_size = sizeof w->why}};
    buf_init(&sql, JOIN_SQL_MAX);
    buf_adds(&sql, "COPY (SELECT * FROM read_parquet([");
    for (size_t i = 0; i < count; i++) {
        buf_adds(&sql, i ? "," : "");
        put_quoted(&sql, paths[i]);
    }
    buf_adds(&sql, "], union_by_name = true, hive_partitioning = false)");
    return begin(w, &sql, to, s, err);
}

static enum parquet_result finish(parquet_write *w, ss_error *err)
{
    const duck_api *api = w->duck->api;
    duck_result result = {.inside = NULL};
    bool good = api->execute_pending(w->pending, &result) == 0;
    if (!good)
        duck_fail(err, "write a Parquet file", w->why.text[0] ? w->why.text : api->result_error(&result));
    uint64_t rows = good ? api->rows_changed(&result) : 0;
    api->destroy_result(&result);
    w->joined = rows;
    if (good && rows != parquet_lines(w)) {
        (void)ss_fail(err, SS_RETRY, "DuckDB wrote %llu rows of %llu lines", (unsigned long long)rows,
                      (unsigned long long)parquet_lines(w));
        good = false;
    }
    return good ? PARQUET_DONE : PARQUET_FAILED;
}

enum parquet_result parquet_step(parquet_write *w, int64_t until_us, int64_t (*clock_us)(void *arg),
                                 void *arg, ss_error *err)
{
    for (;;) {
        int state = w->duck->api->pending_execute_task(w->pending);
        if (state == DUCK_READY)
            return finish(w, err);
        if (state == DUCK_PENDING_ERROR) {
            duck_fail(err, "write a Parquet file",
                      w->why.text[0] ? w->why.text : w->duck->api->pending_error(w->pending));
            return PARQUET_FAILED;
        }
        if (until_us > 0 && clock_us(arg) >= until_us)
            return PARQUET_MORE;
    }
}

uint64_t parquet_lines(const parquet_write *w)
{
    return w->joins ? w->joined : w->reader.lines;
}

uint64_t parquet_bytes(const parquet_write *w)
{
    return w->reader.bytes;
}

void parquet_end(parquet_write *w)
{
    if (!w)
        return;
    if (w->pending)
        w->duck->api->destroy_pending(&w->pending);
    if (w->prepared)
        w->duck->api->destroy_prepare(&w->prepared);
    w->duck->lines = NULL;
    line_reader_end(&w->reader);
    free(w);
}
