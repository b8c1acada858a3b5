/* The lake as this module reads it: manifests, each once, and nothing else. Where they lie is behind
   lake_source, of which a directory is one kind; an object store is another (list names, read one). */
#ifndef SPARK_LAKE_H
#define SPARK_LAKE_H

#include "plugins/common/grow.h"
#include "plugins/common/lake_manifest.h"
#include "plugins/common/spark_store.h"

typedef struct lake_source lake_source;
struct lake_source {
    void *self;
    /* Every manifest's name, in any order. false: err says why; names that came count all the same. */
    bool (*list)(void *self, bool (*visit)(void *arg, ss_str name), void *arg, ss_error *err);
    bool (*read)(void *self, ss_str name, grow *out, ss_error *err);
    /* False: no manifest can have come since the last list(). */
    bool (*changed)(void *self);
    void (*free)(void *self);
    const char *(*base)(void *self); /* of paths, without a slash at the end */
};

/* A directory; it need not exist yet. */
bool lake_directory(lake_source *out, ss_str path, ss_error *err);

/* false: it is none, or visit said so. Objects before the broken place were visited. */
bool manifest_read(ss_str text, bool (*visit)(void *arg, const lake_object *o), void *arg, ss_error *err);

#endif
