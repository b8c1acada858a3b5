/* The rows of quarantine and ledger. */
#include "core/base/clock.h"
#include "core/delivery/state_inside.h"

static state_row row_of(sqlite3_stmt *stmt)
{
    state_row row = {.code = (uint32_t)sqlite3_column_int64(stmt, 10),
                     .reason = state_column_str(stmt, 11),
                     .attempts = (uint32_t)sqlite3_column_int64(stmt, 12),
                     .quarantined_us = sqlite3_column_int64(stmt, 13),
                     .retry = sqlite3_column_int(stmt, 14) != 0};
    ss_record *r = &row.record;
    r->seq = (uint64_t)sqlite3_column_int64(stmt, 0);
    r->receiver = state_column_str(stmt, 1);
    r->app = state_column_str(stmt, 2);
    r->type = state_column_str(stmt, 3);
    r->id = state_column_str(stmt, 4);
    r->key = state_column_str(stmt, 5);
    r->receive_us = sqlite3_column_int64(stmt, 6);
    r->event_us = sqlite3_column_int64(stmt, 7);
    r->schema_rev = (uint32_t)sqlite3_column_int64(stmt, 8);
    r->json = r->body = state_column_str(stmt, 9);
    r->aside = state_column_str(stmt, 15);
    r->flags = SS_RECORD_QUARANTINE | (uint32_t)sqlite3_column_int(stmt, 16);
    r->attempt = row.attempts + 1;
    return row;
}

int state_rows(state *s, uint64_t after_seq, bool only_retry, state_visit visit, void *arg, ss_error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(s->db, "SELECT * FROM quarantine WHERE seq>?1 AND (retry OR NOT ?2) ORDER BY seq",
                           -1, &stmt, NULL) != SQLITE_OK)
        return state_fail(s, err, "read the quarantine");
    state_bind_seq(stmt, 1, after_seq);
    (void)sqlite3_bind_int(stmt, 2, only_retry);
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        state_row row = row_of(stmt);
        if (!visit(arg, &row)) {
            rc = SQLITE_DONE;
            break;
        }
    }
    (void)sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? 0 : state_fail(s, err, "read the quarantine");
}

static int64_t state_change_rows(state *s, const char *sql, uint64_t seq, int value, ss_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) == SQLITE_OK ? 0 : -1;
    if (rc == 0) {
        state_bind_seq(stmt, 1, seq);
        (void)sqlite3_bind_int(stmt, 2, value);
        rc = state_step(stmt);
    }
    (void)sqlite3_finalize(stmt);
    if (rc != 0)
        return state_fail(s, err, "change the quarantine");
    int64_t changed = sqlite3_changes64(s->db);
    state_load_count(s);
    return state_sync(s, err) == 0 ? changed : -1;
}

int64_t state_mark(state *s, uint64_t seq, bool retry, ss_error *err)
{
    return state_change_rows(s, "UPDATE quarantine SET retry=?2 WHERE ?1=0 OR seq=?1", seq, retry, err);
}

int64_t state_drop(state *s, uint64_t seq, ss_error *err)
{
    return state_change_rows(
        s, "DELETE FROM quarantine WHERE (?1=0 OR seq=?1) AND ?2=0 AND seq<=(SELECT cursor FROM position)",
        seq, 0, err);
}

int state_refuse(state *s, uint64_t seq, uint32_t code, ss_str reason, ss_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db,
                                "UPDATE quarantine SET retry=0, attempts=attempts+1, code=?2, reason=?3, "
                                "quarantined_us=?4 WHERE seq=?1",
                                -1, &stmt, NULL) == SQLITE_OK
                 ? 0
                 : -1;
    if (rc == 0) {
        state_bind_seq(stmt, 1, seq);
        (void)sqlite3_bind_int64(stmt, 2, code);
        state_bind_str(stmt, 3, reason);
        (void)sqlite3_bind_int64(stmt, 4, clock_now_us());
        rc = state_step(stmt);
    }
    (void)sqlite3_finalize(stmt);
    return rc == 0 ? 0 : state_fail(s, err, "change the quarantine");
}

int state_freeze(state *s, ss_error *err)
{
    if (sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return state_fail(s, err, "read it");
    return state_load(s, err);
}

void state_thaw(state *s)
{
    (void)sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
}

int state_counts(state *s, bool baseline, state_count_visit visit, void *arg, ss_error *err)
{
    const char *sql =
        baseline ? "SELECT receiver, app, accepted, 0, 0, 0, 0 FROM baseline" : "SELECT * FROM ledger";
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return state_fail(s, err, "read the ledger");
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t counts[OUTCOME_COUNT];
        for (int k = 0; k < OUTCOME_COUNT; k++)
            counts[k] = sqlite3_column_int64(stmt, 2 + k);
        visit(arg, state_column_str(stmt, 0), state_column_str(stmt, 1), counts);
    }
    (void)sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? 0 : state_fail(s, err, "read the ledger");
}
