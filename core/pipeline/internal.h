/* What the files of core/pipeline share. */
#ifndef PIPELINE_INTERNAL_H
#define PIPELINE_INTERNAL_H

#include <pthread.h>

#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/event/line.h"
#include "core/observe/metrics.h"
#include "core/observe/rejects.h"
#include "core/pipeline/crumb.h"
#include "core/pipeline/pipeline.h"
#include "core/pipeline/route.h"
#include "core/pipeline/stage.h"
#include "plugins/loader/host_base.h"

#define PIPELINE_RECEIVERS_MAX   256u
#define PIPELINE_ENRICHERS_MAX   64u  /* of one receiver, and instances in all: four times that */
#define PIPELINE_REFS_MAX        256u /* names one enricher may ask for                         */
#define PIPELINE_REASONS_MAX     32u  /* drop reasons counted by name, per enricher             */
#define PIPELINE_CALL_BYTES      (64u * 1024 * 1024) /* host->mem() of one call                 */
#define PIPELINE_CALL_KEEP_BYTES (1024u * 1024)      /* kept for the next one                   */
#define PIPELINE_TRIM_US         1000000 /* a lane gives back memory that it did not use for so long  */
#define PIPELINE_CALLS_MAX       64u     /* call_begin() at the same time                          */
#define PIPELINE_PAIRS_MAX       16384u  /* query and form pairs of one request                  */

typedef struct pipeline_timers pipeline_timers;
typedef struct pipeline_receiver pipeline_receiver;

typedef struct pipeline_reason {
    char text[64];
    ss_metric *metric;
} pipeline_reason;

typedef struct pipeline_instance {
    host_base base; /* first: table.self points here */
    pipeline *pipeline;
    const ss_plugin *plugin;
    void *inst;          /* the plugin's; NULL until create()                                      */
    ss_plugin described; /* name and fields of this instance, for its table: fields may be its own */
    const ss_config *options;
    crumb_name crumb;            /* "receiver matomo" */
    pipeline_receiver *receiver; /* of a receiver's instance */
    bool started;
    ss_field *fields; /* enrichers: the plugin's fields and those of the configuration, for `described` */
    /* Enrichers: names that field_ref() handed out numbers for. */
    char *ref_names[PIPELINE_REFS_MAX];
    uint32_t ref_count;
    pthread_mutex_t reason_lock;
    pipeline_reason reasons[PIPELINE_REASONS_MAX];
    uint32_t reason_count;
    ss_metric *failures;
} pipeline_instance;

typedef struct pipeline_step { /* one enricher in a receiver's chain */
    pipeline_instance *instance;
    uint16_t *refs;
    uint32_t ref_count;
} pipeline_step;

enum pipeline_level { PIPELINE_SYNCED = 0, PIPELINE_WRITTEN = 1, PIPELINE_MEMORY = 2 };

struct pipeline_receiver {
    pipeline_instance *instance;
    event_table *table;
    uint32_t field_count;
    uint16_t source;
    uint32_t index; /* in its set: where lanes count */
    enum pipeline_level level;
    bool parked;
    pipeline_step *steps;
    size_t step_count;
    ss_metric *requests[6]; /* by status class; [0] unused */
    ss_metric *events, *bytes;
};

struct pipeline_set {
    pipeline *pipeline;
    const ss_config *blob;
    pipeline_receiver *receivers;
    size_t receiver_count;
    pipeline_instance **enrichers;
    size_t enricher_count;
    route_table *routes;
    uint32_t max_fields;
};

typedef struct lane_count {
    uint64_t classes[6];
    uint64_t events, bytes;
} lane_count;

/* The callbacks of a receiver as crumbs name them. */
#define PIPELINE_RECEIVE "receive\0\0\0\0\0\0\0\0"
#define PIPELINE_PARSE   "parse\0\0\0\0\0\0\0\0\0\0"

/* A call: one request on a lane, or one group between call_begin and call_commit. */
struct ss_call {
    pipeline_lane *lane;
    pipeline_receiver *receiver;
    pipeline_request *request; /* NULL: call_begin, or a pull group */
    const char *callback;      /* of the receiver, for its crumb: 16 bytes */
    ss_event event;
    bool open;    /* between event_new and emit                          */
    bool refused; /* an emit could not be taken: the call cannot succeed */
    stage_mark mark;
    size_t last_record;
    uint64_t bytes;
    ss_pair *pairs; /* host->query, once decoded */
    uint32_t pair_count;
    bool decoded;
    ss_pair params[ROUTE_PARAMS_MAX];
};

struct pipeline_lane {
    pipeline *pipeline;
    struct pipeline_lane *next; /* all lanes of the process, or spare ones of call_begin */
    pipeline_done done;
    void *arg;
    stage stage;
    arena request_arena, event_arena;
    struct ss_call call;
    ss_value *values;
    uint64_t *present;
    uint32_t fields_size;
    const pipeline_set *set;
    _Atomic uint64_t generation; /* of the set it uses */
    _Atomic uint32_t active;
    int64_t now_us, next_trim_us;
    lane_count *counts; /* by receiver index; [receiver_count] for requests that none took */
    bool counted;
    char id[25];
};

struct pipeline {
    board *board;
    char data_dir[PATH_MAX];
    size_t max_event_bytes;
    journal_writer *_Atomic journal;
    pipeline_set *_Atomic set;
    _Atomic uint64_t generation;
    _Atomic uint32_t stopping, renew;
    pthread_mutex_t lock;
    pipeline_lane *lanes;       /* under lock */
    pipeline_lane *calls_spare; /* under lock */
    uint32_t calls_open;        /* under lock */
    ss_metric *unrouted[6];
    pipeline_timers *timers;
    pipeline_apps apps; /* all NULL: none */
};

/* A reset that does not keep what one unusual request needed. */
static inline void arena_reset_small(arena *a)
{
    bool large = a->taken_bytes > PIPELINE_CALL_KEEP_BYTES;
    arena_reset(a);
    if (large)
        arena_shrink(a, PIPELINE_CALL_KEEP_BYTES);
}

/* host.c */
void pipeline_host_fill(pipeline_instance *instance);
bool lane_fit_fields(pipeline_lane *lane, uint32_t fields);
/* Submits the lane's open batch and blocks until it is on disk (true) or refused. */
bool lane_wait_stored(pipeline_lane *lane);
void call_close_event(ss_call *call);
void call_begin_on(pipeline_lane *lane, pipeline_receiver *receiver, pipeline_request *request);
ss_str pipeline_cut_name(ss_str name); /* to JOURNAL_NAME_MAX bytes */
ss_str pipeline_header(const ss_request *request, const char *name);
/* apps.c */
void pipeline_apps_fill(ss_host *table);
/* failed.c */
int32_t pipeline_failed(ss_call *call, ss_str app, const char *code, ss_str text, ss_str raw);
/* query.c */
const ss_pair *query_pairs(const ss_request *request, uint32_t *count);
/* reason.c */
void reason_count(pipeline_instance *instance, const char *text);
/* timer.c */
pipeline_timers *timers_new(ss_error *err);
void timers_free(pipeline_timers *t);
ss_timer *timers_add(pipeline_timers *t, pipeline_instance *owner, int64_t delay_ms, int64_t period_ms,
                     void (*callback)(void *), void *arg);
void timers_drop(pipeline_timers *t, const pipeline_instance *owner); /* waits for a running callback */
/* lane.c */
pipeline_lane *lane_make(pipeline *p, ss_error *err);
void lane_destroy(pipeline_lane *lane);

#endif
