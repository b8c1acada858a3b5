/* What the store forgets: batches that ended long ago with all that was made of them, then files that no
   batch has, then names of manifests. A partition goes as a whole; that it was there is kept. */
#include <stdlib.h>

#include "plugins/common/spark_store_inside.h"

/* A batch of the family of ?, which may still change or is younger than ?1. */
#define LIVES(root)                                                                                          \
    "SELECT 1 FROM batch m WHERE m.files_of=" root " AND (m.state NOT IN ('done','dropped','rerun') OR "     \
    "max(m.ended_us,m.made_us)>=?1)"

/* Batches with files of their own of which nothing lives; of a partition: of whose other batches nothing
 * lives, either, and to which no file waits. */
static const char dead_roots[] = "SELECT r.id FROM batch r WHERE r.files_of=r.id AND NOT EXISTS(" LIVES(
    "r.id") ") AND (r.key='' OR (NOT "
            "EXISTS(SELECT 1 FROM part p WHERE p.job=r.job AND p.key=r.key AND p.batch IS NULL) AND NOT "
            "EXISTS(SELECT 1 "
            "FROM batch o WHERE o.job=r.job AND o.key=r.key AND o.files_of=o.id AND EXISTS(" LIVES(
                "o.id") "))))"
                        " ORDER BY r.id LIMIT ?2";

static size_t read_ids(sqlite3_stmt *q, int64_t *ids, size_t max)
{
    size_t count = 0;
    while (q && count < max && sqlite3_step(q) == SQLITE_ROW)
        ids[count++] = sqlite3_column_int64(q, 0);
    if (q)
        (void)sqlite3_reset(q);
    return count;
}

/* Its reruns and followers are told, too. */
static bool tell_family(spark_store *s, int64_t root, const spark_pruner *p)
{
    int64_t ids[SPARK_PRUNE_MAX];
    int64_t after = 0;
    size_t count;
    do {
        count = read_ids(spark_bound(s, "SELECT id FROM batch WHERE files_of=? AND id>? ORDER BY id LIMIT ?",
                                     "iii", root, after, (int64_t)SPARK_PRUNE_MAX),
                         ids, SPARK_PRUNE_MAX);
        for (size_t i = 0; i < count; i++) {
            spark_batch b;
            if (!spark_batch_get(s, ids[i], &b))
                return false;
            p->gone(p->arg, &b);
            after = ids[i];
        }
    } while (count == SPARK_PRUNE_MAX);
    return true;
}

static bool forget_root(spark_store *s, int64_t root)
{
    return spark_done(
               s, spark_bound(s,
                              "INSERT OR IGNORE INTO pruned_part SELECT job,key FROM batch WHERE id=? AND "
                              "key<>''",
                              "i", root)) &&
           spark_done(s, spark_bound(s, "DELETE FROM part WHERE batch=?", "i", root)) &&
           spark_done(s, spark_bound(s, "DELETE FROM batch WHERE files_of=?", "i", root));
}

static bool prune_batches(spark_store *s, spark_pruner *p, bool *more)
{
    int64_t ids[SPARK_PRUNE_MAX];
    size_t count =
        read_ids(spark_bound(s, dead_roots, "ii", p->cut_us, (int64_t)SPARK_PRUNE_MAX), ids, SPARK_PRUNE_MAX);
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = tell_family(s, ids[i], p) && forget_root(s, ids[i]);
    p->batches += good ? (int64_t)count : 0;
    *more = *more || count == SPARK_PRUNE_MAX;
    return good;
}

/* Ids grow with the time at which files were seen: the first young one ends it. */
static bool prune_files(spark_store *s, spark_pruner *p, bool *more)
{
    int64_t ids[SPARK_PRUNE_MAX];
    size_t count = read_ids(
        spark_bound(
            s,
            "SELECT id FROM (SELECT id,seen_us FROM file WHERE id>?1 ORDER BY id LIMIT ?3) WHERE seen_us<?2",
            "iii", p->file, p->cut_us, (int64_t)SPARK_PRUNE_MAX),
        ids, SPARK_PRUNE_MAX);
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = spark_done(
            s, spark_bound(s,
                           "DELETE FROM file WHERE id=?1 AND NOT EXISTS(SELECT 1 FROM job j JOIN part "
                           "p ON p.job=j.name AND p.file=?1)",
                           "i", ids[i]));
    p->file = count ? ids[count - 1] : 0;
    *more = *more || count == SPARK_PRUNE_MAX;
    return good;
}

static bool forget_manifest(spark_store *s, const char *name)
{
    size_t len = spark_stream_len(ss_cstr(name));
    char newest[SPARK_MANIFEST_MAX];
    if (!len || !spark_manifest_newest(s, ss_cstr(name), newest)) /* the newest is where a listing goes on */
        return true;
    return spark_done(
               s, spark_bound(s,
                              "INSERT INTO pruned_manifest VALUES(?1,?2) ON CONFLICT(stream) DO UPDATE SET "
                              "through=max(through,?2)",
                              "tc", ss_s(name, len), name)) &&
           spark_done(s, spark_bound(s, "DELETE FROM manifest WHERE name=?", "c", name));
}

static bool prune_manifests(spark_store *s, spark_pruner *p, bool *more)
{
    char names[SPARK_PRUNE_MAX][SPARK_MANIFEST_MAX];
    size_t count = 0;
    sqlite3_stmt *q = spark_bound(
        s, "SELECT name FROM manifest WHERE name>? AND seen_us<? AND length(name)<? ORDER BY name LIMIT ?",
        "ciii", p->manifest, p->cut_us, (int64_t)SPARK_MANIFEST_MAX, (int64_t)SPARK_PRUNE_MAX);
    while (q && count < SPARK_PRUNE_MAX && sqlite3_step(q) == SQLITE_ROW)
        (void)snprintf(names[count++], SPARK_MANIFEST_MAX, "%s", (const char *)sqlite3_column_text(q, 0));
    if (q)
        (void)sqlite3_reset(q);
    bool good = q != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = forget_manifest(s, names[i]);
    (void)snprintf(p->manifest, sizeof p->manifest, "%s", count ? names[count - 1] : "");
    *more = *more || count == SPARK_PRUNE_MAX;
    return good;
}

bool spark_prune(spark_store *s, spark_pruner *p, bool *more)
{
    *more = false;
    return prune_batches(s, p, more) && prune_files(s, p, more) && prune_manifests(s, p, more);
}

bool spark_part_pruned(spark_store *s, ss_str job, const char *key)
{
    sqlite3_stmt *q = spark_bound(s, "SELECT 1 FROM pruned_part WHERE job=? AND key=?", "tc", job, key);
    bool found = q && sqlite3_step(q) == SQLITE_ROW;
    if (q)
        (void)sqlite3_reset(q);
    return found;
}
