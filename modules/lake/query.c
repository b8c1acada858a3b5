#include "modules/lake/query.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "modules/lake/query_scan.h"
#include "plugins/common/aws/bucket.h"
#include "plugins/common/buf.h"

#define RECEIVERS_MAX 64u
#define TRIES_MAX     3 /* a compaction took files away while they were read */
#define SQL_MAX       (256u << 20)
#define COLUMNS_MAX   4096u
#define RECEIVER_HOLE "{receiver}"

typedef struct asking {
    const ss_host *host;
    const lake_ask *ask;
    warehouse_fault *fault;
    char lake[PATH_MAX], library[PATH_MAX];
    bool by_receiver; /* the folders say whose events they hold */
    duck duck;
    lake_files files;
    scan_set sets[RECEIVERS_MAX + 1];
    size_t set_count;
    int64_t until_us;
    bool begun; /* rows went out: nothing is asked again */
} asking;

static bool failed(asking *q, uint32_t kind, const ss_error *err)
{
    q->fault->kind = kind;
    q->fault->at = -1;
    q->fault->error = *err;
    return false;
}

static bool failed_with(asking *q, uint32_t kind, const char *doing, const char *why)
{
    ss_error err = {.struct_size = sizeof err};
    duck_fail(&err, doing, why);
    return failed(q, why && strstr(why, "Out of Memory") ? WAREHOUSE_MEMORY : kind, &err);
}

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- views ---- */

static void put_quoted(buf *out, const char *text, char mark)
{
    buf_add(out, &mark, 1);
    for (; *text; text++) {
        if (*text == mark)
            buf_add(out, &mark, 1);
        buf_add(out, text, 1);
    }
    buf_add(out, &mark, 1);
}

static bool is_asked_for(const asking *q, const lake_file *f, const char *receiver)
{
    return lake_file_touches(f, q->ask->from_us, q->ask->to_us) &&
           (!receiver || lake_file_is_of(f, receiver));
}

static void put_parquet_files(buf *sql, const asking *q, const char *receiver, size_t *count)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < q->files.count; i++) {
        const lake_file *f = &q->files.items[i];
        if (!f->parquet || !is_asked_for(q, f, receiver))
            continue;
        (void)snprintf(path, sizeof path, "%.2500s/%.1024s", q->lake, f->path);
        buf_adds(sql, (*count)++ ? "," : " UNION ALL BY NAME SELECT * FROM read_parquet([");
        put_quoted(sql, path, '\'');
    }
    if (*count)
        buf_adds(sql, "],union_by_name=true,hive_partitioning=false)");
}

static bool fill_set(asking *q, scan_set *set, const ss_str *receivers, size_t count, const char *only)
{
    ss_error err = {.struct_size = sizeof err};
    *set = (scan_set){.lake = q->lake, .files = calloc(q->files.count + 1, sizeof *set->files)};
    set->columns = parquet_columns_new(q->host, receivers, count, &err);
    if (!set->files || !set->columns)
        return failed(q, WAREHOUSE_FAILED, &err);
    for (size_t i = 0; i < q->files.count; i++)
        if (!q->files.items[i].parquet && is_asked_for(q, &q->files.items[i], only))
            set->files[set->count++] = &q->files.items[i];
    return true;
}

/* Of these receivers; only: of its own folders. */
static bool make_view(asking *q, const char *name, const ss_str *receivers, size_t count, const char *only)
{
    char function[32];
    ss_error err = {.struct_size = sizeof err};
    scan_set *set = &q->sets[q->set_count];
    size_t parquet = 0;
    buf sql;
    (void)snprintf(function, sizeof function, "ss_lake_%zu", q->set_count++);
    if (!fill_set(q, set, receivers, count, only))
        return false;
    if (!scan_register(&q->duck, function, set, &err))
        return failed(q, WAREHOUSE_FAILED, &err);
    buf_init(&sql, SQL_MAX);
    buf_adds(&sql, "CREATE OR REPLACE VIEW ");
    put_quoted(&sql, name, '"');
    buf_addf(&sql, " AS SELECT * FROM %s()", function);
    put_parquet_files(&sql, q, only, &parquet);
    bool good = sql.failed
                    ? failed_with(q, WAREHOUSE_MEMORY, "look at so many files", NULL)
                    : duck_run(&q->duck, buf_text(&sql), NULL, &err) || failed(q, WAREHOUSE_FAILED, &err);
    buf_fini(&sql);
    return good;
}

static bool make_views(asking *q)
{
    const lake_ask *a = q->ask;
    ss_str names[RECEIVERS_MAX];
    size_t count = a->receiver_count < RECEIVERS_MAX ? a->receiver_count : RECEIVERS_MAX;
    for (size_t i = 0; i < count; i++)
        names[i] = ss_cstr(a->receivers[i]);
    bool good = make_view(q, a->module, names, count, NULL);
    for (size_t i = 0; good && i < count && (count == 1 || q->by_receiver); i++)
        good = strcmp(a->receivers[i], a->module) == 0 ||
               make_view(q, a->receivers[i], &names[i], 1, count == 1 ? NULL : a->receivers[i]);
    return good;
}

/* From here on the lake's folder is all that a statement can read, and nothing that it can write. */
static bool lock_up(asking *q)
{
    ss_error err = {.struct_size = sizeof err};
    buf sql;
    buf_init(&sql, PATH_MAX * 2);
    buf_adds(&sql, "SET allowed_directories=[");
    put_quoted(&sql, q->lake, '\'');
    buf_adds(&sql, "]; SET enable_external_access=false; SET lock_configuration=true");
    bool good = duck_run(&q->duck, buf_text(&sql), NULL, &err) || failed(q, WAREHOUSE_FAILED, &err);
    buf_fini(&sql);
    return good;
}

/* ---- one statement ---- */

static bool run_tasks(asking *q, void *pending)
{
    const duck_api *api = q->duck.api;
    ss_error err = {.struct_size = sizeof err};
    for (;;) {
        int state = api->pending_execute_task(pending);
        if (state == DUCK_READY)
            return true;
        if (state == DUCK_PENDING_ERROR)
            return failed_with(q, WAREHOUSE_FAILED, "answer", api->pending_error(pending));
        if (q->ask->stopping() || now_us() >= q->until_us) {
            (void)ss_fail(&err, SS_RETRY,
                          q->ask->stopping() ? "stopped" : "the query took more than its time");
            return failed(q, WAREHOUSE_TIME, &err);
        }
    }
}

/* before + the question + after, as one prepared statement: more than one is none. */
static bool prepare(asking *q, const char *before, const char *after, void **prepared)
{
    buf sql;
    buf_init(&sql, SQL_MAX);
    size_t len = strlen(q->ask->sql);
    while (len > 0 && (isspace((unsigned char)q->ask->sql[len - 1]) || q->ask->sql[len - 1] == ';'))
        len--;
    buf_adds(&sql, before);
    buf_add(&sql, q->ask->sql, len);
    buf_adds(&sql, after);
    const duck_api *api = q->duck.api;
    bool good = !sql.failed && api->prepare(q->duck.connection, buf_text(&sql), prepared) == 0;
    if (!good)
        (void)failed_with(q, WAREHOUSE_SQL, "read the query",
                          *prepared ? api->prepare_error(*prepared) : NULL);
    buf_fini(&sql);
    return good;
}

static bool execute(asking *q, const char *before, const char *after, duck_result *out)
{
    const duck_api *api = q->duck.api;
    void *prepared = NULL, *pending = NULL;
    bool good = prepare(q, before, after, &prepared);
    if (good && api->pending_prepared(prepared, &pending) != 0)
        good = failed_with(q, WAREHOUSE_SQL, "read the query", pending ? api->pending_error(pending) : NULL);
    good = good && run_tasks(q, pending);
    if (good && api->execute_pending(pending, out) != 0) {
        good = failed_with(q, WAREHOUSE_FAILED, "answer", api->result_error(out));
        api->destroy_result(out);
    }
    if (pending)
        api->destroy_pending(&pending);
    if (prepared)
        api->destroy_prepare(&prepared);
    return good;
}

/* ---- rows ---- */

static uint32_t kind_of_type(ss_str type)
{
    static const char *const numbers[] = {"TINYINT", "SMALLINT", "INTEGER",   "BIGINT",
                                          "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
                                          "UBIGINT", "UHUGEINT", "FLOAT",     "DOUBLE"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (ss_eq(type, ss_cstr(numbers[i])))
            return WAREHOUSE_NUMBER;
    if (type.len > 7 && memcmp(type.ptr, "DECIMAL", 7) == 0)
        return WAREHOUSE_NUMBER;
    return ss_eq(type, SS_LIT("BOOLEAN")) ? WAREHOUSE_BOOL : WAREHOUSE_TEXT;
}

static ss_str text_in(const duck_text *texts, uint64_t at)
{
    return ss_s(duck_text_at(&texts[at]), texts[at].len);
}

/* The second column of DESCRIBE. */
static size_t take_types(asking *q, duck_result *result, uint32_t kinds[COLUMNS_MAX])
{
    const duck_api *api = q->duck.api;
    size_t count = 0;
    for (void *chunk; (chunk = api->fetch_chunk(*result)) != NULL; api->destroy_data_chunk(&chunk)) {
        const duck_text *types = api->vector_get_data(api->data_chunk_get_vector(chunk, 1));
        for (uint64_t i = 0; i < api->data_chunk_get_size(chunk) && count < COLUMNS_MAX; i++)
            kinds[count++] = kind_of_type(text_in(types, i));
    }
    return count;
}

/* inf and nan are no numbers of JSON. */
static bool is_number(ss_str text)
{
    return text.len > 0 && (isdigit((unsigned char)text.ptr[0]) ||
                            (text.ptr[0] == '-' && text.len > 1 && isdigit((unsigned char)text.ptr[1])));
}

static bool pass_chunk(asking *q, void *chunk, const uint32_t *kinds, size_t columns)
{
    const duck_api *api = q->duck.api;
    static warehouse_cell cells[COLUMNS_MAX]; /* too large for a stack; the verb has one thread */
    for (uint64_t n = 0; n < api->data_chunk_get_size(chunk); n++) {
        for (size_t i = 0; i < columns; i++) {
            void *vector = api->data_chunk_get_vector(chunk, i);
            const uint64_t *valid = api->vector_get_validity(vector);
            bool there = !valid || (valid[n / 64] >> (n % 64) & 1);
            ss_str text = there ? text_in(api->vector_get_data(vector), n) : ss_s(NULL, 0);
            uint32_t kind = kinds[i] == WAREHOUSE_NUMBER && !is_number(text) ? WAREHOUSE_TEXT : kinds[i];
            cells[i] = (warehouse_cell){there ? kind : WAREHOUSE_NULL, text};
        }
        if (!q->ask->rows->row(q->ask->rows->arg, cells, columns))
            return false;
    }
    return true;
}

static void pass_rows(asking *q, duck_result *result, const uint32_t *kinds, size_t columns)
{
    const duck_api *api = q->duck.api;
    static const char *names[COLUMNS_MAX]; /* the same */
    for (size_t i = 0; i < columns; i++)
        names[i] = api->column_name(result, i);
    q->begun = true;
    bool more = q->ask->rows->columns(q->ask->rows->arg, names, columns);
    for (void *chunk; more && (chunk = api->fetch_chunk(*result)) != NULL; api->destroy_data_chunk(&chunk))
        more = pass_chunk(q, chunk, kinds, columns);
}

static bool answer(asking *q)
{
    static uint32_t kinds[COLUMNS_MAX]; /* the same */
    duck_result result = {.inside = NULL};
    if (!execute(q, "DESCRIBE SELECT * FROM (\n", "\n)", &result))
        return false;
    size_t columns = take_types(q, &result, kinds);
    q->duck.api->destroy_result(&result);
    result = (duck_result){.inside = NULL};
    if (!execute(q, "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (\n", "\n)", &result))
        return false;
    size_t got = (size_t)q->duck.api->column_count(&result);
    pass_rows(q, &result, kinds, got < columns ? got : columns);
    q->duck.api->destroy_result(&result);
    return true;
}

/* ---- the question ---- */

static bool ask_once(asking *q)
{
    ss_error err = {.struct_size = sizeof err};
    const duck_limits limits = {.memory_bytes = (uint64_t)q->ask->limits.memory_bytes};
    if (!lake_files_read(q->lake, &q->files, &err) || !duck_open(&q->duck, q->library, &limits, &err))
        return failed(q, WAREHOUSE_UNREACHABLE, &err);
    return make_views(q) && lock_up(q) && answer(q);
}

static void forget(asking *q)
{
    duck_close(&q->duck);
    while (q->set_count > 0)
        scan_set_free(&q->sets[--q->set_count]);
    lake_files_free(&q->files);
}

/* Were files taken away while they were read? */
static bool has_changed(asking *q)
{
    lake_files now;
    ss_error ignored = {.struct_size = sizeof ignored};
    if (!lake_files_read(q->lake, &now, &ignored))
        return false;
    bool same = now.count == q->files.count;
    for (size_t i = 0; same && i < now.count; i++)
        same = strcmp(now.items[i].path, q->files.items[i].path) == 0;
    lake_files_free(&now);
    return !same;
}

static bool read_place(asking *q, const ss_config *cfg, ss_error *err)
{
    ss_str path = q->host->cfg_str(cfg, "path"), library = q->host->cfg_str(cfg, "parquet.library"),
           partition = q->host->cfg_str(cfg, "partition");
    if (aws_bucket_is(path))
        return ss_fail(err, SS_REJECT, "the lake is on S3: ask Athena with --athena"), false;
    (void)snprintf(q->lake, sizeof q->lake, "%.*s", (int)path.len, path.ptr ? path.ptr : "");
    (void)snprintf(q->library, sizeof q->library, "%.*s",
                   library.len ? (int)library.len : (int)strlen(DUCK_LIBRARY),
                   library.len ? library.ptr : DUCK_LIBRARY);
    q->by_receiver =
        partition.len && memmem(partition.ptr, partition.len, RECEIVER_HOLE, strlen(RECEIVER_HOLE));
    return true;
}

int32_t lake_query(const ss_host *host, const ss_config *cfg, const lake_sink *asked, ss_error *err)
{
    asking *q = calloc(1, sizeof *q);
    if (!q)
        return ss_fail(err, SS_RETRY, "out of memory");
    q->host = host;
    q->ask = asked->ask;
    q->fault = asked->fault;
    q->until_us = now_us() + q->ask->limits.timeout_ms * 1000;
    bool good = read_place(q, cfg, err) || failed(q, WAREHOUSE_UNREACHABLE, err);
    for (int i = 0, again = good; again && i < TRIES_MAX; i++) {
        good = ask_once(q);
        again = !good && !q->begun && q->fault->kind == WAREHOUSE_FAILED && has_changed(q);
        forget(q);
    }
    free(q);
    return good ? SS_OK : SS_REJECT;
}
