/* SQLite: one file in WAL mode, so that readers never wait for the loading, nor it for them. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modules/warehouse/db.h"
#include "plugins/common/fault.h"
#include "plugins/common/wal_sync.h"

#define BUSY_MS          5000
#define FILE_MODE        0640
#define DIR_MODE         0750
#define CACHE_KIB        32768
#define PAGE_BYTES       8192       /* loads are a tenth faster than with 4096 */
#define CHECKPOINT_PAGES 2048       /* of WAL: then they are copied into the file, as far as readers let */
#define WAL_SOFT_BYTES   (64 << 20) /* then readers are waited for a moment, so that it can begin anew     */
#define WAL_WAIT_MS      200
#define SHRINK_PAGES     1000 /* at once */
#define SHRINK_SHARE     4    /* a quarter of the file stays free for new rows */

typedef struct sqlite_db {
    db base;
    sqlite3 *handle;
    dev_t dev;
    ino_t ino;
} sqlite_db;

static sqlite_db *of(db *d)
{
    return (sqlite_db *)(void *)d;
}

/* ---- what a failure means ---- */

static int32_t meaning(int code)
{
    switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return SS_PAUSE;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
        return SS_REJECT;
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
        return SS_FATAL;
    default:
        return SS_RETRY; /* busy, full, I/O, memory */
    }
}

static const char *remedy(int code)
{
    switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "; move the file away (with its -wal and -shm) or put a backup in its place: what the journal "
               "still "
               "has is loaded again";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return "; the server must be able to write there, and in its directory";
    case SQLITE_FULL:
        return "; the disk is full: make room, or lower `retention`; the journal keeps what comes";
    case SQLITE_BUSY:
        return "; another process writes to it";
    default:
        return "";
    }
}

static int32_t failed(sqlite_db *s, int code, ss_error *err)
{
    int full = s->handle ? sqlite3_extended_errcode(s->handle) : code;
    int32_t rc = ss_fail(err, meaning(code), "SQLite file %.200s: %s%s", s->base.path,
                         s->handle ? sqlite3_errmsg(s->handle) : sqlite3_errstr(code), remedy(full));
    int kind = code & 0xFF;
    if (kind == SQLITE_IOERR || kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_CANTOPEN ||
        kind == SQLITE_READONLY)
        s->base.ops->close(&s->base); /* what it has in memory is not to be trusted */
    return rc;
}

/* ---- opening ---- */

static void sqlite_close(db *d)
{
    if (of(d)->handle)
        (void)sqlite3_close_v2(of(d)->handle);
    of(d)->handle = NULL;
    d->in_transaction = false;
}

static bool sqlite_is_open(const db *d)
{
    return ((const sqlite_db *)(const void *)d)->handle != NULL;
}

static int32_t sqlite_run(db *d, const char *sql, ss_error *err)
{
    sqlite_db *s = of(d);
    if (!s->handle)
        return ss_fail(err, SS_RETRY, "SQLite file %.200s is not open", d->path);
    int rc = sqlite3_exec(s->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? SS_OK : failed(s, rc, err);
}

/* The file and its folders, readable by the server's user and group alone. */
static int32_t make_file(const char *path, ss_error *err)
{
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *at = strchr(folder + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(folder, DIR_MODE) != 0 && errno != EEXIST)
            return ss_fail(err, SS_PAUSE, "warehouse: cannot make the directory %.200s: %s", folder,
                           strerror(errno));
        *at = '/';
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return ss_fail(err, errno == ENOSPC ? SS_RETRY : SS_PAUSE, "warehouse: cannot open %.200s: %s", path,
                       strerror(errno));
    (void)close(fd);
    return SS_OK;
}

static int32_t sqlite_begin_file(sqlite_db *s, ss_error *err)
{
    char pragmas[512];
    /* The first two count for a new file only, and before its first table. */
    (void)snprintf(pragmas, sizeof pragmas,
                   "PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; "
                   "PRAGMA synchronous = FULL;"
                   "PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d; PRAGMA cache_size = -%d;"
                   "PRAGMA temp_store = MEMORY",
                   PAGE_BYTES, CHECKPOINT_PAGES, WAL_SOFT_BYTES, CACHE_KIB);
    int32_t rc = sqlite_run(&s->base, pragmas, err);
    int code = rc == SS_OK ? wal_sync_first(s->handle)
                           : SQLITE_OK; /* what a killed one loaded is relied on from here on */
    if (code != SQLITE_OK)
        rc = failed(s, code, err);
    struct stat st;
    if (rc == SS_OK && stat(s->base.path, &st) == 0) {
        s->dev = st.st_dev;
        s->ino = st.st_ino;
    }
    return rc;
}

static int32_t sqlite_open(db *d, ss_error *err)
{
    sqlite_db *s = of(d);
    sqlite_close(d);
    int32_t rc = make_file(d->path, err);
    if (rc != SS_OK)
        return rc;
    int code = sqlite3_open_v2(d->path, &s->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        rc = failed(s, code, err);
        sqlite_close(d);
        return rc;
    }
    (void)sqlite3_extended_result_codes(s->handle, 1);
    (void)sqlite3_busy_timeout(s->handle, BUSY_MS);
    rc = sqlite_begin_file(s, err);
    if (rc != SS_OK)
        sqlite_close(d);
    return rc;
}

/* ---- statements ---- */

static int32_t sqlite_ask(db *d, const char *sql, const char *const *values, int count, db_visit *visit,
                          void *arg, uint64_t *changed, ss_error *err)
{
    enum { CELLS_MAX = 8 };
    sqlite_db *s = of(d);
    sqlite3_stmt *statement = NULL;
    const char *cells[CELLS_MAX];
    if (!s->handle)
        return ss_fail(err, SS_RETRY, "SQLite file %.200s is not open", d->path);
    int rc = sqlite3_prepare_v2(s->handle, sql, -1, &statement, NULL);
    for (int i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sqlite3_bind_text(statement, i + 1, values[i], -1, SQLITE_STATIC);
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        int n = sqlite3_column_count(statement) < CELLS_MAX ? sqlite3_column_count(statement) : CELLS_MAX;
        for (int i = 0; i < n; i++)
            cells[i] = (const char *)sqlite3_column_text(statement, i);
        if (visit)
            visit(arg, cells, n);
        rc = SQLITE_OK;
    }
    if (changed)
        *changed = (uint64_t)sqlite3_changes(s->handle);
    int32_t status = rc == SQLITE_DONE ? SS_OK : failed(s, rc, err);
    (void)sqlite3_finalize(statement);
    return status;
}

/* A newer document takes the place of the older one as a new row: rows stay in the order in which they came,
   which retention goes by. */
static void older_text(const table *t, buf *sql)
{
    buf_adds(sql, "DELETE FROM ");
    catalog_put_name(sql, t->name);
    buf_adds(sql, " WHERE ");
    catalog_put_name(sql, t->shape.columns[t->id].name);
    buf_adds(sql, " = ?1 AND coalesce(");
    catalog_put_name(sql, t->shape.columns[t->version].name);
    buf_adds(sql, ", -1) < coalesce(?2, -1)");
}

static void insert_text(const table *t, buf *sql)
{
    buf_adds(sql, "INSERT INTO ");
    catalog_put_name(sql, t->name);
    for (size_t i = 0; shape_own_names[i]; i++)
        buf_addf(sql, "%s%s", i ? ", " : " (", shape_own_names[i]);
    size_t columns = SHAPE_OWN;
    for (size_t i = 0; i < t->shape.count; i++) {
        if (!t->shape.used[i])
            continue;
        buf_adds(sql, ", ");
        catalog_put_name(sql, t->shape.columns[i].name);
        columns++;
    }
    for (size_t i = 0; i < columns; i++)
        buf_adds(sql, i ? ",?" : ") VALUES (?");
    buf_adds(sql, ")");
    if (t->id == SHAPE_NONE)
        return;
    buf_adds(sql, " ON CONFLICT (");
    catalog_put_name(sql, t->shape.columns[t->id].name);
    buf_adds(sql, ") DO NOTHING"); /* the newer one is there */
}

static int32_t prepare_one(sqlite_db *s, const table *t, void (*text)(const table *t, buf *sql), void **out,
                           ss_error *err)
{
    sqlite3_stmt *statement = NULL;
    buf sql;
    buf_init(&sql, CATALOG_BYTES_MAX);
    text(t, &sql);
    int rc = sqlite3_prepare_v3(s->handle, buf_text(&sql), -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    buf_fini(&sql);
    *out = statement;
    return rc == SQLITE_OK ? SS_OK : failed(s, rc, err);
}

static int32_t sqlite_prepare(db *d, table *t, ss_error *err)
{
    int32_t rc = prepare_one(of(d), t, insert_text, &t->statement, err);
    return rc == SS_OK && t->id != SHAPE_NONE ? prepare_one(of(d), t, older_text, &t->older, err) : rc;
}

static void sqlite_forget(db *d, table *t)
{
    (void)d;
    (void)sqlite3_finalize(t->statement);
    (void)sqlite3_finalize(t->older);
    t->statement = t->older = NULL;
}

/* ---- rows ---- */

static int bind_cell(sqlite3_stmt *statement, int at, const cell *c)
{
    if (c->kind == CELL_TEXT)
        return sqlite3_bind_text(statement, at, c->as.ptr, (int)c->len, SQLITE_STATIC);
    if (c->kind == CELL_INT)
        return sqlite3_bind_int64(statement, at, c->as.i64);
    return c->kind == CELL_REAL ? sqlite3_bind_double(statement, at, c->as.f64)
                                : sqlite3_bind_null(statement, at);
}

static int bind_cells(sqlite3_stmt *statement, const shape *s, const row *r)
{
    int rc = SQLITE_OK, at = SHAPE_OWN;
    for (size_t i = 0; rc == SQLITE_OK && i < s->count; i++)
        if (s->used[i])
            rc = bind_cell(statement, ++at, &r->cells[i]);
    return rc;
}

static int drop_older(const table *t, const row *r)
{
    if (t->id == SHAPE_NONE || r->cells[t->id].kind == CELL_NULL)
        return SQLITE_OK;
    int rc = bind_cell(t->older, 1, &r->cells[t->id]);
    if (rc == SQLITE_OK)
        rc = bind_cell(t->older, 2, &r->cells[t->version]);
    if (rc == SQLITE_OK && (rc = sqlite3_step(t->older)) == SQLITE_DONE)
        rc = SQLITE_OK;
    (void)sqlite3_reset(t->older);
    return rc;
}

static int32_t sqlite_put(db *d, table *t, const row *r, const db_row *own, ss_error *err)
{
    sqlite3_stmt *statement = t->statement;
    (void)sqlite3_bind_int64(statement, SHAPE_SEQ + 1, (sqlite3_int64)own->seq);
    (void)sqlite3_bind_int64(statement, SHAPE_LOAD + 1, (sqlite3_int64)own->load);
    (void)sqlite3_bind_int64(statement, SHAPE_RECEIVED + 1, own->receive_us);
    (void)sqlite3_bind_int64(statement, SHAPE_EVENT + 1, own->event_us);
    int rc = r->extra.len ? sqlite3_bind_text(statement, SHAPE_EXTRA + 1, r->extra.ptr, (int)r->extra.len,
                                              SQLITE_STATIC)
                          : sqlite3_bind_null(statement, SHAPE_EXTRA + 1);
    if (rc == SQLITE_OK)
        rc = bind_cells(statement, &t->shape, r);
    if (rc == SQLITE_OK)
        rc = drop_older(t, r);
    if (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_DONE)
        rc = SQLITE_OK;
    int32_t status = rc == SQLITE_OK ? SS_OK : failed(of(d), rc, err);
    (void)sqlite3_reset(statement);
    return status;
}

static int32_t sqlite_flush(db *d, table *t, ss_error *err)
{
    (void)d;
    (void)t;
    (void)err;
    return SS_OK;
}

/* ---- transactions ---- */

static int64_t wal_bytes(const db *d)
{
    char path[PATH_MAX + 8];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s-wal", d->path);
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* The WAL can only begin anew when no reader needs it any more. */
static int32_t keep_wal_small(sqlite_db *s, ss_error *err)
{
    if (wal_bytes(&s->base) < WAL_SOFT_BYTES && (uint64_t)wal_bytes(&s->base) < s->base.wal_max)
        return SS_OK;
    (void)sqlite3_busy_timeout(s->handle, WAL_WAIT_MS);
    (void)sqlite3_wal_checkpoint_v2(s->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)sqlite3_busy_timeout(s->handle, BUSY_MS);
    int64_t now = wal_bytes(&s->base);
    if ((uint64_t)now < s->base.wal_max)
        return SS_OK;
    return ss_fail(err, SS_RETRY,
                   "SQLite file %.200s: another process has a transaction open, so that the -wal file cannot "
                   "be emptied; "
                   "it has %lld bytes (wal_max): loading waits until that one ends",
                   s->base.path, (long long)now);
}

/* Deleted, or another one put in its place? */
static bool file_changed(const sqlite_db *s)
{
    struct stat st;
    return stat(s->base.path, &st) != 0 || st.st_dev != s->dev || st.st_ino != s->ino;
}

static int32_t sqlite_begin(db *d, ss_error *err)
{
    sqlite_db *s = of(d);
    if (s->handle && file_changed(s)) {
        sqlite_close(d);
        return ss_fail(err, SS_RETRY, "SQLite file %.200s was deleted or replaced while it was in use",
                       d->path);
    }
    if (!s->handle)
        return ss_fail(err, SS_RETRY, "SQLite file %.200s is not open", d->path);
    int32_t rc = keep_wal_small(s, err);
    if (rc == SS_OK)
        rc = sqlite_run(d, "BEGIN IMMEDIATE", err);
    d->in_transaction = rc == SS_OK;
    return rc;
}

static int32_t sqlite_commit(db *d, ss_error *err)
{
    int32_t rc = sqlite_run(d, "COMMIT", err);
    if (rc == SS_OK)
        d->in_transaction = false;
    return rc;
}

static void sqlite_rollback(db *d)
{
    ss_error ignored = {.struct_size = sizeof ignored};
    if (of(d)->handle && !sqlite3_get_autocommit(of(d)->handle))
        (void)sqlite_run(d, "ROLLBACK", &ignored);
    d->in_transaction = false;
}

static void sqlite_rest(db *d)
{
    if (of(d)->handle)
        (void)sqlite3_db_release_memory(of(d)->handle);
}

static bool sqlite_shrink(db *d, ss_error *err)
{
    uint64_t free_pages = 0, pages = 0;
    if (db_number(d, "PRAGMA freelist_count", NULL, 0, &free_pages, NULL, err) != SS_OK ||
        db_number(d, "PRAGMA page_count", NULL, 0, &pages, NULL, err) != SS_OK)
        return false;
    if (free_pages <= SHRINK_PAGES || free_pages < pages / SHRINK_SHARE)
        return false;
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", SHRINK_PAGES);
    return sqlite_run(d, sql, err) == SS_OK;
}

static uint32_t sqlite_type_of(const char *type)
{
    if (sqlite3_stricmp(type, "TEXT") == 0 || sqlite3_stricmp(type, "ANY") == 0)
        return SS_FIELD_STRING;
    if (sqlite3_stricmp(type, "INTEGER") == 0 || sqlite3_stricmp(type, "INT") == 0)
        return SS_FIELD_INT;
    return sqlite3_stricmp(type, "REAL") == 0 ? SS_FIELD_DOUBLE : 0;
}

const db_ops db_sqlite = {
    .format = "sqlite",
    .bookkeeping =
        "CREATE TABLE IF NOT EXISTS load_position (journal TEXT NOT NULL, module TEXT NOT NULL, through "
        "INTEGER NOT "
        "NULL, PRIMARY KEY (journal, module)) STRICT;"
        "CREATE TABLE IF NOT EXISTS load_log (id INTEGER PRIMARY KEY, journal TEXT NOT NULL, module TEXT NOT "
        "NULL, "
        "first INTEGER NOT NULL, through INTEGER NOT NULL, rows INTEGER NOT NULL, loads INTEGER NOT NULL, "
        "loaded_at "
        "TEXT NOT NULL) STRICT;"
        "CREATE INDEX IF NOT EXISTS load_log_range ON load_log (journal, module, through);"
        "CREATE TABLE IF NOT EXISTS load_single (journal TEXT NOT NULL, module TEXT NOT NULL, seq INTEGER "
        "NOT NULL, "
        "PRIMARY KEY (journal, module, seq)) STRICT;"
        "CREATE TABLE IF NOT EXISTS load_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;",
    .own_columns =
        "ss_seq INTEGER NOT NULL, ss_load INTEGER NOT NULL, ss_received_us INTEGER NOT NULL, ss_event_us "
        "INTEGER NOT NULL, ss_extra TEXT",
    .table_tail = ") STRICT",
    .lock = "",
    .row_name = "rowid",
    .columns_of = "SELECT name, type FROM pragma_table_info($1)",
    .object_of = "SELECT type FROM sqlite_master WHERE type IN ('table', 'view') AND name = $1",
    .delete_received = "DELETE FROM %s WHERE rowid IN (SELECT rowid FROM %s ORDER BY rowid LIMIT ?2) AND "
                       "ss_received_us < ?1 + 0",
    .delete_event = "DELETE FROM %s WHERE rowid IN (SELECT rowid FROM %s WHERE ss_event_us < $1 + 0 ORDER BY "
                    "ss_event_us LIMIT $2)",
    .close = sqlite_close,
    .open = sqlite_open,
    .is_open = sqlite_is_open,
    .run = sqlite_run,
    .ask = sqlite_ask,
    .prepare = sqlite_prepare,
    .forget = sqlite_forget,
    .begin = sqlite_begin,
    .put = sqlite_put,
    .flush = sqlite_flush,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .rest = sqlite_rest,
    .shrink = sqlite_shrink,
    .type_of = sqlite_type_of,
};

db *db_new_sqlite(void)
{
    sqlite_db *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->base.ops = &db_sqlite;
    return &s->base;
}
