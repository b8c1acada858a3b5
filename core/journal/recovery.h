/* What a journal directory holds when ingest starts: the segments in order, where the next record goes, and
   the last segment brought to order (torn tail cut, sealed). Runs under the LOCK, before the committer. */
#ifndef JOURNAL_RECOVERY_H
#define JOURNAL_RECOVERY_H

#include "core/base/error.h"
#include "core/journal/scan.h"

typedef struct recovery_segment {
    uint64_t id, first_seq, last_seq; /* last < first: no records */
    uint64_t end_offset, file_bytes;
    int64_t last_receive_us; /* for retain_ms: the newest record's, or when the file was last written */
    bool sealed;
} recovery_segment;

typedef struct recovery_result {
    recovery_segment *segments; /* owned, ascending; without an empty last one */
    size_t count;
    uint64_t next_segment_id, next_seq;
    names_positions positions;
    uint64_t damaged_records, cut_bytes;
} recovery_result;

/* -1: the directory cannot be read, or out of memory. One bad segment is no reason. */
int recovery_run(int dirfd, recovery_result *out, ss_error *err);
void recovery_free(recovery_result *r);

#endif
