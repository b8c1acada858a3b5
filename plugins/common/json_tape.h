/* A JSON text laid out as one flat list of tokens, for those who have to look at a value more than once
   (schemas do): the pull scanner reads it strictly, once; what follows are comparisons of integers and bytes.
   Memory is lent by the caller, nothing is freed here. Immutable after json_tape_read(): any thread.

   A container's token is followed by its content; an object's content is key, value, key, value. */
#ifndef COMMON_JSON_TAPE_H
#define COMMON_JSON_TAPE_H

#include "plugins/common/json.h"

typedef struct tape_token {
    const char *ptr; /* STRING: the text, unescaped; other scalars: as written                     */
    uint32_t len;
    uint32_t at, raw_len; /* the whole value as written, quotes and brackets included: text.ptr + at */
    uint32_t next;        /* index of the token behind this value                                    */
    uint32_t count;       /* OBJECT: members; ARRAY: items; a key: its hash                           */
    uint8_t kind;         /* enum json_kind                                                           */
    uint8_t key;          /* 1: a member's key                                                        */
} tape_token;

/* Memory that lives as long as the tape is used; NULL = there is none. */
typedef struct tape_memory {
    void *(*take)(void *arg, size_t len);
    void *arg;
} tape_memory;

typedef struct json_tape {
    ss_str text;
    tape_token *tokens; /* [0] is the value */
    uint32_t count, size;
    const char *problem; /* NULL, or what is wrong: a static text */
    size_t offset;       /* where                                 */
    bool no_memory;      /* that is what is wrong                 */
} json_tape;

/* false: see problem. Beyond what the scanner refuses, these are wrong: the same key twice in one object,
   half a surrogate pair. text stays borrowed. */
bool json_tape_read(json_tape *t, ss_str text, tape_memory memory);

uint32_t json_tape_hash(ss_str key);
/* The value of a member of the object at that index; 0 (never a member) where there is none. */
uint32_t json_tape_find(const json_tape *t, uint32_t object, ss_str key);

static inline ss_str json_tape_str(const tape_token *token)
{
    return ss_s(token->ptr, token->len);
}

static inline ss_str json_tape_raw(const json_tape *t, const tape_token *token)
{
    return ss_s(t->text.ptr + token->at, token->raw_len);
}

#endif
