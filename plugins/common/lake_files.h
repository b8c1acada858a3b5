/* What is data in a lake on disk, as its manifests say it: the objects of `_manifest/` and `_compact/`
   without those that a compaction replaced. `_compact/` is read first, so that each line is in the list once,
   at every moment, while cuts and compactions go on (docs/compaction.md). No state; any thread. */
#ifndef COMMON_LAKE_FILES_H
#define COMMON_LAKE_FILES_H

#include "plugins/common/lake_manifest.h"

#define LAKE_FILES_MAX 1000000u

typedef struct lake_file {
    char *path;             /* below the lake; owned by the list */
    int64_t min_us, max_us; /* event times; INT64_MIN and INT64_MAX where the manifest has none */
    int64_t bytes;          /* of the file; -1 where the manifest does not say it               */
    bool parquet;
} lake_file;

typedef struct lake_files {
    lake_file *items; /* by path */
    size_t count, size;
    uint64_t through; /* the newest cut's last record; 0: there is no cut */
    int64_t max_us;   /* the newest event time; INT64_MIN: there is none   */
} lake_files;

/* Files of failed input are left out. false with err: a manifest that cannot be read, or too many files. A
   lake without manifests has no files. */
bool lake_files_read(const char *lake, lake_files *out, ss_error *err);
void lake_files_free(lake_files *f);
/* May it hold an event of [from, to)? */
static inline bool lake_file_touches(const lake_file *f, int64_t from_us, int64_t to_us)
{
    return f->max_us >= from_us && f->min_us < to_us;
}
/* Does one of its folders say that it holds the receiver's events: NAME, or KEY=NAME? */
bool lake_file_is_of(const lake_file *f, const char *receiver);

#endif
