/* What the files of the inlet share. */
#ifndef SERVER_INLET_INSIDE_H
#define SERVER_INLET_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/observe/metrics.h"
#include "core/pull/wire.h"
#include "core/server/inlet.h"

#define INLET_CONNECTIONS_MAX 96u      /* pull receivers, modules, and some that end just now */
#define INLET_ID_SUFFIX       "#group" /* the id of a source's last group is stored as one more part of it */

typedef struct peer { /* one place for a connection; its lane and thread are used again */
    inlet *inlet;
    pthread_t thread;
    bool joinable;
    bool busy; /* under the inlet's lock */
    int64_t quiet_until_us;
    uint64_t ticket; /* under the lock: who came first */
    pipeline_lane *lane;
    int fd;
    buf in, out;
    char process[WIRE_NAME_MAX], source[WIRE_NAME_MAX], parser[WIRE_NAME_MAX];
    uint32_t process_index;
    ss_metric *groups, *messages, *failed, *refused;
    ss_pair headers[WIRE_HEADERS_MAX];
} peer;

struct inlet {
    pipeline *pipeline;
    board *board;
    int listen_fd, stop_fd;
    _Atomic uint32_t stopping;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* a connection */
    uint64_t tickets;
    peer peers[INLET_CONNECTIONS_MAX];
};

/* inlet.c. False: the peer is gone, or does not take its answer in time. */
bool inlet_send(const peer *p, const buf *out);

/* inlet_group.c: runs the group in a GROUP frame and answers it. False: the connection ends. */
bool inlet_group(peer *p, ss_str body);

#endif
