/* One input: read, checked, stored as an event of its type, or quarantined, or refused. */
#ifndef EVENTS_EVENT_H
#define EVENTS_EVENT_H

#include "receivers/events/answer.h"

typedef struct intake { /* what all inputs of a request share */
    const events *e;
    const ss_request *request;
    const event_key *key; /* NULL: none is needed */
    ss_str type;          /* of the path /events/{type}; may be empty */
    int64_t pattern_us;   /* that all its events together may spend on patterns */
    answer answer;
} intake;

/* EVENT_RETRY: the server cannot take events now. All others were noted in the answer. */
outcome event_take(intake *in, ss_str input);

#endif
