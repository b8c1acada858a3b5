/* The ingest process: event loops, receivers, enrichers, and the only writer of the journal. */
#ifndef SERVER_INGEST_H
#define SERVER_INGEST_H

/* Runs until SIGTERM or the end of the supervisor. Inherited descriptors: 3 = configuration blob (JSON in a
   sealed memfd), 4 = board, 5 = control socket, 6 + listener * loops + loop = listening sockets.
   Exit codes: 0 clean, 2 configuration or plugin refused, 3 a callback overran its deadline, 1 everything
   else. */
int ingest_main(void);

#endif
