/* What the module spark knows: the lake's files, which batch has which of them, and how each batch fares. One
   SQLite file below the module's folder, which `streamsteam spark` opens as well while the server runs. One
   thread each. Every function that says bool is false after an error; spark_store_problem() says which. */
#ifndef COMMON_SPARK_STORE_H
#define COMMON_SPARK_STORE_H

#include "streamsteam/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SPARK_STORE_FILE   "spark.db"
#define SPARK_NAME_MAX     64u   /* bytes of a batch's or a run's name: what a client token may have */
#define SPARK_KEY_MAX      1024u /* of a partition's key, with its NUL */
#define SPARK_JOB_MAX      64u   /* of a job's name, with its NUL     */
#define SPARK_STATE_MAX    16u
#define SPARK_EXT_MAX      256u /* of the target's own id            */
#define SPARK_REASON_MAX   400u
#define SPARK_MANIFEST_MAX 256u /* of a manifest's name, with its NUL */

typedef struct spark_store spark_store;

/* instance: the module's name in the YAML, of which run names begin. NULL: err says why. */
spark_store *spark_store_open(const char *path, ss_str instance, bool create, ss_error *err);
void spark_store_close(spark_store *s);
const char *spark_store_problem(const spark_store *s);

bool spark_store_begin(spark_store *s);
bool spark_store_commit(spark_store *s);
void spark_store_undo(spark_store *s);
/* Commits are not synced each, but by the next that is; between transactions. */
void spark_store_lazy(spark_store *s, bool lazy);

/* ---- the lake ---- */

typedef struct spark_file {
    ss_str path; /* below the lake */
    int64_t bytes, events, min_us, max_us, seen_us;
} spark_file;

bool spark_manifest_seen(spark_store *s, ss_str name);
/* The newest of the same stream (<journal>-<module>-<from>-<through>.json) where it is newer than this one.
 */
bool spark_manifest_newest(spark_store *s, ss_str name, char newest[SPARK_MANIFEST_MAX]);
bool spark_manifest_add(spark_store *s, ss_str name, int64_t now_us);
/* The file's id, also where it is known; 0: failed. */
int64_t spark_file_add(spark_store *s, const spark_file *f);
/* The job will need that file: key is its partition, which ends at end_us. */
bool spark_part_add(spark_store *s, ss_str job, int64_t file, ss_str key, int64_t end_us, int64_t seen_us);
/* Every file that is known; for a job that is new. */
bool spark_files(spark_store *s, bool (*visit)(void *arg, int64_t id, const spark_file *f), void *arg);
int64_t spark_newest_us(spark_store *s); /* the newest event of the lake; 0 = none */

/* ---- jobs ---- */

/* *fired_us: when its cron fired last; *known: it was seen before. */
bool spark_job_get(spark_store *s, ss_str job, int64_t *fired_us, bool *known);
bool spark_job_set(spark_store *s, ss_str job, int64_t fired_us);

typedef struct spark_group { /* files of one partition that are in no batch yet */
    const char *key;
    int64_t end_us, first_seen_us, last_seen_us, files, bytes, events;
    bool late; /* the partition has had a batch */
} spark_group;
/* visit must not change the store. */
bool spark_groups(spark_store *s, ss_str job, bool (*visit)(void *arg, const spark_group *g), void *arg);

/* ---- batches ---- */

typedef struct spark_batch {
    int64_t named; /* the batch under whose name results appear: its own; of a rerun, that of the first */
    int64_t id, files_of, attempt, made_us, due_us, sent_us, ended_us, files, bytes, events, min_us, max_us;
    char job[SPARK_JOB_MAX], key[SPARK_KEY_MAX], kind[SPARK_STATE_MAX], state[SPARK_STATE_MAX];
    char ext[SPARK_EXT_MAX], reason[SPARK_REASON_MAX];
    bool late;
} spark_batch;

/* Takes the job's waiting files (of one partition; key NULL: all) into a new batch; 0: failed or none. */
int64_t spark_batch_make(spark_store *s, ss_str job, const char *key, const char *kind, bool late,
                         int64_t now_us);
/* A batch of another's files: kind "after" or "rerun". */
int64_t spark_batch_copy(spark_store *s, const spark_batch *from, ss_str job, const char *kind,
                         int64_t now_us);
bool spark_batch_get(spark_store *s, int64_t id, spark_batch *out);
/* state, attempt, ext, due, sent, ended, reason go to the disk. */
bool spark_batch_put(spark_store *s, const spark_batch *b);
/* Of one state, in order of their ids: those that are due by then, of one job (empty: of all); state NULL:
   all batches, newest first. Of one job: only one of a partition, and none while another of that partition is
   under way, so that two runs never write one partition's results at a time. Ids are read first: visit may
   change the store. */
bool spark_batches(spark_store *s, const char *state, ss_str job, int64_t due_us, int64_t limit,
                   bool (*visit)(void *arg, const spark_batch *b), void *arg);
int64_t spark_count(spark_store *s, const char *state, ss_str job); /* job empty: of all */
/* earlier: those that other batches of the partition have, in place of its own. */
bool spark_batch_files(spark_store *s, const spark_batch *b, bool earlier,
                       bool (*visit)(void *arg, ss_str path), void *arg);

/* ---- forgetting ---- */

#define SPARK_PRUNE_MAX 64u /* of each kind in one call */

typedef struct spark_pruner { /* zeroed but for cut_us, gone and arg; the rest is where the next call goes on
                               */
    int64_t cut_us;           /* what ended, or was seen, before may go */
    void (*gone)(void *arg,
                 const spark_batch *b); /* before it is forgotten; may be told once more after a crash */
    void *arg;
    int64_t batches, file; /* batches: how many went, without their reruns and followers */
    char manifest[SPARK_MANIFEST_MAX];
} spark_pruner;

/* Between begin and commit. Never goes: what waits, runs or failed; a batch of which a rerun or a follower
   lives; a partition of which a batch lives or a file waits; a file that a batch has. *more: call again. */
bool spark_prune(spark_store *s, spark_pruner *p, bool *more);
/* The partition's batches were forgotten: nobody knows its files any more. */
bool spark_part_pruned(spark_store *s, ss_str job, const char *key);

/* "<instance>-<salt>-<id>", and with "-<attempt>" for a run; what the outside sees. */
void spark_batch_name(const spark_store *s, int64_t id, char out[SPARK_NAME_MAX + 1]);
void spark_run_name(const spark_store *s, const spark_batch *b, char out[SPARK_NAME_MAX + 1]);

#ifdef __cplusplus
}
#endif
#endif
