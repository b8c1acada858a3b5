/* Where in an event something stands: a JSON pointer (/context/user/id) or names with dots (context.user.id).
 */
#ifndef EVENTS_PATH_H
#define EVENTS_PATH_H

#include "plugins/common/json_tape.h"

#define PATH_PARTS_MAX 8u
#define PATH_BYTES_MAX 256u

typedef struct event_path { /* no parts: the event itself, or not configured */
    char text[PATH_BYTES_MAX];
    ss_str parts[PATH_PARTS_MAX]; /* unescaped, in text */
    uint32_t count;
} event_path;

/* false: too long, too deep, or an empty part. */
bool path_read(event_path *p, ss_str text);
/* The value's token, or 0: it is not there, or the path has no parts. */
uint32_t path_find(const event_path *p, const json_tape *tape);
/* The token of the member of the event itself in which the path begins; 0 as above. */
uint32_t path_top(const event_path *p, const json_tape *tape);

#endif
