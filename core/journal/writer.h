/* The journal's writer: only ingest has one. Loop threads submit batches, one committer thread groups them
   into frames, writes, syncs, publishes, and tells each batch's owner. */
#ifndef JOURNAL_WRITER_H
#define JOURNAL_WRITER_H

#include "core/base/error.h"
#include "core/journal/board.h"
#include "core/journal/record.h"

typedef struct journal_writer journal_writer;

/* Records of one receiver and application in a segment; app "*" gathers what a busy segment does not count
   by name. */
typedef struct journal_count {
    ss_str receiver, app;
    uint64_t records;
} journal_count;

/* What a segment held; borrowed for the call. */
typedef struct journal_segment_summary {
    uint64_t journal_id, segment_id;
    uint64_t first_seq, last_seq; /* last < first: no records */
    uint64_t records, damaged;    /* damaged ones are not in counts */
    uint64_t bytes;               /* of the file */
    int64_t event_min_us, event_max_us, receive_min_us, receive_max_us;
    const journal_count *counts;
    size_t count_count;
} journal_segment_summary;

typedef struct journal_options {
    const char *dir;        /* the journal's own directory                                          */
    uint64_t segment_bytes; /* default 64 MiB                                                       */
    uint64_t max_bytes;     /* whole journal; 0 = no limit; beyond it: JOURNAL_FULL                 */
    int64_t retain_ms;      /* keep at least this long for replay; 0 = delivered ones may go        */
    uint64_t queue_bytes;   /* submitted and not yet durable; beyond it journal_ready() is false    */
    int64_t sync_delay_us;  /* bench only: sleep added after each sync, emulates a slow disk        */
    int64_t window_us;      /* longest wait for more arrivals (200)                                 */
    /* Called before a segment goes, on the keeper thread; the segment stays until this returns 0. After a
       power cut the same segment may come twice: fold by segment_id. NULL: segments just go. */
    int (*retire)(void *arg, const journal_segment_summary *segment);
    void *retire_arg;
} journal_options;

/* What a segment's dictionary says of a receiver. */
typedef struct journal_source {
    ss_str name, version;
    uint32_t schema_rev;
    uint32_t spare;
    uint64_t catalog_hash;
} journal_source;

/* How far a pull source (or one part of it: "kafka-in/topic/3") was taken over. */
typedef struct journal_place {
    ss_str source, position;
} journal_place;

enum journal_event { JOURNAL_WRITTEN = 1, JOURNAL_SYNCED = 2, JOURNAL_REFUSED = 3 };

/* A stage full of records, handed over by journal_submit() until notify() was called with SYNCED or REFUSED
   (exactly one of them, always; WRITTEN comes before SYNCED). `records` is a sequence of records, each
   padded to 8 bytes. */
typedef struct journal_batch {
    struct journal_batch *next; /* the writer's */
    char *records;
    size_t bytes;
    uint32_t count;
    uint32_t wants_written; /* 1: call notify(JOURNAL_WRITTEN) too */
    /* Pull sources: stored in the same frame. Borrowed like the records. A batch without records stores
       places alone; an empty value takes the source out. */
    const struct journal_place *places;
    uint32_t place_count;
    uint64_t first_seq; /* set before SYNCED */
    /* On the committer thread: must be short, must not block. */
    void (*notify)(struct journal_batch *batch, enum journal_event what);
    void *owner;
} journal_batch;

/* Creates or recovers the journal in dir (waits for its LOCK), then starts the committer. err: what and
   where. Recovery reports damage through the log and the counters of journal_stats; it never fails for one
   bad segment. */
journal_writer *journal_open(const journal_options *options, journal_board *board, ss_error *err);
/* Registers a receiver; the number goes into journal_record_head.source. Before the first submit of its
   records; the same name gives the same number; -1: more than 65535. */
int journal_source_id(journal_writer *w, const journal_source *source);
/* False while the journal cannot take more (queue full, disk full, failed): answer 503. Any thread. */
bool journal_ready(const journal_writer *w);
void journal_submit(journal_writer *w, journal_batch *batch);
/* The last committed position of a pull source; empty where there is none. Copies into out. */
size_t journal_position(journal_writer *w, ss_str source, char *out, size_t size);
/* Calls visit for each source that begins with the prefix, under the writer's lock: visit copies. Any thread.
 */
void journal_positions(journal_writer *w, ss_str prefix, void (*visit)(void *arg, const journal_place *place),
                       void *arg);
/* False: with these the journal would have more sources than it keeps. Any thread. */
bool journal_places_fit(journal_writer *w, const journal_place *places, uint32_t count);
/* Waits until everything submitted is durable (or refused), seals the segment, joins the committer, frees. */
void journal_close(journal_writer *w);

typedef struct journal_stats { /* since start */
    uint64_t commits, records, bytes, syncs, sync_us_total, refused_records;
    uint64_t damaged_records, cut_bytes, failed_syncs, segments;
    uint64_t queue_bytes; /* now */
} journal_stats;
void journal_read_stats(const journal_writer *w, journal_stats *out);

#endif
