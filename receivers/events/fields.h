/* The catalog of an instance: the properties that its schemas name become fields. */
#ifndef EVENTS_FIELDS_H
#define EVENTS_FIELDS_H

#include "receivers/events/events.h"

/* After the types were read. Fills fields, and the columns of each type. */
int32_t fields_make(events *e, ss_error *err);
void fields_free(events *e);

#define CONSUMED 4u

/* Sets the event's fields from the data's members; what has no field, or does not fit it, goes to FIELD_EXTRA
   as it came. consumed: tokens of members that went elsewhere (0 = none). false: no memory. */
bool fields_fill(const events *e, const event_type *type, ss_event *event, const json_tape *tape,
                 uint32_t data, const uint32_t consumed[CONSUMED]);
/* The object's members as a JSON object, without the consumed ones; empty where none is left. false: no
 * memory. */
bool fields_rest(const events *e, ss_event *event, const json_tape *tape, uint32_t object,
                 const uint32_t consumed[CONSUMED], uint32_t field);

#endif
