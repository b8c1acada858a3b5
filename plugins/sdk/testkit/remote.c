/* The remote end: a listener, a thread for each connection, and the script that they share. */
#include "plugins/sdk/testkit/remote.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "plugins/sdk/testkit/inside.h"

typedef struct remote_link { /* one connection */
    testkit_remote *remote;
    pthread_t thread;
    int fd;
    bool used, done; /* done: its thread is about to end */
} remote_link;

struct testkit_remote {
    int listener;
    uint16_t port;
    char url[32];
    pthread_t thread;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t came;
    bool ending;
    remote_link links[REMOTE_CONNECTIONS_MAX];
    testkit_step *steps;
    size_t step_count, step_at;
    uint32_t step_used; /* times of the present step */
    remote_request **seen;
    size_t seen_count;
};

/* Keeps the request and takes the script's next step. The step's texts stay where they are until the end. */
static testkit_step take(testkit_remote *r, remote_request *request)
{
    testkit_step step = {.act = TESTKIT_ANSWER};
    (void)pthread_mutex_lock(&r->lock);
    r->seen = kit_realloc(r->seen, (r->seen_count + 1) * sizeof(remote_request *));
    r->seen[r->seen_count++] = request;
    if (r->step_at < r->step_count) {
        step = r->steps[r->step_at];
        if (++r->step_used >= step.times) {
            r->step_at++;
            r->step_used = 0;
        }
    }
    (void)pthread_cond_broadcast(&r->came);
    (void)pthread_mutex_unlock(&r->lock);
    return step;
}

static testkit_seen view(const remote_request *q)
{
    return (testkit_seen){.method = q->method,
                          .target = q->target,
                          .headers = q->headers,
                          .body = q->body,
                          .body_len = q->body_len};
}

static void *serve_link(void *arg)
{
    remote_link *link = arg;
    for (;;) {
        remote_request *request = kit_alloc(sizeof *request);
        if (!remote_read(link->fd, request)) {
            free(request);
            break;
        }
        testkit_seen seen = view(request);
        testkit_step step = take(link->remote, request);
        if (!remote_answer(link->fd, &step, &seen))
            break;
    }
    (void)shutdown(link->fd, SHUT_RDWR); /* closed by who joins: until then the number is nobody else's */
    (void)pthread_mutex_lock(&link->remote->lock);
    link->done = true;
    (void)pthread_mutex_unlock(&link->remote->lock);
    return NULL;
}

static void link_end(remote_link *link)
{
    (void)pthread_join(link->thread, NULL);
    (void)close(link->fd);
    *link = (remote_link){0};
}

/* A place for one more connection, or NULL. With the lock held; who is done needs it no more. */
static remote_link *link_find(testkit_remote *r)
{
    for (size_t i = 0; i < REMOTE_CONNECTIONS_MAX && !r->ending; i++) {
        if (r->links[i].done)
            link_end(&r->links[i]);
        if (!r->links[i].used)
            return &r->links[i];
    }
    return NULL;
}

static void *serve(void *arg)
{
    testkit_remote *r = arg;
    for (;;) {
        int fd = accept(r->listener, NULL, NULL);
        if (fd < 0 && errno == EINTR)
            continue;
        if (fd < 0)
            return NULL; /* testkit_remote_free() shut the listener down */
        (void)pthread_mutex_lock(&r->lock);
        remote_link *link = link_find(r);
        if (link) {
            *link = (remote_link){.remote = r, .fd = fd};
            link->used = pthread_create(&link->thread, NULL, serve_link, link) == 0;
        }
        if (!link || !link->used)
            (void)close(fd);
        (void)pthread_mutex_unlock(&r->lock);
    }
}

static bool listen_loopback(testkit_remote *r)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->listener < 0 || bind(r->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(r->listener, 64) != 0 || getsockname(r->listener, (struct sockaddr *)&at, &len) != 0)
        return false;
    r->port = ntohs(at.sin_port);
    (void)snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u", r->port);
    return true;
}

testkit_remote *testkit_remote_new(void)
{
    testkit_remote *r = kit_alloc(sizeof *r);
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->came, NULL);
    if (listen_loopback(r) && pthread_create(&r->thread, NULL, serve, r) == 0)
        return r;
    int saved = errno;
    if (r->listener >= 0)
        (void)close(r->listener);
    free(r);
    errno = saved;
    return NULL;
}

void testkit_remote_free(testkit_remote *r)
{
    if (!r)
        return;
    (void)pthread_mutex_lock(&r->lock);
    r->ending = true;
    (void)shutdown(r->listener, SHUT_RDWR);
    for (size_t i = 0; i < REMOTE_CONNECTIONS_MAX; i++)
        if (r->links[i].used)
            (void)shutdown(r->links[i].fd, SHUT_RDWR);
    (void)pthread_mutex_unlock(&r->lock);
    (void)pthread_join(r->thread, NULL);
    for (size_t i = 0; i < REMOTE_CONNECTIONS_MAX; i++)
        if (r->links[i].used)
            link_end(&r->links[i]);
    (void)close(r->listener);
    for (size_t i = 0; i < r->seen_count; i++) {
        remote_request_free(r->seen[i]);
        free(r->seen[i]);
    }
    for (size_t i = 0; i < r->step_count; i++) {
        free((void *)(uintptr_t)r->steps[i].headers);
        free((void *)(uintptr_t)r->steps[i].body);
    }
    free(r->seen);
    free(r->steps);
    (void)pthread_cond_destroy(&r->came);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

uint16_t testkit_remote_port(const testkit_remote *r)
{
    return r->port;
}

const char *testkit_remote_url(const testkit_remote *r)
{
    return r->url;
}

void testkit_remote_step(testkit_remote *r, const testkit_step *step)
{
    testkit_step own = *step;
    own.headers = step->headers ? kit_copy(ss_cstr(step->headers)) : NULL;
    own.body = step->body ? kit_copy(ss_cstr(step->body)) : NULL;
    (void)pthread_mutex_lock(&r->lock);
    r->steps = kit_realloc(r->steps, (r->step_count + 1) * sizeof *r->steps);
    r->steps[r->step_count++] = own;
    (void)pthread_mutex_unlock(&r->lock);
}

size_t testkit_remote_count(testkit_remote *r)
{
    (void)pthread_mutex_lock(&r->lock);
    size_t count = r->seen_count;
    (void)pthread_mutex_unlock(&r->lock);
    return count;
}

testkit_seen testkit_remote_seen(testkit_remote *r, size_t i)
{
    testkit_seen seen = {.method = "", .target = "", .headers = "", .body = ""};
    (void)pthread_mutex_lock(&r->lock);
    if (i < r->seen_count)
        seen = view(r->seen[i]);
    (void)pthread_mutex_unlock(&r->lock);
    return seen;
}

bool testkit_remote_wait(testkit_remote *r, size_t count, uint32_t timeout_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&r->lock);
    int rc = 0;
    while (r->seen_count < count && rc == 0)
        rc = pthread_cond_timedwait(&r->came, &r->lock, &until);
    bool came = r->seen_count >= count;
    (void)pthread_mutex_unlock(&r->lock);
    return came;
}
