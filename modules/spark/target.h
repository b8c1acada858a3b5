/* Where runs go: one vtable for each kind of target. All calls may take up to CALL_MS, on the module's
   thread. A run's name is unique; a target never starts two runs of one name where it can tell. */
#ifndef SPARK_TARGET_H
#define SPARK_TARGET_H

#include "modules/spark/job.h"
#include "plugins/common/aws/options.h"

#define CALL_MS       10000
#define ARGUMENTS_MAX 1024u

enum answer {
    RUN_STARTED, /* submit, find: it is there; run->ext is its id                              */
    RUN_ABSENT,  /* find: it is not there                                                      */
    RUN_GOING,   /* poll                                                                       */
    RUN_DONE,    /* poll                                                                       */
    RUN_FAILED,  /* poll: it ended, and not well. submit: it was refused                       */
    RUN_BUSY,    /* submit: not now, and nothing was started                                   */
    RUN_UNKNOWN, /* submit: it may have been started; find, poll: nobody answers now           */
    RUN_LOST,    /* find, poll: nobody will ever know                                          */
    RUN_PAUSE    /* credentials or target wrong: nothing was started; a person must act        */
};

typedef struct spark_run {
    const spark_job *job;
    const spark_batch *batch;
    char name[SPARK_NAME_MAX + 1], batch_name[SPARK_NAME_MAX + 1];
    const char *list;
    char ext[SPARK_EXT_MAX], why[SPARK_REASON_MAX]; /* out */
    grow arguments;                                 /* NUL-terminated texts, one behind the other */
    size_t first_args, count;                       /* which of them are the application's */
} spark_run;

typedef struct spark_target spark_target;
struct spark_target {
    const ss_host *host;
    void *self;
    bool unsure;                /* find cannot prove that a run is absent */
    int64_t poll_ms, settle_ms; /* settle: how long a request may be under way after its sender was gone */
    enum answer (*submit)(spark_target *t, spark_run *r);
    enum answer (*find)(spark_target *t, spark_run *r);
    enum answer (*poll)(spark_target *t, spark_run *r);
    void (*end)(spark_target *t, spark_run *r);
    int32_t (*check)(spark_target *t, ss_error *err);
    /* What is left of a run on this machine goes; NULL: nothing is. */
    void (*forget)(spark_target *t, const char *run);
    void (*free)(spark_target *t);
};

/* cfg: the instance's; each fills the vtable, or says in err what is missing. */
bool target_local(spark_target *t, const ss_config *cfg, ss_error *err);
bool target_emr(spark_target *t, const ss_config *cfg, ss_error *err);
bool target_serverless(spark_target *t, const ss_config *cfg, ss_error *err);
bool target_glue(spark_target *t, const ss_config *cfg, ss_error *err);
bool target_livy(spark_target *t, const ss_config *cfg, ss_error *err);
bool target_standalone(spark_target *t, const ss_config *cfg, ss_error *err);

/* ---- what they share ---- */

enum answer run_says(spark_run *r, enum answer answer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The job's list of templates, filled in, as JSON strings with commas between, or as texts. */
bool run_arguments(const spark_target *t, const spark_run *r, const ss_config *list, grow *json);
/* --name, --conf, --class, the job's submit_args, file and arguments: what follows "spark-submit". As texts
   (NUL behind each) or as JSON strings. */
bool run_command(const spark_target *t, const spark_run *r, bool json, grow *out, size_t *count);
void json_text(grow *out, ss_str text);
void json_pair(grow *out, const char *name, ss_str text); /* "name":"text" */
/* {"spark.app.name":run, ...conf} */
bool run_properties(const spark_target *t, const spark_run *r, grow *out);

/* The scalar at "a.b.c" of a JSON text, unescaped; false: absent or longer. */
bool json_member_text(ss_str json, const char *path, char *out, size_t size);
/* Each item of the array at `path`, as written; visit false ends it. */
bool json_each(ss_str json, const char *path, bool (*visit)(void *arg, ss_str item), void *arg);

#endif
