/* What the metrics ask of an event: all their paths in one trie, so that one pass of the scanner over the
   stored line finds every value. @app, @type, @id, @key and @receiver are the record's own. The values point
   into the record. */
#ifndef WINDOWS_PATHS_H
#define WINDOWS_PATHS_H

#include "plugins/common/json.h"

#define PATHS_MAX       256u
#define PATHS_NODES_MAX 512u
#define PATHS_NONE      UINT32_MAX

typedef struct path_value { /* valid where round is the present one */
    uint64_t round;
    json_kind kind;
    bool escaped;
    bool plain; /* text is no JSON: of the record's header */
    ss_str text;
} path_value;

typedef struct path_node {
    char *name; /* owned */
    size_t len;
    uint32_t child, sibling, slot; /* PATHS_NONE: none */
} path_node;

typedef struct paths {
    path_node nodes[PATHS_NODES_MAX]; /* [0] is the line itself */
    uint32_t node_count;
    char *names[PATHS_MAX]; /* owned */
    path_value values[PATHS_MAX];
    uint32_t count, headers; /* headers: slots of the record's own come first */
    uint32_t asked;          /* a bit for each of the record's own that a metric asks for */
    uint64_t round;
} paths;

void paths_init(paths *p);
void paths_fini(paths *p);
/* The slot of a path, the same for the same path; PATHS_NONE with err. */
uint32_t paths_add(paths *p, ss_str path, ss_error *err);
void paths_read(paths *p, const ss_record *record);

/* NULL: absent. */
static inline const path_value *paths_get(const paths *p, uint32_t slot)
{
    const path_value *v = &p->values[slot];
    return v->round == p->round ? v : NULL;
}

#endif
