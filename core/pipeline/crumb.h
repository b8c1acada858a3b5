/* Breadcrumbs: which plugin callback each thread is in, kept in the shared page, so that a crash or a hang
   can be named after the process is gone. */
#ifndef PIPELINE_CRUMB_H
#define PIPELINE_CRUMB_H

#include <stdbool.h>

#include "core/observe/board.h"

#define CRUMB_DEADLINE_US 2000000 /* a callback of a receiver or enricher may take this long */
#define CRUMB_EXIT_SELF   4       /* a plugin called exit() */
#define CRUMB_EXIT_CODE   3       /* of a process that ends because of it                    */

typedef struct crumb_name { /* ready to be copied in one go */
    char instance[BOARD_NAME_BYTES];
} crumb_name;

/* Once per thread that runs plugin code: takes a free crumb of the board. Without one (all taken) the thread
   works, but goes unnamed. watched: the watchdog looks at it. */
void crumb_bind(board *b, bool watched);
void crumb_unbind(void);
/* The time that crumbs carry; once per pass of a loop is enough: a clock call per callback would cost more
   than the crumb. */
void crumb_tick(int64_t mono_us);
void crumb_enter(const crumb_name *name, const char callback[16]);
void crumb_leave(void);

/* Installs handlers for SEGV, ABRT, BUS, FPE and ILL which copy the thread's crumb to board.culprit. */
void crumb_install(board *b);
/* Every second or so, from a thread of its own: ends the process with CRUMB_EXIT_CODE where a watched
   callback is past the deadline, after naming it in log and board. */
void crumb_watch(board *b);

#endif
