#include "core/admin/database_inside.h"

#include <stdlib.h>

#include "core/base/clock.h"

const char *store_status_name(enum store_status status)
{
    static const char *const names[] = {"ok",      "not_found", "conflict", "invalid", "busy",
                                        "damaged", "full",      "away",     "failed"};
    return (unsigned)status < sizeof names / sizeof names[0] ? names[status] : "failed";
}

/* ---- life ------------------------------------------------------------------------------------- */

database *database_new(const database_options *options)
{
    database *db = calloc(1, sizeof *db);
    if (!db)
        return NULL;
    pthread_mutexattr_t recursive;
    (void)pthread_mutexattr_init(&recursive);
    (void)pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&db->lock, &recursive);
    (void)pthread_mutexattr_destroy(&recursive);
    db->options = *options;
    db->options.path = options->path ? strdup(options->path) : NULL;
    db->options.connection = options->connection ? strdup(options->connection) : NULL;
    db->backend = options->kind == DATABASE_POSTGRES ? &database_postgres : &database_sqlite;
    return db;
}

static void shut(database *db)
{
    db->backend->close(db);
    db->is_open = db->in_transaction = false;
    db->statement_count = 0;
}

void database_free(database *db)
{
    if (!db)
        return;
    shut(db);
    if (db->options.connection)
        explicit_bzero((char *)(uintptr_t)db->options.connection, strlen(db->options.connection));
    free((char *)(uintptr_t)db->options.connection);
    free((char *)(uintptr_t)db->options.path);
    (void)pthread_mutex_destroy(&db->lock);
    free(db);
}

const char *database_place(const database *db)
{
    return database_is_postgres(db) ? "PostgreSQL" : db->options.path;
}

bool database_is_postgres(const database *db)
{
    return db->options.kind == DATABASE_POSTGRES;
}

uint64_t database_epoch(database *db)
{
    (void)pthread_mutex_lock(&db->lock);
    uint64_t epoch = db->epoch;
    (void)pthread_mutex_unlock(&db->lock);
    return epoch;
}

/* ---- errors ----------------------------------------------------------------------------------- */

static const char *remedy_of(const database *db, enum store_status status)
{
    bool pg = database_is_postgres(db);
    switch (status) {
    case STORE_BUSY:
        return pg ? "another session holds a lock: look into pg_stat_activity"
                  : "another process holds the file: look for a verb or an sqlite3 that still runs";
    case STORE_DAMAGED:
        return pg ? "restore it from a backup"
                  : "put back a backup, or save what can be saved with `sqlite3 FILE .recover`";
    case STORE_FULL:
        return "free some disk space";
    case STORE_AWAY:
        return pg ? "is it running, and does server.applications.postgres.connection name it?"
                  : "check that the directory exists and who may write there";
    case STORE_NOT_FOUND:
        return "`streamsteam app create NAME` makes it";
    default:
        return pg ? "its log tells more" : "check the disk and the kernel's log";
    }
}

enum store_status database_fail(const database *db, enum store_status status, const char *doing,
                                const char *why, ss_error *err)
{
    (void)ss_fail(err, 0, "%s: cannot %s: %.200s; %s", database_place(db), doing, why, remedy_of(db, status));
    err->code = (uint32_t)status;
    return status;
}

/* ---- open ------------------------------------------------------------------------------------- */

/* With the lock. A store that is away is not asked again at each call. */
static enum store_status ready(database *db, ss_error *err)
{
    if (db->is_open && !db->in_transaction && !db->backend->same(db))
        shut(db);
    if (db->is_open)
        return STORE_OK;
    int64_t now = clock_mono_us();
    /* Whether a missing file is there by now is asked at once. */
    if (db->last != STORE_OK && db->last != STORE_NOT_FOUND && now < db->next_try_us) {
        *err = db->last_err;
        return db->last;
    }
    db->last_err = error_init();
    db->last = db->backend->open(db, &db->last_err);
    if (db->last == STORE_OK)
        db->last = database_upgrade(db, &db->last_err);
    db->is_open = db->last == STORE_OK;
    if (!db->is_open) {
        shut(db);
        db->next_try_us = now + DATABASE_RETRY_MS * 1000;
        *err = db->last_err;
        return db->last;
    }
    db->epoch++;
    db->wrote = true; /* so that the newest change is read */
    return STORE_OK;
}

enum store_status database_open(database *db, ss_error *err)
{
    (void)pthread_mutex_lock(&db->lock);
    enum store_status status = ready(db, err);
    (void)pthread_mutex_unlock(&db->lock);
    return status;
}

/* ---- statements ------------------------------------------------------------------------------- */

static enum store_status run(database *db, const char *sql, const database_value *values, size_t count,
                             database_visit visit, void *arg, int64_t *changed, ss_error *err)
{
    enum store_status status = db->backend->run(db, sql, values, count, visit, arg, changed, err);
    /* A broken handle is of no use any more; within a transaction its end closes it. */
    if ((status == STORE_DAMAGED || status == STORE_AWAY) && !db->in_transaction)
        shut(db);
    return status;
}

enum store_status database_run(database *db, const char *sql, const database_value *values, size_t count,
                               database_visit visit, void *arg, int64_t *changed, ss_error *err)
{
    (void)pthread_mutex_lock(&db->lock);
    enum store_status status = ready(db, err);
    if (status == STORE_OK)
        status = run(db, sql, values, count, visit, arg, changed, err);
    (void)pthread_mutex_unlock(&db->lock);
    return status;
}

enum store_status database_begin(database *db, ss_error *err)
{
    (void)pthread_mutex_lock(&db->lock);
    enum store_status status = ready(db, err);
    if (status == STORE_OK)
        status = db->backend->script(db, db->backend->begin, err);
    db->in_transaction = status == STORE_OK;
    if (status == STORE_OK && db->backend->begin_lock) {
        status = db->backend->run(db, db->backend->begin_lock, NULL, 0, NULL, NULL, NULL, err);
        if (status != STORE_OK) {
            (void)database_end(db, false, err); /* unlocks */
            return status;
        }
    }
    if (status != STORE_OK) {
        if (status == STORE_DAMAGED || status == STORE_AWAY)
            shut(db);
        (void)pthread_mutex_unlock(&db->lock);
    }
    return status;
}

enum store_status database_end(database *db, bool commit, ss_error *err)
{
    ss_error ignored = error_init();
    enum store_status status = commit ? db->backend->script(db, "COMMIT", err) : STORE_OK;
    if (!commit || status != STORE_OK) {
        if (db->backend->script(db, "ROLLBACK", &ignored) != STORE_OK)
            shut(db); /* whatever was open ends with the connection */
    }
    db->in_transaction = false;
    db->wrote = true;
    if (status == STORE_DAMAGED || status == STORE_AWAY)
        shut(db);
    (void)pthread_mutex_unlock(&db->lock);
    return status;
}

bool database_row_null(const database_row *row, int column)
{
    return row->backend->null(row, column);
}

int64_t database_row_int(const database_row *row, int column)
{
    return row->backend->number(row, column);
}

ss_str database_row_text(const database_row *row, int column)
{
    return row->backend->text(row, column);
}

/* ---- changes ---------------------------------------------------------------------------------- */

static bool take_number(void *arg, const database_row *row)
{
    *(int64_t *)arg = database_row_int(row, 0);
    return false;
}

enum store_status database_note(database *db, const char *kind, ss_str id, ss_str detail, ss_error *err)
{
    int64_t seq = 0;
    enum store_status status = run(db, "UPDATE change_counter SET value=value+1 RETURNING value", NULL, 0,
                                   take_number, &seq, NULL, err);
    database_value values[] = {database_int(seq), database_text(ss_cstr(kind)), database_text(id),
                               database_text(detail)};
    if (status == STORE_OK)
        status = run(db, "INSERT INTO changes VALUES($1,$2,$3,$4)", values, 4, NULL, NULL, NULL, err);
    database_value old = database_int(seq - DATABASE_CHANGES_KEPT);
    if (status == STORE_OK)
        status = run(db, "DELETE FROM changes WHERE seq<=$1", &old, 1, NULL, NULL, NULL, err);
    return status;
}

enum store_status database_newest(database *db, int64_t *seq, ss_error *err)
{
    (void)pthread_mutex_lock(&db->lock);
    enum store_status status = ready(db, err);
    bool moved = status == STORE_OK && (db->backend->moved(db) || db->wrote);
    if (moved) {
        status = run(db, "SELECT value FROM change_counter", NULL, 0, take_number, &db->newest, NULL, err);
        db->wrote = status != STORE_OK;
    }
    *seq = db->newest;
    (void)pthread_mutex_unlock(&db->lock);
    return status;
}

typedef struct reading {
    void (*visit)(void *arg, const database_change *change);
    void *arg;
    int64_t expected;
    bool gap;
} reading;

static bool read_change(void *arg, const database_row *row)
{
    reading *r = arg;
    database_change change = {.seq = database_row_int(row, 0),
                              .kind = database_row_text(row, 1),
                              .id = database_row_text(row, 2),
                              .detail = database_row_text(row, 3)};
    r->gap = change.seq != r->expected++;
    if (!r->gap)
        r->visit(r->arg, &change);
    return !r->gap;
}

enum store_status database_changes(database *db, int64_t after,
                                   void (*visit)(void *arg, const database_change *change), void *arg,
                                   ss_error *err)
{
    reading r = {visit, arg, after + 1, false};
    database_value from = database_int(after);
    enum store_status status =
        database_run(db, "SELECT seq, kind, id, detail FROM changes WHERE seq>$1 ORDER BY seq", &from, 1,
                     read_change, &r, NULL, err);
    if (status == STORE_OK && (r.gap || r.expected == after + 1)) /* a newer one was said to be there */
        status = STORE_NOT_FOUND;
    return status;
}
