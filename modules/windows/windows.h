/* The module: from batches to documents, and what is saved in between. */
#ifndef WINDOWS_WINDOWS_H
#define WINDOWS_WINDOWS_H

#include <limits.h>

#include "modules/windows/render.h"
#include "modules/windows/save.h"
#include "plugins/common/windows_backfill.h"

#define WINDOWS_COUNTERS   14u
#define WINDOWS_NAME_BYTES 96u /* of a backfill's file */

/* Documents are handed over in rounds. A round is written down with the windows as they are then, before its
   first document goes out; the position that the journal keeps with the documents says how many of which
   round are there. So none is lost and none is there twice, and after any crash everything goes on as if
   nothing had been. */
typedef struct windows {
    const ss_host *host;
    ss_str parser;
    paths paths;
    metric *metrics;
    uint32_t metric_count;
    metric_state *states, *told; /* told: what the server's metrics have had */
    ss_metric **series;          /* WINDOWS_COUNTERS a metric */
    engine_settings settings;
    engine engine;
    bool running; /* start() was well */
    uint64_t journal_id;
    outbox plan; /* of the present round */
    uint64_t round, sent;
    outbox fresh;     /* of the next one */
    int64_t fresh_us; /* monotonic: since when something waits for a round; 0: nothing */
    int64_t saved_us; /* monotonic: last save */
    int64_t save_cost_us, try_us, told_us;
    uint64_t saved_seq, last_file;
    int64_t save_every_us;
    bool refused, broken;
    char why[512];
    buf body;
    bool backfills; /* this is a replay: windows are computed anew, nothing goes out */
    backfill_order order;
    const char *dir;                /* where a backfill from a lake leaves its file; NULL: data_dir */
    char taken[WINDOWS_NAME_BYTES]; /* the backfill's file whose documents are in `fresh`; "": none */
} windows;

/* round.c */
int64_t windows_now(void); /* monotonic, us */
bool windows_emit(void *arg, const document *d);
/* What is due: handing over, saving. force: all of it, now. SS_OK, SS_RETRY, SS_FATAL. */
int32_t windows_round(windows *w, bool force, ss_error *err);
int32_t windows_restore(windows *w, const ss_resume *resume, ss_error *err);

/* backfill.c */
bool windows_is_replay(const windows *w);
int32_t windows_backfill_begin(windows *w, const ss_resume *resume, ss_error *err);
int32_t windows_backfill_flush(windows *w, ss_error *err);
/* What was computed as a file, where there is a window at all. */
int32_t windows_backfill_write(windows *w, backfill_result *r, ss_error *err);
/* The next file that `streamsteam windows backfill` left, into `fresh`; false: no memory. */
bool windows_backfill_take(windows *w);
void windows_backfill_done(windows *w, const char *name); /* its documents are saved with the round */

/* tell.c */
void windows_series(windows *w);
void windows_tell(windows *w);

#endif
