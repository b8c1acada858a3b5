/* The options: types with their schemas, and the paths of what stands in an event. */
#ifndef EVENTS_SETUP_H
#define EVENTS_SETUP_H

#include "receivers/events/events.h"

int32_t setup_read(events *e, const ss_config *cfg, ss_error *err);
void setup_free(events *e);

#endif
