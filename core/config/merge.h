/* The configuration file and its conf.d fragments as one: four sections, each key from exactly one place. */
#ifndef CONFIG_MERGE_H
#define CONFIG_MERGE_H

#include "core/config/tree.h"

#define MERGE_FRAGMENTS_MAX 256u

enum merge_section { MERGE_SERVER, MERGE_RECEIVERS, MERGE_ENRICHERS, MERGE_MODULES, MERGE_SECTIONS };

typedef struct merged {
    tree *sections[MERGE_SECTIONS]; /* maps, never NULL after merge_read was true */
} merged;

/* Reads PATH and <directory of PATH>/conf.d/?*.yaml in order of their names. false: out of memory; all else
   that is wrong goes to the problems. */
bool merge_read(arena *a, problems *p, const char *path, merged *out);
/* The same of one text in memory, without fragments. */
bool merge_text(arena *a, problems *p, const char *name, ss_str text, merged *out);

#endif
