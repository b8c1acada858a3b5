/* The tables, version by version. A new version is a new step: published steps never change. */
#include <stdlib.h>
#include <sys/random.h>

#include "core/admin/database_inside.h"

/* One text for both: PostgreSQL's integers are named by their size, and it has neither STRICT nor rowids. */
#define STEP_1(INT, STRICT, STRICT_KEYED)                                                                    \
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL)" STRICT_KEYED ";"                          \
    "CREATE TABLE change_counter(id " INT " PRIMARY KEY CHECK(id=1), value " INT " NOT NULL)" STRICT ";"     \
    "INSERT INTO change_counter VALUES(1,0);"                                                                \
    "CREATE TABLE changes(seq " INT " PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL,"                    \
    " detail TEXT NOT NULL)" STRICT ";"                                                                      \
    "CREATE TABLE applications(id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT,"                   \
    " flags " INT " NOT NULL, rate " INT " NOT NULL, burst " INT " NOT NULL, quota " INT " NOT NULL,"        \
    " created " INT " NOT NULL, updated " INT " NOT NULL)" STRICT_KEYED ";"                                  \
    "CREATE TABLE authorizations(app_id TEXT NOT NULL REFERENCES applications(id) ON DELETE CASCADE,"        \
    " id TEXT NOT NULL, hash TEXT NOT NULL, value TEXT NOT NULL, whole " INT " NOT NULL,"                    \
    " name TEXT NOT NULL, description TEXT, enabled " INT " NOT NULL, rate " INT " NOT NULL,"                \
    " burst " INT " NOT NULL, quota " INT " NOT NULL, created " INT " NOT NULL, updated " INT " NOT NULL,"   \
    " PRIMARY KEY(app_id, id))" STRICT_KEYED ";"                                                             \
    "CREATE TABLE usage(day " INT " NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, count " INT " NOT NULL," \
    " PRIMARY KEY(day, kind, id))" STRICT_KEYED ";"

static const struct {
    const char *sqlite, *postgres;
} steps[] = {
    {STEP_1("INTEGER", " STRICT", " STRICT, WITHOUT ROWID"), STEP_1("BIGINT", "", "")},
};
#define VERSION (sizeof steps / sizeof steps[0])

static bool take_number(void *arg, const database_row *row)
{
    *(int64_t *)arg = database_row_int(row, 0);
    return false;
}

static bool take_version(void *arg, const database_row *row)
{
    *(int64_t *)arg = strtoll(database_row_text(row, 0).ptr, NULL, 10);
    return false;
}

/* 0: there are no tables yet. */
static enum store_status read_version(database *db, int64_t *version, ss_error *err)
{
    int64_t tables = 0;
    *version = 0;
    const char *count = database_is_postgres(db)
                            ? "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('meta')"
                            : "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name='meta'";
    enum store_status status = db->backend->run(db, count, NULL, 0, take_number, &tables, NULL, err);
    if (status == STORE_OK && tables)
        status = db->backend->run(db, "SELECT value FROM meta WHERE key='version'", NULL, 0, take_version,
                                  version, NULL, err);
    return status;
}

/* Keys of this store are hashed with it. */
static enum store_status put_salt(database *db, ss_error *err)
{
    uint8_t bytes[32];
    char text[2 * sizeof bytes + 1];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort(); /* cannot happen on a kernel that has it */
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    database_value value = database_text(ss_s(text, 2 * sizeof bytes));
    return db->backend->run(db, "INSERT INTO meta VALUES('salt',$1)", &value, 1, NULL, NULL, NULL, err);
}

static enum store_status climb(database *db, int64_t from, ss_error *err)
{
    enum store_status status = STORE_OK;
    for (size_t i = (size_t)from; i < VERSION && status == STORE_OK; i++)
        status = db->backend->script(db, database_is_postgres(db) ? steps[i].postgres : steps[i].sqlite, err);
    if (from == 0 && status == STORE_OK)
        status = put_salt(db, err);
    char text[24];
    (void)snprintf(text, sizeof text, "%zu", VERSION);
    database_value value = database_text(ss_cstr(text));
    if (status == STORE_OK)
        status = db->backend->run(db,
                                  "INSERT INTO meta VALUES('version',$1)"
                                  " ON CONFLICT(key) DO UPDATE SET value=excluded.value",
                                  &value, 1, NULL, NULL, NULL, err);
    return status;
}

enum store_status database_upgrade(database *db, ss_error *err)
{
    int64_t version = 0;
    enum store_status status = read_version(db, &version, err);
    if (status == STORE_OK && version < (int64_t)VERSION) {
        status = db->backend->script(db, db->backend->begin, err);
        /* Two servers may start on one new database. */
        if (status == STORE_OK && database_is_postgres(db))
            status = db->backend->script(db, "SELECT pg_advisory_xact_lock(7305808811)", err);
        if (status == STORE_OK)
            status = read_version(db, &version, err); /* another process may have been faster */
        if (status == STORE_OK)
            status = climb(db, version, err);
        ss_error ignored = error_init();
        if (status == STORE_OK)
            status = db->backend->script(db, "COMMIT", err);
        if (status != STORE_OK)
            (void)db->backend->script(db, "ROLLBACK", &ignored);
    }
    if (status == STORE_OK && version > (int64_t)VERSION) {
        status = STORE_DAMAGED;
        (void)ss_fail(
            err, SS_FATAL,
            "%s: written by a newer version of StreamSteam (its tables are of version %lld, this one "
            "knows %zu); use that version",
            database_place(db), (long long)version, VERSION);
    }
    return status;
}
