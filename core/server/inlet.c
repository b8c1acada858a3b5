#include "core/server/inlet.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/server/inlet_inside.h"

#define INLET_HELLO_US   2000000
#define INLET_IDLE_MS    1000
#define INLET_READ_BYTES (64u * 1024)
#define INLET_LOOK_MS    500
#define INLET_KEEP_BYTES (256u * 1024) /* of a connection's buffer, between groups */

/* ---- bytes ------------------------------------------------------------------------------------ */

bool inlet_send(const peer *p, const buf *out)
{
    size_t sent = 0;
    while (!out->failed && sent < out->len) {
        ssize_t n = send(p->fd, out->ptr + sent, out->len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return !out->failed;
}

/* 1: bytes came; 0: none now; -1: the end. */
static int read_some(peer *p)
{
    if (!buf_reserve(&p->in, INLET_READ_BYTES))
        return -1;
    ssize_t n = recv(p->fd, p->in.ptr + p->in.len, INLET_READ_BYTES, MSG_DONTWAIT);
    if (n > 0) {
        p->in.len += (size_t)n;
        return 1;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static bool stopping(const peer *p)
{
    return atomic_load(&p->inlet->stopping) != 0;
}

/* ---- hello ------------------------------------------------------------------------------------ */

/* Waits for the first frame; no lane is held up by that. */
static bool read_hello(peer *p, wire_hello *hello)
{
    int64_t until = clock_mono_us() + INLET_HELLO_US;
    enum wire_type type;
    ss_str body;
    size_t used;
    for (;;) {
        int there = wire_frame(buf_str(&p->in), &type, &body, &used);
        if (there != 0)
            return there > 0 && type == WIRE_HELLO && wire_read_hello(body, hello);
        int64_t left_ms = (until - clock_mono_us()) / 1000;
        struct pollfd wait = {p->fd, POLLIN, 0};
        if (left_ms <= 0 || stopping(p) || (poll(&wait, 1, (int)left_ms) < 0 && errno != EINTR) ||
            read_some(p) < 0)
            return false;
    }
}

/* Is it the process that the supervisor started under this name? */
static bool peer_is(peer *p, const wire_hello *hello, ss_error *err)
{
    struct ucred who;
    socklen_t len = sizeof who;
    board *b = p->inlet->board;
    if (hello->protocol != WIRE_PROTOCOL || !ss_eq(hello->version, SS_LIT(SS_VERSION)))
        return ss_fail(err, 0, "it is of another version than this ingest");
    if (getsockopt(p->fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 || (who.uid != geteuid() && who.uid != 0))
        return ss_fail(err, 0, "it is of another user");
    for (uint32_t i = 2; i < BOARD_PROCESSES_MAX; i++) {
        if (!ss_eq(hello->process, ss_cstr(b->processes[i].name)) ||
            atomic_load(&b->processes[i].pid) != (int32_t)who.pid)
            continue;
        p->process_index = i;
        return true;
    }
    return ss_fail(err, 0, "it is not the process that the supervisor started as %.*s",
                   (int)hello->process.len, hello->process.ptr);
}

/* The process before it may still have a group in the journal's hands: what is durable of this source is
   known when that one is done. False: the inlet stops. */
static bool await_predecessor(peer *p)
{
    inlet *in = p->inlet;
    (void)pthread_mutex_lock(&in->lock);
    for (;;) {
        bool there = false;
        for (size_t i = 0; i < INLET_CONNECTIONS_MAX; i++) {
            const peer *other = &in->peers[i];
            there |= other->busy && other->ticket < p->ticket && strcmp(other->source, p->source) == 0;
        }
        if (!there || stopping(p))
            break;
        (void)pthread_cond_wait(&in->ended, &in->lock);
    }
    (void)pthread_mutex_unlock(&in->lock);
    return !stopping(p);
}

typedef struct durable { /* what the journal knows of a source */
    const char *source;
    buf position, parts;
    char group[WIRE_GROUP_ID_BYTES + 1];
} durable;

static void take_place(void *arg, const journal_place *place)
{
    durable *d = arg;
    size_t len = strlen(d->source);
    ss_str rest = ss_s(place->source.ptr + len, place->source.len - len);
    if (rest.len == 0) {
        buf_add(&d->position, place->position.ptr, place->position.len);
    } else if (ss_eq(rest, SS_LIT(INLET_ID_SUFFIX)) && place->position.len == WIRE_GROUP_ID_BYTES) {
        memcpy(d->group, place->position.ptr, WIRE_GROUP_ID_BYTES);
    } else if (rest.ptr[0] == '/') {
        buf_add(&d->parts, rest.ptr, rest.len);
        buf_adds(&d->parts, "=");
        buf_add(&d->parts, place->position.ptr, place->position.len);
        buf_adds(&d->parts, "\n");
    }
}

static bool welcome(peer *p)
{
    durable d = {.source = p->source};
    buf_init(&d.position, WIRE_FRAME_BYTES_MAX);
    buf_init(&d.parts, WIRE_FRAME_BYTES_MAX / 2);
    journal_positions(pipeline_journal(p->inlet->pipeline), ss_cstr(p->source), take_place, &d);
    wire_welcome w = {.status = SS_OK,
                      .journal_id = atomic_load(&p->inlet->board->journal.journal_id),
                      .group = ss_cstr(d.group),
                      .position = buf_str(d.parts.len ? &d.parts : &d.position)};
    wire_put_welcome(&p->out, &w);
    bool sent = !d.position.failed && !d.parts.failed && inlet_send(p, &p->out);
    buf_fini(&d.position);
    buf_fini(&d.parts);
    return sent;
}

static void turn_away(peer *p, int32_t status, const char *text)
{
    wire_welcome w = {.status = status, .text = ss_cstr(text)};
    log_warn("the inlet turns %s away: %s", p->process[0] ? p->process : "a stranger", text);
    wire_put_welcome(&p->out, &w);
    (void)inlet_send(p, &p->out);
}

static void register_metrics(peer *p)
{
    char labels[WIRE_NAME_MAX + 16];
    (void)snprintf(labels, sizeof labels, "source=\"%s\"", p->source);
    p->groups = metrics_counter("inlet_groups_total", "Groups of messages made durable, by source.", labels);
    p->messages = metrics_counter("inlet_messages_total", "Messages in them.", labels);
    p->failed = metrics_counter("inlet_failed_total",
                                "Messages that did not become events and are kept as failed.", labels);
    p->refused = metrics_counter("inlet_refused_total", "Groups that were refused and come again.", labels);
}

static bool greet(peer *p)
{
    wire_hello hello;
    ss_error err = error_init();
    if (!read_hello(p, &hello))
        return false;
    (void)snprintf(p->process, sizeof p->process, "%.*s", (int)hello.process.len, hello.process.ptr);
    if (!peer_is(p, &hello, &err)) {
        turn_away(p, SS_RETRY, err.text);
        return false;
    }
    (void)pthread_mutex_lock(&p->inlet->lock);
    (void)snprintf(p->source, sizeof p->source, "%.*s", (int)hello.source.len, hello.source.ptr);
    (void)pthread_mutex_unlock(&p->inlet->lock);
    (void)snprintf(p->parser, sizeof p->parser, "%.*s", (int)hello.parser.len, hello.parser.ptr);
    buf_reset(&p->in);
    if (!await_predecessor(p))
        return false;
    register_metrics(p);
    return welcome(p);
}

/* ---- serving -------------------------------------------------------------------------------- */

/* What has come is handled. False: the connection ends. */
static bool handle_frames(peer *p)
{
    enum wire_type type;
    ss_str body;
    size_t used;
    int there = wire_frame(buf_str(&p->in), &type, &body, &used);
    if (there < 0 || (there > 0 && (type != WIRE_GROUP || used != p->in.len)))
        return false; /* the client sends one group and waits */
    if (there == 0)
        return true;
    bool good = inlet_group(p, body);
    buf_reset(&p->in);
    if (p->in.size > INLET_KEEP_BYTES)
        buf_fini(&p->in);
    return good;
}

static void rest(peer *p)
{
    int lane_fd = pipeline_lane_fd(p->lane);
    struct pollfd wait[2] = {{p->fd, POLLIN, 0}, {lane_fd, POLLIN, 0}};
    if (poll(wait, 2, INLET_IDLE_MS) > 0 && wait[1].revents) {
        uint64_t drained;
        ssize_t n = read(lane_fd, &drained, sizeof drained);
        (void)n;
    }
}

static void serve(peer *p)
{
    pipeline_lane_enter(p->lane);
    while (!stopping(p)) {
        pipeline_lane_pass(p->lane, clock_now_us(), clock_mono_us());
        int got = read_some(p);
        if (got < 0 || !handle_frames(p))
            break;
        if (got == 0)
            rest(p);
    }
    pipeline_lane_leave(p->lane);
}

/* ---- connections ------------------------------------------------------------------------------ */

static void *run_peer(void *arg)
{
    peer *p = arg;
    inlet *in = p->inlet;
    if (greet(p)) {
        log_info("%s is connected; receiver %s reads its messages", p->process, p->parser);
        serve(p);
    }
    (void)close(p->fd);
    buf_fini(&p->in);
    buf_fini(&p->out);
    (void)pthread_mutex_lock(&in->lock);
    p->busy = false;
    p->source[0] = '\0';
    (void)pthread_cond_broadcast(&in->ended);
    (void)pthread_mutex_unlock(&in->lock);
    return NULL;
}

static void no_done(void *arg, pipeline_request *r, bool stored)
{
    (void)arg;
    (void)r;
    (void)stored;
}

static peer *free_peer(inlet *in)
{
    peer *found = NULL;
    (void)pthread_mutex_lock(&in->lock);
    for (size_t i = 0; i < INLET_CONNECTIONS_MAX && !found; i++)
        if (!in->peers[i].busy)
            found = &in->peers[i];
    (void)pthread_mutex_unlock(&in->lock);
    if (found && found->joinable) {
        (void)pthread_join(found->thread, NULL);
        found->joinable = false;
    }
    return found;
}

static void accept_one(inlet *in)
{
    ss_error err = error_init();
    int fd = accept4(in->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    peer *p = free_peer(in);
    if (p && !p->lane)
        p->lane = pipeline_lane_new(in->pipeline, no_done, p, &err);
    if (!p || !p->lane) {
        log_error("the inlet cannot take another connection%s%s", err.text[0] ? ": " : "", err.text);
        (void)close(fd);
        return;
    }
    struct timeval most = {.tv_sec = INLET_HELLO_US / 1000000}; /* for a peer that does not take its answer */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    p->inlet = in;
    p->fd = fd;
    p->process[0] = p->source[0] = p->parser[0] = '\0';
    buf_init(&p->in, WIRE_FRAME_BYTES_MAX + sizeof(wire_head) + INLET_READ_BYTES);
    buf_init(&p->out, WIRE_FRAME_BYTES_MAX);
    (void)pthread_mutex_lock(&in->lock);
    p->busy = true;
    p->ticket = ++in->tickets;
    (void)pthread_mutex_unlock(&in->lock);
    p->joinable = pthread_create(&p->thread, NULL, run_peer, p) == 0;
    if (p->joinable)
        return;
    log_error("the inlet cannot start a thread: %s", strerror(errno));
    (void)close(fd);
    (void)pthread_mutex_lock(&in->lock);
    p->busy = false;
    (void)pthread_mutex_unlock(&in->lock);
}

static void *run_inlet(void *arg)
{
    inlet *in = arg;
    struct pollfd wait[2] = {{in->listen_fd, POLLIN, 0}, {in->stop_fd, POLLIN, 0}};
    while (!atomic_load(&in->stopping)) /* a look now and then: a plugin may have closed what would wake us */
        if (poll(wait, 2, INLET_LOOK_MS) > 0 && wait[0].revents && !wait[1].revents)
            accept_one(in);
    return NULL;
}

inlet *inlet_start(pipeline *p, board *b, int listen_fd, ss_error *err)
{
    inlet *in = calloc(1, sizeof *in);
    if (!in) {
        (void)ss_fail(err, SS_LIMIT, "out of memory");
        return NULL;
    }
    in->pipeline = p;
    in->board = b;
    in->listen_fd = listen_fd;
    in->stop_fd = eventfd(0, EFD_CLOEXEC);
    (void)pthread_mutex_init(&in->lock, NULL);
    (void)pthread_cond_init(&in->ended, NULL);
    if (in->stop_fd >= 0 && pthread_create(&in->thread, NULL, run_inlet, in) == 0)
        return in;
    (void)ss_fail(err, SS_LIMIT, "the inlet cannot start: %s", strerror(errno));
    if (in->stop_fd >= 0)
        (void)close(in->stop_fd);
    free(in);
    return NULL;
}

void inlet_stop(inlet *in)
{
    if (!in)
        return;
    uint64_t one = 1;
    atomic_store(&in->stopping, 1u);
    ssize_t n = write(in->stop_fd, &one, sizeof one);
    (void)n;
    (void)pthread_join(in->thread, NULL);
    (void)pthread_mutex_lock(&in->lock);
    for (size_t i = 0; i < INLET_CONNECTIONS_MAX; i++)
        if (in->peers[i].busy)
            pipeline_lane_wake(in->peers[i].lane);
    (void)pthread_cond_broadcast(&in->ended);
    (void)pthread_mutex_unlock(&in->lock);
    for (size_t i = 0; i < INLET_CONNECTIONS_MAX; i++)
        if (in->peers[i].joinable)
            (void)pthread_join(in->peers[i].thread, NULL);
    (void)close(in->stop_fd);
    (void)pthread_mutex_destroy(&in->lock);
    (void)pthread_cond_destroy(&in->ended);
    free(in);
}
