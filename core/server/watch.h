/* The supervisor's epoll loop: a descriptor and whom to call when it is ready. One thread. Events are taken
   one at a time, so a watch may be removed and freed by any callback. */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <stdint.h>

typedef struct watch {
    int fd;
    void (*ready)(void *arg, uint32_t events);
    void *arg;
} watch;

int watch_new_loop(void);                           /* an epoll descriptor, or -1 with errno            */
int watch_add(int loop, watch *w, uint32_t events); /* w is borrowed until watch_remove(); -1 with errno */
int watch_change(int loop, watch *w, uint32_t events);
void watch_remove(int loop, watch *w);        /* the descriptor stays open                        */
int watch_run_once(int loop, int timeout_ms); /* 1: one event handled, 0: time is over, -1: errno  */

#endif
