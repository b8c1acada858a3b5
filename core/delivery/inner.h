/* What the files of core/delivery share about a running module. Not for others. */
#ifndef DELIVERY_INNER_H
#define DELIVERY_INNER_H

#include <time.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/delivery/delivery.h"
#include "core/delivery/spec.h"
#include "core/delivery/state.h"
#include "core/delivery/tally.h"
#include "core/journal/reader.h"
#include "plugins/loader/host_base.h"

#define DELIVERY_COMMIT_US          200000 /* positions are committed at least this often ...              */
#define DELIVERY_COMMIT_RECORDS     10000u /* ... or after so many records: what a crash delivers again     */
#define DELIVERY_SYNC_US            1000000 /* and synced this often                                         */
#define DELIVERY_MEMORY_US          1000000 /* between looks at the memory used                              */
#define DELIVERY_IDLE_US            1000000 /* then buffers are given back                                   */
#define DELIVERY_TIMERS_MAX         64u
#define DELIVERY_VIEWS_MAX          64u
#define DELIVERY_TEXT_MAX           1024u /* of one record's reason                                        */
#define DELIVERY_TEXTS_BYTES_MAX    (16u << 20)
#define DELIVERY_RETRY_AFTER_MAX_MS 3600000

struct ss_timer {
    int64_t due_us, period_us; /* monotonic; due 0 = free, period 0 = once */
    void (*callback)(void *arg);
    void *arg;
};

typedef struct batch { /* what is being delivered; slices point into the reader's buffer */
    bool open;         /* has records that are not resolved yet */
    ss_record *records;
    ss_record_result *results;
    uint32_t *rows; /* of the tally */
    size_t *bodies; /* offsets in views, while a view is rendered */
    uint32_t count, size;
    uint64_t from, through, id;
    size_t bytes;
    uint32_t attempt;
    bool partial; /* some records were resolved and written down before the others */
    uint64_t *done;
    uint32_t done_count;
    buf views;
    arena texts;
} batch;

typedef struct delivery_view { /* the chosen view of one receiver */
    ss_str receiver;
    ss_view view;
} delivery_view;

typedef struct delivery_metrics {
    ss_metric *outcomes[OUTCOME_COUNT];
    ss_metric *retried, *batches, *commits, *syncs, *quarantined;
} delivery_metrics;

typedef struct delivery {
    host_base base; /* first: table.self points here */
    const delivery_setup *setup;
    spec spec;
    const ss_plugin *plugin;
    void *inst;
    bool commits; /* SS_MODULE_COMMITS */
    board_process *process;
    journal_board *journal;
    journal_slot *slot;
    state *state;
    tally tally;
    trail trail;
    uint64_t *skips; /* records that are done though the cursor has not passed them */
    uint8_t *skip_kinds;
    size_t skip_count, skip_at;
    journal_reader *reader;
    uint64_t read_seq;     /* everything up to here was read                                     */
    uint64_t taken_seq;    /* COMMITS: the last record that the module took                      */
    uint64_t done_seq;     /* everything up to here is done and may be committed                 */
    uint64_t done_through; /* the last record in the stored list of those done before their time */
    bool commit_now;
    uint64_t limit_seq; /* replay: the last one; else UINT64_MAX                              */
    batch batch;
    bool in_deliver, in_start;
    delivery_view views[DELIVERY_VIEWS_MAX];
    size_t view_count;
    struct ss_timer timers[DELIVERY_TIMERS_MAX];
    timer_t deadline;
    int64_t memory_due_us; /* when memory is looked at next */
    bool anew;             /* too much memory: a new process shall go on */
    bool unsynced;
    int64_t last_commit_us, last_sync_us, last_read_us; /* monotonic */
    int64_t filtered_us;      /* monotonic: last time everything read was filtered    */
    int64_t hold_until_us;    /* the module asked for a pause                 */
    int64_t blocked_until_us; /* the state or the journal failed: wait */
    uint32_t failures;        /* in a row, of those two                 */
    bool paused, fatal, stopping, ask_quarantine, ask_flush;
    int64_t quarantine_due_us, stop_by_us;
    uint64_t stop_seq;
    char said[256];
    delivery_metrics metrics;
} delivery;

/* host.c: the host table's module calls, timers */
void host_fill(delivery *d);
int64_t host_run_timers(delivery *d); /* the next one's due time, INT64_MAX = none */

/* batch.c: reading and filtering */
bool batch_fill(delivery *d);  /* true: d->batch is open */
bool batch_ready(delivery *d); /* its arrays are there */
void batch_release(delivery *d, bool idle);
uint64_t batch_limit(const delivery *d);

/* view.c */
int view_load(delivery *d, ss_error *err);
/* Fills record->body of each record, or its result with REJECT and the reason. */
void view_render(delivery *d);

/* deliver.c: one call of deliver() and what follows from it */
void deliver_batch(delivery *d);
void deliver_quarantined(delivery *d);

/* poison.c: crashes inside deliver() */
int poison_learn(delivery *d, ss_error *err); /* at the start */
void poison_passed(delivery *d);              /* everything up to read_seq is resolved */
bool deadline_init(delivery *d);
void deadline_arm(delivery *d, uint64_t from, uint64_t through);
void deadline_disarm(delivery *d);
void deadline_fini(delivery *d);

/* position.c: commit, sync, first position */
int position_open(delivery *d, ss_error *err); /* enum delivery_exit */
int32_t position_rewind(delivery *d, uint64_t *seq, ss_error *err);
int position_commit(delivery *d, state_change *c, ss_error *err);
int position_sync(delivery *d, ss_error *err);
int64_t position_service(delivery *d); /* commits and syncs what is due; the next due time */
void position_settle(delivery *d);     /* done_seq follows what was read */

/* delivery.c */
void delivery_say(delivery *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void delivery_failed(delivery *d, const char *alarm, const ss_error *err); /* blocks with backoff */
void delivery_works(delivery *d, const char *alarm);
int64_t delivery_backoff_ms(delivery *d, uint32_t attempt);
/* Sleeps until the journal has wake_seq, until_us (monotonic), or a signal. */
void delivery_rest(delivery *d, uint64_t wake_seq, int64_t until_us);

#endif
