#include "plugins/common/spark_store.h"

#include <inttypes.h>
#include <stdlib.h>

#include "plugins/common/spark_store_inside.h"
#include "plugins/common/wal_sync.h"

#define STATEMENTS_MAX 48u
#define BUSY_MS        5000
#define SALT_SIZE      9u
#define INSTANCE_MAX   24u     /* of the instance's name in a run's name */
#define CACHE_PAGES    "-2000" /* KiB */

struct spark_store {
    sqlite3 *db;
    struct {
        const char *sql; /* a constant: compared by its address */
        sqlite3_stmt *statement;
    } kept[STATEMENTS_MAX];
    char salt[SALT_SIZE], instance[INSTANCE_MAX + 1], problem[SPARK_REASON_MAX];
};

static const char schema[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=" CACHE_PAGES ";"
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
    "INSERT OR IGNORE INTO meta VALUES('version','1'),('salt',lower(hex(randomblob(4))));"
    "CREATE TABLE IF NOT EXISTS manifest(name TEXT PRIMARY KEY, seen_us INTEGER) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS file(id INTEGER PRIMARY KEY, path TEXT UNIQUE, bytes INTEGER, events INTEGER,"
    " min_us INTEGER, max_us INTEGER, seen_us INTEGER);"
    "CREATE INDEX IF NOT EXISTS file_newest ON file(max_us);"
    "CREATE TABLE IF NOT EXISTS job(name TEXT PRIMARY KEY, fired_us INTEGER) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS part(job TEXT, file INTEGER, key TEXT, end_us INTEGER, seen_us INTEGER,"
    " batch INTEGER, PRIMARY KEY(job, file)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS part_waits ON part(job, key) WHERE batch IS NULL;"
    "CREATE INDEX IF NOT EXISTS part_batch ON part(batch) WHERE batch IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS part_key ON part(job, key, batch);"
    "CREATE TABLE IF NOT EXISTS batch(id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT, key TEXT, kind TEXT,"
    " late INTEGER, files_of INTEGER, named INTEGER, state TEXT, attempt INTEGER DEFAULT 0, ext TEXT DEFAULT "
    "'',"
    " reason TEXT DEFAULT '', made_us INTEGER, due_us INTEGER DEFAULT 0, sent_us INTEGER DEFAULT 0,"
    " ended_us INTEGER DEFAULT 0, files INTEGER, bytes INTEGER, events INTEGER, min_us INTEGER, max_us "
    "INTEGER);"
    "CREATE INDEX IF NOT EXISTS batch_state ON batch(state, due_us);"
    "CREATE INDEX IF NOT EXISTS batch_key ON batch(job, key);"
    "CREATE INDEX IF NOT EXISTS batch_ready ON batch(job, state, id);"
    "CREATE INDEX IF NOT EXISTS batch_family ON batch(files_of);"
    "CREATE TABLE IF NOT EXISTS pruned_part(job TEXT, key TEXT, PRIMARY KEY(job, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS pruned_manifest(stream TEXT PRIMARY KEY, through TEXT) WITHOUT ROWID;";

static bool wrong(spark_store *s)
{
    (void)snprintf(s->problem, sizeof s->problem, "%s", sqlite3_errmsg(s->db));
    return false;
}

static sqlite3_stmt *prepared(spark_store *s, const char *sql)
{
    size_t i = 0;
    while (i < STATEMENTS_MAX - 1 && s->kept[i].sql && s->kept[i].sql != sql)
        i++;
    if (s->kept[i].sql != sql) {
        (void)sqlite3_finalize(s->kept[i].statement);
        s->kept[i].statement = NULL;
        s->kept[i].sql = sql;
        if (sqlite3_prepare_v2(s->db, sql, -1, &s->kept[i].statement, NULL) != SQLITE_OK) {
            s->kept[i].sql = NULL;
            (void)wrong(s);
            return NULL;
        }
    }
    return s->kept[i].statement;
}

sqlite3_stmt *spark_bound(spark_store *s, const char *sql, const char *types, ...)
{
    sqlite3_stmt *q = prepared(s, sql);
    va_list args;
    va_start(args, types);
    for (int i = 0; q && types[i]; i++) {
        int rc;
        if (types[i] == 'i') {
            rc = sqlite3_bind_int64(q, i + 1, va_arg(args, int64_t));
        } else if (types[i] == 't') {
            ss_str text = va_arg(args, ss_str);
            rc = sqlite3_bind_text(q, i + 1, text.len ? text.ptr : "", (int)text.len, SQLITE_STATIC);
        } else {
            rc = sqlite3_bind_text(q, i + 1, va_arg(args, const char *), -1, SQLITE_STATIC);
        }
        if (rc != SQLITE_OK) {
            (void)wrong(s);
            q = NULL;
        }
    }
    va_end(args);
    return q;
}

bool spark_done(spark_store *s, sqlite3_stmt *q)
{
    if (!q)
        return false;
    bool good = sqlite3_step(q) == SQLITE_DONE || wrong(s);
    (void)sqlite3_reset(q);
    return good;
}

/* The first column of the first row; otherwise `none`. */
static int64_t number(spark_store *s, sqlite3_stmt *q, int64_t none)
{
    if (!q)
        return none;
    int rc = sqlite3_step(q);
    int64_t value = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : none;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        (void)wrong(s);
    (void)sqlite3_reset(q);
    return value;
}

static void copy_text(char *out, size_t size, sqlite3_stmt *q, int column)
{
    const char *text = (const char *)sqlite3_column_text(q, column);
    (void)snprintf(out, size, "%s", text ? text : "");
}

/* ---- opening ---- */

static bool prepare_file(spark_store *s, const char *path, bool create)
{
    int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(s->db, BUSY_MS) != SQLITE_OK ||
        sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK || wal_sync_first(s->db) != SQLITE_OK)
        return wrong(s);
    sqlite3_stmt *q = prepared(s, "SELECT value FROM meta WHERE name='salt'");
    if (!q || sqlite3_step(q) != SQLITE_ROW)
        return wrong(s);
    copy_text(s->salt, sizeof s->salt, q, 0);
    (void)sqlite3_reset(q);
    return number(s, prepared(s, "SELECT value FROM meta WHERE name='version'"), 0) == 1 || wrong(s);
}

spark_store *spark_store_open(const char *path, ss_str instance, bool create, ss_error *err)
{
    spark_store *s = calloc(1, sizeof *s);
    if (!s) {
        (void)ss_fail(err, SS_RETRY, "no memory");
        return NULL;
    }
    (void)snprintf(s->instance, sizeof s->instance, "%.*s",
                   (int)(instance.len < INSTANCE_MAX ? instance.len : INSTANCE_MAX), instance.ptr);
    if (prepare_file(s, path, create))
        return s;
    (void)ss_fail(err, SS_RETRY, "%.300s: %.160s", path, s->problem);
    spark_store_close(s);
    return NULL;
}

void spark_store_close(spark_store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < STATEMENTS_MAX; i++)
        (void)sqlite3_finalize(s->kept[i].statement);
    (void)sqlite3_close(s->db);
    free(s);
}

const char *spark_store_problem(const spark_store *s)
{
    return s->problem;
}

bool spark_store_begin(spark_store *s)
{
    return spark_done(s, prepared(s, "BEGIN IMMEDIATE"));
}

bool spark_store_commit(spark_store *s)
{
    if (spark_done(s, prepared(s, "COMMIT")))
        return true;
    spark_store_undo(s);
    return false;
}

void spark_store_undo(spark_store *s)
{
    (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

void spark_store_lazy(spark_store *s, bool lazy)
{
    (void)sqlite3_exec(s->db, lazy ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL", NULL, NULL,
                       NULL);
}

/* ---- the lake ---- */

/* Of a stream, what was pruned is all up to a name. */
bool spark_manifest_seen(spark_store *s, ss_str name)
{
    size_t len = spark_stream_len(name);
    if (number(s, spark_bound(s, "SELECT 1 FROM manifest WHERE name=?", "t", name), 0) == 1)
        return true;
    return len && number(s,
                         spark_bound(s, "SELECT through>=? FROM pruned_manifest WHERE stream=?", "tt", name,
                                     ss_s(name.ptr, len)),
                         0) == 1;
}

size_t spark_stream_len(ss_str name)
{
    static const char form[] = "-dddddddddddddddddddd-dddddddddddddddddddd.json";
    size_t len = sizeof form - 1;
    if (name.len <= len || name.len >= SPARK_MANIFEST_MAX)
        return 0;
    for (size_t i = 0; i < len; i++) {
        char c = name.ptr[name.len - len + i];
        if (form[i] == 'd' ? c < '0' || c > '9' : c != form[i])
            return 0;
    }
    return name.len - len;
}

/* Names of one stream have one length and one beginning, and nobody else's have both. */
bool spark_manifest_newest(spark_store *s, ss_str name, char newest[SPARK_MANIFEST_MAX])
{
    char end[SPARK_MANIFEST_MAX];
    size_t len = spark_stream_len(name);
    if (!len)
        return false;
    (void)snprintf(end, sizeof end, "%.*s-:", (int)len, name.ptr); /* behind all digits */
    sqlite3_stmt *q =
        spark_bound(s,
                    "SELECT name FROM manifest WHERE name>?1 AND name<?2 AND length(name)=length(?1) "
                    "ORDER BY name DESC LIMIT 1",
                    "tc", name, end);
    bool found = q && sqlite3_step(q) == SQLITE_ROW;
    if (found)
        copy_text(newest, SPARK_MANIFEST_MAX, q, 0);
    if (q)
        (void)sqlite3_reset(q);
    return found;
}

bool spark_manifest_add(spark_store *s, ss_str name, int64_t now_us)
{
    return spark_done(s, spark_bound(s, "INSERT OR IGNORE INTO manifest VALUES(?,?)", "ti", name, now_us));
}

int64_t spark_file_add(spark_store *s, const spark_file *f)
{
    if (!spark_done(s, spark_bound(s,
                                   "INSERT OR IGNORE INTO file(path,bytes,events,min_us,max_us,seen_us)"
                                   " VALUES(?,?,?,?,?,?)",
                                   "tiiiii", f->path, f->bytes, f->events, f->min_us, f->max_us, f->seen_us)))
        return 0;
    return number(s, spark_bound(s, "SELECT id FROM file WHERE path=?", "t", f->path), 0);
}

bool spark_part_add(spark_store *s, ss_str job, int64_t file, ss_str key, int64_t end_us, int64_t seen_us)
{
    return spark_done(s, spark_bound(s, "INSERT OR IGNORE INTO part VALUES(?,?,?,?,?,NULL)", "titii", job,
                                     file, key, end_us, seen_us));
}

bool spark_files(spark_store *s, bool (*visit)(void *arg, int64_t id, const spark_file *f), void *arg)
{
    sqlite3_stmt *q = prepared(s, "SELECT id,path,bytes,events,min_us,max_us,seen_us FROM file ORDER BY id");
    int rc = SQLITE_ERROR;
    while (q && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        spark_file f = {.path =
                            ss_s((const char *)sqlite3_column_text(q, 1), (size_t)sqlite3_column_bytes(q, 1)),
                        .bytes = sqlite3_column_int64(q, 2),
                        .events = sqlite3_column_int64(q, 3),
                        .min_us = sqlite3_column_int64(q, 4),
                        .max_us = sqlite3_column_int64(q, 5),
                        .seen_us = sqlite3_column_int64(q, 6)};
        if (!visit(arg, sqlite3_column_int64(q, 0), &f))
            break;
    }
    bool good = rc == SQLITE_DONE;
    if (q)
        (void)sqlite3_reset(q);
    return good;
}

int64_t spark_newest_us(spark_store *s)
{
    return number(s, prepared(s, "SELECT MAX(max_us) FROM file"), 0);
}

/* ---- jobs ---- */

bool spark_job_get(spark_store *s, ss_str job, int64_t *fired_us, bool *known)
{
    int64_t fired = number(s, spark_bound(s, "SELECT fired_us FROM job WHERE name=?", "t", job), -1);
    *known = fired >= 0;
    *fired_us = fired < 0 ? 0 : fired;
    return true;
}

bool spark_job_set(spark_store *s, ss_str job, int64_t fired_us)
{
    return spark_done(s, spark_bound(s, "INSERT OR REPLACE INTO job VALUES(?,?)", "ti", job, fired_us));
}

bool spark_groups(spark_store *s, ss_str job, bool (*visit)(void *arg, const spark_group *g), void *arg)
{
    sqlite3_stmt *q = spark_bound(
        s,
        "SELECT p.key, MAX(p.end_us), MIN(p.seen_us), MAX(p.seen_us), COUNT(*), SUM(f.bytes), SUM(f.events),"
        " EXISTS(SELECT 1 FROM part o WHERE o.job=p.job AND o.key=p.key AND o.batch IS NOT NULL) OR"
        " EXISTS(SELECT 1 FROM pruned_part o WHERE o.job=p.job AND o.key=p.key)"
        " FROM part p JOIN file f ON f.id=p.file WHERE p.job=? AND p.batch IS NULL GROUP BY p.key",
        "t", job);
    int rc = SQLITE_ERROR;
    while (q && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        spark_group g = {.key = (const char *)sqlite3_column_text(q, 0),
                         .end_us = sqlite3_column_int64(q, 1),
                         .first_seen_us = sqlite3_column_int64(q, 2),
                         .last_seen_us = sqlite3_column_int64(q, 3),
                         .files = sqlite3_column_int64(q, 4),
                         .bytes = sqlite3_column_int64(q, 5),
                         .events = sqlite3_column_int64(q, 6),
                         .late = sqlite3_column_int(q, 7) != 0};
        if (!visit(arg, &g))
            break;
    }
    bool good = rc == SQLITE_DONE || wrong(s);
    if (q)
        (void)sqlite3_reset(q);
    return good;
}

/* ---- batches ---- */

static bool take_files(spark_store *s, ss_str job, const char *key, int64_t id)
{
    if (key)
        return spark_done(s, spark_bound(s, "UPDATE part SET batch=? WHERE job=? AND key=? AND batch IS NULL",
                                         "itc", id, job, key));
    return spark_done(s,
                      spark_bound(s, "UPDATE part SET batch=? WHERE job=? AND batch IS NULL", "it", id, job));
}

int64_t spark_batch_make(spark_store *s, ss_str job, const char *key, const char *kind, bool late,
                         int64_t now_us)
{
    if (!spark_done(
            s,
            spark_bound(s, "INSERT INTO batch(job,key,kind,late,state,made_us) VALUES(?,?,?,?,'waiting',?)",
                        "tccii", job, key ? key : "", kind, (int64_t)late, now_us)))
        return 0;
    int64_t id = sqlite3_last_insert_rowid(s->db);
    bool good =
        take_files(s, job, key, id) &&
        spark_done(
            s,
            spark_bound(
                s,
                "UPDATE batch SET files_of=id, named=id, (files,bytes,events,min_us,max_us)=(SELECT COUNT(*),"
                "SUM(f.bytes),SUM(f.events),MIN(f.min_us),MAX(f.max_us) FROM part p JOIN file f ON "
                "f.id=p.file WHERE p.batch=batch.id) WHERE id=?",
                "i", id));
    return good ? id : 0;
}

int64_t spark_batch_copy(spark_store *s, const spark_batch *from, ss_str job, const char *kind,
                         int64_t now_us)
{
    if (!spark_done(
            s, spark_bound(s,
                           "INSERT INTO batch(job,key,kind,late,files_of,state,made_us,files,bytes,events,"
                           "min_us,max_us) VALUES(?,?,?,?,?,'waiting',?,?,?,?,?,?)",
                           "tcciiiiiiii", job, from->key, kind, (int64_t)from->late, from->files_of, now_us,
                           from->files, from->bytes, from->events, from->min_us, from->max_us)))
        return 0;
    int64_t id = sqlite3_last_insert_rowid(s->db);
    int64_t named = ss_eq(job, ss_cstr(from->job)) ? from->named : id;
    return spark_done(s, spark_bound(s, "UPDATE batch SET named=? WHERE id=?", "ii", named, id)) ? id : 0;
}

bool spark_batch_get(spark_store *s, int64_t id, spark_batch *b)
{
    sqlite3_stmt *q = spark_bound(
        s,
        "SELECT id,files_of,attempt,made_us,due_us,sent_us,ended_us,files,bytes,events,min_us,max_us,"
        "named,late,job,key,kind,state,ext,reason FROM batch WHERE id=?",
        "i", id);
    bool found = q && sqlite3_step(q) == SQLITE_ROW;
    memset(b, 0, sizeof *b);
    if (found) {
        int64_t *const numbers[] = {&b->id,      &b->files_of, &b->attempt, &b->made_us, &b->due_us,
                                    &b->sent_us, &b->ended_us, &b->files,   &b->bytes,   &b->events,
                                    &b->min_us,  &b->max_us,   &b->named};
        for (int i = 0; i < 13; i++)
            *numbers[i] = sqlite3_column_int64(q, i);
        b->late = sqlite3_column_int(q, 13) != 0;
        copy_text(b->job, sizeof b->job, q, 14);
        copy_text(b->key, sizeof b->key, q, 15);
        copy_text(b->kind, sizeof b->kind, q, 16);
        copy_text(b->state, sizeof b->state, q, 17);
        copy_text(b->ext, sizeof b->ext, q, 18);
        copy_text(b->reason, sizeof b->reason, q, 19);
    }
    if (q)
        (void)sqlite3_reset(q);
    return found;
}

bool spark_batch_put(spark_store *s, const spark_batch *b)
{
    return spark_done(
        s, spark_bound(s,
                       "UPDATE batch SET state=?,attempt=?,ext=?,reason=?,due_us=?,sent_us=?,ended_us=? "
                       "WHERE id=?",
                       "cicciiii", b->state, b->attempt, b->ext, b->reason, b->due_us, b->sent_us,
                       b->ended_us, b->id));
}

bool spark_batches(spark_store *s, const char *state, ss_str job, int64_t due_us, int64_t limit,
                   bool (*visit)(void *arg, const spark_batch *b), void *arg)
{
    sqlite3_stmt *q;
    if (!state)
        q = spark_bound(s, "SELECT id FROM batch ORDER BY id DESC LIMIT ?", "i", limit);
    else if (job.len)
        q = spark_bound(s,
                        "SELECT id FROM batch b INDEXED BY batch_ready WHERE state=?1 AND due_us<=?2 AND "
                        "job=?3 AND (key='' OR NOT EXISTS("
                        "SELECT 1 FROM batch o WHERE o.job=b.job AND o.key=b.key AND (o.state IN "
                        "('sending','running') OR (o.state='waiting' AND o.id<b.id AND o.due_us<=?2))))"
                        " ORDER BY id LIMIT ?4",
                        "citi", state, due_us, job, limit);
    else
        q = spark_bound(s, "SELECT id FROM batch WHERE state=? AND due_us<=? ORDER BY id LIMIT ?", "cii",
                        state, due_us, limit);
    int64_t *ids = calloc((size_t)limit + 1, sizeof *ids);
    size_t count = 0;
    int rc = SQLITE_ERROR;
    while (q && ids && (rc = sqlite3_step(q)) == SQLITE_ROW)
        ids[count++] = sqlite3_column_int64(q, 0);
    bool good = rc == SQLITE_DONE;
    if (q)
        (void)sqlite3_reset(q);
    for (size_t i = 0; good && i < count; i++) {
        spark_batch b;
        good = spark_batch_get(s, ids[i], &b);
        if (good && !visit(arg, &b))
            break;
    }
    free(ids);
    return good;
}

int64_t spark_count(spark_store *s, const char *state, ss_str job)
{
    if (job.len)
        return number(
            s, spark_bound(s, "SELECT COUNT(*) FROM batch WHERE state=? AND job=?", "ct", state, job), 0);
    return number(s, spark_bound(s, "SELECT COUNT(*) FROM batch WHERE state=?", "c", state), 0);
}

bool spark_batch_files(spark_store *s, const spark_batch *b, bool earlier,
                       bool (*visit)(void *arg, ss_str path), void *arg)
{
    sqlite3_stmt *q =
        earlier
            ? spark_bound(
                  s,
                  "SELECT f.path FROM batch b JOIN part p ON p.job=b.job AND p.key=b.key AND "
                  "p.batch<>b.id JOIN file f ON f.id=p.file WHERE b.id=? AND b.key<>'' ORDER BY f.path",
                  "i", b->files_of)
            : spark_bound(
                  s, "SELECT f.path FROM part p JOIN file f ON f.id=p.file WHERE p.batch=? ORDER BY f.path",
                  "i", b->files_of);
    int rc = SQLITE_ERROR;
    while (q && (rc = sqlite3_step(q)) == SQLITE_ROW)
        if (!visit(arg, ss_s((const char *)sqlite3_column_text(q, 0), (size_t)sqlite3_column_bytes(q, 0))))
            break;
    if (q)
        (void)sqlite3_reset(q);
    return rc == SQLITE_DONE;
}

void spark_batch_name(const spark_store *s, int64_t id, char out[SPARK_NAME_MAX + 1])
{
    (void)snprintf(out, SPARK_NAME_MAX + 1, "%s-%s-%06" PRId64, s->instance, s->salt, id);
}

void spark_run_name(const spark_store *s, const spark_batch *b, char out[SPARK_NAME_MAX + 1])
{
    char name[SPARK_NAME_MAX + 1];
    spark_batch_name(s, b->id, name);
    (void)snprintf(out, SPARK_NAME_MAX + 1, "%.43s-%" PRId64, name, b->attempt);
}
