/* The one shared page of a running server: a memfd made by the supervisor, mapped by ingest and by every
   module. It carries what must outlive a process: how far the journal is durable, who waits, what a plugin
   callback was doing when its process died, and the metrics. Fixed layout for one build. */
#ifndef OBSERVE_BOARD_H
#define OBSERVE_BOARD_H

#include "core/journal/board.h"

#define BOARD_PULLERS_MAX   16u                        /* pull receivers                                */
#define BOARD_PULLER_FIRST  (JOURNAL_READERS_MAX + 2u) /* [0] supervisor, [1] ingest, [2 + slot] modules, */
#define BOARD_PROCESSES_MAX (BOARD_PULLER_FIRST + BOARD_PULLERS_MAX) /* [first + i] pull receivers       */
#define BOARD_CRUMBS_MAX    128u /* ingest threads that run plugin code: loops, timers, the inlet          */
#define BOARD_METRICS_MAX   512u /* per process                                   */
#define BOARD_NAME_BYTES    64u
#define BOARD_REJECTS_BYTES (256u * 1024)

/* Breadcrumb: which plugin callback a thread is in. Written before, cleared after each callback. */
typedef struct board_crumb {
    _Atomic int64_t since_mono_us;   /* 0 = not in a callback                                              */
    char instance[BOARD_NAME_BYTES]; /* "receiver matomo"                                                */
    char callback[16];
} board_crumb;

typedef struct board_process {
    _Atomic int32_t pid; /* 0 = not running */
    _Atomic uint32_t ready;
    _Atomic uint32_t paused; /* module: credentials or target wrong */
    _Atomic uint32_t spare;
    _Atomic int64_t started_us;
    _Atomic uint64_t restarts;
    char name[BOARD_NAME_BYTES]; /* "ingest", "module lake"        */
    char state_text[256];        /* one sentence for status, or "" */
    /* Module: the batch inside deliver(), so that a crash there is known after the process is gone.
       through == 0: not inside deliver(). */
    _Atomic uint64_t deliver_from, deliver_through;
    _Atomic int64_t deliver_since_mono_us;
    _Atomic int64_t deliver_until_mono_us; /* the supervisor ends it some time after this */
    /* Of a process that hands groups of messages to ingest: the message (from 1) that parse() has, so that
       one which ends ingest is known afterwards. 0 = none. */
    _Atomic uint64_t parsing;
} board_process;

/* One time series; owned by one process, read by all. */
typedef struct board_metric {
    _Atomic uint32_t used; /* 1 after the rest is filled */
    uint32_t is_gauge;
    _Atomic uint64_t bits; /* a double */
    char name[80], help[120], labels[120];
} board_metric;

typedef struct board_metrics {
    _Atomic uint32_t count, lock;
    board_metric series[BOARD_METRICS_MAX];
} board_metrics;

/* Why inputs were not stored: a ring of JSON lines for `tail --rejected`. head counts bytes ever written. */
typedef struct board_rejects {
    _Atomic uint64_t head;
    _Atomic uint32_t lock, spare;
    char bytes[BOARD_REJECTS_BYTES];
} board_rejects;

typedef struct board {
    uint64_t size; /* sizeof(board): a check against mixed builds */
    _Alignas(4096) journal_board journal;
    board_process processes[BOARD_PROCESSES_MAX];
    board_crumb crumbs[BOARD_CRUMBS_MAX];
    board_crumb culprit; /* copied by ingest's fatal-signal handler */
    board_metrics metrics[BOARD_PROCESSES_MAX];
    board_rejects rejects;
} board;

int board_create(void);   /* a memfd of the right size, zeroed; -1 with errno           */
board *board_map(int fd); /* NULL where the size is not ours                             */
int board_guard(
    board *b); /* modules: what ingest publishes becomes read-only in this process; -1 with errno */

#endif
