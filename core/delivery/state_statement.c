/* Statements, prepared once, and what their failures mean. */
#include "core/delivery/state_inside.h"

static const char *const statements[STATEMENT_COUNT] = {
    [Q_BEGIN] = "BEGIN IMMEDIATE",
    [Q_COMMIT] = "COMMIT",
    [Q_ROLLBACK] = "ROLLBACK",
    [Q_CURSOR] = "UPDATE position SET cursor=?1",
    [Q_BLOB] = "UPDATE position SET blob=?1",
    [Q_DONE] = "UPDATE position SET done=?1",
    [Q_SUSPECT] = "UPDATE position SET suspect_from=?1, suspect_through=?2, suspect_crashes=?3",
    [Q_COUNT] = "INSERT INTO ledger VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(receiver,app) DO UPDATE SET"
                " delivered=delivered+excluded.delivered, rejected=rejected+excluded.rejected,"
                " expired=expired+excluded.expired, filtered=filtered+excluded.filtered,"
                " damaged=damaged+excluded.damaged",
    [Q_REJECT] =
        "INSERT OR IGNORE INTO quarantine VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,0,?15,?16)",
    [Q_RELEASE] = "DELETE FROM quarantine WHERE seq=?1 RETURNING receiver, app",
    [Q_PUT] = "INSERT INTO meta VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=excluded.value",
    [Q_GET] = "SELECT value FROM meta WHERE key=?1",
};

int state_fail(const state *s, ss_error *err, const char *doing)
{
    int rc = s->db ? sqlite3_errcode(s->db) & 0xff : SQLITE_NOMEM;
    bool broken = rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
    const char *remedy = broken ? "the file is damaged: move it away and the module starts anew at `start:`"
                         : rc == SQLITE_FULL     ? "free some disk space"
                         : rc == SQLITE_BUSY     ? "another process holds it: look for a verb that still runs"
                         : rc == SQLITE_CANTOPEN ? "check the rights of its directory"
                                                 : "check the disk and the kernel's log";
    (void)ss_fail(err, broken ? SS_FATAL : SS_RETRY, "%s: cannot %s: %s; %s", s->path, doing,
                  s->db ? sqlite3_errmsg(s->db) : "out of memory", remedy);
    err->code = broken ? SS_FATAL : SS_RETRY;
    return -1;
}

sqlite3_stmt *state_statement(state *s, enum statement which)
{
    sqlite3_stmt **p = &s->prepared[which];
    if (!*p)
        (void)sqlite3_prepare_v3(s->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT, p, NULL);
    return *p;
}

int state_step(sqlite3_stmt *stmt)
{
    int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    if (stmt) {
        (void)sqlite3_reset(stmt);
        (void)sqlite3_clear_bindings(stmt);
    }
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -1;
}

int state_run(state *s, enum statement which)
{
    return state_step(state_statement(s, which));
}

void state_bind_seq(sqlite3_stmt *stmt, int at, uint64_t value)
{
    (void)sqlite3_bind_int64(stmt, at, (sqlite3_int64)value);
}

void state_bind_str(sqlite3_stmt *stmt, int at, ss_str value)
{
    (void)sqlite3_bind_text(stmt, at, value.len ? value.ptr : "", (int)value.len, SQLITE_STATIC);
}

void state_bind_blob(sqlite3_stmt *stmt, int at, const void *bytes, size_t len)
{
    (void)sqlite3_bind_blob64(stmt, at, len ? bytes : "", len, SQLITE_STATIC);
}

ss_str state_column_str(sqlite3_stmt *stmt, int at)
{
    const char *text = sqlite3_column_blob(stmt, at);
    return ss_s(text ? text : "", text ? (size_t)sqlite3_column_bytes(stmt, at) : 0);
}
