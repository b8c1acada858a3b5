#include "plugins/common/pg.h"

#include <poll.h>
#include <postgresql/libpq-fe.h>
#include <stdlib.h>
#include <time.h>

#define STATE_LEN 5u /* characters of a SQLSTATE */

static int64_t mono_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- what a failure means ---- */

static bool state_in(const char *state, const char *const *list)
{
    for (; *list; list++)
        if (strncmp(state, *list, strlen(*list)) == 0)
            return true;
    return false;
}

/* Classes have two characters, single states five. */
static int32_t meaning(const char *state)
{
    static const char *const later[] = {"08", "53", "57", "40", "55P03", "55006", "58", "XX", NULL};
    static const char *const mend[] = {"28", "3D000", "42501", "3F000", "25006", NULL};
    static const char *const values[] = {"22", "23", "54", NULL};
    if (!state[0] || state_in(state, later))
        return SS_RETRY;
    if (state_in(state, mend))
        return SS_PAUSE;
    return state_in(state, values) ? SS_REJECT : SS_FATAL;
}

/* The first line alone: libpq adds where in the text, and where in its own sources. */
static void first_line(const char *text, const char *state, ss_error *err)
{
    size_t len = strcspn(text, "\n");
    (void)snprintf(err->text, sizeof err->text, "%s%.*s%s%s%s", "PostgreSQL: ", (int)(len < 400 ? len : 400),
                   text, state[0] ? " (SQLSTATE " : "", state, state[0] ? ")" : "");
}

static int32_t failed(pg *p, const PGresult *result, ss_error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    (void)snprintf(p->state, sizeof p->state, "%.5s", state ? state : "");
    first_line(text ? text : PQerrorMessage(p->conn), p->state, err);
    if (PQstatus(p->conn) != CONNECTION_OK) {
        pg_close(p);
        return p->state[0] ? meaning(p->state) : SS_RETRY;
    }
    return meaning(p->state);
}

static int32_t not_open(ss_error *err)
{
    return ss_fail(err, SS_RETRY, "PostgreSQL: there is no connection");
}

/* ---- the connection ---- */

void pg_init(pg *p)
{
    *p = (pg){.conn = NULL};
}

void pg_close(pg *p)
{
    if (p->conn)
        PQfinish(p->conn);
    p->conn = NULL;
    p->copying = false;
}

bool pg_is_open(const pg *p)
{
    return p->conn && PQstatus(p->conn) == CONNECTION_OK;
}

bool pg_conninfo_valid(const char *conninfo, ss_error *err)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &why);
    bool good = options != NULL;
    /* libpq's own text quotes the string, and that has the password. */
    if (!good)
        (void)ss_fail(
            err, 0,
            "the connection is no conninfo: write \"host=... dbname=... user=... password=...\" or a "
            "postgresql:// URI, with spaces in values quoted or percent-encoded");
    PQconninfoFree(options);
    PQfreemem(why);
    return good;
}

/* With verbose errors the text of a refused connection is "FATAL:  28P01: password ...": the only place where
   libpq tells the state then. Returns where the words begin. */
static const char *state_of_text(const char *text, char state[PG_STATE_SIZE])
{
    for (const char *at = text; (at = strstr(at, ":  ")) != NULL; at++) {
        const char *code = at + 3;
        if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == STATE_LEN && code[STATE_LEN] == ':') {
            memcpy(state, code, STATE_LEN);
            state[STATE_LEN] = '\0';
            return code + STATE_LEN + 1 + (code[STATE_LEN + 1] == ' ');
        }
    }
    state[0] = '\0';
    return text;
}

/* "table exists already, skipping" is nobody's news. */
static void no_notices(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static int32_t connect_failed(pg *p, bool late, ss_error *err)
{
    const char *text = late ? "no connection in time" : PQerrorMessage(p->conn);
    const char *words = state_of_text(text, p->state);
    first_line(words, p->state, err);
    int32_t rc = p->state[0] ? meaning(p->state) : SS_RETRY;
    /* "no password supplied" is said by libpq itself, without a state */
    if (!late && PQconnectionNeedsPassword(p->conn))
        rc = SS_PAUSE;
    pg_close(p);
    return rc == SS_REJECT || rc == SS_FATAL ? SS_PAUSE : rc;
}

static bool await_socket(PGconn *conn, PostgresPollingStatusType step, int64_t until)
{
    int64_t left = until - mono_ms();
    struct pollfd wait = {.fd = PQsocket(conn), .events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    return left > 0 && wait.fd >= 0 && poll(&wait, 1, (int)(left < INT32_MAX ? left : INT32_MAX)) >= 0 &&
           mono_ms() < until;
}

int32_t pg_open(pg *p, const char *conninfo, const char *application, int64_t timeout_ms, ss_error *err)
{
    /* What stands later wins, so these are defaults; a peer that went away without a word is noticed. */
    const char *keys[] = {"keepalives_idle",           "keepalives_interval",
                          "keepalives_count",          "tcp_user_timeout",
                          "client_encoding",           "dbname",
                          "fallback_application_name", NULL};
    const char *values[] = {"20", "5", "3", "15000", "UTF8", conninfo, application, NULL};
    pg_close(p);
    p->state[0] = '\0';
    p->conn = PQconnectStartParams(keys, values, 1);
    if (!p->conn)
        return ss_fail(err, SS_RETRY, "PostgreSQL: out of memory");
    (void)PQsetErrorVerbosity(p->conn, PQERRORS_VERBOSE);
    int64_t until = mono_ms() + timeout_ms;
    PostgresPollingStatusType step =
        PQstatus(p->conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
        if (!await_socket(p->conn, step, until))
            return connect_failed(p, true, err);
        step = PQconnectPoll(p->conn);
    }
    if (step != PGRES_POLLING_OK)
        return connect_failed(p, false, err);
    (void)PQsetErrorVerbosity(p->conn, PQERRORS_DEFAULT);
    (void)PQsetNoticeProcessor(p->conn, no_notices, NULL);
    return SS_OK;
}

/* ---- statements ---- */

static bool is_good(const PGresult *result)
{
    ExecStatusType s = PQresultStatus(result);
    return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_EMPTY_QUERY;
}

int32_t pg_run(pg *p, const char *sql, ss_error *err)
{
    if (!p->conn)
        return not_open(err);
    PGresult *result = PQexec(p->conn, sql);
    int32_t rc = is_good(result) ? SS_OK : failed(p, result, err);
    PQclear(result);
    return rc;
}

int32_t pg_ask(pg *p, const char *sql, const char *const *values, int count, pg_rows *rows, ss_error *err)
{
    if (rows)
        *rows = (pg_rows){.result = NULL};
    if (!p->conn)
        return not_open(err);
    PGresult *result = PQexecParams(p->conn, sql, count, NULL, values, NULL, NULL, 0);
    if (!is_good(result)) {
        int32_t rc = failed(p, result, err);
        PQclear(result);
        return rc;
    }
    if (rows)
        *rows = (pg_rows){.result = result, .rows = PQntuples(result), .columns = PQnfields(result)};
    else
        PQclear(result);
    return SS_OK;
}

const char *pg_cell(const pg_rows *rows, int row, int column)
{
    if (!rows->result || row >= rows->rows || column >= rows->columns ||
        PQgetisnull(rows->result, row, column))
        return NULL;
    return PQgetvalue(rows->result, row, column);
}

uint64_t pg_changed(const pg_rows *rows)
{
    return rows->result ? strtoull(PQcmdTuples(rows->result), NULL, 10) : 0;
}

void pg_rows_free(pg_rows *rows)
{
    PQclear(rows->result);
    *rows = (pg_rows){.result = NULL};
}

/* ---- COPY ---- */

int32_t pg_copy_begin(pg *p, const char *sql, ss_error *err)
{
    if (!p->conn)
        return not_open(err);
    PGresult *result = PQexec(p->conn, sql);
    bool good = PQresultStatus(result) == PGRES_COPY_IN;
    int32_t rc = good ? SS_OK : failed(p, result, err);
    p->copying = good;
    PQclear(result);
    return rc;
}

/* Why a COPY ended before its time stands in its result. */
static int32_t copy_result(pg *p, ss_error *err)
{
    int32_t rc = SS_OK;
    for (PGresult *result; p->conn && (result = PQgetResult(p->conn)) != NULL; PQclear(result))
        if (rc == SS_OK && !is_good(result))
            rc = failed(p, result, err);
    p->copying = false;
    if (rc == SS_OK && !p->conn)
        rc = not_open(err);
    return rc;
}

int32_t pg_copy_put(pg *p, const char *bytes, size_t len, ss_error *err)
{
    static const size_t piece = 1u << 20;
    if (!p->copying)
        return not_open(err);
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        if (PQputCopyData(p->conn, bytes + at, (int)n) == 1)
            continue;
        (void)PQputCopyEnd(p->conn, "given up");
        int32_t rc = copy_result(p, err);
        return rc == SS_OK ? SS_RETRY : rc;
    }
    return SS_OK;
}

int32_t pg_copy_end(pg *p, ss_error *err)
{
    if (!p->copying)
        return not_open(err);
    if (PQputCopyEnd(p->conn, NULL) != 1) {
        p->copying = false;
        return failed(p, NULL, err);
    }
    return copy_result(p, err);
}

void pg_copy_value(buf *out, ss_str value)
{
    if (!buf_reserve(out, value.len * 2))
        return;
    char *to = out->ptr + out->len;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        char letter = c == '\\' ? '\\' : c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : '\0';
        if (letter) {
            *to++ = '\\';
            c = letter;
        }
        *to++ = c;
    }
    out->len = (size_t)(to - out->ptr);
}

/* ---- LISTEN ---- */

bool pg_notified(pg *p, int64_t timeout_ms)
{
    bool any = false;
    if (!p->conn)
        return false;
    struct pollfd wait = {.fd = PQsocket(p->conn), .events = POLLIN};
    if (wait.fd >= 0)
        (void)poll(&wait, 1, (int)(timeout_ms < INT32_MAX ? timeout_ms : INT32_MAX));
    if (PQconsumeInput(p->conn) == 0)
        return false; /* pg_is_open() says so */
    for (PGnotify *n; (n = PQnotifies(p->conn)) != NULL; PQfreemem(n))
        any = true;
    return any;
}
