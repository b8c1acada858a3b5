#include "core/server/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_RETRY_MS 50 /* nothing tells when an address becomes free */

bool listen_split(const char *address, char host[256], char port[16], ss_error *err)
{
    const char *colon = strrchr(address, ':'), *start = address, *end = colon;
    const char *number = colon ? colon + 1 : address;
    if (!colon)
        end = start;
    if (*start == '[') {
        start++;
        end = strchr(start, ']');
        if (!end || end[1] != ':' || end + 1 != colon) {
            (void)ss_fail(err, -1, "\"%s\" is no address: write [IPv6]:PORT, for example [::1]:8080",
                          address);
            return false;
        }
    } else if (memchr(start, ':', (size_t)(end - start))) {
        (void)ss_fail(err, -1, "\"%s\" is no address: put an IPv6 address into brackets, [%.*s]:%s", address,
                      (int)(end - start), start, number);
        return false;
    }
    char *rest;
    long value = strtol(number, &rest, 10);
    if (number[0] < '0' || number[0] > '9' || *rest || value < 0 || value > 65535 || end - start >= 256) {
        (void)ss_fail(err, -1,
                      "\"%s\" is no address: write HOST:PORT with a port from 0 to 65535 (0 = any free)",
                      address);
        return false;
    }
    if (end == start)
        (void)snprintf(host, 256, "0.0.0.0");
    else
        (void)snprintf(host, 256, "%.*s", (int)(end - start), start);
    (void)snprintf(port, 16, "%d", (int)value);
    return true;
}

static int open_one(const struct sockaddr_storage *at, socklen_t len, bool share)
{
    int fd = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ss_family == AF_INET6) /* [::] shall not take the IPv4 port too: two listeners may be wanted */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if ((!share || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)at, len) == 0 && (!share || listen(fd, LISTEN_BACKLOG) == 0))
        return fd;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

/* Without SO_REUSEPORT the kernel tells whether somebody listens there. */
static bool is_free(const struct sockaddr_storage *at, socklen_t len, int wait_ms)
{
    for (;;) {
        int fd = open_one(at, len, false);
        if (fd >= 0) {
            (void)close(fd);
            return true;
        }
        if (errno != EADDRINUSE || wait_ms <= 0)
            return false;
        (void)poll(NULL, 0, LISTEN_RETRY_MS);
        wait_ms -= LISTEN_RETRY_MS;
    }
}

static in_port_t *port_of(struct sockaddr_storage *at)
{
    return at->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)(void *)at)->sin6_port
                                     : &((struct sockaddr_in *)(void *)at)->sin_port;
}

static int open_all(struct sockaddr_storage *at, socklen_t len, size_t count, int wait_ms, int *fds)
{
    if (*port_of(at) != 0 && !is_free(at, len, wait_ms))
        return -1;
    for (size_t i = 0; i < count; i++) {
        fds[i] = open_one(at, len, true);
        socklen_t size = sizeof *at;
        if (fds[i] >= 0 && (i > 0 || getsockname(fds[i], (struct sockaddr *)at, &size) == 0))
            continue;
        int saved = errno;
        for (size_t j = 0; j <= i; j++) {
            if (fds[j] >= 0)
                (void)close(fds[j]);
            fds[j] = -1;
        }
        errno = saved;
        return -1;
    }
    return 0;
}

static void put_bound(const struct sockaddr_storage *at, socklen_t len, char bound[LISTEN_ADDRESS_BYTES])
{
    char host[256] = "?", port[16] = "?";
    (void)getnameinfo((const struct sockaddr *)at, len, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(bound, LISTEN_ADDRESS_BYTES, at->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static int explain(const char *address, int number, ss_error *err)
{
    const char *remedy = "check server.listen";
    if (number == EADDRINUSE)
        remedy = "another program listens there (`ss -ltnp` names it): stop it, or change server.listen";
    else if (number == EACCES)
        remedy = "ports below 1024 need CAP_NET_BIND_SERVICE: choose a higher port, or grant it";
    else if (number == EADDRNOTAVAIL)
        remedy = "this machine has no such address: check server.listen";
    return ss_fail(err, -1, "cannot listen on %s: %s; %s", address, strerror(number), remedy);
}

int listen_open(const char *address, size_t count, int wait_ms, int *fds, char bound[LISTEN_ADDRESS_BYTES],
                ss_error *err)
{
    char host[256], port[16];
    if (!listen_split(address, host, port, err))
        return -1;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host, port, &hints, &found);
    if (rc != 0)
        return ss_fail(err, -1, "cannot listen on %s: %s; check server.listen", address, gai_strerror(rc));
    struct sockaddr_storage at = {0};
    socklen_t len = found->ai_addrlen;
    memcpy(&at, found->ai_addr, len);
    freeaddrinfo(found);
    if (open_all(&at, len, count, wait_ms, fds) != 0)
        return explain(address, errno, err);
    put_bound(&at, len, bound);
    return 0;
}
