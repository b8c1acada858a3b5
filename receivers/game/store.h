/* From an event as it came to the processed record. */
#ifndef GAME_STORE_H
#define GAME_STORE_H

#include "receivers/game/event.h"

typedef struct game_store { /* what the events of a request share; a message has its own */
    const game *g;
    ss_call *call;
    ss_str metadata;         /* JSON */
    ss_str app_id, app_name; /* app_name.ptr NULL: the application is not registered */
} game_store;

/* aside of a record, where the line does not hold what was sent: this byte, then bytes as they came. */
#define ASIDE_EVENT  'E' /* the event         */
#define ASIDE_RECORD 'R' /* the whole message */

#define GAME_TOKEN_MAX 32u /* characters of a number that the line takes as it is written */

/* A UUID version 4. */
void game_uuid(const game *g, char out[GAME_UUID_SIZE]);
/* The metadata of a request's events; false: no memory. */
bool game_metadata(game_store *s, const ss_request *request);
#define GAME_NO_MEMORY (-1) /* beside what emit() says; the event may still be open */
/* An event that fits the schema. */
int32_t game_store_event(const game_store *s, const game_event *e);

/* Of a number as written: the field, and the event's time. The text stays borrowed. */
void game_set_timestamp(ss_event *event, ss_str number);
void game_set_time(ss_event *event, double seconds); /* the event's time alone */
/* Keeps these bytes beside the line; false: no memory. */
bool game_set_aside(const game_store *s, ss_event *event, char kind, ss_str bytes);
extern const uint8_t game_fields[MEMBERS]; /* enum game_field of a member */
/* The text of a STRING, unescaped; ptr NULL: no memory. */
ss_str game_text(const game *g, ss_call *call, const game_value *v);

#endif
