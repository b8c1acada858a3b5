/* What the compiler makes of a schema and the validator walks; for json_schema*.c only. */
#ifndef COMMON_JSON_SCHEMA_INSIDE_H
#define COMMON_JSON_SCHEMA_INSIDE_H

#include "plugins/common/exact.h"
#include "plugins/common/json_schema.h"
#include "plugins/common/json_schema_format.h"
#include "plugins/common/json_schema_pattern.h"

#define SCHEMA_NO_SLOT 0xFFFFu

typedef struct json_schema_node json_schema_node;
typedef struct json_schema_refs json_schema_refs;

typedef struct json_schema_bound { /* minimum and its like; text.ptr NULL: not given */
    exact value;
    ss_str text;
} json_schema_bound;

typedef struct json_schema_numbers {
    json_schema_bound minimum, maximum, above, below, multiple;
} json_schema_numbers;

typedef struct json_schema_count { /* minLength and its like */
    uint64_t value;
    ss_str text;
} json_schema_count;

typedef struct json_schema_strings {
    json_schema_count min, max;
    json_schema_pattern *pattern;
    ss_str pattern_text;
    json_schema_format format;
    ss_str format_text;
} json_schema_strings;

typedef struct json_schema_arrays {
    json_schema_node **prefix;
    uint32_t prefix_count;
    json_schema_node *items, *contains;
    json_schema_count min, max, min_contains, max_contains;
    bool unique;
} json_schema_arrays;

typedef struct json_schema_name { /* a property that the subschema mentions anywhere */
    ss_str text;
    uint32_t hash;
    json_schema_node *node; /* in properties, or NULL */
} json_schema_name;

typedef struct json_schema_by_pattern {
    json_schema_pattern *pattern;
    json_schema_node *node;
} json_schema_by_pattern;

typedef struct json_schema_dependence { /* where `name` is there: these have to be, this subschema holds */
    uint16_t name;
    uint16_t *required;
    uint32_t required_count;
    json_schema_node *node;
} json_schema_dependence;

typedef struct json_schema_objects {
    json_schema_name *names;
    uint16_t *table; /* hash -> index of names, open addressing; SCHEMA_NO_SLOT = free */
    uint32_t name_count, mask;
    uint16_t *required;
    uint32_t required_count;
    json_schema_by_pattern *patterns;
    uint32_t pattern_count;
    json_schema_node *additional, *property_names;
    json_schema_dependence *dependences;
    uint32_t dependence_count;
    json_schema_count min, max;
} json_schema_objects;

typedef struct json_schema_list {
    json_schema_node **nodes;
    uint32_t count;
} json_schema_list;

struct json_schema_node {
    uint32_t token; /* in the schema's tape */
    bool never;     /* false */
    bool plain;     /* nothing but what `types` and the four groups say */
    uint32_t types; /* 0 = any; SCHEMA_INTEGER without SCHEMA_NUMBER: integers only */
    ss_str type_text;
    json_schema_numbers *numbers;
    json_schema_strings *strings;
    json_schema_arrays *arrays;
    json_schema_objects *objects;
    json_schema_node *ref;
    uint32_t constant, choices; /* tokens of the schema's tape; 0 = none */
    json_schema_list all, any, one;
    json_schema_node *not_, *if_, *then_, *else_;
    ss_str doc;
    uint8_t cycle; /* while cycles are looked for */
};

typedef struct json_schema_chunk {
    struct json_schema_chunk *next;
    _Alignas(16) char bytes[];
} json_schema_chunk;

struct json_schema {
    json_schema_options options;
    json_schema_chunk *chunks; /* everything below lives there, but for compiled patterns */
    size_t chunk_left;
    char *chunk_at;
    json_tape tape;
    json_schema_node **nodes; /* by token; NULL = not a subschema (yet) */
    uint32_t node_count;
    json_schema_node *root;
    json_schema_pattern **patterns; /* to be freed */
    uint32_t pattern_count, pattern_size;
    char *warnings[SCHEMA_WARNINGS_MAX];
    uint32_t warning_count;
    uint64_t seed; /* of hashes of values: nobody outside can make them collide */
};

/* One schema being compiled. */
typedef struct json_schema_compiler {
    json_schema *s;
    json_schema_refs *refs;
    json_schema_problem *why;
} json_schema_compiler;

/* json_schema_compile.c; the first thing that is wrong stays */
bool json_schema_refuse(json_schema_compiler *c, uint32_t token, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool json_schema_no_memory(json_schema_compiler *c);
json_schema_node *json_schema_compile_at(json_schema_compiler *c, uint32_t token); /* NULL: refused */
json_schema_pattern *json_schema_compile_pattern(json_schema_compiler *c, uint32_t token);

/* json_schema_rules.c: the keywords about one type of value. *known false: it is none of them. */
bool json_schema_compile_rule(json_schema_compiler *c, json_schema_node *n, uint32_t key, bool *known);

/* json_schema_memory.c */
void *json_schema_take(json_schema *s, size_t len); /* zeroed, 16-byte aligned; NULL = no memory */

/* json_schema_value.c: two values of two tapes; objects in any order, numbers by value. */
bool json_schema_equal(const json_tape *a, uint32_t i, const json_tape *b, uint32_t j);
uint64_t json_schema_hash(const json_tape *t, uint32_t token, uint64_t seed);

/* json_schema_refs.c */
json_schema_refs *
json_schema_refs_new(json_schema *s, json_schema_problem *why); /* walks the schema, notes $id and $anchor */
void json_schema_refs_free(json_schema_refs *refs);
/* The token that a $ref, standing in the subschema at that token, points at; 0 with why: none. Token 0 is the
   root itself: so the answer is the token + 1. */
uint32_t json_schema_refs_find(json_schema_refs *refs, uint32_t from, ss_str reference,
                               json_schema_problem *why);

/* json_schema_keywords.c */
enum json_schema_keyword_form {
    FORM_UNKNOWN = 0,
    FORM_VALUE,      /* carried out; no subschema in it        */
    FORM_ANNOTATION, /* passed over                            */
    FORM_UNSUPPORTED,
    FORM_SCHEMA, /* one subschema                          */
    FORM_LIST,   /* a list of them                         */
    FORM_MAP     /* an object of them                      */
};
enum json_schema_keyword_form json_schema_keyword_form_of(ss_str name);
const char *json_schema_keyword_near(ss_str name); /* NULL: nothing looks alike */

#endif
