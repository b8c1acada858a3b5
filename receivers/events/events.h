/* One instance of the receiver, shared by its files; read-only after create(). */
#ifndef EVENTS_EVENTS_H
#define EVENTS_EVENTS_H

#include "plugins/common/json_schema.h"
#include "receivers/events/path.h"

#define TYPES_MAX      256u
#define KEYS_MAX       64u
#define KEY_BYTES_MAX  256u
#define ORIGINS_MAX    64u
#define METHODS_MAX    4u
#define ERRORS_MAX     100u /* reasons told of one event           */
#define NAME_BYTES_MAX 64u  /* of a type, an application, a header */

/* The fields that every event has, in the order of the line; those of the types follow. */
enum field {
    FIELD_EVENT_ID,
    FIELD_RECEIVED_AT,
    FIELD_EVENT_TYPE,
    FIELD_EVENT_TIME,
    FIELD_APP_ID,
    FIELD_EXTRA,         /* what the type's schema does not name       */
    FIELD_ENVELOPE,      /* what stands beside the data, with data_path */
    FIELD_INVALID_TYPE,  /* quarantine: what the event said it was     */
    FIELD_INVALID_COUNT, /* how many reasons                           */
    FIELD_INVALID_REASONS,
    FIELD_INVALID_BYTES, /* the input's length                         */
    FIELD_INVALID_INPUT, /* as it came                                 */
    FIELD_FIXED
};

typedef struct column { /* a property of a type and the field it goes to */
    ss_str name;
    uint32_t hash;
    uint16_t field, type; /* enum ss_field_type */
} column;

typedef struct columns {
    column *list;    /* owned */
    uint16_t *table; /* owned; hash -> index, open addressing; UINT16_MAX = free */
    uint32_t count, mask;
} columns;

enum policy { POLICY_QUARANTINE, POLICY_REJECT };

typedef struct event_type {
    ss_str name;
    json_schema *schema; /* owned */
    event_path time, id, key;
    enum policy policy;
    columns columns;
} event_type;

typedef struct event_key { /* an API key */
    char secret[KEY_BYTES_MAX];
    size_t len;
    ss_str app;
    uint64_t types[TYPES_MAX / 64]; /* bit by type; all: every type */
    bool all;
} event_key;

enum answer_mode { ANSWER_ALL, ANSWER_ERRORS, ANSWER_NONE };

typedef struct events {
    const ss_host *host;
    event_type *types;                 /* owned */
    uint32_t type_count, default_type; /* default_type: UINT32_MAX = none */
    event_path type_path, data_path, app_path;
    ss_str app, quarantine_type;
    event_key *keys; /* owned */
    uint32_t key_count;
    char key_header[NAME_BYTES_MAX];
    ss_str key_parameter;
    ss_str origins[ORIGINS_MAX];
    uint32_t origin_count;
    ss_str methods[METHODS_MAX];
    uint32_t method_count;
    char allow[64]; /* for the Allow header */
    char allow_headers[NAME_BYTES_MAX + 32];
    uint32_t max_events, max_errors;
    size_t max_event_bytes;
    enum answer_mode answer;
    enum policy policy; /* of inputs whose type is not known */
    ss_field *fields;   /* owned; the fixed ones, then the types' */
    uint32_t field_count;
    char **texts; /* owned; names and docs of the fields */
    size_t text_count;
    ss_metric *quarantined, *rejected;
} events;

#endif
