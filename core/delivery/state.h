/* A module's state.db: position and the module's own state, what crashed it, ledger counts, quarantine.
   SQLite in WAL mode: a commit survives the death of the process, state_sync() makes all commits so far
   survive a power cut. The verbs open the same file beside a running module. One thread per handle. */
#ifndef DELIVERY_STATE_H
#define DELIVERY_STATE_H

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/delivery/tally.h"

#define STATE_FILE           "state.db"
#define STATE_QUARANTINE_MAX 100000u /* rows; then the module pauses instead of discarding        */
#define STATE_BLOB_MAX       (16u * 1024 * 1024) /* what a module may hand to commit()                        */
#define STATE_REASON_MAX     1024u /* bytes of a reason that are kept                            */
#define STATE_BUSY_MS        5000  /* how long a verb may hold the file                          */

typedef struct state state;

/* The last batch that the process died in. from == through: none. */
typedef struct state_suspect {
    uint64_t from, through;
    uint32_t crashes;
} state_suspect;

typedef struct state_start { /* a new module's first position */
    uint64_t journal_id;
    uint64_t start_seq;
} state_start;

typedef struct state_reject {
    const ss_record *record;
    uint32_t code;
    uint32_t attempts;
    ss_str reason;
} state_reject;

typedef struct state_row { /* one quarantined record; slices are valid during the visit */
    ss_record record;
    ss_str reason;
    uint32_t code, attempts;
    int64_t quarantined_us;
    bool retry; /* marked: the module delivers it again */
} state_row;

/* What one transaction changes. Pointers that are NULL change nothing. */
typedef struct state_change {
    uint64_t cursor;
    const ss_str *blob;
    const tally *counts;
    const uint64_t *done; /* records after the cursor that need not come again; with done_set */
    size_t done_count;
    bool done_set;
    const state_reject *rejects;
    size_t reject_count;
    const uint64_t *released; /* quarantined records that were delivered after all */
    size_t released_count;
    const state_suspect *suspect;
    const ss_str *host; /* the host's part of the configuration that is in force from here on */
} state_change;

/* Creates the file (and its directories) where it is not there. NULL with err: code is an ss_status, SS_RETRY
   where trying again later makes sense, SS_FATAL where a person must look. */
state *state_open(const char *path, ss_error *err);
/* Like state_open, but NULL with err where there is no file. For verbs. */
state *state_open_existing(const char *path, ss_error *err);
void state_close(state *s);

bool state_is_new(const state *s); /* state_begin() was never called */
/* baseline: what the journal had accepted before start_seq, per receiver and application; synced. */
int state_begin(state *s, const state_start *start, const tally *baseline, ss_error *err);
int state_commit(state *s, const state_change *change, ss_error *err);
int state_sync(state *s, ss_error *err); /* everything committed is on disk after 0 */

uint64_t state_cursor(const state *s);
ss_str state_blob(const state *s); /* borrowed until the next commit with a blob */
state_start state_started(const state *s);
state_suspect state_suspected(const state *s);
size_t state_quarantine_count(const state *s);
/* Sorted copy of what must be passed over after the cursor; free() it. kinds[i]: an enum outcome. */
int state_skips(state *s, uint64_t **seqs, uint8_t **kinds, size_t *count, ss_error *err);

/* Small named values: "max_bytes", "fingerprint", "host". get: false where it is absent. */
int state_put(state *s, const char *key, ss_str value, ss_error *err);
bool state_get(state *s, const char *key, buf *out);
/* The journal got a new id or lost its history: the position is set anew; counts start again. */
int state_restart(state *s, const state_start *start, const tally *baseline, ss_error *err);

/* One moment of a file that a module writes to: cursor and counts that belong together. */
int state_freeze(state *s, ss_error *err);
void state_thaw(state *s);

/* Quarantine. only_retry: marked rows; after_seq: 0 = from the start. visit: false ends it. */
typedef bool (*state_visit)(void *arg, const state_row *row);
int state_rows(state *s, uint64_t after_seq, bool only_retry, state_visit visit, void *arg, ss_error *err);
/* seq 0 = all. Return the number of rows, -1 with err. A row that the cursor has not passed yet cannot be
   dropped: the record would come again. */
int64_t state_mark(state *s, uint64_t seq, bool retry, ss_error *err);
int64_t state_drop(state *s, uint64_t seq, ss_error *err);
/* A retried row was refused again. */
int state_refuse(state *s, uint64_t seq, uint32_t code, ss_str reason, ss_error *err);

/* Ledger rows: table "ledger" (counts by outcome) or "baseline" (counts[0] = accepted before the start). */
typedef void (*state_count_visit)(void *arg, ss_str receiver, ss_str app,
                                  const int64_t counts[OUTCOME_COUNT]);
int state_counts(state *s, bool baseline, state_count_visit visit, void *arg, ss_error *err);

#endif
