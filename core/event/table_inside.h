/* What table.c lays out and line.c reads; nobody else. */
#ifndef EVENT_TABLE_INSIDE_H
#define EVENT_TABLE_INSIDE_H

#include "core/event/table.h"

#define TABLE_NONE     0xFFFFu
#define BLOCK_SLACK    48u /* keys are copied 32 bytes at a time */
#define EVENT_ENVELOPE 3u  /* event_id, received_at, event_type  */
#define SCALAR_BYTES   40u /* more than any number, time, word or pair of quotes takes */

extern const char *const event_envelope_names[EVENT_ENVELOPE];

typedef struct table_field { /* 16 bytes, like the values: both are walked together */
    const char *key;         /* `,"name":` in keys; the last part of a dotted name */
    uint16_t key_len;
    uint16_t object; /* that it lives in, or TABLE_NONE */
    uint8_t type;
    uint8_t kind; /* enum ss_value_kind that such a field mostly has */
} table_field;

typedef struct table_object {
    ss_str path;     /* "geo_info.loc" */
    const char *key; /* `,"loc":{`     */
    uint16_t key_len;
    uint16_t parent; /* or TABLE_NONE */
    uint16_t depth;  /* 1 = top       */
} table_object;

struct event_table {
    table_field *fields;
    const ss_field **declared;
    const char **owners; /* plugin names */
    table_object *objects;
    uint16_t *nested;      /* fields with dotted names in the order of the line */
    uint64_t *flat, *deep; /* which fields have plain names (without the envelope), which dotted ones */
    uint64_t *texts;       /* which fields may hold texts: STRING, JSON */
    char *keys;
    size_t count, words, object_count, nested_count, keys_len;
    size_t fixed_bytes; /* of a line with every field, texts empty */
    uint16_t envelope[EVENT_ENVELOPE];
    uint64_t hash;
};

#endif
