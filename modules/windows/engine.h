/* Windows over event time: which are open, what is in them, when they are done. No clock, no host, no files:
   what comes out depends on the records, in their order, and on engine_clock() alone.

   A scope is an application (or the whole stream): it has a watermark of its own, the newest event time less
   the metric's delay. A window is done when the watermark reaches its end; until `lateness` later it is kept,
   and late events give its documents again with a higher version. */
#ifndef WINDOWS_ENGINE_H
#define WINDOWS_ENGINE_H

#include "modules/windows/metric.h"

#define ENGINE_METRICS_MAX 128u
#define ENGINE_SCOPES_MAX  65536u /* then applications share a last one */
#define ENGINE_WINDOWS_MAX 200000u
#define ENGINE_KEY_MAX     4096u
#define ENGINE_AHEAD_US    60000000 /* of the arrival: an event time beyond moves no watermark  */
#define ENGINE_OTHER       "\"__other__\""

typedef struct group {
    struct group *next; /* of its window, in order of appearance */
    uint64_t hash, count, version;
    uint32_t key_len, number; /* number: while saving */
    bool emitted, dirty, other;
    aggregate aggregate;
    char key[]; /* JSON values of the dimensions, newline between them */
} group;

typedef struct seen { /* an event id of a window */
    hash128 id;
    int64_t event_us;
    group *group; /* NULL: an empty place */
} seen;

typedef struct window {
    struct window *next;  /* of its scope */
    struct window *chain; /* in the engine's table */
    uint32_t metric, scope;
    int64_t start_us;
    bool fired, dirty;
    group *first, *last, *other;
    group **table;
    uint32_t group_count, table_size;
    seen *seen;
    uint32_t seen_count, seen_size;
    size_t bytes;
} window;

typedef struct scope {
    char *app; /* owned */
    size_t app_len;
    int64_t max_us;     /* newest event time, INT64_MIN: none yet */
    int64_t receive_us; /* newest arrival */
    int64_t due_us;     /* max_us at which a window is done or goes */
    window *windows;
    uint32_t window_count;
    bool listed; /* in engine.dirty */
} scope;

typedef struct metric_state {
    uint64_t events, late, future, skipped_dimension, skipped_value, duplicates, other, undeduped, no_window,
        approximate, documents, revisions;
    uint64_t groups, windows, bytes;
} metric_state;

typedef struct document { /* borrowed for the call */
    const metric *metric;
    const group *group;
    ss_str app;
    int64_t start_us;
    bool revision;
} document;

typedef struct engine_settings {
    bool by_stream;
    int64_t idle_us;  /* a scope without events for so long follows the clock; 0: never */
    int64_t ahead_us; /* events further in the future are not counted */
    hash_key key;
    bool (*emit)(void *arg, const document *d); /* false: no memory */
    void *arg;
    /* A backfill: every window of this time is kept until engine_hand_over(), however late its events are. */
    bool hold;
    int64_t hold_from_us, hold_to_us, hold_end_us; /* begins in [from, to), ends at `end` at the latest */
} engine_settings;

typedef struct engine {
    engine_settings set;
    paths *paths;
    metric *metrics;
    uint32_t metric_count;
    metric_state *states;
    scope *scopes;
    uint32_t scope_count, scope_size;
    uint32_t *scope_table;
    uint32_t scope_table_size;
    window **window_table; /* by scope, metric and start */
    uint32_t window_table_size;
    uint64_t window_count;
    uint64_t seq; /* the last record that was taken */
    bool dirty;   /* late events changed documents: engine_revise() */
} engine;

void engine_init(engine *e, const engine_settings *set, paths *p, metric *metrics, uint32_t count,
                 metric_state *states);
void engine_fini(engine *e); /* metrics and paths are not its own */
/* false: no memory; the engine is of no more use. */
bool engine_take(engine *e, const ss_record *record);
/* Everything that arrived before now has been taken. */
bool engine_clock(engine *e, int64_t now_us);
/* The documents of windows that late events changed. */
bool engine_revise(engine *e);
/* The documents of all windows, by their ends, but of those that `open` has, too: what it says of them is
 *newer; left counts them. NULL: none is open. false: no memory. */
bool engine_hand_over(engine *e, engine *open, uint64_t *left);

/* For save.c. */
scope *engine_scope(engine *e, ss_str app);
window *engine_window_new(engine *e, uint32_t scope, uint32_t metric, int64_t start_us);
group *engine_group_new(engine *e, window *w, ss_str key, uint64_t hash, bool other);
bool engine_seen_put(engine *e, window *w, hash128 id, int64_t event_us, group *g, bool *room);
void engine_due(engine *e, scope *s);

#endif
