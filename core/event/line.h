/* From a filled event to one line of JSON: flat fields in table order, then the objects that dotted names
   make.

   Envelope: where a receiver declares `event_id`, `received_at`, `event_type` before all its other fields and
   does not set them, they are filled from event->id, event->receive_us, event->type; they stand first in the
   line. So event->id has to be there before event_line_write(). Declared behind another field they are fields
   like others. Absent fields leave no key. An object of which every field that is set
   is null is null itself: {"geo_info":null}. */
#ifndef EVENT_LINE_H
#define EVENT_LINE_H

#include "core/event/table.h"
#include "core/event/uuid.h"

/* No line of this event is longer. Room that event_line_write needs. */
size_t event_line_bound(const event_table *table, const ss_event *event);
/* One JSON object, never with a newline inside or behind; returns its length. Bytes up to the bound may be
   scribbled on. A value of another kind than its field's type is converted where that loses nothing, else
   null. */
size_t event_line_write(const event_table *table, const ss_event *event, char *out);

/* "2026-11-22T03:24:00.123Z" (24 bytes) and "2026-11-22 03:24:00" (19 bytes), UTC, years 0000 to 9999
   (clamped). The second is cached per thread. */
#define EVENT_TIMESTAMP_SIZE 24u
#define EVENT_DATETIME_SIZE  19u
void event_put_timestamp(char *out, int64_t us);
void event_put_datetime(char *out, int64_t us);

#endif
