/* The file: opened, and what it says. */
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/delivery/state_inside.h"

#define STATE_VERSION    "2"
#define STATE_DIR_LEVELS 3 /* modules/NAME, modules, the data directory */

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

static bool state_is_version(state *s, const char *want)
{
    buf version;
    buf_init(&version, 64);
    bool same = state_get(s, "version", &version) && ss_eq(buf_str(&version), ss_cstr(want));
    buf_fini(&version);
    return same;
}

void state_load_count(state *s)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(s->db, "SELECT count(*) FROM quarantine", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        s->quarantine_count = (size_t)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
}

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

int state_load(state *s, ss_error *err)
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
        ss_str blob = state_column_str(stmt, 3);
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

/* ---- what is in it ---- */

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

int state_put(state *s, const char *key, ss_str value, ss_error *err)
{
    sqlite3_stmt *stmt = state_statement(s, Q_PUT);
    if (stmt) {
        state_bind_str(stmt, 1, ss_cstr(key));
        state_bind_str(stmt, 2, value);
    }
    return state_step(stmt) == 0 ? 0 : state_fail(s, err, "store a setting");
}

bool state_get(state *s, const char *key, buf *out)
{
    sqlite3_stmt *stmt = state_statement(s, Q_GET);
    if (!stmt)
        return false;
    state_bind_str(stmt, 1, ss_cstr(key));
    bool found = sqlite3_step(stmt) == SQLITE_ROW;
    if (found) {
        ss_str value = state_column_str(stmt, 0);
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
        ss_str bytes = state_column_str(stmt, 0);
        buf_add(&done, bytes.ptr, bytes.len - bytes.len % sizeof(uint64_t));
    }
    (void)sqlite3_finalize(stmt);
    stmt = NULL;
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(s->db, "SELECT seq FROM quarantine WHERE seq>?1 ORDER BY seq", -1, &stmt,
                                NULL);
    if (rc == SQLITE_OK) {
        state_bind_seq(stmt, 1, s->cursor);
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
