/* A request's body, divided into inputs: one event, the items of an array, or lines. It is cut by quotes and
   brackets alone, so that one broken event takes no other with it. */
#ifndef EVENTS_BODY_H
#define EVENTS_BODY_H

#include "streamsteam/plugin.h"

enum body_form { BODY_ONE, BODY_ARRAY, BODY_LINES };

typedef struct event_body {
    const char *at, *end;
    enum body_form form;
    bool done, begun; /* begun: an item was there */
} event_body;

/* lines: the content type says so; else an opening bracket makes an array. */
void body_start(event_body *b, ss_str text, ss_str content_type);
/* The next input, without white space around it; false: there is none. */
bool body_next(event_body *b, ss_str *input);

#endif
