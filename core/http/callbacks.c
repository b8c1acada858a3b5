/* What libmicrohttpd calls, and how its daemons are set up. All calls come on the loop's own thread, from
   inside MHD_run(). */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/base/log.h"
#include "core/http/internal.h"

static http_conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* ---- connections ----------------------------------------------------------------------------- */

static bool within_limits(http_conn *c)
{
    http_server *server = c->daemon->loop->server;
    if (c->daemon->admin)
        return true;
    if (atomic_fetch_add(&server->connections, 1u) >= server->options.max_connections) {
        (void)atomic_fetch_sub(&server->connections, 1u);
        return false;
    }
    if (server->ips && !ip_counts_enter(server->ips, &c->peer)) {
        (void)atomic_fetch_sub(&server->connections, 1u);
        return false;
    }
    return true;
}

static void conn_begin(http_daemon *d, struct MHD_Connection *mhd, void **context)
{
    http_loop *l = d->loop;
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *addr = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    http_conn *c = calloc(1, sizeof *c);
    if (!c)
        return; /* without a context its first request closes it */
    c->daemon = d;
    c->fd = fd ? fd->connect_fd : -1;
    c->since_us = l->mono_us;
    if (addr && trust_from_socket(&c->peer, addr->client_addr))
        c->peer_len = trust_put(&c->peer, c->peer_text);
    if (!within_limits(c)) {
        if (c->fd >= 0)
            (void)shutdown(c->fd, SHUT_RDWR);
        l->counts.refused++;
        l->counted = true;
        free(c);
        return;
    }
    c->trusted = trust_has(&l->server->trust, &c->peer);
    c->next = d->conns;
    if (c->next)
        c->next->prev = c;
    d->conns = c;
    l->counts.accepted++;
    l->counted = true;
    (void)atomic_fetch_add_explicit(&l->connections, 1u, memory_order_relaxed);
    *context = c;
}

static void conn_end(http_daemon *d, void **context)
{
    http_conn *c = *context;
    if (!c)
        return;
    http_server *server = d->loop->server;
    if (!d->admin) {
        (void)atomic_fetch_sub(&server->connections, 1u);
        if (server->ips)
            ip_counts_leave(server->ips, &c->peer);
    }
    (void)atomic_fetch_sub_explicit(&d->loop->connections, 1u, memory_order_relaxed);
    if (c->prev)
        c->prev->next = c->next;
    else
        d->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    free(c);
    *context = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        conn_begin(arg, mhd, context);
    else
        conn_end(arg, context);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* The request line is there. What this returns comes back as *context. */
static void *on_target(void *arg, const char *uri, struct MHD_Connection *mhd)
{
    http_conn *conn = conn_of(mhd);
    if (!conn || !uri)
        return NULL;
    http_request *r = request_new(arg, conn, mhd);
    if (r && !request_target(r, uri)) {
        conn->request = NULL;
        request_free(r);
        r = NULL;
    }
    return r;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *bytes, size_t *len, void **context)
{
    (void)arg;
    (void)mhd;
    (void)url;
    http_request *r = *context;
    if (!r)
        return MHD_NO;
    switch (r->state) {
    case HTTP_HEAD:
        return request_head(r, version);
    case HTTP_BODY:
    case HTTP_DRAIN:
        return *len ? request_body(r, bytes, len) : request_run(r, method);
    case HTTP_READY:
        return request_queue(r);
    case HTTP_WAITING:
    case HTTP_SENT:
        break;
    }
    return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode how)
{
    (void)mhd;
    http_daemon *d = arg;
    http_request *r = *context;
    *context = NULL;
    d->again = true; /* the next request may be in the socket already */
    if (!r)
        return;
    http_loop *l = d->loop;
    l->served++;
    r->conn->request = NULL;
    r->conn->since_us = l->mono_us;
    if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK && how != MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN) {
        l->counts.aborted++;
        l->counted = true;
    }
    if (r->state == HTTP_WAITING) {
        if (r->suspended)
            d->suspended--;
        else
            d->held--;
    }
    r->gone = true;
    if (!r->pending)
        request_free(r);
}

/* Paths are decoded by the pipeline's side, once. */
static size_t no_unescape(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg;
    (void)mhd;
    return strlen(text);
}

/* libmicrohttpd answers malformed requests itself; its messages tell. */
static void on_message(void *arg, const char *format, va_list args)
{
    http_daemon *d = arg;
    if (strncmp(format, "Error processing request", 24) == 0) {
        d->loop->counts.by_library++;
        d->loop->counted = true;
        return;
    }
    if (strstr(format, "osed") || strstr(format, "disconnected") || strstr(format, "Failed to send"))
        return; /* clients that go away are no news */
    char text[256];
    (void)vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("libmicrohttpd: %s", text);
}

static size_t pool_bytes(const http_options *o)
{
    size_t need = o->max_header_bytes + HTTP_POOL_ROOM_BYTES;
    return need > HTTP_POOL_BYTES ? need : HTTP_POOL_BYTES;
}

struct MHD_Daemon *callbacks_start(http_daemon *d, int fd, uint32_t connection_limit)
{
    unsigned flags =
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_SUPPRESS_DATE_NO_CLOCK;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, d,                                       //
                            MHD_OPTION_LISTEN_SOCKET, fd,                                              //
                            MHD_OPTION_EXTERNAL_LOGGER, on_message, d,                                 //
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)connection_limit,                   //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes(&d->loop->server->options), //
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, d,                                 //
                            MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL,                           //
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, d,                              //
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, d,                            //
                            MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,                                      //
                            MHD_OPTION_END);
}
