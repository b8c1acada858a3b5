/* An HTTP client with several requests in flight, over libcurl's multi interface: connections are reused, TLS
   is verified, answers are bounded, a request that may have reached the other end is told from one that
   cannot have. Every request is tried once; what to try again is the caller's affair. One thread. Link with
   -lcurl. */
#ifndef COMMON_HTTP_CLIENT_H
#define COMMON_HTTP_CLIENT_H

#include "streamsteam/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_HEADERS_MAX (64u * 1024u)         /* bytes of one answer's header  */
#define HTTP_BODY_MAX    (64u * 1024u * 1024u) /* of its body, where none is said */

typedef struct http_client http_client;
typedef struct http_call http_call;

enum http_failure {
    HTTP_FINE = 0,      /* a whole answer came, whatever its status                  */
    HTTP_CONNECT = 1,   /* no connection: name, port, route, proxy                   */
    HTTP_TLS = 2,       /* no trust: certificate, host name, protocol                */
    HTTP_TIMEOUT = 3,   /* of the connection or of the whole                         */
    HTTP_CUT = 4,       /* the connection ended before the answer did                */
    HTTP_TOO_LARGE = 5, /* the answer passed its limit                               */
    HTTP_BROKEN = 6     /* the request cannot be sent (a bad URL), or no memory      */
};

typedef struct http_options {
    uint32_t max_in_flight; /* 0 = 16; more wait in the order in which they came      */
    const char *ca_file;    /* NULL: the system's                                     */
    const char *user_agent; /* NULL: none                                             */
} http_options;

typedef struct http_request {
    const char *method, *url; /* copied                                               */
    const ss_pair *headers;   /* copied; Content-Type only where it is among them     */
    size_t header_count;
    ss_str body;                            /* borrowed until the call is freed                     */
    int64_t connect_timeout_ms, timeout_ms; /* 0: 5 s, 30 s                           */
    size_t max_body;                        /* 0 = HTTP_BODY_MAX                                    */
    bool direct;                            /* no proxy, whatever the environment says              */
    void *user;
} http_request;

typedef struct http_reply { /* borrowed until the call is freed */
    enum http_failure failure;
    bool sent; /* something of the request has left: the other end may have acted on it */
    uint32_t status;
    ss_str body;
    ss_str headers;      /* "Name: value\r\n" a line                                   */
    const char *problem; /* one phrase where it failed                                 */
} http_reply;

http_client *http_client_new(const http_options *options); /* NULL: no memory */
void http_client_free(http_client *client);                /* ends all calls */

/* NULL: no memory, or a header with a line break in it. */
http_call *http_start(http_client *client, const http_request *request);
/* Moves all calls on for at most so long; returns when one is done. */
void http_poll(http_client *client, int64_t timeout_ms);
http_call *http_done(http_client *client); /* the next one that is done, once; or NULL */
/* Moves all on until this one is done; it then does not come from http_done(). */
void http_wait(http_client *client, http_call *call);
const http_reply *http_reply_of(const http_call *call); /* when it is done */
void *http_user(const http_call *call);
void http_call_free(http_call *call); /* one in flight is ended */
/* The value of the first header of that name, any case; empty where there is none. */
/* The beginning of the body in one line, for sentences of errors. */
void http_said(const http_reply *reply, char *out, size_t size);
ss_str http_header(const http_reply *reply, const char *name);

int64_t http_now_ms(void); /* a clock that only goes forward */

#ifdef __cplusplus
}
#endif
#endif
