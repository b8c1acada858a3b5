/* What a lake holds, read from its manifests once and then kept up to date: each file that is data, and the
   units of compactions that are not done. About 150 bytes a file that is data, 24 one that was replaced. One
   thread, and nobody else compacts meanwhile (disk_lock). */
#ifndef COMPACT_INDEX_H
#define COMPACT_INDEX_H

#include <limits.h>

#include "modules/compact/idmap.h"
#include "modules/compact/manifest.h"

#define NO_UNIT SIZE_MAX

typedef struct index_file {
    const char *folder,
        *name; /* the index's; folder ends in '/' or is empty, equal ones are the same pointer */
    id id;
    int64_t bytes, raw_bytes, count, min_us, max_us, seen_us; /* seen: its manifest's time */
    size_t unit;                                              /* which made it; NO_UNIT: a cut's */
    uint32_t crc;
    bool errors, dead; /* dead: replaced, or not to be had */
} index_file;

typedef struct index_unit {
    const char *name;
    enum unit_state state;
    int64_t written_us, published_us;
    uint64_t inode; /* of its manifest, as it was read */
} index_unit;

typedef struct lake_index {
    char root[PATH_MAX / 2];
    index_file *files;
    size_t file_count, file_size;
    index_unit *units;
    size_t unit_count, unit_size;
    idmap manifests;  /* a cut's name: its inode             */
    idmap unit_names; /* a unit's name: its place in units   */
    idmap replaced;   /* a path: the unit that replaced it   */
    idmap folders;    /* a folder: its place in folder_names */
    const char **folder_names;
    size_t folder_count, folder_size;
    struct index_piece *pieces; /* text: never moves */
    sha256 *hash;
    grow text;
    int64_t newest_us, arrived_us; /* of all files: the last event; of all cuts: the last manifest's time */
    uint64_t damaged;              /* manifests that are none */
    char damaged_name[128];
    /* A file that a unit replaced and removed stands there again: a cut was sealed anew after a crash. */
    void (*again)(void *arg, ss_str path);
    void *arg;
} lake_index;

bool index_init(lake_index *x, ss_str root, ss_error *err);
void index_free(lake_index *x);
/* What is new since the last time. false with err; what was read stays. */
bool index_refresh(lake_index *x, ss_error *err);
/* A unit that was written or went on just now, and nothing else. Files keep their places until the next
   index_refresh(). */
bool index_take_unit(lake_index *x, const char *name, ss_error *err);
/* The unit's text, as a manifest's. */
bool index_read_unit(lake_index *x, const index_unit *u, unit_head *head, const manifest_visitor *v,
                     ss_error *err);

#endif
