/* Starting and stopping the front end. */
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/http/internal.h"

#define DEFAULT_BODY_BYTES        (25u * 1024 * 1024)
#define DEFAULT_HEADER_BYTES      (16u * 1024)
#define DEFAULT_CONNECTIONS       8192u
#define DEFAULT_REQUEST_MS        30000
#define DEFAULT_IDLE_MS           75000
#define LIBRARY_SPARE_CONNECTIONS 64u /* above our own limit, so that ours is what refuses */

static int64_t value_or(const ss_config *server, const char *name, int64_t dflt)
{
    int64_t value = node_int(server, name);
    return value > 0 ? value : dflt;
}

void http_read_options(const ss_config *server, http_options *out)
{
    int64_t loops = node_int(server, "loops");
    if (loops <= 0) { /* the committer needs a core, too */
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        loops = cores > 1 ? cores - 1 : 1;
    }
    *out = (http_options){
        .loops = loops < (int64_t)PIPELINE_LANES_MAX ? (size_t)loops : PIPELINE_LANES_MAX,
        .max_body_bytes = (size_t)value_or(server, "max_body_bytes", DEFAULT_BODY_BYTES),
        .max_header_bytes = (size_t)value_or(server, "max_header_bytes", DEFAULT_HEADER_BYTES),
        .max_connections = (uint32_t)value_or(server, "max_connections", DEFAULT_CONNECTIONS),
        .max_connections_per_ip = (uint32_t)value_or(server, "max_connections_per_ip", 0),
        .request_timeout_ms = value_or(server, "request_timeout_ms", DEFAULT_REQUEST_MS),
        .idle_timeout_ms = value_or(server, "idle_timeout_ms", DEFAULT_IDLE_MS),
        .trusted_proxies = node_get(server, "trusted_proxies"),
        .client_ip_headers = node_get(server, "client_ip_headers"),
    };
    size_t most = HTTP_POOL_MAX_BYTES - HTTP_POOL_ROOM_BYTES;
    if (out->max_header_bytes > most)
        out->max_header_bytes = most;
}

static void register_metrics(http_metrics *m)
{
    m->accepted = metrics_counter("http_connections_total", "Connections accepted.", "");
    m->refused =
        metrics_counter("http_connections_refused_total", "Connections closed at once: over a limit.", "");
    m->received = metrics_counter("http_body_bytes_total", "Bytes of request bodies received.", "");
    m->timeouts = metrics_counter("http_timeouts_total", "Connections closed by a timeout.", "");
    m->aborted =
        metrics_counter("http_aborted_total", "Requests that ended before their answer was sent.", "");
    m->waited_out =
        metrics_counter("http_waited_out_total", "Requests answered 503 after waiting for the journal.", "");
    m->by_library = metrics_counter("http_malformed_total",
                                    "Requests that the HTTP library answered or closed itself.", "");
    m->connections = metrics_gauge("http_connections", "Open connections.", "");
    m->waiting = metrics_gauge("http_requests_waiting", "Requests that wait for the journal.", "");
    m->suspended =
        metrics_gauge("http_requests_suspended", "Of these: taken out of the event loop meanwhile.", "");
}

static bool watch(http_loop *l, int fd, uint64_t index, uint32_t events, ss_error *err)
{
    struct epoll_event event = {.events = events, .data.u64 = index};
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    (void)ss_fail(err, SS_FATAL, "epoll_ctl: %s", strerror(errno));
    return false;
}

static bool open_daemon(http_loop *l, const http_listener *listener, ss_error *err)
{
    http_daemon *d = &l->daemons[l->daemon_count];
    *d = (http_daemon){.loop = l, .admin = listener->admin};
    uint32_t limit = listener->admin ? HTTP_ADMIN_CONNECTIONS
                                     : l->server->options.max_connections + LIBRARY_SPARE_CONNECTIONS;
    d->mhd = callbacks_start(d, listener->fds[l->index], limit);
    const union MHD_DaemonInfo *info = d->mhd ? MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        (void)ss_fail(err, SS_FATAL, "listener %s: libmicrohttpd %s could not start: is it built with epoll?",
                      listener->name, MHD_get_version());
        return false;
    }
    d->epoll_fd = info->epoll_fd;
    d->again = true; /* its first run puts the listening socket into its epoll set */
    return watch(l, d->epoll_fd, l->daemon_count++, EPOLLIN, err);
}

static bool open_loop(http_server *server, size_t index, const http_listener *listeners, size_t count,
                      ss_error *err)
{
    static const char digits[] = "0123456789abcdef";
    http_loop *l = &server->loops[index];
    unsigned char random[8];
    l->server = server;
    l->index = index;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        memset(random, (int)index, sizeof random);
    for (size_t i = 0; i < sizeof l->id_prefix; i++)
        l->id_prefix[i] = digits[random[i] & 15];
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->inflater = inflate_new();
    l->lane = pipeline_lane_new(server->pipeline, request_stored, l, err);
    if (l->epoll_fd < 0 || !l->inflater || !l->lane) {
        if (!err->text[0])
            (void)ss_fail(err, SS_FATAL, "event loop: %s", strerror(errno));
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!open_daemon(l, &listeners[i], err))
            return false;
    return watch(l, pipeline_lane_fd(l->lane), UINT64_MAX, EPOLLIN | EPOLLET, err);
}

static void close_loop(http_loop *l)
{
    for (size_t i = 0; i < l->daemon_count; i++)
        if (l->daemons[i].mhd) {
            (void)MHD_quiesce_daemon(l->daemons[i].mhd);
            MHD_stop_daemon(l->daemons[i].mhd);
        }
    replies_fini(&l->replies);
    inflate_free(l->inflater);
    while (l->spare) {
        http_request *next = l->spare->next;
        free(l->spare);
        l->spare = next;
    }
    if (l->epoll_fd >= 0)
        (void)close(l->epoll_fd);
}

static void free_server(http_server *server)
{
    for (size_t i = 0; i < server->loop_count; i++)
        close_loop(&server->loops[i]);
    ip_counts_free(server->ips);
    free(server);
}

static bool open_all(http_server *server, const http_listener *listeners, size_t count, ss_error *err)
{
    for (size_t i = 0; i < server->options.loops; i++) {
        server->loops[i].epoll_fd = -1;
        server->loop_count = i + 1;
        if (!open_loop(server, i, listeners, count, err))
            return false;
    }
    for (size_t i = 0; i < server->loop_count; i++) {
        http_loop *l = &server->loops[i];
        l->started = pthread_create(&l->thread, NULL, loop_run, l) == 0;
        if (!l->started) {
            (void)ss_fail(err, SS_LIMIT, "no thread for an event loop: raise the limit of processes");
            return false;
        }
    }
    return true;
}

/* Where proxies write the client's address; X-Forwarded-For, which is collected while headers are read, is an
   empty name here. */
static void read_client_headers(http_server *server, const ss_config *list)
{
    size_t count = list ? node_len(list) : 0;
    if (count == 0)
        server->client_header_count = 1;
    for (size_t i = 0; i < count && i < HTTP_CLIENT_HEADERS_MAX; i++) {
        ss_str name = node_str(node_at(list, i), "");
        bool forwarded = name.len == 15 && strncasecmp(name.ptr, "X-Forwarded-For", 15) == 0;
        if (name.len >= HTTP_CLIENT_HEADER_MAX)
            continue; /* the configuration was checked */
        if (!forwarded)
            memcpy(server->client_headers[server->client_header_count], name.ptr, name.len);
        server->client_header_count++;
    }
}

http_server *http_start(pipeline *p, const http_options *options, const http_listener *listeners,
                        size_t count, ss_error *err)
{
    http_server *server = calloc(1, sizeof *server);
    if (!server || count > HTTP_LISTENERS_MAX || options->loops == 0 || options->loops > PIPELINE_LANES_MAX) {
        (void)ss_fail(err, SS_LIMIT, "at most %u listeners and 1 to %u loops", HTTP_LISTENERS_MAX,
                      PIPELINE_LANES_MAX);
        free(server);
        return NULL;
    }
    server->pipeline = p;
    server->options = *options;
    register_metrics(&server->metrics);
    (void)uricut_works(); /* the self-test and its warning belong to the start */
    bool ok = trust_read(&server->trust, options->trusted_proxies, err);
    read_client_headers(server, options->client_ip_headers);
    server->options.trusted_proxies = server->options.client_ip_headers = NULL;
    if (ok && options->max_connections_per_ip) {
        server->ips = ip_counts_new(options->max_connections, options->max_connections_per_ip);
        ok = server->ips != NULL;
    }
    if (!ok || !open_all(server, listeners, count, err)) {
        http_stop(server, 0);
        return NULL;
    }
    return server;
}

void http_stop(http_server *server, int64_t deadline_ms)
{
    if (!server)
        return;
    atomic_store(&server->stop_by_us, clock_mono_us() + deadline_ms * 1000);
    atomic_store(&server->stop, 1u);
    for (size_t i = 0; i < server->loop_count; i++)
        if (server->loops[i].started)
            pipeline_lane_wake(server->loops[i].lane);
    for (size_t i = 0; i < server->loop_count; i++)
        if (server->loops[i].started)
            (void)pthread_join(server->loops[i].thread, NULL);
    free_server(server);
}
