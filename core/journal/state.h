/* The writer's inside, shared by its files: writer.c (the calls, the committer's loop), commit.c (frames) and
   active.c (the segment that is written to), both on the committer thread, and keeper.c (retention and spare
   segments, on the keeper thread). */
#ifndef JOURNAL_STATE_H
#define JOURNAL_STATE_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "core/journal/recovery.h"
#include "core/journal/writer.h"

#define JOURNAL_SPARES        2u
#define JOURNAL_COMMIT_BYTES  (16u * 1024 * 1024) /* per sync: bounds the latency of a burst */
#define JOURNAL_IOVS          512u                /* per frame                               */
#define JOURNAL_PROBE_US      1000000             /* while the disk is full or broken        */
#define JOURNAL_WINDOW_STREAK 4u                  /* commits of ...                          */
#define JOURNAL_WINDOW_COUNT  16u                 /* ... so many records before we wait      */

typedef struct writer_segment { /* the one that is written to */
    int fd;
    bool open;
    dev_t dev;
    ino_t ino;
    journal_segment_head head;
    uint64_t offset, file_bytes;
    uint64_t start;        /* offset of the first commit */
    uint32_t source_edits; /* the dictionary's state that is written */
} writer_segment;

typedef struct writer_frame { /* one pwritev under construction */
    journal_frame_head head;
    journal_frame_trailer trailer;
    buf positions;
    struct iovec iov[JOURNAL_IOVS + 3];
    int iov_count;
    uint64_t body_bytes;
} writer_frame;

struct journal_writer {
    journal_options options;
    char dir[PATH_MAX];
    int dirfd, lockfd;
    uint64_t id;
    journal_board *board;
    pthread_t committer, keeper;

    /* Submitting threads. */
    _Atomic(journal_batch *) submitted; /* newest first */
    _Atomic uint32_t sleeping;          /* enum committer_sleep, a futex */
    _Atomic uint64_t queued_bytes;
    _Atomic uint32_t closing;
    _Atomic uint32_t stuck;    /* JOURNAL_FULL or JOURNAL_FAILED: there is no segment to write to */
    _Atomic uint32_t over_max; /* more than options.max_bytes */

    /* The committer's own. */
    journal_batch *pending_first, *pending_last;
    writer_segment active;
    counts counts;
    writer_frame frame;
    uint64_t next_seq, next_segment_id;
    uint64_t prev_id, prev_end_offset, prev_end_seq;
    int64_t last_sync_us, probe_at_us;
    uint32_t streak;

    /* Under lock. */
    pthread_mutex_t lock;
    pthread_cond_t keeper_wake;
    bool keeper_nudged;
    names_dictionary sources;
    names_positions positions;
    recovery_segment *segments; /* closed ones, ascending */
    size_t segment_count, segment_size;
    uint64_t active_first_seq;
    char spares[JOURNAL_SPARES][SEGMENT_NAME_BYTES];
    uint32_t spare_count;
    uint64_t spare_number;
    int spare_error; /* the last one that was logged */
    bool disk_full, reserve_released, half_alarm;
    _Atomic uint32_t source_count, source_edits;
    _Atomic uint64_t closed_bytes; /* of the files in segments */
    _Atomic uint64_t active_bytes; /* written by the committer */

    _Atomic uint64_t commits, records, bytes, syncs, sync_us_total, refused_records;
    _Atomic uint64_t damaged_records, cut_bytes, failed_syncs, segments_begun;
};

void writer_publish_state(journal_writer *w); /* stuck, over_max -> board */
void writer_nudge_keeper(journal_writer *w);

/* commit.c */
void commit_pending(journal_writer *w); /* afterwards nothing is pending */
void commit_probe(journal_writer *w);   /* when the time has come: is there room again? */

/* active.c */
int active_begin(journal_writer *w); /* -1 with errno */
/* Writes the footer and closes the file; last: the journal is being closed. */
void active_end(journal_writer *w, bool last);
void active_leave(journal_writer *w, bool sealed); /* what follows goes into the next segment */
/* Somebody in this process may have closed our descriptor, and another file may have got its number. */
bool active_is_ours(const writer_segment *s);
/* Appends the dictionary from that number on, as frames. Under lock. */
void active_put_dictionary(journal_writer *w, const journal_segment_head *head, uint32_t from, buf *out);

/* keeper.c */
void *keeper_main(void *writer);
void keeper_find_spares(journal_writer *w);
/* Takes a spare's name for the committer; false: there is none, or the last one must stay. Under lock. */
bool keeper_take_spare(journal_writer *w, char out[SEGMENT_NAME_BYTES]);
/* The disk is full: the last spare is given back to the file system, so that cursors can move. */
void keeper_release_reserve(journal_writer *w);

#endif
