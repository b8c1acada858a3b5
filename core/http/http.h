/* The HTTP front end: listeners, limits, decoding. One thread per event loop; each loop has a libmicrohttpd
   daemon per listener, driven by our own epoll. It knows no events: requests go to core/pipeline. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "core/config/node.h"
#include "core/pipeline/pipeline.h"

typedef struct http_server http_server;

typedef struct http_listener {
    const char *name;
    bool admin;
    const int *fds; /* one listening socket per loop; borrowed, never closed here */
} http_listener;

typedef struct http_options {
    size_t loops; /* at most PIPELINE_LANES_MAX */
    size_t max_body_bytes, max_header_bytes;
    uint32_t max_connections, max_connections_per_ip; /* 0 = no limit per address */
    int64_t request_timeout_ms, idle_timeout_ms;
    const ss_config *trusted_proxies;   /* list of addresses and networks; used during http_start only */
    const ss_config *client_ip_headers; /* list of names, best first; the same */
} http_options;

/* Defaults where an option is absent. */
void http_read_options(const ss_config *server, http_options *out);

/* Starts the loops. NULL with err: nothing is left running. */
http_server *http_start(pipeline *p, const http_options *options, const http_listener *listeners,
                        size_t count, ss_error *err);
/* Takes no new connections, answers what is being read with Connection: close, waits for what waits for the
   journal; ends everything else after deadline_ms. Joins the threads and frees. */
void http_stop(http_server *server, int64_t deadline_ms);

#endif
