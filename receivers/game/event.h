/* One event as it stands in a request or message: slices of the text, and whether they fit the schema. */
#ifndef GAME_EVENT_H
#define GAME_EVENT_H

#include "receivers/game/game.h"

typedef struct game_value { /* kind JSON_NONE: absent */
    const char *ptr;        /* STRING: between the quotes; containers: as written; else the word or number */
    uint32_t len;
    uint8_t kind;    /* enum json_kind */
    uint8_t escaped; /* STRING: has backslashes */
} game_value;

typedef struct game_event {
    game_value members[MEMBERS];
    game_value extra; /* the key that no member has and that JavaScript would meet first; a STRING */
    ss_str raw;       /* the whole value */
    uint8_t kind;     /* of the whole; an OBJECT where it can be right */
    bool surrogates;  /* escapes of surrogates: a half one does not survive the line */
} game_event;

/* The first error that ajv would report, or rule RULE_NONE. */
enum game_rule { RULE_NONE, RULE_TYPE, RULE_REQUIRED, RULE_EXTRA, RULE_PATTERN };
enum game_place { PLACE_EVENT = MEMBERS, PLACE_RECORD, PLACE_APPLICATION_ID }; /* beside enum game_member */

typedef struct game_error {
    uint8_t rule, place; /* place: of the value that is wrong, for REQUIRED of the member that is not there */
    game_value extra;    /* EXTRA: the key, as written */
} game_error;

#define GAME_NAME_MAX 15u /* the longest name of a member */
extern const char game_member_names[MEMBERS][GAME_NAME_MAX + 1];

/* The next value of the text. false: it is no JSON; s->problem. */
bool game_value_read(json_scan *s, game_value *v);
bool game_event_read(json_scan *s, game_event *e);
/* Takes a key into account that has no place: JavaScript's order, where whole numbers come first. */
void game_extra_note(game_value *extra, const json_value *key);
void game_event_check(const game_event *e, game_error *error);

bool game_is_uuid(ss_str text); /* versions 1 to 5, small letters */

/* Room for the texts of an error, whatever its key. */
#define GAME_ERROR_SIZE(error) (512u + json_escape_bound((error)->extra.len))
/* ajv's error object; "must be number" with its place in front. Each returns its length. */
size_t game_error_object(char *out, const game_error *error);
size_t game_error_sentence(char *out, const game_error *error);

#endif
