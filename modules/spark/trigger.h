/* From manifests to batches: reads what is new in the lake, and decides which partitions are closed, which
   amounts are reached, which times have come. Starts nothing. */
#ifndef SPARK_TRIGGER_H
#define SPARK_TRIGGER_H

#include "modules/spark/job.h"
#include "modules/spark/lake.h"

typedef struct trigger {
    spark_store *store;
    const spark_jobs *jobs;
    lake_source lake;
    grow text;
    int64_t newest_us, arrived_us;  /* newest event; when the last manifest was read */
    int64_t look_us;                /* nothing closes before, unless files come */
    int64_t damaged;                /* manifests that could not be read */
    int64_t made;                   /* batches since start */
    bool half;                      /* not all that the lake has is read yet */
    char trouble[SPARK_REASON_MAX]; /* of the last listing */
    char damaged_name[256];
} trigger;

/* Jobs that are new begin with what the lake has. */
bool trigger_start(trigger *t, int64_t now_us, ss_error *err);
/* One look at lake and clock. false: err says why; what is stored is whole all the same. */
bool trigger_look(trigger *t, int64_t now_us, ss_error *err);
void trigger_stop(trigger *t);

#endif
