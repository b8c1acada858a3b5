/* What the files of core/http share. Everything below belongs to one loop and is used on its thread only,
   where nothing else is said. */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>

#include "core/base/buf.h"
#include "core/http/http.h"
#include "core/http/inflate.h"
#include "core/http/limits.h"
#include "core/http/trust.h"
#include "core/observe/metrics.h"
#include "core/observe/rejects.h"

typedef struct http_loop http_loop;
typedef struct http_daemon http_daemon;
typedef struct http_conn http_conn;
typedef struct http_request http_request;

/* ---- replies: response objects, shared where answers are the same ---------------------------- */

typedef struct http_reply {
    struct MHD_Response *mhd;
    uint32_t refs, status;
    bool close;
    /* the cache's */
    uint64_t hash;
    int64_t second; /* of its Date header */
    size_t key_len;
    char key[];
} http_reply;

typedef struct http_replies {
    http_reply *slots[HTTP_CACHED_REPLIES];
    int64_t second;
    char date[32];
} http_replies;

void replies_tick(http_replies *c, int64_t now_us); /* a new second: a new Date */
void replies_fini(http_replies *c);
http_reply *replies_make(http_replies *c, const ss_response *response, bool close); /* NULL: out of memory */
http_reply *replies_own(const http_replies *c, http_answer *answer, bool close); /* takes answer->body over */
void reply_release(http_reply *reply);

/* ---- connections and requests ---------------------------------------------------------------- */

struct http_conn {          /* one socket */
    http_conn *prev, *next; /* of its daemon */
    http_daemon *daemon;
    http_request *request; /* the one being served, or NULL */
    int64_t since_us;      /* accepted, or last answered */
    int fd;
    bool trusted, ended; /* ended: shut down by us */
    trust_address peer;
    size_t peer_len;
    char peer_text[TRUST_TEXT_BYTES];
};

enum http_state {
    HTTP_HEAD = 0,    /* the request line is there, headers are coming     */
    HTTP_BODY = 1,    /* the body is coming                                */
    HTTP_DRAIN = 2,   /* it is coming, but the answer is known: an error   */
    HTTP_WAITING = 3, /* for the journal                                   */
    HTTP_READY = 4,   /* the answer may go as soon as libmicrohttpd asks   */
    HTTP_SENT = 5     /* given to libmicrohttpd                            */
};

struct http_request {
    pipeline_request p; /* first */
    http_request *next; /* spare */
    struct MHD_Connection *mhd;
    http_conn *conn;
    http_daemon *daemon;
    enum http_state state;
    bool pending;   /* linked in a batch of the pipeline                                  */
    bool gone;      /* libmicrohttpd has done with it; freed when it is not pending       */
    bool suspended; /* in libmicrohttpd's list, else held: asked again at every pass      */
    bool chunked, head_10;
    bool at_desk; /* waits for the desk, not for the journal */
    int64_t started_us, waiting_us;
    http_reply *reply;
    uint32_t error_status; /* DRAIN, or known before the body: answer this */
    const char *error_json;
    /* target: writable; path and query in it */
    char *target;
    size_t path_len;
    ss_str query;
    bool has_query;
    char *cut; /* where the NUL was written that hides the query, and what was there */
    char cut_byte;
    char *copy;      /* target, where it had to be copied */
    char *wire_path; /* as it came, where that differs from what the request has */
    char *wire_body; /* the same; kept for signed requests only */
    size_t wire_size;
    char *body;
    size_t body_len, body_size;
    uint64_t content_length, drained;
    ss_str encoding;
    ss_str forwarded[HTTP_FORWARDED_MAX];
    size_t forwarded_count;
    ss_str forwarded_proto;
    char client_text[TRUST_TEXT_BYTES];
    char id[24];
};

struct http_daemon { /* one listener on one loop */
    http_loop *loop;
    struct MHD_Daemon *mhd;
    int epoll_fd;
    bool admin;
    bool again; /* has work that no event will announce */
    http_conn *conns;
    uint32_t held, suspended;
};

typedef struct http_counts { /* of a loop, since the last flush */
    uint64_t accepted, refused, received_bytes, timeouts, aborted, waited_out, by_library;
} http_counts;

struct http_loop {
    http_server *server;
    size_t index;
    pthread_t thread;
    bool started;
    int epoll_fd;
    pipeline_lane *lane;
    http_daemon daemons[HTTP_LISTENERS_MAX];
    size_t daemon_count;
    int64_t now_us, mono_us;
    http_replies replies;
    http_request *spare;
    uint32_t spare_count;
    uint32_t live;   /* requests begun and not ended */
    uint64_t served; /* requests ended, ever */
    inflater *inflater;
    http_counts counts;
    bool counted;
    bool draining;
    _Atomic(http_answer *) answers; /* of the desk, the newest first; any thread pushes */
    uint32_t at_desk;               /* tickets without an answer */
    uint64_t request_number;
    char id_prefix[8];
    _Atomic uint32_t connections, waiting, suspended; /* read by the first loop */
};

typedef struct http_metrics {
    ss_metric *accepted, *refused, *received, *timeouts, *aborted, *waited_out, *by_library, *connections,
        *waiting, *suspended;
} http_metrics;

typedef struct ip_counts ip_counts;

struct http_server {
    pipeline *pipeline;
    http_options options;
    trust_list trust;
    char client_headers[HTTP_CLIENT_HEADERS_MAX][HTTP_CLIENT_HEADER_MAX]; /* "" = X-Forwarded-For */
    size_t client_header_count;
    http_metrics metrics;
    ip_counts *ips; /* NULL: no limit per address */
    http_loop loops[PIPELINE_LANES_MAX];
    size_t loop_count;
    _Atomic uint32_t stop;
    _Atomic int64_t stop_by_us;   /* monotonic */
    _Atomic uint64_t body_bytes;  /* buffered, all loops */
    _Atomic uint32_t connections; /* all loops, without admin */
};

/* ip_counts.c: any thread */
ip_counts *ip_counts_new(uint32_t max_connections, uint32_t per_ip);
void ip_counts_free(ip_counts *c);
bool ip_counts_enter(ip_counts *c, const trust_address *a); /* false: at the limit */
void ip_counts_leave(ip_counts *c, const trust_address *a);

/* uricut.c */
bool uricut_works(void); /* tries it once per process */

/* callbacks.c: what libmicrohttpd calls */
struct MHD_Daemon *callbacks_start(http_daemon *d, int fd, uint32_t connection_limit);

/* request.c, request_head.c, request_body.c */
http_request *request_new(http_daemon *d, http_conn *conn, struct MHD_Connection *mhd);
void request_free(http_request *r);
bool request_target(http_request *r, const char *uri);
enum MHD_Result request_head(http_request *r, const char *version);
enum MHD_Result request_body(http_request *r, const char *bytes, size_t *len);
bool request_unpack(http_request *r); /* undoes its Content-Encoding; false: it has failed */
void request_free_body(http_request *r);
ss_str request_header(const pipeline_request *p, const char *name);
bool request_is_word(ss_str value, const char *word); /* whatever the case */
bool request_is_gzip(ss_str encoding);
void request_note_refusal(const http_request *r, uint32_t status, const char *json);
enum MHD_Result request_run(http_request *r, const char *method);
enum MHD_Result request_queue(http_request *r);                        /* READY -> SENT */
void request_wait(http_request *r);                                    /* -> WAITING, held or suspended */
void request_ready(http_request *r);                                   /* WAITING -> READY, resumes */
void request_stored(void *arg, pipeline_request *p, bool stored);      /* pipeline_done */
void request_fail(http_request *r, uint32_t status, const char *json); /* makes the reply */

/* desk.c */
void desk_error(const http_request *r, uint32_t status, const char *json, char text[HTTP_DRESS_BYTES],
                ss_response *response);
bool desk_answer(http_request *r); /* true: the reply is set, or the request waits for it (at_desk) */
void desk_collect(http_loop *l);
void desk_close(http_loop *l); /* waits for every ticket's answer */

/* endpoints.c: what the server answers itself. True: *reply is set. */
bool endpoint_answer(http_request *r, http_reply **reply);

/* loop.c */
void *loop_run(void *loop);
void loop_flush_counts(http_loop *l);

#endif
