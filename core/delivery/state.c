#include "core/delivery/state.h"

#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/log.h"

#define STATE_VERSION    "2"
#define STATE_DIR_LEVELS 3 /* modules/NAME, modules, the data directory */

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

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS position(id INTEGER PRIMARY KEY CHECK(id=1), journal_id INTEGER NOT NULL,"
    " start_seq INTEGER NOT NULL, cursor INTEGER NOT NULL, blob BLOB, done BLOB,"
    " suspect_from INTEGER NOT NULL DEFAULT 0, suspect_through INTEGER NOT NULL DEFAULT 0,"
    " suspect_crashes INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS ledger(receiver TEXT, app TEXT, delivered INTEGER NOT NULL, rejected INTEGER "
    "NOT NULL,"
    " expired INTEGER NOT NULL, filtered INTEGER NOT NULL, damaged INTEGER NOT NULL,"
    " PRIMARY KEY(receiver, app)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS baseline(receiver TEXT, app TEXT, accepted INTEGER NOT NULL,"
    " PRIMARY KEY(receiver, app)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS quarantine(seq INTEGER PRIMARY KEY, receiver TEXT, app TEXT, type TEXT,"
    " event_id TEXT, key TEXT, receive_us INTEGER, event_us INTEGER, schema_rev INTEGER, json BLOB, code "
    "INTEGER,"
    " reason TEXT, attempts INTEGER, quarantined_us INTEGER, retry INTEGER NOT NULL);"
    "INSERT INTO meta VALUES('version','1') ON CONFLICT DO NOTHING;";

/* From version 1, which every new file has for a moment. */
static const char to_version_2[] = "ALTER TABLE quarantine ADD COLUMN aside BLOB;"
                                   "ALTER TABLE quarantine ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
                                   "UPDATE meta SET value='2' WHERE key='version';";

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

static void state_load_count(state *s);

/* ---- errors
 * ------------------------------------------------------------------------------------------------ */

static int state_fail(const state *s, ss_error *err, const char *doing)
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

static sqlite3_stmt *state_statement(state *s, enum statement which)
{
    sqlite3_stmt **p = &s->prepared[which];
    if (!*p)
        (void)sqlite3_prepare_v3(s->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT, p, NULL);
    return *p;
}

/* Runs a statement that gives no rows. */
static int state_step(sqlite3_stmt *stmt)
{
    int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    if (stmt) {
        (void)sqlite3_reset(stmt);
        (void)sqlite3_clear_bindings(stmt);
    }
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -1;
}

static int state_run(state *s, enum statement which)
{
    return state_step(state_statement(s, which));
}

static void bind_seq(sqlite3_stmt *stmt, int at, uint64_t value)
{
    (void)sqlite3_bind_int64(stmt, at, (sqlite3_int64)value);
}

static void bind_str(sqlite3_stmt *stmt, int at, ss_str value)
{
    (void)sqlite3_bind_text(stmt, at, value.len ? value.ptr : "", (int)value.len, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *stmt, int at, const void *bytes, size_t len)
{
    (void)sqlite3_bind_blob64(stmt, at, len ? bytes : "", len, SQLITE_STATIC);
}

static ss_str column_str(sqlite3_stmt *stmt, int at)
{
    const char *text = sqlite3_column_blob(stmt, at);
    return ss_s(text ? text : "", text ? (size_t)sqlite3_column_bytes(stmt, at) : 0);
}

static bool state_is_version(state *s, const char *want)
{
    buf version;
    buf_init(&version, 64);
    bool same = state_get(s, "version", &version) && ss_eq(buf_str(&version), ss_cstr(want));
    buf_fini(&version);
    return same;
}

/* ---- open
 * -------------------------------------------------------------------------------------------------- */

static int state_prepare_file(state *s, ss_error *err)
{
    static const char pragmas[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-256;"
        "PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=1048576;";
    int keep_wal = 1; /* closing must not change the directory behind our back */
    (void)sqlite3_busy_timeout(s->db, STATE_BUSY_MS);
    (void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_wal);
    if (sqlite3_exec(s->db, pragmas, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) ||
        sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
        (state_is_version(s, "1") && sqlite3_exec(s->db, to_version_2, NULL, NULL, NULL) != SQLITE_OK) ||
        sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return state_fail(s, err, "open it");
    if (!state_is_version(s, STATE_VERSION)) {
        (void)ss_fail(
            err, SS_FATAL,
            "%s: written by another version of StreamSteam; use that version, or move the file away",
            s->path);
        err->code = SS_FATAL;
        return -1;
    }
    return 0;
}

static int state_load(state *s, ss_error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(s->db,
                           "SELECT journal_id, start_seq, cursor, blob, suspect_from, suspect_through, "
                           "suspect_crashes FROM position",
                           -1, &stmt, NULL) != SQLITE_OK)
        return state_fail(s, err, "read the position");
    int rc = sqlite3_step(stmt);
    s->is_new = rc == SQLITE_DONE;
    if (rc == SQLITE_ROW) {
        s->start.journal_id = (uint64_t)sqlite3_column_int64(stmt, 0);
        s->start.start_seq = (uint64_t)sqlite3_column_int64(stmt, 1);
        s->cursor = (uint64_t)sqlite3_column_int64(stmt, 2);
        ss_str blob = column_str(stmt, 3);
        buf_reset(&s->blob);
        buf_add(&s->blob, blob.ptr, blob.len);
        s->suspect = (state_suspect){.from = (uint64_t)sqlite3_column_int64(stmt, 4),
                                     .through = (uint64_t)sqlite3_column_int64(stmt, 5),
                                     .crashes = (uint32_t)sqlite3_column_int(stmt, 6)};
    }
    (void)sqlite3_finalize(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return state_fail(s, err, "read the position");
    state_load_count(s);
    return 0;
}

static state *state_open_with(const char *path, int flags, ss_error *err)
{
    state *s = calloc(1, sizeof *s);
    if (!s) {
        (void)ss_fail(err, SS_RETRY, "%s: out of memory", path);
        err->code = SS_RETRY;
        return NULL;
    }
    (void)snprintf(s->path, sizeof s->path, "%s", path);
    buf_init(&s->blob, STATE_BLOB_MAX);
    if (sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        (void)state_fail(s, err, "open it");
        state_close(s);
        return NULL;
    }
    if (state_prepare_file(s, err) != 0 || state_load(s, err) != 0) {
        state_close(s);
        return NULL;
    }
    return s;
}

state *state_open(const char *path, ss_error *err)
{
    char dir[PATH_MAX];
    (void)snprintf(dir, sizeof dir, "%s", path);
    const char *parent = dirname(dir);
    if (file_make_dirs(parent, 0700) != 0) {
        (void)ss_fail(err, SS_RETRY, "%s: cannot create the directory: %m; check rights and space", parent);
        err->code = SS_RETRY;
        return NULL;
    }
    state *s = state_open_with(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    for (int level = 0; s && level < STATE_DIR_LEVELS; level++) {
        if (file_sync_dir(parent) != 0) {
            (void)ss_fail(err, SS_RETRY, "%s: cannot sync the directory: %m; check the disk", parent);
            err->code = SS_RETRY;
            state_close(s);
            return NULL;
        }
        parent = dirname(dir); /* a former life may have made it and died before it synced it */
    }
    return s;
}

state *state_open_existing(const char *path, ss_error *err)
{
    if (access(path, F_OK) != 0) {
        (void)ss_fail(err, SS_FATAL, "%s: %m; is it the name of a module that ran in this data directory?",
                      path);
        err->code = SS_FATAL;
        return NULL;
    }
    return state_open_with(path, SQLITE_OPEN_READWRITE, err);
}

void state_close(state *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(s->prepared[i]);
    (void)sqlite3_close(s->db);
    buf_fini(&s->blob);
    free(s);
}

/* ---- what is in it
 * ----------------------------------------------------------------------------------------- */

bool state_is_new(const state *s)
{
    return s->is_new;
}

uint64_t state_cursor(const state *s)
{
    return s->cursor;
}

ss_str state_blob(const state *s)
{
    return buf_str(&s->blob);
}

state_start state_started(const state *s)
{
    return s->start;
}

state_suspect state_suspected(const state *s)
{
    return s->suspect;
}

size_t state_quarantine_count(const state *s)
{
    return s->quarantine_count;
}

static void state_load_count(state *s)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(s->db, "SELECT count(*) FROM quarantine", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        s->quarantine_count = (size_t)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
}

int state_put(state *s, const char *key, ss_str value, ss_error *err)
{
    sqlite3_stmt *stmt = state_statement(s, Q_PUT);
    if (stmt) {
        bind_str(stmt, 1, ss_cstr(key));
        bind_str(stmt, 2, value);
    }
    return state_step(stmt) == 0 ? 0 : state_fail(s, err, "store a setting");
}

bool state_get(state *s, const char *key, buf *out)
{
    sqlite3_stmt *stmt = state_statement(s, Q_GET);
    if (!stmt)
        return false;
    bind_str(stmt, 1, ss_cstr(key));
    bool found = sqlite3_step(stmt) == SQLITE_ROW;
    if (found) {
        ss_str value = column_str(stmt, 0);
        buf_add(out, value.ptr, value.len);
    }
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return found;
}

static int cmp_seq(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* Both lists are sorted by seq; merges them. */
static size_t merge_skips(const uint64_t *done, size_t done_count, const uint64_t *held, size_t held_count,
                          uint64_t *seqs, uint8_t *kinds)
{
    size_t n = 0, i = 0, j = 0;
    while (i < done_count || j < held_count) {
        bool from_done = j == held_count || (i < done_count && done[i] < held[j]);
        kinds[n] = from_done ? OUTCOME_DELIVERED : OUTCOME_REJECTED;
        seqs[n++] = from_done ? done[i++] : held[j++];
    }
    return n;
}

int state_skips(state *s, uint64_t **seqs, uint8_t **kinds, size_t *count, ss_error *err)
{
    *seqs = NULL;
    *kinds = NULL;
    *count = 0;
    sqlite3_stmt *stmt = NULL;
    buf done, held;
    buf_init(&done, SIZE_MAX / 4);
    buf_init(&held, SIZE_MAX / 4);
    int rc = sqlite3_prepare_v2(s->db, "SELECT done FROM position", -1, &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        ss_str bytes = column_str(stmt, 0);
        buf_add(&done, bytes.ptr, bytes.len - bytes.len % sizeof(uint64_t));
    }
    (void)sqlite3_finalize(stmt);
    stmt = NULL;
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(s->db, "SELECT seq FROM quarantine WHERE seq>?1 ORDER BY seq", -1, &stmt,
                                NULL);
    if (rc == SQLITE_OK) {
        bind_seq(stmt, 1, s->cursor);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            uint64_t seq = (uint64_t)sqlite3_column_int64(stmt, 0);
            buf_add(&held, &seq, sizeof seq);
        }
    }
    (void)sqlite3_finalize(stmt);
    size_t done_count = done.len / sizeof(uint64_t), held_count = held.len / sizeof(uint64_t);
    if (done_count)
        qsort(done.ptr, done_count, sizeof(uint64_t), cmp_seq);
    *seqs = malloc((done_count + held_count + 1) * sizeof **seqs);
    *kinds = malloc(done_count + held_count + 1);
    if (*seqs && *kinds && !done.failed && !held.failed)
        *count = merge_skips((const uint64_t *)(const void *)done.ptr, done_count,
                             (const uint64_t *)(const void *)held.ptr, held_count, *seqs, *kinds);
    else
        rc = SQLITE_NOMEM;
    buf_fini(&done);
    buf_fini(&held);
    return rc == SQLITE_OK ? 0 : state_fail(s, err, "read what is already done");
}

/* ---- begin and restart
 * ------------------------------------------------------------------------------------- */

static int state_write_baseline(state *s, const tally *baseline)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO baseline VALUES(?1,?2,?3)", -1, &stmt, NULL) ==
                     SQLITE_OK
                 ? 0
                 : -1;
    for (uint32_t i = 0; rc == 0 && baseline && i < baseline->count; i++) {
        bind_str(stmt, 1, baseline->rows[i].receiver);
        bind_str(stmt, 2, baseline->rows[i].app);
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
        bind_seq(stmt, 1, start->journal_id);
        bind_seq(stmt, 2, start->start_seq);
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

/* ---- commit
 * ------------------------------------------------------------------------------------------------ */

static int commit_counts(state *s, const tally *counts)
{
    sqlite3_stmt *stmt = state_statement(s, Q_COUNT);
    int rc = stmt ? 0 : -1;
    for (uint32_t i = counts->first_changed; rc == 0 && i; i = counts->rows[i - 1].next_changed) {
        const tally_row *row = &counts->rows[i - 1];
        bind_str(stmt, 1, row->receiver);
        bind_str(stmt, 2, row->app);
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
    bind_seq(stmt, 1, r->seq);
    bind_str(stmt, 2, r->receiver);
    bind_str(stmt, 3, r->app);
    bind_str(stmt, 4, r->type);
    bind_str(stmt, 5, r->id);
    bind_str(stmt, 6, r->key);
    (void)sqlite3_bind_int64(stmt, 7, r->receive_us);
    (void)sqlite3_bind_int64(stmt, 8, r->event_us);
    (void)sqlite3_bind_int64(stmt, 9, r->schema_rev);
    bind_blob(stmt, 10, r->json.ptr, r->json.len);
    (void)sqlite3_bind_int64(stmt, 11, reject->code);
    bind_str(stmt, 12, ss_s(reject->reason.ptr, reason_len));
    (void)sqlite3_bind_int64(stmt, 13, reject->attempts);
    (void)sqlite3_bind_int64(stmt, 14, clock_now_us());
    bind_blob(stmt, 15, r->aside.ptr, r->aside.len);
    (void)sqlite3_bind_int64(stmt, 16, r->flags & SS_RECORD_FAILED);
    return state_step(stmt);
}

/* A retried row that was delivered: the ledger's count moves from rejected to delivered. */
static int commit_release(state *s, uint64_t seq)
{
    sqlite3_stmt *stmt = state_statement(s, Q_RELEASE), *count = state_statement(s, Q_COUNT);
    if (!stmt || !count)
        return -1;
    bind_seq(stmt, 1, seq);
    int rc = sqlite3_step(stmt);
    int counted = 0;
    if (rc == SQLITE_ROW) {
        ss_str receiver = column_str(stmt, 0), app = column_str(stmt, 1);
        bind_str(count, 1, receiver);
        bind_str(count, 2, app);
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
        bind_seq(stmt, 1, c->cursor);
    int rc = c->cursor == s->cursor ? 0 : state_step(stmt);
    if (rc == 0 && c->blob) {
        stmt = state_statement(s, Q_BLOB);
        if (stmt)
            bind_blob(stmt, 1, c->blob->ptr, c->blob->len);
        rc = state_step(stmt);
    }
    if (rc == 0 && c->done_set) {
        stmt = state_statement(s, Q_DONE);
        if (stmt)
            bind_blob(stmt, 1, c->done, c->done_count * sizeof *c->done);
        rc = state_step(stmt);
    }
    if (rc == 0 && c->suspect) {
        stmt = state_statement(s, Q_SUSPECT);
        if (stmt) {
            bind_seq(stmt, 1, c->suspect->from);
            bind_seq(stmt, 2, c->suspect->through);
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
    sqlite3_file *wal = NULL;
    int rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc == SQLITE_OK && wal && wal->pMethods)
        rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
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

/* ---- quarantine and ledger
 * --------------------------------------------------------------------------------- */

static state_row row_of(sqlite3_stmt *stmt)
{
    state_row row = {.code = (uint32_t)sqlite3_column_int64(stmt, 10),
                     .reason = column_str(stmt, 11),
                     .attempts = (uint32_t)sqlite3_column_int64(stmt, 12),
                     .quarantined_us = sqlite3_column_int64(stmt, 13),
                     .retry = sqlite3_column_int(stmt, 14) != 0};
    ss_record *r = &row.record;
    r->seq = (uint64_t)sqlite3_column_int64(stmt, 0);
    r->receiver = column_str(stmt, 1);
    r->app = column_str(stmt, 2);
    r->type = column_str(stmt, 3);
    r->id = column_str(stmt, 4);
    r->key = column_str(stmt, 5);
    r->receive_us = sqlite3_column_int64(stmt, 6);
    r->event_us = sqlite3_column_int64(stmt, 7);
    r->schema_rev = (uint32_t)sqlite3_column_int64(stmt, 8);
    r->json = r->body = column_str(stmt, 9);
    r->aside = column_str(stmt, 15);
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
    bind_seq(stmt, 1, after_seq);
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
        bind_seq(stmt, 1, seq);
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
        bind_seq(stmt, 1, seq);
        (void)sqlite3_bind_int64(stmt, 2, code);
        bind_str(stmt, 3, reason);
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
        visit(arg, column_str(stmt, 0), column_str(stmt, 1), counts);
    }
    (void)sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? 0 : state_fail(s, err, "read the ledger");
}
