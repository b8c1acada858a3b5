/* Which files become one: of closed partitions, small ones together until they make a large one. */
#ifndef COMPACT_PLAN_H
#define COMPACT_PLAN_H

#include "modules/compact/index.h"

#define PLAN_FILES_MAX   10000u /* in one unit */
#define PLAN_PARQUET_MAX 1000u  /* of Parquet files: their footers are in memory together */
/* A file that a compaction made comes into the next one only where what joins it is at least so great a part
   of it: each line is written anew a few times in its life, not with each late file. */
#define PLAN_PART 4

enum file_kind { FILE_OTHER, FILE_LINES, FILE_GZIP, FILE_PARQUET };

typedef struct plan_rules {
    int64_t now_us, unit_us, grace_us; /* unit: hour or day                    */
    int64_t size;                      /* bytes that a file should have        */
    bool parquet;     /* lines become Parquet, be they one large file; Parquet files become one of few */
    ss_str partition; /* only what is below it, closed or not; empty: all that is closed */
} plan_rules;

typedef struct plan_unit { /* files: places in index.files */
    const size_t *files;
    size_t count;
    int64_t bytes, lines, start_us; /* start: of the partition */
} plan_unit;

enum file_kind plan_kind(const char *name);
const char *plan_extension(enum file_kind kind);
/* Lines that become Parquet. */
bool plan_converts(const plan_rules *r, const index_file *f);
/* Oldest partitions first. visit may let the index take units in; false ends it. false: no memory, or visit
   said so. */
bool plan_make(const lake_index *x, const plan_rules *r, bool (*visit)(void *arg, const plan_unit *u),
               void *arg);

#endif
