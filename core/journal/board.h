/* The journal's part of the shared page: what ingest publishes and where readers wait.
   The page is a memfd that the supervisor owns; it outlives ingest and every module. All integers are
   accessed with the C11 atomics; the layout is fixed for one build (children are exec'ed from the same
   binary). */
#ifndef JOURNAL_BOARD_H
#define JOURNAL_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#define JOURNAL_READERS_MAX 64u

/* One per module, its index chosen by the supervisor and kept while the module is in the YAML. */
typedef struct journal_slot {
    /* Waiting: the reader stores wake_seq, then sets `waiting` to 1 and waits on it as a futex; ingest sets
       it to 0 and wakes where durable_seq >= wake_seq. A signal handler may set it to 0 too. */
    _Atomic uint32_t waiting;
    _Atomic uint32_t used; /* 1: a module is configured here                                    */
    _Atomic uint64_t wake_seq;
    /* Retention: nothing after synced_cursor may go, except what exceeds max_bytes (0 = no limit).      */
    _Atomic uint64_t synced_cursor; /* UINT64_MAX: not known yet, pins everything                        */
    _Atomic uint64_t max_bytes;
    /* For status and metrics. */
    _Atomic uint64_t cursor;
    _Atomic uint64_t expired;
    uint64_t spare[2];
} journal_slot;

typedef struct journal_board {
    _Atomic uint64_t journal_id;
    _Atomic uint64_t durable_seq; /* the last record that is on disk; readers never look past it         */
    _Atomic uint64_t first_seq;   /* the oldest record still there                                       */
    _Atomic uint64_t bytes;       /* of all segments                                                     */
    _Atomic uint32_t state;       /* enum journal_state                                                  */
    _Atomic uint32_t spare;
    /* On pages of their own: modules may write their slot, but nothing above it (board_guard). */
    _Alignas(4096) journal_slot slots[JOURNAL_READERS_MAX];
} journal_board;

enum journal_state { JOURNAL_CLOSED = 0, JOURNAL_OPEN = 1, JOURNAL_FULL = 2, JOURNAL_FAILED = 3 };

/* Reader side. Waits until durable_seq >= seq or timeout_ms passed or the slot was poked. timeout_ms < 0:
   without end. Returns durable_seq. */
uint64_t journal_wait(journal_board *board, uint32_t slot, uint64_t seq, int64_t timeout_ms);
/* Async-signal-safe: ends a present or the next wait of that slot. */
void journal_poke(journal_board *board, uint32_t slot);
/* Writer side, after each commit: publishes and wakes those who wait for it. */
void journal_publish(journal_board *board, uint64_t durable_seq);

#endif
