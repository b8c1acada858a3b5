/* A tree checked against option tables: unknown keys, types, ranges, choices, required ones; defaults filled
   in; the result is typed JSON (plan.h says how each type looks there). Every problem is reported, none stops
   the rest. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <jansson.h>

#include "core/config/reference.h"
#include "core/config/tree.h"

#define SCHEMA_PATH_MAX 512u

/* Core's own tables only, in ss_option.flags: one value may stand for a list of one. */
#define SCHEMA_OPT_ONE_OR_LIST 0x80000000u

typedef struct schema {
    arena *arena;
    problems *problems;
    reference_rules references;
    const char *data_dir; /* relative PATH options start here; NULL = they stay as they are */
} schema;

/* Several tables may share one mapping (the host's keys and the plugin's); each has an object of its own. */
typedef struct schema_part {
    const ss_option *options; /* may be NULL: none */
    size_t stride;
    json_t *out;    /* owned by the caller; always an object after schema_check    */
    bool suffix_ms; /* core's own tables: the DURATION "timeout" becomes "timeout_ms" */
} schema_part;

/* node: a mapping, or NULL or null for "nothing given". at: where to point for what is missing. */
void schema_check(schema *s, const tree *node, place at, const char *path, schema_part *parts, size_t count);

/* Row i of a table whose rows may be shorter than ours; the end has name == NULL. */
ss_option schema_option(const ss_option *table, size_t stride, size_t i);
const char *schema_type_name(uint32_t type);
/* "between 1 and 64", "" where there is no range. Returns out. */
const char *schema_range_text(const ss_option *o, char *out, size_t size);

#endif
