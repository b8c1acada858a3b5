/* A stage: where one thread's records are written before the journal takes them, and the requests that wait
   for them. Owned by one lane and used by its thread only, except for notify(), which the journal's committer
   calls. */
#ifndef PIPELINE_STAGE_H
#define PIPELINE_STAGE_H

#include "core/journal/writer.h"

#define STAGE_FIRST_BYTES  (512u * 1024)        /* of a fresh batch */
#define STAGE_SUBMIT_BYTES (256u * 1024)        /* a batch that is larger goes before the pass is over */
#define STAGE_MAX_BYTES    (256u * 1024 * 1024) /* of all events of one request                           */
#define STAGE_KEEP_BYTES   (1024u * 1024)       /* a larger one is given back after use */
#define STAGE_SPARE_BYTES  (16u * 1024 * 1024)  /* of all spare batches kept for reuse */
#define STAGE_SPARE_LEAST  2u                   /* kept also where they are not used */

enum stage_state { STAGE_WRITTEN = 1u, STAGE_SYNCED = 2u, STAGE_REFUSED = 4u };

typedef struct stage_waiter { /* embedded in what waits for a batch */
    struct stage_waiter *next;
} stage_waiter;

typedef struct stage_waiters {
    stage_waiter *first, *last;
} stage_waiters;

typedef struct stage_batch {
    journal_batch journal; /* owner = this */
    struct stage *stage;
    size_t size;
    _Atomic uint32_t state; /* enum stage_state, set by the committer */
    bool written_done;      /* for_written was told                   */
    stage_waiters for_written, for_synced;
    struct stage_batch *next; /* submitted, or spare */
} stage_batch;

typedef struct stage {
    journal_writer *journal;
    stage_batch *open;         /* the one being filled; NULL = none yet         */
    stage_batch *first, *last; /* submitted, oldest first                       */
    stage_batch *spare;
    size_t spare_bytes;
    uint32_t spare_count, spare_unused; /* unused: since the last stage_trim() */
    int wake_fd;                        /* eventfd: the owner sleeps on it               */
    _Atomic uint32_t sleeping;
    uint64_t bytes_submitted;
} stage;

/* A place in the open batch to roll back to. */
typedef struct stage_mark {
    size_t bytes;
    uint32_t count;
} stage_mark;

bool stage_init(stage *s, ss_error *err); /* makes the eventfd */
void stage_fini(stage *s);                /* nothing may be submitted any more */

stage_mark stage_mark_here(stage *s);
void stage_rollback(stage *s, stage_mark mark);
/* Room for len more bytes in the open batch; NULL: too much for one request, or out of memory. Moves earlier
   records: keep offsets, not pointers. */
char *stage_reserve(stage *s, size_t len);
/* Counts a record of `used` bytes (padded by this call) at the place of the last stage_reserve. */
void stage_add(stage *s, size_t used);
void stage_flag(stage *s, size_t offset, uint16_t flags); /* on the record at offset */
/* Links a waiter to the open batch. */
void stage_wait(stage *s, stage_waiter *w, bool written_is_enough);

/* Places of pull sources go with the open batch, which may be empty otherwise; borrowed until it is done
   with. false: out of memory. */
bool stage_places(stage *s, const journal_place *places, uint32_t count);
/* Hands the open batch over, if there is something in it. */
void stage_submit(stage *s);
/* Calls done() for all waiters whose batch got that far, and takes finished batches back. True: there were
 * some. */
bool stage_collect(stage *s, void (*done)(void *arg, stage_waiter *w, bool stored), void *arg);
/* Now and then: gives back spare batches that were not used since the last call. */
void stage_trim(stage *s);
static inline bool stage_is_idle(const stage *s)
{
    return !s->first;
}

/* Around a sleep on wake_fd (read by poll or epoll, edge-triggered or drained by the caller): false: there is
   something to collect already, do not sleep. */
bool stage_sleep(stage *s);
void stage_awake(stage *s);
/* From any thread: ends the owner's sleep. */
void stage_wake(stage *s);

#endif
