#include "core/admin/mirror.h"

#include "core/admin/key_hash.h"
#include "core/admin/store_inside.h"
#include "core/base/clock.h"
#include "core/base/log.h"

#define NOTES_MAX (DATABASE_CHANGES_KEPT / 2) /* differences beyond it: followers read everything anew */

typedef struct pulling {
    database *db;
    keyed_hash salt;
    enum store_status status; /* of what was written meanwhile */
    ss_error *err;
} pulling;

#define TOUCHED_TABLE                                                                                        \
    "CREATE TABLE IF NOT EXISTS touched(app_id TEXT NOT NULL, key_id TEXT NOT NULL, at_us INTEGER NOT NULL," \
    " PRIMARY KEY(app_id, key_id)) STRICT, WITHOUT ROWID"

/* Temporary tables in a file that has no name: a million keys are no matter of memory. */
static const char *const prepare[] = {
    "PRAGMA temp_store=FILE",
    TOUCHED_TABLE,
    "CREATE TEMP TABLE IF NOT EXISTS pulled_apps(id TEXT PRIMARY KEY, name, description, flags, rate, burst, "
    "quota,"
    " created, updated) WITHOUT ROWID",
    "CREATE TEMP TABLE IF NOT EXISTS pulled_keys(app_id TEXT, id TEXT, hash, value, name, description, "
    "enabled, rate,"
    " burst, quota, created, updated, PRIMARY KEY(app_id, id)) WITHOUT ROWID",
    "CREATE TEMP TABLE IF NOT EXISTS differing(kind TEXT, id TEXT, detail TEXT, app_id TEXT, gone INTEGER)",
    NULL,
};

static const char *const forget[] = {"DELETE FROM pulled_apps", "DELETE FROM pulled_keys",
                                     "DELETE FROM differing", NULL};

/* What a reading that began at $1 may not touch: it was changed here since. */
#define UNTOUCHED(app, key)                                                                                  \
    " NOT EXISTS(SELECT 1 FROM touched t WHERE t.app_id=" app " AND t.key_id=" key " AND t.at_us>=$1)"

/* Each takes $1, when the reading began. Keys whose application is not there are nobody's: left out. */
static const char *const compare[] = {
    "INSERT INTO differing SELECT 'app', p.id, '', p.id, 0 FROM pulled_apps p LEFT JOIN applications a ON "
    "a.id=p.id"
    " WHERE (a.id IS NULL OR (a.name,a.description,a.flags,a.rate,a.burst,a.quota,a.created,a.updated) IS NOT"
    " (p.name,p.description,p.flags,p.rate,p.burst,p.quota,p.created,p.updated)) AND" UNTOUCHED("p.id", "''"),

    "INSERT INTO differing SELECT 'app', a.id, '', a.id, 1 FROM applications a"
    " WHERE a.id NOT IN (SELECT id FROM pulled_apps) AND" UNTOUCHED("a.id", "''"),

    "INSERT INTO differing SELECT 'key', p.id, p.app_id||' '||p.hash, p.app_id, 0 FROM pulled_keys p"
    " LEFT JOIN authorizations k ON k.app_id=p.app_id AND k.id=p.id"
    " WHERE (k.id IS NULL OR "
    "(k.hash,k.value,k.name,k.description,k.enabled,k.rate,k.burst,k.quota,k.created,k.updated)"
    " IS NOT (p.hash,p.value,p.name,p.description,p.enabled,p.rate,p.burst,p.quota,p.created,p.updated))"
    " AND p.app_id IN (SELECT id FROM pulled_apps UNION SELECT id FROM applications) AND" UNTOUCHED(
        "p.app_id", "p.id"),

    "INSERT INTO differing SELECT 'key', k.id, k.app_id||' '||k.hash, k.app_id, 1 FROM authorizations k"
    " WHERE NOT EXISTS(SELECT 1 FROM pulled_keys p WHERE p.app_id=k.app_id AND p.id=k.id) AND" UNTOUCHED(
        "k.app_id", "k.id"),
    NULL,
};

static const char *const apply[] = {
    "DELETE FROM authorizations WHERE (app_id, id) IN (SELECT app_id, id FROM differing WHERE kind='key' AND "
    "gone)"
    " OR app_id IN (SELECT id FROM differing WHERE kind='app' AND gone)",

    "DELETE FROM applications WHERE id IN (SELECT id FROM differing WHERE kind='app' AND gone)",

    "INSERT INTO applications(id, name, description, flags, rate, burst, quota, created, updated)"
    " SELECT p.id, p.name, p.description, p.flags, p.rate, p.burst, p.quota, p.created, p.updated FROM "
    "pulled_apps p"
    " JOIN differing d ON d.kind='app' AND d.id=p.id AND NOT d.gone WHERE true"
    " ON CONFLICT(id) DO UPDATE SET name=excluded.name, description=excluded.description, "
    "flags=excluded.flags,"
    " rate=excluded.rate, burst=excluded.burst, quota=excluded.quota, created=excluded.created, "
    "updated=excluded.updated",

    "INSERT INTO authorizations(app_id, id, hash, value, whole, name, description, enabled, rate, burst, "
    "quota, created,"
    " updated) SELECT p.app_id, p.id, p.hash, p.value, 1, p.name, p.description, p.enabled, p.rate, p.burst, "
    "p.quota,"
    " p.created, p.updated FROM pulled_keys p JOIN differing d ON d.kind='key' AND d.app_id=p.app_id AND "
    "d.id=p.id AND"
    " NOT d.gone WHERE p.app_id IN (SELECT id FROM applications)"
    " ON CONFLICT(app_id, id) DO UPDATE SET hash=excluded.hash, value=excluded.value, whole=1, "
    "name=excluded.name,"
    " description=excluded.description, enabled=excluded.enabled, rate=excluded.rate, burst=excluded.burst,"
    " quota=excluded.quota, created=excluded.created, updated=excluded.updated",
    NULL,
};

/* Followers go change by change. */
static const char *const note_each[] = {
    "INSERT INTO changes SELECT (SELECT value FROM change_counter) + row_number() OVER (ORDER BY kind, "
    "app_id, id), kind, id,"
    " detail FROM differing",
    "UPDATE change_counter SET value=value+(SELECT count(*) FROM differing)",
    "DELETE FROM changes WHERE seq<=(SELECT value FROM change_counter)-10000",
    NULL,
};
_Static_assert(DATABASE_CHANGES_KEPT == 10000, "as the statement above says");

/* Followers see a gap, and read everything anew. */
static const char *const note_all[] = {
    "DELETE FROM changes",
    "UPDATE change_counter SET value=value+1+(SELECT count(*) FROM differing)",
    NULL,
};

static enum store_status run_all(database *db, const char *const *statements, const database_value *values,
                                 size_t count, ss_error *err)
{
    enum store_status status = STORE_OK;
    for (size_t i = 0; statements[i] && status == STORE_OK; i++)
        status = database_run(db, statements[i], values, count, NULL, NULL, NULL, err);
    return status;
}

/* ---- reading ---- */

static bool take_app(void *arg, const store_app *app)
{
    pulling *p = arg;
    database_value values[] = {database_text(ss_cstr(app->id)),
                               database_text(app->name),
                               store_optional(app->has_description ? &app->description : NULL),
                               database_int(app->flags),
                               database_int(app->limits.rate),
                               database_int(app->limits.burst),
                               database_int(app->limits.quota),
                               database_int(app->created_s),
                               database_int(app->updated_s)};
    p->status = database_run(p->db, "INSERT OR REPLACE INTO pulled_apps VALUES($1,$2,$3,$4,$5,$6,$7,$8,$9)",
                             values, sizeof values / sizeof *values, NULL, NULL, NULL, p->err);
    return p->status == STORE_OK;
}

static bool take_key(void *arg, const store_key *key)
{
    pulling *p = arg;
    char hash[KEY_HASH_TEXT + 1];
    key16_put(key_hash_bytes(&p->salt, key->value), hash);
    database_value values[] = {database_text(ss_cstr(key->app_id)),
                               database_text(ss_cstr(key->id)),
                               database_text(ss_s(hash, KEY_HASH_TEXT)),
                               database_text(key->value),
                               database_text(key->name),
                               store_optional(key->has_description ? &key->description : NULL),
                               database_int(key->enabled),
                               database_int(key->limits.rate),
                               database_int(key->limits.burst),
                               database_int(key->limits.quota),
                               database_int(key->created_s),
                               database_int(key->updated_s)};
    p->status = database_run(
        p->db, "INSERT OR REPLACE INTO pulled_keys VALUES($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)", values,
        sizeof values / sizeof *values, NULL, NULL, NULL, p->err);
    return p->status == STORE_OK;
}

/* Applications after keys: a key that is made meanwhile has its application there. */
static enum store_status read_remote(remote *r, pulling *p)
{
    enum store_status status = remote_each_key(r, take_key, p, p->err);
    if (status == STORE_OK && p->status == STORE_OK)
        status = remote_each_app(r, take_app, p, p->err);
    return status == STORE_OK ? p->status : status;
}

/* ---- comparing and changing ---- */

static enum store_status ask_number(database *db, const char *sql, int64_t *out, ss_error *err)
{
    *out = 0;
    return database_run(db, sql, NULL, 0, store_count_row, out, NULL, err);
}

/* A key whose value became another one: followers know it by its hash alone. */
#define REHASHED                                                                                             \
    "SELECT count(*) FROM differing d JOIN pulled_keys p ON p.app_id=d.app_id AND p.id=d.id"                 \
    " JOIN authorizations k ON k.app_id=d.app_id AND k.id=d.id WHERE d.kind='key' AND NOT d.gone AND "       \
    "k.hash<>p.hash"

/* Within the transaction. */
static enum store_status take_over(database *db, int64_t began_us, ss_error *err)
{
    database_value began = database_int(began_us);
    int64_t count = 0, rehashed = 0;
    enum store_status status = run_all(db, compare, &began, 1, err);
    if (status == STORE_OK)
        status = ask_number(db, "SELECT count(*) FROM differing", &count, err);
    if (status == STORE_OK && count)
        status = ask_number(db, REHASHED, &rehashed, err);
    if (status == STORE_OK && count)
        status = run_all(db, apply, NULL, 0, err);
    if (status == STORE_OK && count)
        status = run_all(db, count > NOTES_MAX || rehashed ? note_all : note_each, NULL, 0, err);
    if (status == STORE_OK)
        status = database_run(db, "DELETE FROM touched WHERE at_us<$1", &began, 1, NULL, NULL, NULL, err);
    if (status == STORE_OK && count)
        log_debug("%s: %lld rows taken over from the remote store", database_place(db), (long long)count);
    return status;
}

enum store_status mirror_pull(remote *r, database *db, ss_error *err)
{
    pulling p = {.db = db, .status = STORE_OK, .err = err};
    ss_error ignored = error_init();
    int64_t began_us = clock_now_us();
    enum store_status status = run_all(db, prepare, NULL, 0, err);
    if (status == STORE_OK)
        status = run_all(db, forget, NULL, 0, err);
    if (status == STORE_OK)
        status = key_hash_salt(db, &p.salt, err);
    if (status == STORE_OK)
        status = read_remote(r, &p);
    explicit_bzero(&p.salt, sizeof p.salt);
    if (status == STORE_OK)
        status = database_begin(db, err);
    if (status != STORE_OK)
        return status;
    status = take_over(db, began_us, err);
    enum store_status ended = database_end(db, status == STORE_OK, status == STORE_OK ? err : &ignored);
    (void)run_all(db, forget, NULL, 0, &ignored);
    return status == STORE_OK ? ended : status;
}

enum store_status mirror_touch(database *db, ss_str app_id, ss_str key_id, ss_error *err)
{
    database_value values[] = {database_text(app_id), database_text(key_id), database_int(clock_now_us())};
    enum store_status status = database_run(db, TOUCHED_TABLE, NULL, 0, NULL, NULL, NULL, err);
    if (status == STORE_OK)
        status = database_run(db,
                              "INSERT INTO touched VALUES($1,$2,$3)"
                              " ON CONFLICT(app_id, key_id) DO UPDATE SET at_us=excluded.at_us",
                              values, 3, NULL, NULL, NULL, err);
    return status;
}
