/* Who got what: counts per receiver and application, and the trail of outcomes between the committed cursor
   and where the reader is. The trail is run-length encoded: one entry for records that follow each other
   with the same receiver, application and outcome. One thread. */
#ifndef DELIVERY_TALLY_H
#define DELIVERY_TALLY_H

#include "core/base/error.h"

#define TALLY_ROWS_MAX 65536u     /* receiver and application pairs; more are counted as "__other__" */
#define TRAIL_RUNS_MAX (4u << 20) /* 32 MiB: a module that holds more is asked to flush              */

enum outcome {
    OUTCOME_DELIVERED = 0,
    OUTCOME_REJECTED = 1,
    OUTCOME_EXPIRED = 2,
    OUTCOME_FILTERED = 3,
    OUTCOME_DAMAGED = 4,
    OUTCOME_COUNT = 5
};

typedef struct tally_row {
    ss_str receiver, app; /* owned, one allocation */
    int64_t counts[OUTCOME_COUNT];
    uint32_t next_changed; /* list of rows with counts, 1-based; 0 = end */
    bool changed;
} tally_row;

typedef struct tally {
    tally_row *rows;
    uint32_t *slots; /* open addressing: row + 1 */
    uint32_t count, size, slot_count, first_changed;
    uint32_t last; /* the row of the last lookup + 1: events of one site come in groups */
} tally;

typedef struct trail {
    uint64_t after_seq; /* the first entry stands for the record after this one */
    uint64_t end_seq;   /* the last record in it                                 */
    uint64_t *runs;     /* outcome 3 bits, row 24 bits, length 32 bits           */
    size_t first, count, size;
    struct trail_reject {
        uint64_t seq;
        uint32_t row;
    } * rejects; /* taken as delivered, rejected later */
    size_t reject_count, reject_size;
} trail;

void tally_fini(tally *t);
/* The row's number; the row of "__other__" when full; UINT32_MAX: out of memory. */
uint32_t tally_row_of(tally *t, ss_str receiver, ss_str app);
void tally_add(tally *t, uint32_t row, enum outcome what, int64_t n);
void tally_clear(tally *t); /* all counts back to 0; rows stay */

void trail_init(trail *t, uint64_t after_seq);
void trail_fini(trail *t);
bool trail_add(trail *t, uint64_t n, uint32_t row, enum outcome what); /* false: out of memory */
bool trail_reject(trail *t, uint64_t seq, uint32_t row);               /* was added as delivered */
/* Adds what stands up to through_seq to the tally; trail_drop() then forgets it, when that is stored. */
void trail_sum(const trail *t, uint64_t through_seq, tally *out);
void trail_drop(trail *t, uint64_t through_seq);

#endif
