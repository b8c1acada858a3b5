/* Ingest's side of the inlet: groups of messages from pull receivers and from modules that derive events
   (core/pull/wire.h is the language). One thread per connection; each is a lane of the pipeline. */
#ifndef SERVER_INLET_H
#define SERVER_INLET_H

#include "core/observe/board.h"
#include "core/pipeline/pipeline.h"

typedef struct inlet inlet;

/* listen_fd: made by the supervisor, stays open there. After the journal is open and a set is swapped in. */
inlet *inlet_start(pipeline *p, board *b, int listen_fd, ss_error *err);
/* Ends the group that each connection is in, then the connections. Before the set goes. */
void inlet_stop(inlet *in);

#endif
