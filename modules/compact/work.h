/* One look at a lake: what has to go on goes on, what is closed is compacted. */
#ifndef COMPACT_WORK_H
#define COMPACT_WORK_H

#include "modules/compact/unit.h"

typedef struct work_rules {
    int64_t unit_us, grace_us, keep_us, size;
    bool parquet;
    convert_rules convert;
    ss_str partition; /* only that one, closed or not; empty: all that is closed */
    bool dry_run;
} work_rules;

enum work_result { WORK_DONE, WORK_BUSY, WORK_STOPPED, WORK_FAILED };

typedef struct work {
    work_rules rules;
    lake_index index;
    unit_work unit;
    bool cleaned;
    uint64_t made, replaced, lines, bytes, published, again, damaged; /* since it began */
    ss_error damage;                                                  /* the last one's text */
    void (*tell)(void *arg, const char *line);                        /* what was made, or would be */
    void *arg;
} work;

bool work_init(work *w, const ss_host *host, ss_str lake, bool (*stopping)(void *arg), void *arg,
               ss_error *err);
void work_free(work *w);
/* WORK_BUSY: another process compacts this lake. WORK_FAILED: err says why; it may be tried again. */
enum work_result work_pass(work *w, ss_error *err);

#endif
