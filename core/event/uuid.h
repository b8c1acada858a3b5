/* UUID version 7: time first, so that ids sort by time. A fast generator per thread, seeded by getrandom(2);
   ids of one thread rise. Safe over fork(). */
#ifndef EVENT_UUID_H
#define EVENT_UUID_H

#include <stdint.h>

#define EVENT_UUID_SIZE 36u

void event_uuid7(char out[EVENT_UUID_SIZE], int64_t us); /* no NUL */

#endif
