/* Request -> receiver -> enrichers -> journal. The front end (core/http) hands in decoded requests, one lane
   per event-loop thread; nothing here blocks.

   Life of a process: pipeline_new, pipeline_set_new (plugins are created), pipeline_attach (the journal is
   open), pipeline_set_start, pipeline_swap, lanes run; at the end all lanes leave, pipeline_swap(p, NULL),
   pipeline_set_free, the journal is closed, pipeline_free. */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include "core/config/node.h"
#include "core/journal/writer.h"
#include "core/observe/board.h"

typedef struct pipeline pipeline;
typedef struct pipeline_set pipeline_set;   /* the instances of one configuration and their routes */
typedef struct pipeline_lane pipeline_lane; /* what one thread needs to run requests               */

#define PIPELINE_LANES_MAX 15u /* event loops; the board has a crumb for each, and one for the timers */

enum pipeline_ack { /* when the response may go out */
                    PIPELINE_ACK_NOW = 0,
                    PIPELINE_ACK_LATER = 1 /* done() will be called */
};

typedef struct pipeline_request {
    ss_request request; /* filled by the front end, except call, route and path parameters */
    /* First header of that name; the front end's. */
    ss_str (*header)(const struct pipeline_request *r, const char *name);
    void *waiter[1]; /* links requests that wait for one batch */
} pipeline_request;

/* The application store, lent by the server: what host->app_check and the like ask. text: where id and name
   are copied to, PIPELINE_APP_TEXT bytes. */
#define PIPELINE_APP_TEXT 1088u
typedef struct pipeline_apps {
    void *self;
    int32_t (*check)(void *self, const ss_request *request, ss_str authorization,
                     ss_str (*header)(const ss_request *request, const char *name), ss_str app,
                     uint32_t proofs, uint32_t events, ss_app *out, char *text, ss_error *err);
    int32_t (*get)(void *self, ss_str app, ss_app *out, char *text);
    int32_t (*auth)(void *self, ss_str key, ss_str app);
    int32_t (*list)(void *self, void (*visit)(void *arg, ss_str app, ss_str name), void *arg);
} pipeline_apps;

/* ---- process --------------------------------------------------------------------------------- */

pipeline *pipeline_new(board *b, const char *data_dir, size_t max_event_bytes, ss_error *err);
/* After journal_open; registers the set's receivers with it. */
bool pipeline_attach(pipeline *p, journal_writer *journal, pipeline_set *set, ss_error *err);
bool pipeline_ready(const pipeline *p); /* the journal takes events now; any thread */
board *pipeline_board(const pipeline *p);
/* Before the first set is made; without it receivers hear that no store is configured. */
void pipeline_lend_apps(pipeline *p, const pipeline_apps *apps);
void pipeline_stopping(pipeline *p); /* host->stopping() says true from now on */
/* A plugin said SS_FATAL: the server should make new instances. Clears itself; any thread. */
bool pipeline_wants_renewal(pipeline *p);
void pipeline_free(pipeline *p); /* after journal_close */

/* blob: the ingest configuration, borrowed for the set's life. Opens the plugins, creates all instances; with
   `old` the new ones may take over state. NULL with err: nothing is left behind. */
pipeline_set *pipeline_set_new(pipeline *p, const ss_config *blob, pipeline_set *old, ss_error *err);
bool pipeline_set_start(pipeline_set *set, ss_error *err);
void pipeline_set_drain(pipeline_set *set, int64_t deadline_us);
void pipeline_set_free(pipeline_set *set); /* stops its timers, destroys its instances */
/* From now on lanes use this set. Returns the one before. */
pipeline_set *pipeline_swap(pipeline *p, pipeline_set *set);
/* True where every lane has begun a pass since the last swap: the old set may go. Wakes those that sleep. */
bool pipeline_swapped(pipeline *p);

/* ---- lanes: everything below on the lane's own thread ---------------------------------------- */

typedef void (*pipeline_done)(void *arg, pipeline_request *r, bool stored);

/* done: for each request that was answered LATER, once its events are stored (or could not be). */
pipeline_lane *pipeline_lane_new(pipeline *p, pipeline_done done, void *arg, ss_error *err); /* any thread */
void pipeline_lane_enter(pipeline_lane *lane); /* once, on its thread */
void pipeline_lane_leave(
    pipeline_lane *lane); /* on its thread, with nothing in flight; freed by pipeline_free */
int pipeline_lane_fd(const pipeline_lane *lane); /* an eventfd that wakes the lane: use EPOLLIN | EPOLLET */

/* Begin of each pass: takes over a new set, keeps time. */
void pipeline_lane_pass(pipeline_lane *lane, int64_t now_us, int64_t mono_us);
/* Runs one request. The response's memory is valid until the next call on this lane. */
enum pipeline_ack pipeline_handle(pipeline_lane *lane, pipeline_request *r, ss_response *response);
/* End of each pass: gives the journal what was written. */
void pipeline_lane_submit(pipeline_lane *lane);
bool pipeline_lane_collect(pipeline_lane *lane); /* true: done() was called, or batches came back */
bool pipeline_lane_sleep(pipeline_lane *lane);   /* false: collect first */
void pipeline_lane_awake(pipeline_lane *lane);
bool pipeline_lane_idle(const pipeline_lane *lane); /* nothing in flight */
void pipeline_lane_wake(pipeline_lane *lane);       /* any thread */
void pipeline_lane_flush_counts(pipeline_lane *lane);
bool pipeline_lane_counted(const pipeline_lane *lane); /* there is something to flush */

/* ---- groups of messages from other processes: on the lane's own thread, which may wait ---------- */

typedef struct pipeline_group {
    ss_str parser;             /* the receiver instance that reads the messages                         */
    _Atomic uint64_t *parsing; /* gets a message's number (from 1) while parse() has it; or NULL        */
    uint32_t number;           /* of the present message                                                */
    uint32_t events, failed;   /* what became of them so far                                            */
} pipeline_group;

/* After pipeline_lane_pass(). SS_OK; SS_RETRY with err: nothing was begun. */
int32_t pipeline_group_begin(pipeline_lane *lane, pipeline_group *g, ss_error *err);
/* do_not_parse: keep it as failed, for this reason; else NULL. SS_OK; SS_RETRY: the group must be aborted. */
int32_t pipeline_group_message(pipeline_lane *lane, pipeline_group *g, const ss_message *m,
                               const char *do_not_parse, ss_error *err);
/* Ends the group: SS_OK: on disk. SS_RETRY: nothing is stored. */
int32_t pipeline_group_commit(pipeline_lane *lane, pipeline_group *g, const journal_place *places,
                              uint32_t place_count, ss_error *err);
void pipeline_group_abort(pipeline_lane *lane);
journal_writer *pipeline_journal(const pipeline *p);

/* Fills response with {"error":"...","error_detail":"..."}; static texts. */
void pipeline_error(ss_response *response, uint32_t status, const char *json);
/* The body of such an error for a status that the front end answers itself. */
#define PIPELINE_ERROR_JSON(code, detail) "{\"error\":\"" code "\",\"error_detail\":\"" detail "\"}\n"

#endif
