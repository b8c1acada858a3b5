/* What `streamsteam windows backfill` and a replay of the module windows say to each other: by files in the
   replay's directory, so that the core knows nothing of metrics. The verb writes BACKFILL_ORDER there before
   it replays; the module, once it has seen everything, leaves the recomputed windows under a name that begins
   with BACKFILL_PREFIX (none: no window had an event) and BACKFILL_RESULT. The verb moves the file into the
   module's own directory, where the running module finds it. */
#ifndef COMMON_WINDOWS_BACKFILL_H
#define COMMON_WINDOWS_BACKFILL_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "plugins/common/windows_ask.h"

#define BACKFILL_ORDER      "order"
#define BACKFILL_RESULT     "result"
#define BACKFILL_PREFIX     "backfill-"
#define BACKFILL_LINE_BYTES 256u

typedef struct backfill_order {
    int64_t from_us, to_us; /* windows that begin in [from, to) ...                        */
    int64_t end_us;         /* ... and end here at the latest                              */
    int64_t covered_us; /* arrival of the oldest event that the journal still has; INT64_MIN: it has all */
    uint64_t first_seq, through_seq;
} backfill_order;

typedef struct backfill_result {
    uint64_t windows, groups;
    int64_t covered_us; /* windows that begin earlier were left out: the journal may not have all of their
                           events */
    uint64_t no_room;   /* events that did not fit as they should: a shorter time would take them  */
    uint64_t dropped;   /* of those, events that count nowhere                                     */
} backfill_result;

static inline int backfill_put_order(char text[BACKFILL_LINE_BYTES], const backfill_order *o)
{
    return snprintf(text, BACKFILL_LINE_BYTES,
                    "1 %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIu64 "\n", o->from_us,
                    o->to_us, o->end_us, o->covered_us, o->first_seq, o->through_seq);
}

static inline bool backfill_get_order(const char *text, backfill_order *o)
{
    return sscanf(text, "1 %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu64 " %" SCNu64, &o->from_us,
                  &o->to_us, &o->end_us, &o->covered_us, &o->first_seq, &o->through_seq) == 6;
}

static inline int backfill_put_result(char text[BACKFILL_LINE_BYTES], const backfill_result *r)
{
    return snprintf(text, BACKFILL_LINE_BYTES,
                    "1 %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu64 " %" PRIu64 "\n", r->windows, r->groups,
                    r->covered_us, r->no_room, r->dropped);
}

static inline bool backfill_get_result(const char *text, backfill_result *r)
{
    return sscanf(text, "1 %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNu64 " %" SCNu64, &r->windows, &r->groups,
                  &r->covered_us, &r->no_room, &r->dropped) == 5;
}

/* From a lake it goes without a replay: howto() is given a sink that is the head of this, and the plugin
   reads the files itself, in the verb's process. */
#define WINDOWS_LAKE_SINK 0x57696e32u

typedef struct windows_lake {
    const char *lake, *dir;    /* where the files are; where the recomputed windows go */
    int64_t from_us, to_us;    /* windows that begin in [from, to) and end by `to` */
    windows_names receivers;   /* whose events the module takes */
    windows_names types, apps; /* empty: all */
    windows_names all;         /* the configuration's receivers */
    bool (*stopping)(void);
} windows_lake;

typedef struct windows_lake_result {
    backfill_result windows;
    uint64_t through, lines; /* the newest cut's last record; lines that were read */
} windows_lake_result;

typedef struct windows_lake_sink {
    ss_sink sink; /* struct_size: of the whole; spare0: WINDOWS_LAKE_SINK */
    const windows_lake *ask;
    windows_lake_result *result;
} windows_lake_sink;

static inline const windows_lake_sink *windows_lake_sink_of(const ss_sink *sink)
{
    bool is = sink->struct_size == sizeof(windows_lake_sink) && sink->spare0 == WINDOWS_LAKE_SINK;
    return is ? (const windows_lake_sink *)(const void *)sink : NULL;
}

#endif
