/* Batches into runs: intent to the disk, then submit; what was under way is looked up before anything is sent
   again; polled to the end. */
#ifndef SPARK_RUNNER_H
#define SPARK_RUNNER_H

#include "modules/spark/lake.h"
#include "modules/spark/target.h"

typedef struct runner {
    const ss_host *host;
    spark_store *store;
    const spark_jobs *jobs;
    spark_target target;
    const char *lists, *lake; /* the folder of list files; what stands before a file's path in them */
    const char *local;        /* where the lake is here; NULL: in a bucket */
    const lake_source *shelf; /* where lists go besides, for Spark to see; NULL: it sees the folder */
    int64_t concurrency;
    int64_t now_us, poll_at_us, submit_at_us;
    bool stop;                     /* nothing is sent any more in this round */
    bool broken;                   /* the state could not be written */
    char paused[SPARK_REASON_MAX]; /* why nothing is sent; "" = all is well */
    char last_failed[SPARK_REASON_MAX + SPARK_NAME_MAX + 8];
    uint64_t done, failed, sent, retried, unknown, timeouts;
} runner;

/* A batch is forgotten: its list and what its runs left go, too. */
void runner_forget(runner *r, const spark_batch *b);
/* One round at that time. */
void runner_step(runner *r, int64_t now_us);
/* Writes the file that names the batch's files. false: err; with LIST_HOPELESS as its code it will not be
 * better. */
#define LIST_HOPELESS 1u
bool list_write(runner *r, const spark_batch *b, const char *name, const char *path, ss_error *err);

#endif
