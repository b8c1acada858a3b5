#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "plugins/common/json.h"
#include "plugins/common/new_york.h"
#include "plugins/common/warehouse_read_inside.h"

#define STEPS_PER_LOOK 1000 /* of SQLite's machine, between two looks at the clock */
#define SQL_BYTES_MAX  (1024 * 1024)
#define DEPTH_MAX      200
#define PATTERN_MAX    1000 /* a long LIKE can take for ever within one step */
#define NUMBER_SIZE    72

typedef struct reading {
    sqlite3 *db;
    sqlite3_stmt *statement;
    const warehouse_limits *limits;
    warehouse_fault *fault;
    int64_t until_ms;
    bool late, given;    /* given: the columns were, so that it cannot begin again */
    bool spill;          /* into temporary files: slower, and for what does not fit into memory */
    const char *refused; /* what the authorizer said no to */
} reading;

/* ---- what a question may do ---- */

static bool in_list(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcasecmp(*list, name) == 0)
            return true;
    return false;
}

/* Those that only tell about tables. */
static bool is_harmless_pragma(const char *name, const char *value)
{
    static const char *const about_tables[] = {"table_info", "table_xinfo", "table_list", "index_list",
                                               "index_info", "index_xinfo", NULL};
    static const char *const constants[] = {"compile_options", "function_list", "user_version",
                                            "collation_list",  "encoding",      NULL};
    return in_list(about_tables, name) || (!value && in_list(constants, name));
}

static int authorize(void *arg, int action, const char *first, const char *second, const char *database,
                     const char *by)
{
    (void)database;
    (void)by;
    reading *r = arg;
    if (action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE)
        return SQLITE_OK;
    if (action == SQLITE_FUNCTION && strcasecmp(second, "load_extension") != 0)
        return SQLITE_OK;
    if (action == SQLITE_PRAGMA && is_harmless_pragma(first, second))
        return SQLITE_OK;
    r->refused = action == SQLITE_ATTACH     ? "ATTACH"
                 : action == SQLITE_PRAGMA   ? "this PRAGMA"
                 : action == SQLITE_FUNCTION ? "load_extension"
                                             : "a statement that changes something";
    return SQLITE_DENY;
}

/* ---- limits ---- */

static int look_at_clock(void *arg)
{
    reading *r = arg;
    r->late = warehouse_now_ms() >= r->until_ms;
    return r->late;
}

static void set_limits(reading *r)
{
    int64_t memory = r->limits->memory_bytes;
    (void)sqlite3_hard_heap_limit64(memory);
    (void)sqlite3_soft_heap_limit64(memory - memory / 8); /* from here on it gives cached pages back */
    (void)sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, (int)(memory < INT32_MAX ? memory : INT32_MAX));
    (void)sqlite3_limit(r->db, SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX);
    (void)sqlite3_limit(r->db, SQLITE_LIMIT_EXPR_DEPTH, DEPTH_MAX);
    (void)sqlite3_limit(r->db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_MAX);
    (void)sqlite3_limit(r->db, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_limit(r->db, SQLITE_LIMIT_WORKER_THREADS, 0);
    (void)sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_progress_handler(r->db, STEPS_PER_LOOK, look_at_clock, r);
    (void)sqlite3_busy_timeout(r->db,
                               (int)(r->limits->timeout_ms < INT32_MAX ? r->limits->timeout_ms : INT32_MAX));
}

/* ---- failures ---- */

static bool sqlite_failed(reading *r, int rc, uint32_t otherwise)
{
    if (r->late || rc == SQLITE_INTERRUPT)
        return warehouse_late(r->fault, r->limits);
    if (rc == SQLITE_NOMEM || rc == SQLITE_TOOBIG)
        return warehouse_fail(r->fault, WAREHOUSE_MEMORY, -1,
                              "it needs more than %lld MiB of memory; ask for less, or give it more",
                              (long long)(r->limits->memory_bytes >> 20));
    if (r->refused)
        return warehouse_fail(r->fault, WAREHOUSE_REFUSED, -1,
                              "%s is not allowed here: a query is one SELECT, which changes nothing",
                              r->refused);
    if (rc == SQLITE_BUSY)
        return warehouse_fail(r->fault, WAREHOUSE_TIME, -1, "the file stayed locked by another program");
    if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT)
        return warehouse_fail(
            r->fault, WAREHOUSE_UNREACHABLE, -1,
            "the file is damaged or no SQLite database (%s); `sqlite3 FILE .recover` saves what can be "
            "read",
            sqlite3_errmsg(r->db));
    return warehouse_fail(r->fault, otherwise, sqlite3_error_offset(r->db), "%s", sqlite3_errmsg(r->db));
}

/* ---- the file ---- */

static void america_new_york(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    char text[NEW_YORK_SIZE];
    int type = sqlite3_value_numeric_type(values[0]);
    double seconds = type == SQLITE_INTEGER || type == SQLITE_FLOAT ? sqlite3_value_double(values[0]) : NAN;
    if (!(fabs(seconds) < 1e12)) /* beyond any year that has a text; NaN, too */
        return;
    size_t len = new_york_put(text, (int64_t)seconds);
    if (len > 0)
        sqlite3_result_text(context, text, (int)len, SQLITE_TRANSIENT);
}

/* Their first use declares them, which the authorizer could not tell from a change of the schema. */
static const char table_functions[] =
    "SELECT 1 FROM json_each('[]'), json_tree('[]'), pragma_table_info('t'), pragma_table_xinfo('t'), "
    "pragma_table_list, pragma_index_list('t'), pragma_index_info('t'), pragma_index_xinfo('t'), "
    "pragma_function_list, pragma_compile_options LIMIT 0";

static bool open_file(reading *r, const char *path)
{
    if (access(path, F_OK) != 0)
        return warehouse_fail(r->fault, WAREHOUSE_UNREACHABLE, -1,
                              "%.300s is not there: the module makes it when the server runs", path);
    if (access(path, R_OK) != 0)
        return warehouse_fail(r->fault, WAREHOUSE_UNREACHABLE, -1,
                              "%.300s: no right to read it; ask as the user that the server runs as", path);
    int rc = sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return warehouse_fail(r->fault, WAREHOUSE_UNREACHABLE, -1,
                              "%.300s: %s; ask as the user that the server runs as", path,
                              r->db ? sqlite3_errmsg(r->db) : "no memory");
    set_limits(r);
    rc = sqlite3_create_function(r->db, GAME_SQL_NEW_YORK, 1,
                                 SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                 america_new_york, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(r->db, r->spill ? "PRAGMA temp_store = FILE" : "PRAGMA temp_store = MEMORY", NULL,
                          NULL, NULL);
    /* Reads the first page: what is wrong with the file is not the query's mistake. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(r->db, "PRAGMA query_only = 1; SELECT count(*) FROM sqlite_schema", NULL, NULL,
                          NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(r->db, table_functions, NULL, NULL, NULL);
    if (rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY)
        return warehouse_fail(
            r->fault, WAREHOUSE_UNREACHABLE, -1,
            "%.300s: the files -wal and -shm beside it cannot be opened; ask as the user that the server "
            "runs as",
            path);
    if (rc != SQLITE_OK)
        return sqlite_failed(r, rc, WAREHOUSE_UNREACHABLE);
    (void)sqlite3_set_authorizer(r->db, authorize, r);
    return true;
}

/* ---- the question ---- */

/* White space, comments and semicolons say nothing. */
static bool says_nothing(reading *r, const char *text)
{
    while (*text) {
        sqlite3_stmt *next = NULL;
        const char *tail = NULL;
        int rc = sqlite3_prepare_v2(r->db, text, -1, &next, &tail);
        (void)sqlite3_finalize(next);
        if (rc != SQLITE_OK || next)
            return false;
        text = tail;
    }
    return true;
}

static bool prepare(reading *r, const char *sql)
{
    const char *tail = NULL;
    if (strlen(sql) > SQL_BYTES_MAX)
        return warehouse_fail(r->fault, WAREHOUSE_SQL, -1, "the text is longer than %d bytes", SQL_BYTES_MAX);
    int rc = sqlite3_prepare_v2(r->db, sql, -1, &r->statement, &tail);
    if (rc != SQLITE_OK)
        return sqlite_failed(r, rc, WAREHOUSE_SQL);
    if (!r->statement)
        return warehouse_fail(r->fault, WAREHOUSE_SQL, -1, "there is no SQL in it");
    if (!says_nothing(r, tail))
        return warehouse_fail(r->fault, WAREHOUSE_REFUSED, tail - sql, "one statement at a time");
    if (!sqlite3_stmt_readonly(r->statement) || sqlite3_column_count(r->statement) == 0)
        return warehouse_fail(r->fault, WAREHOUSE_REFUSED, 0, "a query is one SELECT, which changes nothing");
    if (sqlite3_bind_parameter_count(r->statement) > 0)
        return warehouse_fail(r->fault, WAREHOUSE_SQL, -1,
                              "it has parameters (? or :name); write their values");
    return true;
}

static warehouse_cell cell_of(sqlite3_stmt *s, int i, char number[NUMBER_SIZE])
{
    switch (sqlite3_column_type(s, i)) {
    case SQLITE_NULL:
        return (warehouse_cell){.kind = WAREHOUSE_NULL};
    case SQLITE_INTEGER:
        return (warehouse_cell){.kind = WAREHOUSE_NUMBER,
                                .text = ss_s(number, json_put_i64(number, sqlite3_column_int64(s, i)))};
    case SQLITE_FLOAT:
        return warehouse_double(sqlite3_column_double(s, i), number, NUMBER_SIZE);
    case SQLITE_BLOB: {
        const char *bytes = sqlite3_column_blob(s, i);
        return (warehouse_cell){.kind = WAREHOUSE_BYTES,
                                .text = ss_s(bytes ? bytes : "", (size_t)sqlite3_column_bytes(s, i))};
    }
    default: {
        const char *text = (const char *)sqlite3_column_text(s, i);
        return (warehouse_cell){.kind = text ? WAREHOUSE_TEXT : WAREHOUSE_NULL,
                                .text = ss_s(text, (size_t)sqlite3_column_bytes(s, i))};
    }
    }
}

typedef struct row_room { /* of one row */
    warehouse_cell *cells;
    char (*numbers)[NUMBER_SIZE];
    const char **names;
} row_room;

static bool step_all(reading *r, const warehouse_rows *to, const row_room *room, int count)
{
    for (int i = 0; i < count; i++)
        room->names[i] = sqlite3_column_name(r->statement, i);
    for (;;) {
        int rc = sqlite3_step(r->statement);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            return sqlite_failed(r, rc, WAREHOUSE_FAILED);
        if (!r->given && !to->columns(to->arg, room->names, (size_t)count))
            return true;
        r->given = true;
        if (rc == SQLITE_DONE)
            return true;
        for (int i = 0; i < count; i++)
            room->cells[i] = cell_of(r->statement, i, room->numbers[i]);
        int64_t before = warehouse_now_ms();
        if (!to->row(to->arg, room->cells, (size_t)count))
            return true;
        r->until_ms += warehouse_now_ms() - before; /* a person who reads page by page takes nobody's time */
    }
}

static bool run(reading *r, const warehouse_rows *to)
{
    int count = sqlite3_column_count(r->statement);
    size_t n = (size_t)count;
    row_room room = {.cells = calloc(n, sizeof *room.cells),
                     .numbers = calloc(n, sizeof *room.numbers),
                     .names = calloc(n, sizeof *room.names)};
    bool good = room.cells && room.numbers && room.names ? step_all(r, to, &room, count)
                                                         : sqlite_failed(r, SQLITE_NOMEM, WAREHOUSE_MEMORY);
    free(room.cells);
    free(room.numbers);
    free(room.names);
    return good;
}

static bool attempt(reading *r, const char *path, const char *sql, const warehouse_rows *to)
{
    bool good = open_file(r, path) && prepare(r, sql) && run(r, to);
    (void)sqlite3_finalize(r->statement);
    (void)sqlite3_close(r->db);
    r->statement = NULL;
    r->db = NULL;
    (void)sqlite3_soft_heap_limit64(0);
    (void)sqlite3_hard_heap_limit64(0);
    return good;
}

bool warehouse_read_sqlite(const char *path, const char *sql, const warehouse_limits *limits,
                           const warehouse_rows *to, warehouse_fault *fault)
{
    reading r = {.limits = limits, .fault = fault, .until_ms = warehouse_now_ms() + limits->timeout_ms};
    if (attempt(&r, path, sql, to))
        return true;
    if (fault->kind != WAREHOUSE_MEMORY || r.given)
        return false;
    fault->kind = 0;
    r.spill = true;
    return attempt(&r, path, sql, to);
}
