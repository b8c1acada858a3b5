/* One event loop: {libmicrohttpd's epoll descriptors, the lane's eventfd}. A pass lets libmicrohttpd work,
   hands what was written to the journal, and takes back what is on disk. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/http/internal.h"

#define TICK_US        1000000
#define FLUSH_US       100000 /* counted things show up in the metrics this soon    */
#define DRAIN_STEP_MS  20
#define DRAIN_QUIET_US 100000 /* so long nothing may come before connections are cut */
#define BUSY_PASSES    16u    /* passes without asking epoll about the other listeners */

void loop_flush_counts(http_loop *l)
{
    const http_metrics *m = &l->server->metrics;
    http_counts c = l->counts;
    l->counts = (http_counts){0};
    l->counted = false;
    const struct {
        uint64_t n;
        ss_metric *metric;
    } all[] = {{c.accepted, m->accepted},    {c.refused, m->refused}, {c.received_bytes, m->received},
               {c.timeouts, m->timeouts},    {c.aborted, m->aborted}, {c.waited_out, m->waited_out},
               {c.by_library, m->by_library}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].n)
            metrics_add(all[i].metric, (double)all[i].n);
}

static void end_conn(http_conn *c)
{
    if (c->ended || c->fd < 0)
        return;
    c->ended = true; /* libmicrohttpd sees the hang-up and cleans up */
    (void)shutdown(c->fd, SHUT_RDWR);
    c->daemon->loop->counts.timeouts++;
    c->daemon->loop->counted = true;
}

/* Deadlines of one connection. libmicrohttpd's own timer restarts with every byte; these do not. */
static void check_conn(http_conn *c, const http_options *o, int64_t now)
{
    http_request *r = c->request;
    if (!r) {
        if (now - c->since_us > o->idle_timeout_ms * 1000)
            end_conn(c);
        return;
    }
    if (r->state == HTTP_WAITING &&
        now - r->waiting_us > (r->at_desk ? HTTP_DESK_WAIT_US : HTTP_WAIT_MAX_US)) {
        request_fail(r, 503, PIPELINE_ERROR_JSON("busy", "It was not done in time; try again."));
        c->daemon->loop->counts.waited_out++;
        c->daemon->loop->counted = true;
        request_ready(r);
    } else if (r->state != HTTP_WAITING && now - r->started_us > o->request_timeout_ms * 1000) {
        int64_t begun = r->state == HTTP_SENT && r->waiting_us ? r->waiting_us : r->started_us;
        if (now - begun > o->request_timeout_ms * 1000)
            end_conn(c);
    }
}

/* Gauges: every loop says what it has, the first one adds up. */
static void publish_gauges(http_loop *l)
{
    uint32_t waiting = 0, suspended = 0;
    for (size_t i = 0; i < l->daemon_count; i++) {
        waiting += l->daemons[i].held + l->daemons[i].suspended;
        suspended += l->daemons[i].suspended;
    }
    atomic_store_explicit(&l->waiting, waiting, memory_order_relaxed);
    atomic_store_explicit(&l->suspended, suspended, memory_order_relaxed);
    if (l->index != 0)
        return;
    uint64_t sums[3] = {0};
    for (size_t i = 0; i < l->server->loop_count; i++) {
        const http_loop *other = &l->server->loops[i];
        sums[0] += atomic_load_explicit(&other->connections, memory_order_relaxed);
        sums[1] += atomic_load_explicit(&other->waiting, memory_order_relaxed);
        sums[2] += atomic_load_explicit(&other->suspended, memory_order_relaxed);
    }
    metrics_set(l->server->metrics.connections, (double)sums[0]);
    metrics_set(l->server->metrics.waiting, (double)sums[1]);
    metrics_set(l->server->metrics.suspended, (double)sums[2]);
}

static void tick(http_loop *l)
{
    publish_gauges(l);
    for (size_t i = 0; i < l->daemon_count; i++)
        for (http_conn *c = l->daemons[i].conns, *next; c; c = next) {
            next = c->next;
            check_conn(c, &l->server->options, l->mono_us);
        }
}

/* Held connections are in libmicrohttpd's list of ready ones all the time, so its timeout says nothing then;
   the callbacks note instead where another run has something to do. */
static bool has_more(http_daemon *d)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms = 1;
    if (d->held > 0)
        return d->again;
    return MHD_get_timeout(d->mhd, &timeout_ms) == MHD_YES && timeout_ms == 0;
}

static bool run_daemons(http_loop *l, bool all)
{
    bool more = false;
    for (size_t i = 0; i < l->daemon_count; i++) {
        http_daemon *d = &l->daemons[i];
        if (!all && !d->again)
            continue;
        d->again = false;
        (void)MHD_run(d->mhd);
        d->again = has_more(d);
        more |= d->again;
    }
    return more;
}

static void begin_drain(http_loop *l)
{
    l->draining = true;
    for (size_t i = 0; i < l->daemon_count; i++)
        (void)MHD_quiesce_daemon(l->daemons[i].mhd); /* before MHD_stop_daemon, which would end the socket */
}

/* Marks the daemons whose descriptor fired. */
static void wait_events(http_loop *l, int timeout_ms)
{
    struct epoll_event events[HTTP_LISTENERS_MAX + 1];
    int n = epoll_wait(l->epoll_fd, events, HTTP_LISTENERS_MAX + 1, timeout_ms);
    for (int i = 0; i < n; i++)
        if (events[i].data.u64 < l->daemon_count)
            l->daemons[events[i].data.u64].again = true;
}

static void read_clocks(http_loop *l)
{
    l->now_us = clock_now_us();
    l->mono_us = clock_mono_us();
}

static int sleep_ms(const http_loop *l, int64_t next_tick_us)
{
    int64_t ms = (next_tick_us - l->mono_us + 999) / 1000;
    if (l->draining && ms > DRAIN_STEP_MS)
        ms = DRAIN_STEP_MS;
    if ((l->counted || pipeline_lane_counted(l->lane)) && ms > FLUSH_US / 1000)
        ms = FLUSH_US / 1000;
    return ms < 0 ? 0 : (int)ms;
}

/* True where nothing is left to be answered, or the time is over. */
static bool is_drained(http_loop *l, uint64_t *served, int64_t *quiet_since_us)
{
    if (l->mono_us >= atomic_load(&l->server->stop_by_us))
        return true;
    if (l->live > 0 || *served != l->served) {
        *served = l->served;
        *quiet_since_us = l->mono_us;
        return false;
    }
    return l->mono_us - *quiet_since_us > DRAIN_QUIET_US;
}

/* Resumes what is suspended (libmicrohttpd would abort the process), then ends all connections. */
static void stop_daemons(http_loop *l)
{
    for (size_t i = 0; i < l->daemon_count; i++) {
        http_daemon *d = &l->daemons[i];
        for (http_conn *c = d->conns; c; c = c->next)
            if (c->request && c->request->state == HTTP_WAITING && c->request->suspended) {
                request_fail(c->request, 503, PIPELINE_ERROR_JSON("busy", "The server stops; try again."));
                request_ready(c->request);
            }
        (void)MHD_run(d->mhd);
        MHD_stop_daemon(d->mhd);
        d->mhd = NULL;
    }
    desk_close(l);
    while (!pipeline_lane_idle(l->lane)) { /* the journal tells of every batch */
        (void)pipeline_lane_collect(l->lane);
        if (!pipeline_lane_idle(l->lane) && pipeline_lane_sleep(l->lane))
            wait_events(l, 100);
        pipeline_lane_awake(l->lane);
    }
}

static void pass(http_loop *l, int64_t *next_tick_us, int64_t *next_flush_us)
{
    read_clocks(l);
    replies_tick(&l->replies, l->now_us);
    pipeline_lane_pass(l->lane, l->now_us, l->mono_us);
    if (l->mono_us >= *next_tick_us) {
        *next_tick_us = l->mono_us + TICK_US;
        tick(l);
    }
    if (l->mono_us >= *next_flush_us) {
        *next_flush_us = l->mono_us + FLUSH_US;
        pipeline_lane_flush_counts(l->lane);
        if (l->counted)
            loop_flush_counts(l);
    }
}

void *loop_run(void *arg)
{
    http_loop *l = arg;
    int64_t next_tick_us = 0, next_flush_us = 0, quiet_since_us = 0;
    uint64_t served = UINT64_MAX;
    unsigned busy = 0;
    pipeline_lane_enter(l->lane);
    for (;;) {
        pass(l, &next_tick_us, &next_flush_us);
        if (!l->draining && atomic_load_explicit(&l->server->stop, memory_order_acquire))
            begin_drain(l);
        (void)pipeline_lane_collect(l->lane);
        desk_collect(l);
        bool more = run_daemons(l, l->draining);
        pipeline_lane_submit(l->lane);
        if (l->draining && is_drained(l, &served, &quiet_since_us))
            break;
        if (more && ++busy % BUSY_PASSES != 0)
            continue;
        if (more)
            wait_events(l, 0);
        else if (pipeline_lane_sleep(l->lane))
            wait_events(l, sleep_ms(l, next_tick_us));
        pipeline_lane_awake(l->lane);
    }
    pipeline_lane_submit(l->lane);
    stop_daemons(l);
    loop_flush_counts(l);
    pipeline_lane_leave(l->lane);
    return NULL;
}
