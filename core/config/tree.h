/* One YAML document as a tree in which every node knows its place. Nodes and texts live in the arena.
   Bounded: TREE_* below, so that neither deep nesting nor aliases of aliases can grow it. */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "core/config/problems.h"

#define TREE_FILE_BYTES_MAX (4u * 1024 * 1024)
#define TREE_DEPTH_MAX      32u
#define TREE_NODES_MAX      20000u /* with every alias counted as what it stands for */
#define TREE_ANCHORS_MAX    256u

enum tree_kind { TREE_SCALAR = 1, TREE_MAP = 2, TREE_LIST = 3 };

typedef struct tree tree;

typedef struct tree_item { /* of a map: key and value; of a list: value */
    tree *key, *value;
    struct tree_item *next;
} tree_item;

struct tree {
    enum tree_kind kind;
    bool quoted; /* scalar: written in quotes, so never null */
    place at;
    ss_str text; /* scalar; NUL-terminated, without NUL inside */
    tree_item *first, *last;
    size_t count;
};

/* NULL where it cannot be read. A key that stands twice is a problem too, but the rest goes on to be checked.
   An empty document gives an empty map. */
tree *tree_parse(arena *a, problems *p, const char *file, const char *text, size_t len);
tree *tree_scalar(arena *a, place at, const char *text);
tree *tree_map(arena *a, place at);
bool tree_append(arena *a, tree *parent, tree *key, tree *value); /* false: out of memory */

bool tree_is_null(const tree *node); /* NULL, or a plain scalar that says nothing: "", ~, null */
const tree_item *tree_find(const tree *map, const char *key);
/* "a mapping", "a list", "a value": for messages */
const char *tree_kind_name(const tree *node);

#endif
