/* One server behind several nodes. The connection is made anew where it broke; a statement that was under way
   then fails with STORE_AWAY, and the caller decides.

   libpq is loaded when it is first needed: with what it depends on it costs each process 2 ms to start, and
   most servers have their store in a file. */
#include <dlfcn.h>
#include <libpq-fe.h>
#include <stdlib.h>

#include "core/admin/database_inside.h"

#define LIBRARY         "libpq.so.5"
#define CONNECT_SECONDS "5"
#define NUMBER_MAX      24

/* clang-format off */
#define CALLS(X) \
    X(PQclear) X(PQcmdStatus) X(PQcmdTuples) X(PQconnectdbParams) X(PQerrorMessage) \
    X(PQexec) X(PQexecPrepared) X(PQfinish) X(PQgetisnull) X(PQgetlength) \
    X(PQgetvalue) X(PQntuples) X(PQprepare) X(PQresultErrorField) X(PQresultErrorMessage) \
    X(PQresultStatus) X(PQsetNoticeReceiver) X(PQstatus)
/* clang-format on */

static struct {
#define POINTER(name) __typeof__(name) *name;
    CALLS(POINTER)
#undef POINTER
} pq;
static char missing[200]; /* why it cannot be loaded */

static void load_library(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *symbol = NULL;
    if (!library)
        (void)snprintf(missing, sizeof missing, "%s is missing (Debian's package libpq5): %.100s", LIBRARY,
                       dlerror());
#define LOAD(name)                                                                                           \
    symbol = library ? dlsym(library, #name) : NULL;                                                         \
    memcpy(&pq.name, &symbol, sizeof symbol);                                                                \
    if (library && !symbol)                                                                                  \
        (void)snprintf(missing, sizeof missing, "%s has no %s: it is too old", LIBRARY, #name);
    CALLS(LOAD)
#undef LOAD
}

static enum store_status status_of(PGconn *c, const PGresult *r)
{
    const char *state = r ? pq.PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    if (pq.PQstatus(c) != CONNECTION_OK || !state)
        return STORE_AWAY;
    if (strncmp(state, "23", 2) == 0)
        return STORE_CONFLICT;
    if (strcmp(state, "53100") == 0)
        return STORE_FULL;
    if (strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0 || strncmp(state, "53", 2) == 0)
        return STORE_AWAY;
    if (strcmp(state, "55P03") == 0 || strcmp(state, "40P01") == 0 || strcmp(state, "40001") == 0 ||
        strcmp(state, "57014") == 0)
        return STORE_BUSY;
    if (strncmp(state, "XX", 2) == 0)
        return STORE_DAMAGED;
    return STORE_FAILED;
}

/* The server's sentence without its line ends. */
static enum store_status fail(database *db, const PGresult *r, const char *doing, ss_error *err)
{
    PGconn *c = db->connection;
    char why[200];
    const char *text = r && pq.PQresultErrorMessage(r)[0] ? pq.PQresultErrorMessage(r) : pq.PQerrorMessage(c);
    (void)snprintf(why, sizeof why, "%s", text && *text ? text : "out of memory");
    for (char *p = why; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = p[1] ? ' ' : '\0';
    return database_fail(db, status_of(c, r), doing, why, err);
}

static void no_notice(void *arg, const PGresult *result)
{
    (void)arg, (void)result;
}

static enum store_status pg_script(database *db, const char *sql, ss_error *err)
{
    PGresult *r = pq.PQexec(db->connection, sql);
    ExecStatusType what = pq.PQresultStatus(r);
    enum store_status status =
        what == PGRES_COMMAND_OK || what == PGRES_TUPLES_OK ? STORE_OK : fail(db, r, "write", err);
    /* COMMIT of a transaction that failed before is answered with ROLLBACK, and no error. */
    if (status == STORE_OK && strcmp(sql, "COMMIT") == 0 && strcmp(pq.PQcmdStatus(r), "COMMIT") != 0)
        status = database_fail(db, STORE_FAILED, "write", "the transaction was rolled back", err);
    pq.PQclear(r);
    return status;
}

/* What libpq says of a string that it cannot read holds parts of it, and a password may be among them; one
   without pairs it takes for the name of a database. */
static bool readable(const char *connection, const char *said)
{
    static const char *const unread[] = {"missing \"",  "unterminated",          "invalid connection option",
                                         "invalid URI", "invalid integer value", "end of string reached"};
    bool url = strncmp(connection, "postgresql://", 13) == 0 || strncmp(connection, "postgres://", 11) == 0;
    for (size_t i = 0; i < sizeof unread / sizeof unread[0]; i++)
        if (strncmp(said, unread[i], strlen(unread[i])) == 0)
            return false;
    return url || strchr(connection, '=');
}

static enum store_status unreadable(database *db, ss_error *err)
{
    return database_fail(
        db, STORE_AWAY, "connect",
        "the connection is neither a postgresql:// URL nor NAME=VALUE pairs that libpq knows", err);
}

/* connect_timeout and the application's name are defaults: what the connection string says wins. */
static enum store_status pg_open(database *db, ss_error *err)
{
    static const char *const names[] = {"connect_timeout", "fallback_application_name", "dbname", NULL};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, load_library);
    if (*missing)
        return database_fail(db, STORE_AWAY, "connect", missing, err);
    if (!readable(db->options.connection, ""))
        return unreadable(db, err);
    const char *values[] = {CONNECT_SECONDS, "streamsteam", db->options.connection, NULL};
    PGconn *c = pq.PQconnectdbParams(names, values, 1);
    db->connection = c;
    if (pq.PQstatus(c) != CONNECTION_OK)
        return readable(db->options.connection, pq.PQerrorMessage(c)) ? fail(db, NULL, "connect", err)
                                                                      : unreadable(db, err);
    (void)pq.PQsetNoticeReceiver(c, no_notice, NULL);
    char settings[160];
    (void)snprintf(settings, sizeof settings,
                   "SET lock_timeout=%d; SET statement_timeout=30000; SET client_encoding='UTF8';"
                   "SET standard_conforming_strings=on",
                   DATABASE_BUSY_MS);
    return pg_script(db, settings, err);
}

static void pg_close(database *db)
{
    for (size_t i = 0; i < db->statement_count; i++)
        free(db->statements[i].prepared);
    if (db->connection)
        pq.PQfinish(db->connection);
    db->connection = NULL;
}

static bool pg_same(database *db)
{
    return pq.PQstatus(db->connection) == CONNECTION_OK;
}

static bool pg_moved(database *db)
{
    (void)db;
    return true; /* asking is one round trip, as asking whether to ask would be */
}

/* ---- statements ------------------------------------------------------------------------------- */

/* The name of the prepared statement. */
static const char *statement(database *db, const char *sql, ss_error *err)
{
    for (size_t i = 0; i < db->statement_count; i++)
        if (db->statements[i].sql == sql)
            return db->statements[i].prepared;
    char name[NUMBER_MAX];
    (void)snprintf(name, sizeof name, "s%zu", db->statement_count);
    char *kept = db->statement_count < DATABASE_STATEMENTS_MAX ? strdup(name) : NULL;
    if (!kept) {
        (void)database_fail(db, STORE_FAILED, "prepare a statement", "too many of them", err);
        return NULL;
    }
    PGresult *r = pq.PQprepare(db->connection, name, sql, 0, NULL);
    if (pq.PQresultStatus(r) != PGRES_COMMAND_OK) {
        (void)fail(db, r, "prepare a statement", err);
        pq.PQclear(r);
        free(kept);
        return NULL;
    }
    pq.PQclear(r);
    db->statements[db->statement_count].sql = sql;
    db->statements[db->statement_count++].prepared = kept;
    return kept;
}

/* Values as texts; PostgreSQL's text holds no NUL. */
static bool put_values(const database_value *values, size_t count, const char **texts, char **made,
                       char numbers[][NUMBER_MAX])
{
    for (size_t i = 0; i < count; i++) {
        texts[i] = NULL;
        if (values[i].kind == DATABASE_INT) {
            (void)snprintf(numbers[i], NUMBER_MAX, "%lld", (long long)values[i].number);
            texts[i] = numbers[i];
        } else if (values[i].kind == DATABASE_TEXT) {
            ss_str t = values[i].text;
            made[i] = t.len && memchr(t.ptr, '\0', t.len) ? NULL : strndup(t.len ? t.ptr : "", t.len);
            if (!made[i])
                return false;
            texts[i] = made[i];
        }
    }
    return true;
}

static enum store_status pg_run(database *db, const char *sql, const database_value *values, size_t count,
                                database_visit visit, void *arg, int64_t *changed, ss_error *err)
{
    const char *texts[DATABASE_PARAMS_MAX];
    char *made[DATABASE_PARAMS_MAX] = {NULL}, numbers[DATABASE_PARAMS_MAX][NUMBER_MAX];
    const char *name = statement(db, sql, err);
    if (!name)
        return err->code ? (enum store_status)err->code : STORE_FAILED;
    PGresult *r = NULL;
    enum store_status status = STORE_OK;
    if (count > DATABASE_PARAMS_MAX || !put_values(values, count, texts, made, numbers))
        status = database_fail(db, STORE_INVALID, "read or write", "a value holds a NUL or is too many", err);
    else
        r = pq.PQexecPrepared(db->connection, name, (int)count, texts, NULL, NULL, 0);
    for (size_t i = 0; i < DATABASE_PARAMS_MAX; i++)
        free(made[i]);
    ExecStatusType what = r ? pq.PQresultStatus(r) : PGRES_COMMAND_OK;
    if (status == STORE_OK && what != PGRES_COMMAND_OK && what != PGRES_TUPLES_OK)
        status = fail(db, r, "read or write", err);
    if (status == STORE_OK && changed)
        *changed = strtoll(pq.PQcmdTuples(r), NULL, 10);
    database_row row = {.backend = &database_postgres, .result = r};
    for (; status == STORE_OK && visit && row.number < pq.PQntuples(r); row.number++)
        if (!visit(arg, &row))
            break;
    pq.PQclear(r);
    return status;
}

static bool pg_null(const database_row *row, int column)
{
    return pq.PQgetisnull(row->result, row->number, column);
}

static int64_t pg_int(const database_row *row, int column)
{
    return strtoll(pq.PQgetvalue(row->result, row->number, column), NULL, 10);
}

static ss_str pg_text(const database_row *row, int column)
{
    return ss_s(pq.PQgetvalue(row->result, row->number, column),
                (size_t)pq.PQgetlength(row->result, row->number, column));
}

const database_backend database_postgres = {.open = pg_open,
                                            .close = pg_close,
                                            .script = pg_script,
                                            .run = pg_run,
                                            .same = pg_same,
                                            .moved = pg_moved,
                                            .null = pg_null,
                                            .number = pg_int,
                                            .text = pg_text,
                                            .begin = "BEGIN",
                                            .begin_lock = "SELECT value FROM change_counter FOR UPDATE"};
