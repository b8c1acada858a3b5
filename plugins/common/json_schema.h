/* JSON Schema, draft 2020-12: compiled once, then used by any number of threads; a validation allocates
   nothing but what its caller lends.

       json_schema_problem why;
       json_schema *s = json_schema_new(text, &(json_schema_options){.assert_format = true}, &why);     at
   load json_tape tape;                                                                   for each instance
       json_schema_run run = {.memory = memory, .errors = errors, .max = 20};
       if (json_tape_read(&tape, input, memory) && json_schema_check(s, &tape, 0, &run)) ... valid
       else errors[0 .. min(run.count, run.max)] say what is wrong

   Keywords: $id, $ref, $anchor, $defs, type, enum, const, allOf, anyOf, oneOf, not, if, then, else,
   properties, patternProperties, additionalProperties, propertyNames, required, dependentRequired,
   dependentSchemas, minProperties, maxProperties, prefixItems, items, contains, minContains, maxContains,
   minItems, maxItems, uniqueItems, minLength, maxLength, pattern, format, minimum, maximum, exclusiveMinimum,
   exclusiveMaximum, multipleOf; true and false. Annotations are passed over. Refused by name:
   unevaluatedProperties, unevaluatedItems, $dynamicRef, $dynamicAnchor, $vocabulary, references to other
   documents, and what older drafts meant ($recursiveRef, $recursiveAnchor, dependencies, additionalItems). */
#ifndef COMMON_JSON_SCHEMA_H
#define COMMON_JSON_SCHEMA_H

#include "plugins/common/json_tape.h"

#define SCHEMA_BYTES_MAX    (1024u * 1024)
#define SCHEMA_NODES_MAX    20000u
#define SCHEMA_NAMES_MAX    1024u    /* properties that one subschema names               */
#define SCHEMA_STEPS_MAX    1000000u /* subschemas applied in one validation              */
#define SCHEMA_WARNINGS_MAX 8u
#define SCHEMA_PATH_SIZE    256u

typedef struct json_schema json_schema;

typedef struct json_schema_options {
    bool assert_format; /* formats are checked; else they are annotations                          */
    bool from_doubles;  /* numbers went through a double before: 0.10000000000000001 means 0.1     */
} json_schema_options;

typedef struct json_schema_problem {
    bool unsupported; /* a keyword, or a value of one, that is valid but not carried out here */
    char text[480];   /* "unsupported keyword unevaluatedItems at /properties/a", or what is wrong where */
} json_schema_problem;

json_schema *json_schema_new(ss_str json, const json_schema_options *options, json_schema_problem *why);
void json_schema_free(json_schema *s);

/* Keywords that nobody knows, most likely misspelt; NULL past the last. They have no effect. */
const char *json_schema_warning(const json_schema *s, size_t i);

typedef struct json_schema_error {
    uint32_t token;       /* in the instance's tape                                        */
    const char *keyword;  /* "minimum"; static                                             */
    ss_str expected, got; /* as they stand in schema and instance; borrowed from both      */
} json_schema_error;

typedef struct json_schema_run { /* one validation */
    tape_memory memory;
    json_schema_error *errors; /* room for max; may be NULL where max is 0: only valid or not   */
    uint32_t max, count;       /* count: of all, also those that had no room                    */
    int64_t *pattern_us; /* time that patterns may still take, of many validations together; NULL: any */
} json_schema_run;

/* Checks the value at that token of a tape. Errors come in the order of the instance's members; where none of
   the schemas of anyOf or oneOf fits, those of the nearest one follow. */
bool json_schema_check(const json_schema *s, const json_tape *tape, uint32_t token, json_schema_run *run);

/* The JSON pointer of a token; NUL-terminated, cut where it does not fit. Returns its length. */
size_t json_schema_path(const json_tape *tape, uint32_t token, char *out, size_t size);

/* ---- what a schema declares, for catalogs ---- */

enum json_schema_type { /* bits */
                        SCHEMA_NULL = 1,
                        SCHEMA_BOOLEAN = 2,
                        SCHEMA_OBJECT = 4,
                        SCHEMA_ARRAY = 8,
                        SCHEMA_NUMBER = 16, /* integers included */
                        SCHEMA_STRING = 32,
                        SCHEMA_INTEGER = 64
};

typedef struct json_schema_property {
    ss_str name, doc; /* doc: description, else title; may be empty */
    uint32_t types;   /* 0 = any */
    bool date_time;   /* format date-time, asserted */
} json_schema_property;

/* Calls visit for each property that the schema itself names, also through $ref, allOf, anyOf, oneOf, if,
   then, else and dependentSchemas. The same name may come more than once. */
void json_schema_properties(const json_schema *s,
                            void (*visit)(void *arg, const json_schema_property *property), void *arg);

#endif
