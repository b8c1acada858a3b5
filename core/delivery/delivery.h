/* Delivery: one module's life. Reads the journal, filters, builds batches, calls deliver(), keeps the
   position, retries, quarantines. One thread. The module process (core/server/module.c) and replay run it. */
#ifndef DELIVERY_DELIVERY_H
#define DELIVERY_DELIVERY_H

#include "core/base/error.h"
#include "core/observe/board.h"

enum delivery_ask { DELIVERY_ASK_QUARANTINE = 1u, DELIVERY_ASK_FLUSH = 2u, DELIVERY_ASK_STOP = 4u };

enum delivery_exit {
    DELIVERY_CLEAN = 0,
    DELIVERY_FAILED = 1,
    DELIVERY_REFUSED = 2,
    DELIVERY_DEADLINE = 3,
    DELIVERY_BROKEN = 5
};

typedef struct delivery_setup {
    ss_str blob;
    board *board;
    uint32_t process_index, slot;
    void *arg;
    uint32_t (*look)(void *arg); /* what was asked since the last look: delivery_ask bits, or NULL */
    bool (*intact)(void *arg);   /* false: deliver() closed descriptors of the process, or NULL */
    void (*say)(void *arg, const char *message); /* "ready", "state TEXT" to the supervisor, or NULL */
    const char *replay_id;                /* NULL: not a replay                                             */
    uint64_t replay_from, replay_through; /* both included                                                  */
    uint64_t *outcomes;                   /* replay: OUTCOME_COUNT sums, or NULL                            */
} delivery_setup;

int delivery_run(const delivery_setup *setup); /* enum delivery_exit */

/* Async-signal-safe, for the process's handlers. */
void delivery_ask_stop(void);
void delivery_ask_look(void);

#endif
