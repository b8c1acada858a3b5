#include <poll.h>
#include <postgresql/libpq-fe.h>
#include <stdlib.h>

#include "plugins/common/json.h"
#include "plugins/common/pg.h"
#include "plugins/common/utf8.h"
#include "plugins/common/warehouse_read_inside.h"

#define GRACE_MS    2000 /* the server ends a query itself; this long we wait for its word */
#define NUMBER_SIZE 72

/* Of PostgreSQL's catalog (pg_type): they never change. */
enum type_oid {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_NUMERIC = 1700
};

typedef struct reading {
    pg connection;
    PGconn *conn;
    const warehouse_limits *limits;
    warehouse_fault *fault;
    int64_t until_ms;
    const char *sql;
    bool began; /* the columns are known */
} reading;

/* ---- what a question may do ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *skip_comment(const char *p)
{
    if (p[0] == '-')
        return p + strcspn(p, "\n");
    const char *end = strstr(p + 2, "*/");
    return end ? end + 2 : p + strlen(p);
}

/* Where the first word begins. */
static const char *first_word(const char *p)
{
    for (;;) {
        if (is_space(*p) || *p == '(' || *p == ';')
            p++;
        else if ((p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '*'))
            p = skip_comment(p);
        else
            return p;
    }
}

/* A read-only transaction would still let COPY ... TO PROGRAM, CALL and SET through. */
static bool is_question(const char *sql)
{
    static const char *const words[] = {"SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN", "SHOW", NULL};
    const char *word = first_word(sql);
    size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    for (size_t i = 0; words[i]; i++)
        if (strlen(words[i]) == len && strncasecmp(words[i], word, len) == 0)
            return true;
    return false;
}

/* ---- failures ---- */

/* The server counts characters from 1. */
static int64_t byte_of(const char *sql, const char *position)
{
    int64_t left = position ? strtoll(position, NULL, 10) - 1 : -1;
    const char *p = sql;
    for (size_t len = strlen(sql); left > 0 && len > 0; left--) {
        size_t n = utf8_sequence(p, len);
        n = n ? n : 1;
        p += n;
        len -= n;
    }
    return left == 0 ? p - sql : -1;
}

static bool state_is(const char *state, const char *want)
{
    return state && strncmp(state, want, strlen(want)) == 0;
}

static bool postgres_failed(reading *r, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state_is(state, "57014"))
        return warehouse_late(r->fault, r->limits);
    uint32_t kind = state_is(state, "53200")   ? WAREHOUSE_MEMORY
                    : state_is(state, "25006") ? WAREHOUSE_REFUSED
                    : state_is(state, "42")    ? WAREHOUSE_SQL
                                               : WAREHOUSE_FAILED;
    text = text ? text : PQerrorMessage(r->conn);
    return warehouse_fail(r->fault, kind,
                          byte_of(r->sql, PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION)), "%.*s",
                          (int)strcspn(text, "\n"), text);
}

/* ---- rows ---- */

static warehouse_cell cell_of(const PGresult *row, int i, char number[NUMBER_SIZE])
{
    if (PQgetisnull(row, 0, i))
        return (warehouse_cell){.kind = WAREHOUSE_NULL};
    ss_str text = ss_s(PQgetvalue(row, 0, i), (size_t)PQgetlength(row, 0, i));
    double value;
    switch (PQftype(row, i)) {
    case OID_BOOL:
        return (warehouse_cell){.kind = WAREHOUSE_BOOL, .text = ss_cstr(*text.ptr == 't' ? "true" : "false")};
    case OID_FLOAT4: /* as the server writes it: as a double it would have digits that it never had */
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_NUMERIC:
        return (warehouse_cell){.kind = json_valid(text) ? WAREHOUSE_NUMBER : WAREHOUSE_TEXT, .text = text};
    case OID_FLOAT8:
        if (json_double(text, &value))
            return warehouse_double(value, number, NUMBER_SIZE);
        return (warehouse_cell){.kind = WAREHOUSE_TEXT, .text = text};
    default:
        return (warehouse_cell){.kind = WAREHOUSE_TEXT, .text = text};
    }
}

static bool give_columns(reading *r, const PGresult *result, const warehouse_rows *to)
{
    const char *names[WAREHOUSE_COLUMNS_MAX];
    int count = PQnfields(result);
    for (int i = 0; i < count; i++)
        names[i] = PQfname(result, i);
    r->began = true;
    return to->columns(to->arg, names, (size_t)count);
}

static bool give_row(const PGresult *row, const warehouse_rows *to)
{
    int count = PQnfields(row);
    warehouse_cell *cells = calloc((size_t)count + 1, sizeof *cells);
    char(*numbers)[NUMBER_SIZE] = calloc((size_t)count + 1, sizeof *numbers);
    bool more = cells && numbers;
    for (int i = 0; more && i < count; i++)
        cells[i] = cell_of(row, i, numbers[i]);
    more = more && to->row(to->arg, cells, (size_t)count);
    free(cells);
    free(numbers);
    return more;
}

/* ---- the question ---- */

/* NULL: no more, or failed. Never waits past the deadline. */
static PGresult *next_result(reading *r)
{
    while (PQisBusy(r->conn)) {
        int64_t left = r->until_ms + GRACE_MS - warehouse_now_ms();
        struct pollfd wait = {.fd = PQsocket(r->conn), .events = POLLIN};
        if (left <= 0) {
            (void)warehouse_late(r->fault, r->limits);
            return NULL;
        }
        (void)poll(&wait, 1, (int)(left < 1000 ? left : 1000));
        if (PQconsumeInput(r->conn) == 0) {
            (void)warehouse_fail(r->fault, WAREHOUSE_UNREACHABLE, -1, "the connection was lost");
            return NULL;
        }
    }
    return PQgetResult(r->conn);
}

static void cancel(reading *r)
{
    char why[256];
    PGcancel *request = PQgetCancel(r->conn);
    if (request)
        (void)PQcancel(request, why, sizeof why);
    PQfreeCancel(request);
}

/* true: more may come. */
static bool take(reading *r, const PGresult *result, const warehouse_rows *to)
{
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK)
        return postgres_failed(r, result);
    if (!r->began && !give_columns(r, result, to))
        return false;
    return status == PGRES_TUPLES_OK || give_row(result, to);
}

static bool run(reading *r, const warehouse_rows *to)
{
    if (PQsendQueryParams(r->conn, r->sql, 0, NULL, NULL, NULL, NULL, 0) != 1 ||
        PQsetSingleRowMode(r->conn) != 1)
        return warehouse_fail(r->fault, WAREHOUSE_UNREACHABLE, -1, "the connection was lost");
    bool more = true;
    for (PGresult *result; more && (result = next_result(r)) != NULL; PQclear(result))
        more = take(r, result, to);
    if (!more || r->fault->kind != 0)
        cancel(r);
    return r->fault->kind == 0;
}

static bool open_database(reading *r, const char *conninfo)
{
    char begin[256];
    pg_init(&r->connection);
    if (pg_open(&r->connection, conninfo, "streamsteam query", r->limits->timeout_ms, &r->fault->error) !=
        SS_OK) {
        r->fault->kind = WAREHOUSE_UNREACHABLE;
        return false;
    }
    r->conn = r->connection.conn;
    (void)snprintf(begin, sizeof begin,
                   "SET statement_timeout = %lld; SET default_transaction_read_only = on; "
                   "SET timezone = 'UTC'; SET datestyle = 'ISO'; BEGIN READ ONLY",
                   (long long)r->limits->timeout_ms);
    if (pg_run(&r->connection, begin, &r->fault->error) == SS_OK)
        return true;
    r->fault->kind = WAREHOUSE_UNREACHABLE;
    return false;
}

bool warehouse_read_postgres(const char *conninfo, const char *sql, const warehouse_limits *limits,
                             const warehouse_rows *to, warehouse_fault *fault)
{
    reading r = {
        .limits = limits, .fault = fault, .sql = sql, .until_ms = warehouse_now_ms() + limits->timeout_ms};
    if (!is_question(sql))
        return warehouse_fail(fault, WAREHOUSE_REFUSED, 0, "a query is one SELECT, which changes nothing");
    bool good = open_database(&r, conninfo) && run(&r, to);
    pg_close(&r.connection);
    return good;
}
