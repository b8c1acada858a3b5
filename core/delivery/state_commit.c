/* What changes the position: beginning, starting again, a commit. */
#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/log.h"
#include "core/delivery/state_inside.h"
#include "plugins/common/wal_sync.h"

static int state_write_baseline(state *s, const tally *baseline)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO baseline VALUES(?1,?2,?3)", -1, &stmt, NULL) ==
                     SQLITE_OK
                 ? 0
                 : -1;
    for (uint32_t i = 0; rc == 0 && baseline && i < baseline->count; i++) {
        state_bind_str(stmt, 1, baseline->rows[i].receiver);
        state_bind_str(stmt, 2, baseline->rows[i].app);
        (void)sqlite3_bind_int64(stmt, 3, baseline->rows[i].counts[0]);
        rc = state_step(stmt);
    }
    (void)sqlite3_finalize(stmt);
    return rc;
}

static int state_set_start(state *s, const state_start *start)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(
        s->db, "INSERT OR REPLACE INTO position(id,journal_id,start_seq,cursor) VALUES(1,?1,?2,?2)", -1,
        &stmt, NULL);
    if (rc == SQLITE_OK) {
        state_bind_seq(stmt, 1, start->journal_id);
        state_bind_seq(stmt, 2, start->start_seq);
    }
    rc = state_step(stmt);
    (void)sqlite3_finalize(stmt);
    return rc;
}

static int state_started_at(state *s, const state_start *start, int rc, ss_error *err)
{
    if (rc == 0)
        rc = state_run(s, Q_COMMIT);
    if (rc != 0) {
        (void)state_fail(s, err, "store the first position");
        (void)state_run(s, Q_ROLLBACK);
        return -1;
    }
    s->is_new = false;
    s->start = *start;
    s->cursor = start->start_seq;
    s->suspect = (state_suspect){0};
    buf_reset(&s->blob);
    state_load_count(s);
    return state_sync(s, err);
}

int state_begin(state *s, const state_start *start, const tally *baseline, ss_error *err)
{
    FAULT_POINT("state.before_begin");
    int rc = state_run(s, Q_BEGIN);
    if (rc == 0)
        rc = state_set_start(s, start);
    if (rc == 0)
        rc = state_write_baseline(s, baseline);
    rc = state_started_at(s, start, rc, err);
    FAULT_POINT("state.after_begin");
    return rc;
}

int state_restart(state *s, const state_start *start, const tally *baseline, ss_error *err)
{
    int rc = state_run(s, Q_BEGIN);
    if (rc == 0)
        rc = sqlite3_exec(s->db, "DELETE FROM ledger; DELETE FROM baseline", NULL, NULL, NULL) == SQLITE_OK
                 ? 0
                 : -1;
    if (rc == 0)
        rc = state_set_start(s, start);
    if (rc == 0)
        rc = state_write_baseline(s, baseline);
    return state_started_at(s, start, rc, err);
}

/* ---- commit ---- */

static int commit_counts(state *s, const tally *counts)
{
    sqlite3_stmt *stmt = state_statement(s, Q_COUNT);
    int rc = stmt ? 0 : -1;
    for (uint32_t i = counts->first_changed; rc == 0 && i; i = counts->rows[i - 1].next_changed) {
        const tally_row *row = &counts->rows[i - 1];
        state_bind_str(stmt, 1, row->receiver);
        state_bind_str(stmt, 2, row->app);
        for (int k = 0; k < OUTCOME_COUNT; k++)
            (void)sqlite3_bind_int64(stmt, 3 + k, row->counts[k]);
        rc = state_step(stmt);
    }
    return rc;
}

static int commit_reject(state *s, const state_reject *reject)
{
    sqlite3_stmt *stmt = state_statement(s, Q_REJECT);
    if (!stmt)
        return -1;
    const ss_record *r = reject->record;
    size_t reason_len = reject->reason.len < STATE_REASON_MAX ? reject->reason.len : STATE_REASON_MAX;
    state_bind_seq(stmt, 1, r->seq);
    state_bind_str(stmt, 2, r->receiver);
    state_bind_str(stmt, 3, r->app);
    state_bind_str(stmt, 4, r->type);
    state_bind_str(stmt, 5, r->id);
    state_bind_str(stmt, 6, r->key);
    (void)sqlite3_bind_int64(stmt, 7, r->receive_us);
    (void)sqlite3_bind_int64(stmt, 8, r->event_us);
    (void)sqlite3_bind_int64(stmt, 9, r->schema_rev);
    state_bind_blob(stmt, 10, r->json.ptr, r->json.len);
    (void)sqlite3_bind_int64(stmt, 11, reject->code);
    state_bind_str(stmt, 12, ss_s(reject->reason.ptr, reason_len));
    (void)sqlite3_bind_int64(stmt, 13, reject->attempts);
    (void)sqlite3_bind_int64(stmt, 14, clock_now_us());
    state_bind_blob(stmt, 15, r->aside.ptr, r->aside.len);
    (void)sqlite3_bind_int64(stmt, 16, r->flags & SS_RECORD_FAILED);
    return state_step(stmt);
}

/* A retried row that was delivered: the ledger's count moves from rejected to delivered. */
static int commit_release(state *s, uint64_t seq)
{
    sqlite3_stmt *stmt = state_statement(s, Q_RELEASE), *count = state_statement(s, Q_COUNT);
    if (!stmt || !count)
        return -1;
    state_bind_seq(stmt, 1, seq);
    int rc = sqlite3_step(stmt);
    int counted = 0;
    if (rc == SQLITE_ROW) {
        ss_str receiver = state_column_str(stmt, 0), app = state_column_str(stmt, 1);
        state_bind_str(count, 1, receiver);
        state_bind_str(count, 2, app);
        for (int k = 0; k < OUTCOME_COUNT; k++)
            (void)sqlite3_bind_int64(count, 3 + k,
                                     k == OUTCOME_DELIVERED  ? 1
                                     : k == OUTCOME_REJECTED ? -1
                                                             : 0);
        counted = state_step(count);
        rc = sqlite3_step(stmt);
    }
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return rc == SQLITE_DONE ? counted : -1;
}

static int commit_position(state *s, const state_change *c)
{
    sqlite3_stmt *stmt = state_statement(s, Q_CURSOR);
    if (stmt)
        state_bind_seq(stmt, 1, c->cursor);
    int rc = c->cursor == s->cursor ? 0 : state_step(stmt);
    if (rc == 0 && c->blob) {
        stmt = state_statement(s, Q_BLOB);
        if (stmt)
            state_bind_blob(stmt, 1, c->blob->ptr, c->blob->len);
        rc = state_step(stmt);
    }
    if (rc == 0 && c->done_set) {
        stmt = state_statement(s, Q_DONE);
        if (stmt)
            state_bind_blob(stmt, 1, c->done, c->done_count * sizeof *c->done);
        rc = state_step(stmt);
    }
    if (rc == 0 && c->suspect) {
        stmt = state_statement(s, Q_SUSPECT);
        if (stmt) {
            state_bind_seq(stmt, 1, c->suspect->from);
            state_bind_seq(stmt, 2, c->suspect->through);
            (void)sqlite3_bind_int64(stmt, 3, c->suspect->crashes);
        }
        rc = state_step(stmt);
    }
    return rc;
}

static void state_remember(state *s, const state_change *c)
{
    s->cursor = c->cursor;
    if (c->blob) {
        buf_reset(&s->blob);
        buf_add(&s->blob, c->blob->ptr, c->blob->len);
    }
    if (c->suspect)
        s->suspect = *c->suspect;
    if (c->reject_count || c->released_count)
        state_load_count(s);
}

int state_commit(state *s, const state_change *c, ss_error *err)
{
    FAULT_POINT("state.before_commit");
    ss_error ignored = error_init();
    int rc = state_run(s, Q_BEGIN);
    if (rc == 0)
        rc = commit_position(s, c);
    if (rc == 0 && c->counts)
        rc = commit_counts(s, c->counts);
    for (size_t i = 0; rc == 0 && i < c->reject_count; i++)
        rc = commit_reject(s, &c->rejects[i]);
    for (size_t i = 0; rc == 0 && i < c->released_count; i++)
        rc = commit_release(s, c->released[i]);
    if (rc == 0 && c->host)
        rc = state_put(s, "host", *c->host, &ignored);
    FAULT_POINT("state.inside_commit");
    if (rc == 0)
        rc = state_run(s, Q_COMMIT);
    if (rc != 0) {
        (void)state_fail(s, err, "store the position");
        (void)state_run(s, Q_ROLLBACK);
        return -1;
    }
    state_remember(s, c);
    FAULT_POINT("state.after_commit");
    return 0;
}

/* The write-ahead log has every commit that is not yet in the main file (SQLite syncs that one itself, before
   it starts the log anew). */
int state_sync(state *s, ss_error *err)
{
    FAULT_POINT("state.before_sync");
    int rc = wal_sync(s->db);
    if (rc != SQLITE_OK) {
        /* What a failed sync left in the page cache is not to be trusted to a second one: write it elsewhere.
         */
        log_warn("%s: syncing the write-ahead log failed (%s): copying it into the main file", s->path,
                 sqlite3_errstr(rc));
        rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        if (rc != SQLITE_OK)
            return state_fail(s, err, "sync it");
    }
    FAULT_POINT("state.after_sync");
    return 0;
}
