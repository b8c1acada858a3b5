/* What the files of a module's state share; nobody else. */
#ifndef DELIVERY_STATE_INSIDE_H
#define DELIVERY_STATE_INSIDE_H

#include <limits.h>
#include <sqlite3.h>

#include "core/delivery/state.h"

enum statement {
    Q_BEGIN,
    Q_COMMIT,
    Q_ROLLBACK,
    Q_CURSOR,
    Q_BLOB,
    Q_DONE,
    Q_SUSPECT,
    Q_COUNT,
    Q_REJECT,
    Q_RELEASE,
    Q_PUT,
    Q_GET,
    STATEMENT_COUNT
};

struct state {
    sqlite3 *db;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
    char path[PATH_MAX];
    bool is_new;
    state_start start;
    uint64_t cursor;
    state_suspect suspect;
    buf blob;
    size_t quarantine_count;
};

/* Reads the position again, and how many lines the quarantine has. */
int state_load(state *s, ss_error *err);
void state_load_count(state *s);

/* Says what could not be done and the remedy; the code tells a damaged file from the rest. Returns -1. */
int state_fail(const state *s, ss_error *err, const char *doing);
/* Prepared once; NULL: the next step fails. */
sqlite3_stmt *state_statement(state *s, enum statement which);
/* Runs a statement that gives no rows, and resets it. */
int state_step(sqlite3_stmt *stmt);
int state_run(state *s, enum statement which);

void state_bind_seq(sqlite3_stmt *stmt, int at, uint64_t value);
void state_bind_str(sqlite3_stmt *stmt, int at, ss_str value);
void state_bind_blob(sqlite3_stmt *stmt, int at, const void *bytes, size_t len);
ss_str state_column_str(sqlite3_stmt *stmt, int at); /* until the next step */

#endif
