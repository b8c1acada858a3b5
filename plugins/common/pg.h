/* PostgreSQL through libpq, as far as the server and its plugins need it: one connection with deadlines, and
   answers in the words of the contract. One thread; no globals.

   What calls return (enum ss_status): SS_OK; SS_RETRY: the connection was lost, or the server is busy or
   full: it may work later; SS_PAUSE: password, database or rights are wrong: somebody has to mend it;
   SS_REJECT: the server does not take these values (SQLSTATE classes 22 and 23); SS_FATAL: the statement is
   wrong (a table that is not there, syntax). err says what and, where there is one, the SQLSTATE. Secrets of
   the connection string are not in it. */
#ifndef COMMON_PG_H
#define COMMON_PG_H

#include "plugins/common/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PG_STATE_SIZE 6u /* SQLSTATE and NUL */

typedef struct pg {
    void *conn;                /* PGconn; NULL: not open */
    char state[PG_STATE_SIZE]; /* SQLSTATE of the last failure, "" where there is none */
    bool copying;
} pg;

typedef struct pg_rows {
    void *result;
    int rows, columns;
} pg_rows;

void pg_init(pg *p);
void pg_close(pg *p); /* may be called at any time */
/* false: never opened, closed, or the connection was lost. */
bool pg_is_open(const pg *p);
/* conninfo: "host=... dbname=..." or a postgresql:// URI. application: what pg_stat_activity shows. Waits
   timeout_ms at the most. An open connection is closed first. */
int32_t pg_open(pg *p, const char *conninfo, const char *application, int64_t timeout_ms, ss_error *err);
/* Is it a conninfo at all? No network. */
bool pg_conninfo_valid(const char *conninfo, ss_error *err);

/* One or several statements without values; rows are thrown away. */
int32_t pg_run(pg *p, const char *sql, ss_error *err);
/* One statement with $1, $2, ... as texts (NULL = null). rows may be NULL; else pg_rows_free() it, also after
   a failure. */
int32_t pg_ask(pg *p, const char *sql, const char *const *values, int count, pg_rows *rows, ss_error *err);
/* A cell as text; NULL = null, or there is no such cell. Borrowed until pg_rows_free(). */
const char *pg_cell(const pg_rows *rows, int row, int column);
uint64_t pg_changed(const pg_rows *rows); /* rows that INSERT, UPDATE or DELETE touched */
void pg_rows_free(pg_rows *rows);

/* COPY ... FROM STDIN: begin, put, end. A failure of put or end has ended the COPY. */
int32_t pg_copy_begin(pg *p, const char *sql, ss_error *err);
int32_t pg_copy_put(pg *p, const char *bytes, size_t len, ss_error *err);
int32_t pg_copy_end(pg *p, ss_error *err);
/* One value of COPY's text format, escaped. No NUL may be in it. */
void pg_copy_value(buf *out, ss_str value);

/* LISTEN: true where a notification came within timeout_ms (0 = only look); all that wait are taken. */
bool pg_notified(pg *p, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
