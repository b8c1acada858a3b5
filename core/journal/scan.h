/* Walks all frames of one segment file, good and damaged: recovery, verify, and the facts of a segment that
   has no footer. One thread. */
#ifndef JOURNAL_SCAN_H
#define JOURNAL_SCAN_H

#include "core/journal/segment.h"

typedef struct scan_bound { /* where the segment ends, as the next one's head says; UINT64_MAX: not known */
    uint64_t offset, seq;
} scan_bound;
#define SCAN_NO_BOUND ((scan_bound){UINT64_MAX, UINT64_MAX})

typedef struct scan_result {
    uint64_t end_offset, next_seq; /* behind the last complete frame */
    uint64_t frames, records, damaged;
    uint64_t cut_bytes; /* of a torn frame at the end, which does not count */
    uint64_t bad_pages; /* the disk could not read them */
    uint64_t left_out;  /* whole records of requests that are not whole; they are in `damaged` too */
    uint64_t uncertain; /* at most so many records may have stood on bad pages at the end */
    bool footer;
} scan_result;

/* Called for ranges of sequence numbers that cannot be read. */
typedef void scan_damaged_fn(void *arg, uint64_t from, uint64_t through);

/* facts and damaged may be NULL. -1: out of memory or no file (errno). */
int scan_segment(int fd, const journal_segment_head *head, scan_bound bound, segment_facts *facts,
                 scan_damaged_fn *damaged, void *arg, scan_result *out);

#endif
