/* The process of one pull receiver: run() on its one thread, the inlet behind call_begin(), pass() and
   call_commit(). */
#ifndef PULL_PULLER_H
#define PULL_PULLER_H

/* Runs until SIGTERM or the end of the supervisor. Inherited: 3 = configuration blob, 4 = board, 5 = control.
   Exit codes: 0 clean, 2 configuration or plugin refused, 1 everything else. */
int puller_main(void);

#endif
