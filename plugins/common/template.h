/* Names made from a record: "{app}-{type}", "events.{receiver}", "{json:user.id}". Compiled once, then
   read-only.

   {receiver} {app} {type} {id} {key} are the record's own; {json:a.b} is a member of its line, a string as it
   is read, anything else as it is written, nothing where it is absent. "{{" and "}}" stand for braces. */
#ifndef COMMON_TEMPLATE_H
#define COMMON_TEMPLATE_H

#include "streamsteam/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TEMPLATE_TEXT_MAX  512u
#define TEMPLATE_PARTS_MAX 16u
#define TEMPLATE_DEPTH_MAX 8u    /* names in one {json:} path */
#define TEMPLATE_VALUE_MAX 1024u /* of a string with escapes  */

enum template_kind {
    TEMPLATE_TEXT = 1,
    TEMPLATE_RECEIVER,
    TEMPLATE_APP,
    TEMPLATE_TYPE,
    TEMPLATE_ID,
    TEMPLATE_KEY,
    TEMPLATE_JSON
};

typedef struct template_part {
    enum template_kind kind;
    uint16_t at, len; /* TEXT, JSON: in text */
} template_part;

typedef struct record_template {
    char text[TEMPLATE_TEXT_MAX];
    template_part parts[TEMPLATE_PARTS_MAX];
    uint32_t count;
} record_template;

/* false: err says what is wrong in the text. */
bool template_compile(record_template *t, ss_str text, ss_error *err);
/* Writes at most size bytes, cut between characters; returns how many. */
size_t template_write(const record_template *t, const ss_record *r, char *out, size_t size);
bool template_is_fixed(const record_template *t); /* the same for every record */

#ifdef __cplusplus
}
#endif
#endif
