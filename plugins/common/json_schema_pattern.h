/* Regular expressions of schemas: ECMA-262 with its u flag, as JSON Schema wants them, carried out by PCRE2
   with limits. What ECMA-262 does not have is refused, though PCRE2 would take it. */
#ifndef COMMON_JSON_SCHEMA_PATTERN_H
#define COMMON_JSON_SCHEMA_PATTERN_H

#include "plugins/common/json_tape.h"

#define PATTERN_BYTES_MAX 4096u
#define PATTERN_WHY_SIZE  160u

typedef struct json_schema_pattern json_schema_pattern; /* immutable: any thread */

/* What one thread needs while it matches; memory from the one that is lent. Zeroed but for memory at first.
 */
typedef struct json_schema_matcher {
    tape_memory memory;
    void *data;
} json_schema_matcher;

enum json_schema_match { PATTERN_NO = 0, PATTERN_YES = 1, PATTERN_GAVE_UP = 2 /* past the limits */ };

/* NULL with the reason in why (PATTERN_WHY_SIZE bytes). */
json_schema_pattern *json_schema_pattern_new(ss_str ecma, char *why);
void json_schema_pattern_free(json_schema_pattern *p);
/* Does it match anywhere in the text (UTF-8)? */
enum json_schema_match json_schema_pattern_match(const json_schema_pattern *p, json_schema_matcher *m,
                                                 ss_str text);
bool json_schema_pattern_valid(ss_str ecma);

#endif
