/* What a segment holds, counted while it is written (or scanned): records by (source, app), ranges of time.
   Bounded: JOURNAL_PAIRS_MAX pairs, further ones count under app "*" of their source. Not thread-safe. */
#ifndef JOURNAL_COUNTS_H
#define JOURNAL_COUNTS_H

#include "core/base/buf.h"
#include "core/journal/format.h"

#define COUNTS_SLOTS (4u * JOURNAL_PAIRS_MAX)

typedef struct counts_pair {
    uint64_t records;
    uint16_t source, app_len;
    uint32_t app; /* offset in apps */
} counts_pair;

typedef struct counts {
    counts_pair pairs[JOURNAL_PAIRS_MAX];
    uint16_t slots[COUNTS_SLOTS]; /* pair + 1, 0 = free */
    uint32_t pair_count, last;
    char *apps; /* owned */
    size_t app_bytes, app_size;
    uint64_t *others; /* by source, owned: app "*" */
    uint32_t other_count;
    uint64_t records, footer_bytes; /* of the pairs */
    int64_t event_min_us, event_max_us, receive_min_us, receive_max_us;
} counts;

void counts_init(counts *c);
void counts_fini(counts *c);
void counts_reset(counts *c);
int counts_add(counts *c, const journal_record_head *head); /* -1: out of memory, not counted by pair */
/* Upper bound of what these records add to counts_put()'s bytes. */
size_t counts_growth(const counts *c, uint64_t records, uint64_t app_bytes);
uint32_t counts_put(const counts *c, buf *out); /* journal_pair entries; returns how many */

#endif
