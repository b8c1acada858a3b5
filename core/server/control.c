#include "core/server/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/server/pass_fd.h"
#include "core/server/watch.h"

#define CONTROL_BACKLOG           16
#define CONTROL_CLIENT_TIMEOUT_US 5000000 /* to send its line, and to take its answer */

enum client_state { CLIENT_READING, CLIENT_HANDLED, CLIENT_WRITING };

struct control_client {
    control *owner;
    control_client *next;
    watch watch;
    enum client_state state;
    int64_t deadline_us; /* monotonic */
    size_t request_len;
    char request[CONTROL_REQUEST_MAX];
    buf answer;
    size_t sent;
    int pass_fd; /* owned; -1 = none or sent */
};

struct control {
    int loop, dir_fd;
    watch listener;
    void (*handle)(void *arg, control_client *client, const char *request);
    void *arg;
    control_client *clients;
    size_t client_count;
};

static void client_free(control_client *client)
{
    control *c = client->owner;
    control_client **link = &c->clients;
    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    c->client_count--;
    watch_remove(c->loop, &client->watch);
    (void)close(client->watch.fd);
    if (client->pass_fd >= 0)
        (void)close(client->pass_fd);
    buf_fini(&client->answer);
    free(client);
}

/* The descriptor travels with the first byte of the answer. */
static ssize_t send_some(control_client *client)
{
    ssize_t n = pass_fd(client->watch.fd, client->answer.ptr + client->sent,
                        client->answer.len - client->sent, client->pass_fd);
    if (n > 0 && client->pass_fd >= 0) {
        (void)close(client->pass_fd);
        client->pass_fd = -1;
    }
    return n;
}

static void client_write(control_client *client)
{
    while (client->sent < client->answer.len) {
        ssize_t n = send_some(client);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            (void)watch_change(client->owner->loop, &client->watch, EPOLLOUT);
            return;
        }
        if (n <= 0)
            break;
        client->sent += (size_t)n;
    }
    client_free(client);
}

void control_answer(control_client *client, bool ok, ss_str text, int fd)
{
    client->state = CLIENT_WRITING;
    client->deadline_us = clock_mono_us() + CONTROL_CLIENT_TIMEOUT_US;
    if (text.len > CONTROL_ANSWER_MAX)
        text.len = CONTROL_ANSWER_MAX;
    buf_addf(&client->answer, "%s %zu\n", ok ? "ok" : "error", text.len);
    buf_add(&client->answer, text.ptr, text.len);
    client->pass_fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    client_write(client);
}

static void client_read(control_client *client)
{
    size_t room = sizeof client->request - client->request_len;
    ssize_t n = recv(client->watch.fd, client->request + client->request_len, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        client_free(client);
        return;
    }
    client->request_len += (size_t)n;
    char *newline = memchr(client->request, '\n', client->request_len);
    if (newline) {
        *newline = '\0';
        client->state = CLIENT_HANDLED;
        (void)watch_change(client->owner->loop, &client->watch, 0); /* hang-up and errors still come */
        client->owner->handle(client->owner->arg, client, client->request);
    } else if (client->request_len == sizeof client->request) {
        static const char text[] = "the request line is too long";
        control_answer(client, false, ss_s(text, sizeof text - 1), -1);
    }
}

static void client_ready(void *arg, uint32_t events)
{
    control_client *client = arg;
    if (client->state == CLIENT_READING) {
        client_read(client);
    } else if (client->state == CLIENT_WRITING) {
        client_write(client);
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        /* Gone while its request is handled: the handler still holds the client, so only stop listening. */
        watch_remove(client->owner->loop, &client->watch);
    }
}

static bool peer_is_allowed(int fd)
{
    struct ucred who;
    socklen_t size = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
           (who.uid == geteuid() || who.uid == 0);
}

static void listener_ready(void *arg, uint32_t events)
{
    control *c = arg;
    (void)events;
    int fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    control_client *client = NULL;
    if (peer_is_allowed(fd) && c->client_count < CONTROL_CLIENTS_MAX)
        client = calloc(1, sizeof *client);
    if (!client) {
        (void)close(fd);
        return;
    }
    *client = (control_client){.owner = c,
                               .next = c->clients,
                               .watch = {fd, client_ready, client},
                               .deadline_us = clock_mono_us() + CONTROL_CLIENT_TIMEOUT_US,
                               .pass_fd = -1};
    buf_init(&client->answer, CONTROL_ANSWER_MAX + 64);
    c->clients = client;
    c->client_count++;
    if (watch_add(c->loop, &client->watch, EPOLLIN) != 0)
        client_free(client);
}

/* Through the directory's descriptor: the path in sockaddr_un may only have 107 bytes. */
static void put_address(struct sockaddr_un *at, int dir_fd)
{
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(at->sun_path, sizeof at->sun_path, "/proc/self/fd/%d/control.sock", dir_fd);
}

static int open_listener(int dir_fd)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    struct sockaddr_un at;
    put_address(&at, dir_fd);
    (void)unlinkat(dir_fd, "control.sock", 0);
    mode_t old = umask(0177); /* the file is born with mode 0600 */
    int rc = bind(fd, (struct sockaddr *)&at, sizeof at);
    int saved = errno;
    (void)umask(old);
    if (rc == 0 && listen(fd, CONTROL_BACKLOG) == 0)
        return fd;
    if (rc == 0)
        saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

control *control_open(const char *data_dir, int loop,
                      void (*handle)(void *arg, control_client *client, const char *request), void *arg,
                      ss_error *err)
{
    control *c = calloc(1, sizeof *c);
    if (!c) {
        (void)ss_fail(err, -1, "out of memory");
        return NULL;
    }
    *c = (control){.loop = loop, .handle = handle, .arg = arg};
    c->dir_fd = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    c->listener = (watch){c->dir_fd >= 0 ? open_listener(c->dir_fd) : -1, listener_ready, c};
    if (c->listener.fd >= 0 && watch_add(loop, &c->listener, EPOLLIN) == 0)
        return c;
    (void)ss_fail(err, -1, "cannot make %s/control.sock: %s; check the directory's owner and the file system",
                  data_dir, strerror(errno));
    if (c->listener.fd >= 0)
        (void)close(c->listener.fd);
    if (c->dir_fd >= 0)
        (void)close(c->dir_fd);
    free(c);
    return NULL;
}

void control_close(control *c)
{
    if (!c)
        return;
    while (c->clients)
        client_free(c->clients);
    watch_remove(c->loop, &c->listener);
    (void)close(c->listener.fd);
    (void)unlinkat(c->dir_fd, "control.sock", 0);
    (void)close(c->dir_fd);
    free(c);
}

int control_expire(control *c)
{
    int64_t now = clock_mono_us(), next = -1;
    for (control_client *client = c->clients, *following; client; client = following) {
        following = client->next;
        if (client->state == CLIENT_HANDLED)
            continue;
        if (client->deadline_us <= now)
            client_free(client);
        else if (next < 0 || client->deadline_us < next)
            next = client->deadline_us;
    }
    return next < 0 ? -1 : (int)((next - now) / 1000 + 1);
}
