#include "plugins/common/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <strings.h>
#include <time.h>

#include "plugins/common/grow.h"

#define IN_FLIGHT          16u
#define SPARE_CONNECTIONS  2L /* for what must not wait for the others: credentials */
#define CONNECT_TIMEOUT_MS 5000
#define TIMEOUT_MS         30000
#define IDLE_CONNECTION_S                                                                                    \
    50L /* below the minute after which load balancers drop a connection without a word */
#define HEADER_LINE_MAX (16u * 1024u)

struct http_call {
    http_client *client;
    http_call *next, *prev; /* all calls of the client */
    http_call *next_done;
    CURL *easy;
    struct curl_slist *headers;
    grow head, body;
    http_reply reply;
    void *user;
    char problem[CURL_ERROR_SIZE];
    uint32_t tries; /* connections on which curl sent it */
    bool done, too_large;
};

struct http_client {
    CURLM *multi;
    http_call *calls, *first_done, *last_done;
    char *ca_file, *user_agent;
};

int64_t http_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void init_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

http_client *http_client_new(const http_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_curl);
    http_client *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    long in_flight = options->max_in_flight ? (long)options->max_in_flight : (long)IN_FLIGHT;
    c->multi = curl_multi_init();
    c->ca_file = options->ca_file && *options->ca_file ? strdup(options->ca_file) : NULL;
    c->user_agent = options->user_agent ? strdup(options->user_agent) : NULL;
    if (!c->multi || (options->ca_file && *options->ca_file && !c->ca_file) ||
        (options->user_agent && !c->user_agent)) {
        http_client_free(c);
        return NULL;
    }
    (void)curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, in_flight + SPARE_CONNECTIONS);
    (void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, in_flight + SPARE_CONNECTIONS);
    return c;
}

void http_client_free(http_client *c)
{
    if (!c)
        return;
    while (c->calls)
        http_call_free(c->calls);
    if (c->multi)
        (void)curl_multi_cleanup(c->multi);
    free(c->ca_file);
    free(c->user_agent);
    free(c);
}

/* ---- what curl calls ---- */

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    http_call *call = arg;
    size_t len = size * count;
    if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0) /* a new answer: the one before was "100 Continue" */
        grow_clear(&call->head);
    else if (!grow_put(&call->head, ss_s(bytes, len)))
        call->too_large = true;
    return call->too_large ? 0 : len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    http_call *call = arg;
    if (!grow_put(&call->body, ss_s(bytes, size * count)))
        call->too_large = true;
    return call->too_large ? 0 : size * count;
}

/* curl sends a request again by itself where a reused connection turns out to be closed. It cannot know
   whether the first one was acted on; whoever counts duplicates must decide. So the second try is refused
   here. */
static int before_sending(void *arg, char *to, char *from, int to_port, int from_port)
{
    (void)to, (void)from, (void)to_port, (void)from_port;
    http_call *call = arg;
    return call->tries++ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* ---- starting ---- */

static bool clean(ss_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == '\0')
            return false;
    return true;
}

static bool add_header(http_call *call, ss_str name, ss_str value)
{
    char line[HEADER_LINE_MAX];
    if (!clean(name) || !clean(value) || name.len + value.len + 4 > sizeof line)
        return false;
    /* A header without a value is written with a semicolon for curl. */
    (void)snprintf(line, sizeof line, value.len ? "%.*s: %.*s" : "%.*s;%.*s", (int)name.len, name.ptr,
                   (int)value.len, value.ptr);
    struct curl_slist *list = curl_slist_append(call->headers, line);
    call->headers = list ? list : call->headers;
    return list != NULL;
}

static bool add_headers(http_call *call, const http_request *r)
{
    bool typed = false;
    for (size_t i = 0; i < r->header_count; i++) {
        ss_str name = r->headers[i].key;
        typed |= name.len == 12 && strncasecmp(name.ptr, "content-type", 12) == 0;
        if (!add_header(call, name, r->headers[i].value))
            return false;
    }
    const char *never[] = {"Expect:", typed ? NULL : "Content-Type:"}; /* without a value: not sent */
    for (size_t i = 0; i < 2; i++) {
        struct curl_slist *list = never[i] ? curl_slist_append(call->headers, never[i]) : call->headers;
        if (!list)
            return false;
        call->headers = list;
    }
    return true;
}

static void set_method(CURL *easy, const http_request *r)
{
    if (strcmp(r->method, "HEAD") == 0) {
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (r->body.len || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0) {
        (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body.len ? r->body.ptr : "");
        (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
    } else {
        (void)curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
    }
}

static void set_limits(CURL *easy, const http_request *r)
{
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                           (long)(r->connect_timeout_ms > 0 ? r->connect_timeout_ms : CONNECT_TIMEOUT_MS));
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(r->timeout_ms > 0 ? r->timeout_ms : TIMEOUT_MS));
    (void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_S);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    if (r->direct)
        (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
}

static bool set_up(http_call *call, const http_request *r)
{
    CURL *easy = call->easy;
    const http_client *c = call->client;
    if (!add_headers(call, r) || curl_easy_setopt(easy, CURLOPT_URL, r->url) != CURLE_OK)
        return false;
    set_method(easy, r);
    set_limits(easy, r);
    if (c->ca_file)
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca_file);
    if (c->user_agent)
        (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, c->user_agent);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_sending);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->problem);
    (void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == CURLE_OK;
}

http_call *http_start(http_client *c, const http_request *r)
{
    http_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->client = c;
    call->user = r->user;
    call->head.limit = HTTP_HEADERS_MAX;
    call->body.limit = r->max_body ? r->max_body : HTTP_BODY_MAX;
    call->next = c->calls;
    if (c->calls)
        c->calls->prev = call;
    c->calls = call;
    call->easy = curl_easy_init();
    if (!call->easy || !set_up(call, r) || curl_multi_add_handle(c->multi, call->easy) != CURLM_OK) {
        http_call_free(call);
        return NULL;
    }
    return call;
}

/* ---- ending ---- */

static enum http_failure failure_of(const http_call *call, CURLcode code)
{
    if (call->too_large)
        return HTTP_TOO_LARGE;
    switch (code) {
    case CURLE_OK:
        return HTTP_FINE;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        return HTTP_CONNECT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CONNECT_ERROR:
        return HTTP_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return HTTP_BROKEN;
    default:
        return HTTP_CUT;
    }
}

static void finish(http_call *call, CURLcode code)
{
    http_reply *reply = &call->reply;
    long status = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    reply->failure = failure_of(call, code);
    reply->status = (uint32_t)status;
    reply->sent = call->tries > 0;
    reply->body = grow_str(&call->body);
    reply->headers = grow_str(&call->head);
    reply->problem = "";
    if (reply->failure == HTTP_TOO_LARGE)
        reply->problem = "the answer is larger than its limit";
    else if (code == CURLE_ABORTED_BY_CALLBACK)
        reply->problem = "the connection ended before an answer came";
    else if (code != CURLE_OK)
        reply->problem = call->problem[0] ? call->problem : curl_easy_strerror(code);
    (void)curl_multi_remove_handle(call->client->multi, call->easy);
    call->done = true;
}

static void queue_done(http_client *c, http_call *call)
{
    if (c->last_done)
        c->last_done->next_done = call;
    else
        c->first_done = call;
    c->last_done = call;
}

static void collect(http_client *c)
{
    int left = 0;
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left)) != NULL;) {
        char *private = NULL;
        CURLcode code = m->data.result; /* m is gone after the handle is removed */
        if (m->msg != CURLMSG_DONE ||
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK)
            continue;
        http_call *call = (http_call *)(void *)private;
        finish(call, code);
        queue_done(c, call);
    }
}

static void turn(http_client *c, int64_t timeout_ms)
{
    int running = 0;
    (void)curl_multi_perform(c->multi, &running);
    collect(c);
    if (c->first_done || timeout_ms <= 0)
        return;
    (void)curl_multi_poll(c->multi, NULL, 0, timeout_ms > 1000 ? 1000 : (int)timeout_ms, NULL);
    (void)curl_multi_perform(c->multi, &running);
    collect(c);
}

void http_poll(http_client *c, int64_t timeout_ms)
{
    int64_t end = http_now_ms() + timeout_ms, left = timeout_ms;
    do {
        turn(c, left);
        left = end - http_now_ms();
    } while (!c->first_done && left > 0);
}

static void unqueue(http_client *c, const http_call *call)
{
    http_call *before = NULL;
    for (http_call *at = c->first_done; at; before = at, at = at->next_done) {
        if (at != call)
            continue;
        if (before)
            before->next_done = at->next_done;
        else
            c->first_done = at->next_done;
        if (c->last_done == at)
            c->last_done = before;
        return;
    }
}

http_call *http_done(http_client *c)
{
    http_call *call = c->first_done;
    if (call)
        unqueue(c, call);
    return call;
}

void http_wait(http_client *c, http_call *call)
{
    int running = 0;
    while (!call->done) {
        (void)curl_multi_perform(c->multi, &running);
        collect(c);
        if (!call->done)
            (void)curl_multi_poll(c->multi, NULL, 0, 1000, NULL);
    }
    unqueue(c, call);
}

const http_reply *http_reply_of(const http_call *call)
{
    return &call->reply;
}

void *http_user(const http_call *call)
{
    return call->user;
}

void http_call_free(http_call *call)
{
    if (!call)
        return;
    http_client *c = call->client;
    if (call->done)
        unqueue(c, call);
    else if (call->easy)
        (void)curl_multi_remove_handle(c->multi, call->easy);
    if (call->easy)
        curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    *(call->prev ? &call->prev->next : &c->calls) = call->next;
    if (call->next)
        call->next->prev = call->prev;
    grow_free(&call->head);
    grow_free(&call->body);
    free(call);
}

void http_said(const http_reply *reply, char *out, size_t size)
{
    size_t len = reply->body.len < size - 1 ? reply->body.len : size - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)reply->body.ptr[i] < ' ' ? ' ' : reply->body.ptr[i];
    out[len] = '\0';
}

ss_str http_header(const http_reply *reply, const char *name)
{
    size_t len = strlen(name);
    const char *at = reply->headers.ptr, *end = at + reply->headers.len;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end ? line_end : end;
        if ((size_t)(line_end - at) > len && at[len] == ':' && strncasecmp(at, name, len) == 0) {
            const char *value = at + len + 1, *stop = line_end;
            while (value < stop && (*value == ' ' || *value == '\t'))
                value++;
            while (stop > value && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t'))
                stop--;
            return ss_s(value, (size_t)(stop - value));
        }
        at = line_end + 1;
    }
    return ss_s("", 0);
}
