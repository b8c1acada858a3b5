#include "core/server/watch.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

int watch_new_loop(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

static int control(int loop, int what, watch *w, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = w};
    return epoll_ctl(loop, what, w->fd, &event);
}

int watch_add(int loop, watch *w, uint32_t events)
{
    return control(loop, EPOLL_CTL_ADD, w, events);
}

int watch_change(int loop, watch *w, uint32_t events)
{
    return control(loop, EPOLL_CTL_MOD, w, events);
}

void watch_remove(int loop, watch *w)
{
    if (w->fd >= 0)
        (void)control(loop, EPOLL_CTL_DEL, w, 0);
}

int watch_run_once(int loop, int timeout_ms)
{
    struct epoll_event event;
    int n = epoll_wait(loop, &event, 1, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : -1;
    if (n == 1) {
        watch *w = event.data.ptr;
        w->ready(w->arg, event.events);
    }
    return n;
}
