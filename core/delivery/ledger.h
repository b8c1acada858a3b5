/* The ledger: what the journal accepted, per receiver and application, against what became of it. Accepted
   counts stand in the footers of segments; when a segment goes, they are folded into DATA/ledger.db. */
#ifndef DELIVERY_LEDGER_H
#define DELIVERY_LEDGER_H

#include "core/base/error.h"
#include "core/delivery/tally.h"
#include "core/journal/writer.h"

#define LEDGER_FILE      "ledger.db"
#define LEDGER_TRIES_MAX 8 /* a segment may be retired while we read */

typedef struct ledger ledger; /* ingest's handle; used on the keeper thread only */

ledger *ledger_open(const char *data_dir, ss_error *err);
/* For journal_options.retire, with the ledger as its argument. Synced; the same segment twice counts once.
   0, or -1 (logged): then the segment stays. */
int ledger_retire(void *ledger_arg, const journal_segment_summary *segment);
void ledger_close(ledger *l);

/* Adds what was accepted up to through_seq to counts[0] of `out`. */
int ledger_accepted(const char *data_dir, const char *journal_dir, uint64_t through_seq, tally *out,
                    ss_error *err);

typedef struct ledger_row {
    ss_str receiver, app; /* both empty: expired and damaged records, whose owner is not known */
    int64_t accepted;     /* -1: not compared */
    int64_t counts[OUTCOME_COUNT];
} ledger_row;

typedef struct ledger_module {
    const char *name;
    uint64_t start_seq, cursor;
    int64_t counts[OUTCOME_COUNT]; /* all rows */
    const ledger_row *rows;
    size_t row_count;
    bool balances;
    char why[256]; /* where it does not */
} ledger_module;

/* Visits every module that has a state below data_dir. verify: compares with what was accepted (reads the
   journal's footers). 0, or -1 with err. */
typedef void (*ledger_visit)(void *arg, const ledger_module *module);
int ledger_modules(const char *data_dir, bool verify, ledger_visit visit, void *arg, ss_error *err);

#endif
