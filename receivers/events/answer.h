/* What the client is told: a line of counts and, for each event, what became of it. The text grows in the
   request's memory while events are taken; nothing may grow while an event is open. */
#ifndef EVENTS_ANSWER_H
#define EVENTS_ANSWER_H

#include "receivers/events/events.h"

typedef enum outcome {
    EVENT_ACCEPTED,
    EVENT_QUARANTINED,
    EVENT_REJECTED,
    EVENT_DROPPED,
    EVENT_RETRY
} outcome;
#define OUTCOMES EVENT_RETRY /* those that are counted */

typedef struct answer {
    const events *e;
    ss_call *call;
    char *text;
    size_t len, size;
    uint32_t counts[OUTCOMES], index, told;
} answer;

void answer_start(answer *a, const events *e, ss_call *call);
/* Before an event is opened: makes room for all that may be said of it. false: no memory. */
bool answer_reserve(answer *a);
/* The reasons as a JSON list: in the answer's memory behind its text, until the next call of answer_*. */
ss_str answer_reasons(answer *a, const json_tape *tape, const json_schema_error *errors, uint32_t count);
/* What became of the event; reasons: what answer_reasons() returned, or empty. */
void answer_add(answer *a, outcome what, ss_str type, ss_str id, ss_str reasons);
/* The whole; true: at least one event was not refused. */
bool answer_end(answer *a, ss_response *response);

/* {"error": code, "error_detail": text}, both static. */
void answer_error(ss_response *response, uint32_t status, const char *json);
#define ANSWER_ERROR(code, detail) "{\"error\":\"" code "\",\"error_detail\":\"" detail "\"}\n"

#endif
