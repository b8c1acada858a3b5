/* The lake as this module reads it: manifests, each once, and nothing else. Where they lie is behind
   lake_source, of which a directory is one kind; an object store is another (list names, read one). */
#ifndef SPARK_LAKE_H
#define SPARK_LAKE_H

#include "plugins/common/grow.h"
#include "plugins/common/lake_manifest.h"
#include "plugins/common/spark_store.h"

typedef struct lake_names { /* who is told of names */
    void *arg;
    bool (*wanted)(void *arg, ss_str name); /* it will be read when it is visited */
    bool (*visit)(void *arg, ss_str name);  /* false ends the listing */
    /* The newest known name of that name's stream (one module's cuts in one journal, which sort by time), if
       it is newer than this one: a listing may go on behind it. */
    bool (*known)(void *arg, ss_str name, char newest[SPARK_MANIFEST_MAX]);
} lake_names;

typedef struct lake_source lake_source;
struct lake_source {
    void *self;
    bool slow; /* reading takes its time: each manifest is kept for itself, and a look ends after a while */
    /* Every manifest's name that is not known, in any order. false: err says why; what came counts all the
     * same.
     */
    bool (*list)(void *self, const lake_names *names, ss_error *err);
    bool (*read)(void *self, ss_str name, grow *out, ss_error *err);
    int64_t (*now_us)(void *self); /* of a slow one: the clock */
    /* False: no manifest can have come since the last list(), or it is not time to ask. */
    bool (*changed)(void *self);
    int32_t (*check)(void *self, ss_error *err); /* NULL: there is nothing to ask */
    /* A file for others to read, whole or not at all; NULL: it is on this machine's disk already. */
    bool (*put)(void *self, const char *name, ss_str body, ss_error *err);
    void (*free)(void *self);
    const char *(*base)(void *self); /* of paths, without a slash at the end */
};

/* A directory; it need not exist yet. */
bool lake_directory(lake_source *out, ss_str path, ss_error *err);
/* "s3://bucket/prefix". cfg: the object `s3` with lake_bucket_options. No network. */
bool lake_bucket(lake_source *out, const ss_host *host, const ss_config *cfg, ss_str path, ss_error *err);
extern const ss_option lake_bucket_options[];

/* false: it is none, or visit said so. Objects before the broken place were visited. */
bool manifest_read(ss_str text, bool (*visit)(void *arg, const lake_object *o), void *arg, ss_error *err);

#endif
