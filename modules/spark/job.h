/* The jobs of the configuration: when each is started, and with what. Read-only after create(). */
#ifndef SPARK_JOB_H
#define SPARK_JOB_H

#include "modules/spark/cron.h"
#include "plugins/common/grow.h"
#include "plugins/common/spark_store.h"

#define JOBS_MAX       32u
#define JOB_ARGS_BYTES (64u << 10) /* of all arguments of one run */
#define HOUR_US        3600000000ll
#define DAY_US         (24 * HOUR_US)

enum job_on { ON_CLOSED, ON_AMOUNT, ON_CRON, ON_MANUAL, ON_AFTER };

typedef struct spark_job {
    ss_str name, after, prefix, file, class_name;
    const ss_config *args, *conf, *submit_args; /* lists and a map of texts, or NULL */
    enum job_on on;
    int64_t unit_us, grace_us, files, bytes, events;
    cron cron;
    bool late, together; /* together: folders do not part partitions */
    int64_t timeout_ms, retries, backoff_ms, concurrency;
} spark_job;

typedef struct spark_jobs {
    spark_job at[JOBS_MAX];
    size_t count;
} spark_jobs;

extern const ss_option spark_job_options[];

bool jobs_read(spark_jobs *jobs, const ss_host *host, const ss_config *cfg, ss_error *err);
const spark_job *jobs_find(const spark_jobs *jobs, ss_str name);

/* ---- templates over the batch ---- */

typedef struct run_facts {
    const spark_batch *batch;
    const char *batch_name, *run, *list; /* list: the file with the batch's files */
} run_facts;

/* Appends text with {batch}, {run}, {job}, {list}, {partition}, {kind}, {late}, {attempt}, {files}, {bytes},
   {events}, {from}, {through} filled in; "{{" and "}}" are braces. facts NULL: only checks. */
bool job_expand(ss_str text, const run_facts *facts, grow *out, ss_error *err);

#endif
