/* The HTTP front end: listeners, limits, decoding. One thread per event loop; each loop has a libmicrohttpd
   daemon per listener, driven by our own epoll. It knows no events: requests go to core/pipeline. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "core/config/node.h"
#include "core/pipeline/pipeline.h"

typedef struct http_server http_server;

/* The desk: somebody else in this process who answers some paths of the public listeners, on threads of his
   own (the admin API). A request that he takes waits, as others wait for the journal, until he gives its
   answer. */
typedef struct http_ticket http_ticket; /* one such request */

typedef struct http_answer { /* from malloc(); http_give() takes it over, with body */
    struct http_answer *next;
    http_ticket *ticket;
    uint32_t status;
    const char *content_type; /* static, or NULL */
    const ss_pair *headers;   /* static          */
    uint32_t header_count;
    char *body; /* from malloc(), or NULL */
    size_t len;
} http_answer;

enum http_taken {
    HTTP_NOT_TAKEN = 0,
    HTTP_ANSWERED = 1, /* response is filled, with static memory                   */
    HTTP_TAKEN = 2     /* http_give() will be called once, whatever happens to the client */
};

typedef struct http_desk {
    void *self;
    /* On a loop's thread: must not block, and copies what it keeps. */
    enum http_taken (*take)(void *self, const pipeline_lane *lane, const pipeline_request *r,
                            http_ticket *ticket, ss_response *response);
    /* An error that the front end answers itself, for a path of his: he may give it his own form. path: as on
       the wire. json: {"error":CODE,"error_detail":TEXT}, static. text: memory for a body. False: as it is.
     */
    bool (*dress)(void *self, ss_str path, uint32_t status, const char *json, char *text, size_t size,
                  ss_response *response);
} http_desk;
#define HTTP_DRESS_BYTES 512u

/* Any thread, once for each ticket. */
void http_give(http_ticket *ticket, http_answer *answer);

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
    const http_desk *desk;              /* or NULL; borrowed until http_stop has returned */
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
