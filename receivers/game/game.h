/* One instance of the receiver, shared by its files; read-only after create(). */
#ifndef GAME_GAME_H
#define GAME_GAME_H

#include "plugins/common/json.h"

#define GAME_UUID_SIZE 36u

/* The fields, in the order of the guidance's processed record. */
enum game_field {
    FIELD_METADATA,
    FIELD_EVENT_ID,
    FIELD_EVENT_TYPE,
    FIELD_EVENT_NAME,
    FIELD_EVENT_VERSION,
    FIELD_EVENT_TIMESTAMP,
    FIELD_APP_VERSION,
    FIELD_EVENT_DATA,
    FIELD_APPLICATION_NAME,
    FIELD_APPLICATION_ID
};

/* The members that an event may have, in the order in which the schema looks at them. */
enum game_member {
    MEMBER_ID,
    MEMBER_TYPE,
    MEMBER_NAME,
    MEMBER_TIMESTAMP,
    MEMBER_EVENT_VERSION,
    MEMBER_APP_VERSION,
    MEMBER_DATA,
    MEMBERS
};

typedef struct game {
    const ss_host *host;
    ss_str stage;
    uint32_t proofs; /* enum ss_app_proof */
    uint32_t max_events;
    size_t max_event_bytes;
    bool tolerate, http_status;
    ss_metric *invalid, *throttled, *direct_ok, *direct_mismatch, *direct_unregistered;
} game;

#endif
