/* JSON as RFC 8259 has it: a pull scanner that hands out tokens and slices of the text. No tree, no
   allocation, nothing that the caller does not ask for. Numbers and text are written here, too.

       json_scan s;
       json_value v, key;
       json_start(&s, body);
       if (json_read(&s, &v) && v.kind == JSON_OBJECT)
           while (json_member(&s, &key)) {
               if (json_is(&key, "requests") && json_read(&s, &v) && v.kind == JSON_ARRAY)
                   while (json_item(&s))
                       json_read(&s, &v); ... or json_skip(&s, &raw)
               else
                   json_skip(&s, NULL);
           }
       if (!json_finish(&s))
           ... s.problem says what is wrong, json_offset(&s) where

   Each json_member() or json_item() that said true is followed by exactly one json_read() or json_skip(). A
   container that json_read() opened is walked to its end with json_member() or json_item(), or left with
   json_leave(). After an error everything says false. The same key twice is the caller's affair. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include "streamsteam/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define JSON_DEPTH_MAX   64u         /* containers within containers                   */
#define JSON_TEXT_MAX    0x7FFFFFFFu /* bytes of one text                               */
#define JSON_NUMBER_MAX  400u        /* characters of one number: 1e308 written out fits */
#define JSON_I64_SIZE    20u         /* room that json_put_i64 needs                    */
#define JSON_DOUBLE_SIZE 32u         /* room that json_put_double needs                 */

typedef enum json_kind {
    JSON_NONE = 0,
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
} json_kind;

typedef struct json_value {
    json_kind kind;
    bool escaped; /* STRING: has backslashes, so that json_unescape() has work to do          */
    ss_str text;  /* STRING: what stands between the quotes; scalars: as written; else empty  */
} json_value;

typedef struct json_scan {
    const char *start, *at, *end;
    const char *problem;       /* NULL, or what is wrong: a static text          */
    uint64_t objects, started; /* by depth: is it an object, did it have a member */
    uint32_t depth;
    bool done;   /* the one top value was read                     */
    bool spaced; /* there was white space between tokens           */
    bool halves; /* there were escapes of surrogates, whole pairs or not */
} json_scan;

void json_start(json_scan *s, ss_str text);
/* The next value: a scalar whole, a container opened. */
bool json_read(json_scan *s, json_value *v);
/* Inside an object: the next member's key (a STRING); its value comes next. false: end of the object, or
 * error. */
bool json_member(json_scan *s, json_value *key);
/* Inside an array: true: an item comes next. */
bool json_item(json_scan *s);
/* Checks and passes over the next value; raw (or NULL) gets it as written. */
bool json_skip(json_scan *s, ss_str *raw);
/* Checks and passes over the rest of the innermost open container. */
bool json_leave(json_scan *s);
/* True: no error, and nothing but white space follows. */
bool json_finish(json_scan *s);
size_t json_offset(const json_scan *s);

bool json_valid(ss_str text); /* one whole text */

/* Is this string, unescaped, that name? (names with escapes inside are compared unescaped) */
bool json_is(const json_value *string, const char *name);
/* Unescapes what a STRING value's text holds; returns the length, never more than raw.len. out may be
   raw.ptr. A \uXXXX surrogate without its other half becomes U+FFFD. */
size_t json_unescape(char *out, ss_str raw);
/* The numbers of a NUMBER value's text. json_i64: false where it is no integer or does not fit (1.0, 1e2 and
   -0 are integers). json_double: nearest double; false where it overflows. Neither looks at the locale. */
bool json_i64(ss_str number, int64_t *out);
bool json_double(ss_str number, double *out);
/* The same for text that need not be JSON: a whole [+-]digits[.digits][e[+-]digits]; false where it is not.
 */
bool json_text_double(ss_str text, double *out);

/* ---- writing: each returns the number of bytes put at out ---- */

/* Room for json_put_string: six bytes a byte, the quotes, and 16 that its block stores may touch. */
#define json_escape_bound(len) (6u * (size_t)(len) + 18u)
/* With quotes. What is not UTF-8 becomes U+FFFD, byte by byte. May scribble (not count) up to 16 bytes past
   what it returns, inside json_escape_bound(). */
size_t json_put_string(char *out, ss_str text);
size_t json_put_i64(char *out, int64_t value);
/* The shortest text that reads back as the same double; NaN and infinities are null. */
size_t json_put_double(char *out, double value);
/* Room for json_put_compact. */
#define json_compact_bound(len) ((size_t)(len) + 4u)
/* One JSON value without the white space between its tokens, halves of surrogate pairs as \ufffd; "null"
   where the text is not JSON. */
size_t json_put_compact(char *out, ss_str json);

#ifdef __cplusplus
}
#endif
#endif
