/* One request: from its head to the answer that libmicrohttpd sends. */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/http/internal.h"
#include "plugins/common/url.h"

#define ERROR_JSON PIPELINE_ERROR_JSON

/* ---- memory ---------------------------------------------------------------------------------- */

/* A name for logs and receivers: random per process and loop, then a number. */
static void put_id(http_loop *l, char out[24])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(out, l->id_prefix, 8);
    uint64_t n = ++l->request_number;
    for (size_t i = 24; i-- > 8; n >>= 4)
        out[i] = digits[n & 15];
}

http_request *request_new(http_daemon *d, http_conn *conn, struct MHD_Connection *mhd)
{
    http_loop *l = d->loop;
    http_request *r = l->spare;
    if (r) {
        l->spare = r->next;
        l->spare_count--;
    } else {
        r = malloc(sizeof *r);
        if (!r)
            return NULL;
    }
    static const ss_str empty = {"", 0}; /* plugins get no null pointers */
    memset(r, 0, offsetof(http_request, client_text));
    r->p.request.content_type = r->p.request.user_agent = r->p.request.host = empty;
    r->query = r->encoding = r->forwarded_proto = empty;
    r->mhd = mhd;
    r->conn = conn;
    r->daemon = d;
    r->started_us = l->mono_us;
    conn->request = r;
    l->live++;
    return r;
}

static void free_body(http_request *r)
{
    if (!r->body)
        return;
    (void)atomic_fetch_sub(&r->daemon->loop->server->body_bytes, r->body_size);
    free(r->body);
    r->body = NULL;
    r->body_size = r->body_len = 0;
}

void request_free(http_request *r)
{
    http_loop *l = r->daemon->loop;
    free_body(r);
    free(r->copy);
    free(r->wire_path);
    free(r->wire_body);
    if (r->wire_size)
        (void)atomic_fetch_sub(&l->server->body_bytes, r->wire_size);
    reply_release(r->reply);
    l->live--;
    if (l->spare_count >= HTTP_SPARE_REQUESTS) {
        free(r);
        return;
    }
    r->next = l->spare;
    l->spare = r;
    l->spare_count++;
}

/* ---- target ---------------------------------------------------------------------------------- */

/* "http://host/path" -> "/path": the absolute form that proxies may send. */
static char *skip_authority(char *target)
{
    if (target[0] == '/' ||
        (strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0))
        return target;
    char *slash = strchr(strstr(target, "//") + 2, '/');
    return slash ? slash : target;
}

/* Keeps path and query. Where uricut works, they are used where they lie (libmicrohttpd keeps them until the
   answer is sent) and the query is hidden from it by a NUL, so that it does not parse it a second time. */
bool request_target(http_request *r, const char *uri)
{
    bool cut = uricut_works();
    char *target = cut ? (char *)(uintptr_t)uri : strdup(uri);
    if (!target)
        return false;
    if (!cut)
        r->copy = target;
    char *query = strchr(target, '?');
    r->target = skip_authority(target);
    if (query && query >= r->target) {
        r->path_len = (size_t)(query - r->target);
        r->query = ss_s(query + 1, strlen(query + 1));
        r->has_query = true;
        if (cut && r->query.len) {
            r->cut = query + 1;
            r->cut_byte = *r->cut;
            *r->cut = '\0';
        }
    } else {
        r->path_len = strlen(r->target);
    }
    return true;
}

/* ---- head ------------------------------------------------------------------------------------ */

typedef struct head_scan {
    http_request *r;
    uint32_t lengths, encodings, hosts;
    bool bad_name, bad_length, expect;
    ss_str transfer;
} head_scan;

/* RFC 9110 token characters: anything else in a name is an attempt to be read differently by two servers. */
static bool is_token(const char *text, size_t len)
{
    static const unsigned char token[256] = {
        ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1,
        ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,  ['0'] = 1, ['1'] = 1, ['2'] = 1,
        ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1,  ['9'] = 1, ['A'] = 1, ['B'] = 1,
        ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1,  ['I'] = 1, ['J'] = 1, ['K'] = 1,
        ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1,  ['R'] = 1, ['S'] = 1, ['T'] = 1,
        ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,  ['a'] = 1, ['b'] = 1, ['c'] = 1,
        ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1,  ['j'] = 1, ['k'] = 1, ['l'] = 1,
        ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1,  ['s'] = 1, ['t'] = 1, ['u'] = 1,
        ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1};
    for (size_t i = 0; i < len; i++)
        if (!token[(unsigned char)text[i]])
            return false;
    return len > 0;
}

static bool name_is(const char *key, size_t len, const char *name, size_t name_len)
{
    return len == name_len && strncasecmp(key, name, len) == 0;
}
#define NAME_IS(literal) name_is(key, key_len, literal, sizeof(literal) - 1)

static void read_length(head_scan *s, ss_str value)
{
    uint64_t n = 0;
    s->lengths++;
    s->bad_length |= value.len == 0 || value.len > 18;
    for (size_t i = 0; i < value.len && !s->bad_length; i++) {
        s->bad_length = value.ptr[i] < '0' || value.ptr[i] > '9';
        n = n * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    if (!s->bad_length)
        s->r->content_length = n;
}

static void scan_x_forwarded(head_scan *s, const char *key, size_t key_len, ss_str value)
{
    http_request *r = s->r;
    if (NAME_IS("X-Forwarded-For")) {
        if (r->forwarded_count == HTTP_FORWARDED_MAX) { /* the last ones count: they come from our side */
            memmove(r->forwarded, r->forwarded + 1, (HTTP_FORWARDED_MAX - 1) * sizeof r->forwarded[0]);
            r->forwarded_count--;
        }
        r->forwarded[r->forwarded_count++] = value;
    } else if (NAME_IS("X-Forwarded-Proto")) {
        r->forwarded_proto = value;
    }
}

static enum MHD_Result scan_header(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_len,
                                   const char *text, size_t text_len)
{
    (void)kind;
    head_scan *s = arg;
    ss_request *q = &s->r->p.request;
    ss_str value = ss_s(text ? text : "", text ? text_len : 0);
    if (!is_token(key, key_len)) {
        s->bad_name = true;
        return MHD_NO;
    }
    switch (key[0] | 0x20) {
    case 'h':
        if (NAME_IS("Host")) {
            q->host = value;
            s->hosts++;
        }
        break;
    case 'u':
        if (NAME_IS("User-Agent"))
            q->user_agent = value;
        break;
    case 'c':
        if (NAME_IS("Content-Type")) {
            q->content_type = value;
        } else if (NAME_IS("Content-Length")) {
            read_length(s, value);
        } else if (NAME_IS("Content-Encoding")) {
            s->r->encoding = value;
            s->encodings++;
        }
        break;
    case 't':
        if (NAME_IS("Transfer-Encoding")) {
            s->bad_length |= s->transfer.ptr != NULL;
            s->transfer = value;
        }
        break;
    case 'e':
        s->expect |= NAME_IS("Expect");
        break;
    case 'x':
        scan_x_forwarded(s, key, key_len, value);
        break;
    default:
        break;
    }
    return MHD_YES;
}

static bool is_word(ss_str value, const char *word)
{
    return value.len == strlen(word) && strncasecmp(value.ptr, word, value.len) == 0;
}

/* What is wrong with the head and must end the connection: nobody can say where the next request begins. */
static const char *framing_problem(const head_scan *s, const char *version)
{
    if (s->bad_name)
        return ERROR_JSON("bad_request", "A header name holds characters that are not allowed.");
    if (s->lengths && s->transfer.ptr)
        return ERROR_JSON("bad_request", "Content-Length and Transfer-Encoding together are not accepted.");
    if (s->lengths > 1 || s->bad_length)
        return ERROR_JSON("bad_request",
                          "Content-Length or Transfer-Encoding is malformed, or there more than once.");
    if (s->transfer.ptr && !is_word(s->transfer, "chunked"))
        return ERROR_JSON("bad_request", "The only Transfer-Encoding served is chunked.");
    if (s->transfer.ptr && s->r->head_10)
        return ERROR_JSON("bad_request", "HTTP/1.0 has no Transfer-Encoding.");
    if (s->hosts > 1 || (s->hosts == 0 && strcmp(version, "HTTP/1.1") == 0))
        return ERROR_JSON("bad_request", "An HTTP/1.1 request has exactly one Host header.");
    return NULL;
}

static bool encoding_is_gzip(ss_str e)
{
    return is_word(e, "gzip") || is_word(e, "x-gzip");
}

/* Errors that leave the connection usable. */
static uint32_t request_problem(const http_request *r, const head_scan *s, const char **json)
{
    const http_options *o = &r->daemon->loop->server->options;
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (r->path_len + r->query.len > o->max_header_bytes) {
        *json = ERROR_JSON("uri_too_long", "Send large queries as a POST body.");
        return 414;
    }
    if (size && size->header_size > o->max_header_bytes) {
        *json = ERROR_JSON("headers_too_large", "The request's headers exceed the server's limit.");
        return 431;
    }
    if (r->content_length > o->max_body_bytes) {
        *json = ERROR_JSON("body_too_large", "The request's body exceeds the server's limit.");
        return 413;
    }
    bool known = r->encoding.len == 0 || is_word(r->encoding, "identity") ||
                 is_word(r->encoding, "deflate") || encoding_is_gzip(r->encoding);
    if (!known || s->encodings > 1) {
        *json = ERROR_JSON("unsupported_encoding", "Content-Encoding may be gzip, deflate or identity.");
        return 415;
    }
    return 0;
}

/* For `streamsteam tail --rejected`: what was wrong with an input, under the name "http". json: as made by
   PIPELINE_ERROR_JSON, which begins with {"error":"CODE". */
static void note_refusal(const http_request *r, uint32_t status, const char *json)
{
    static const char begin[] = "{\"error\":\"";
    char code[48];
    if (status == 503 || r->daemon->admin || strncmp(json, begin, sizeof begin - 1) != 0)
        return;
    const char *from = json + sizeof begin - 1;
    (void)snprintf(code, sizeof code, "%.*s", (int)strcspn(from, "\""), from);
    ss_str path = ss_s(r->target ? r->target : "", r->path_len);
    rejects_add(pipeline_board(r->daemon->loop->server->pipeline), "http", code, path,
                ss_s(r->conn->peer_text, r->conn->peer_len), r->daemon->loop->now_us);
}

/* An answer before the body was read: libmicrohttpd closes the connection after it. */
static enum MHD_Result refuse_now(http_request *r, uint32_t status, const char *json)
{
    ss_response response;
    char text[HTTP_DRESS_BYTES];
    note_refusal(r, status, json);
    desk_error(r, status, json, text, &response);
    r->reply = replies_make(&r->daemon->loop->replies, &response, true);
    return r->reply ? request_queue(r) : MHD_NO;
}

/* libmicrohttpd's first call: the headers are there. A good request is never answered here: that would cost
   the connection. */
enum MHD_Result request_head(http_request *r, const char *version)
{
    if (r->cut) {
        *r->cut = r->cut_byte;
        r->cut = NULL;
    }
    head_scan s = {.r = r};
    r->head_10 = strcmp(version, "HTTP/1.0") == 0;
    (void)MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, scan_header, &s);
    r->chunked = s.transfer.ptr != NULL;
    const char *json = framing_problem(&s, version);
    if (json)
        return refuse_now(r, 400, json);
    uint32_t status = request_problem(r, &s, &json);
    r->state = HTTP_BODY;
    if (status == 0)
        return MHD_YES;
    bool has_body = r->chunked || r->content_length > 0;
    if (has_body && (s.expect || r->content_length > HTTP_DRAIN_MAX_BYTES))
        return refuse_now(r, status, json);
    r->state = HTTP_DRAIN;
    r->error_status = status;
    r->error_json = json;
    return MHD_YES;
}

/* ---- body ------------------------------------------------------------------------------------ */

static void drain_with(http_request *r, uint32_t status, const char *json)
{
    free_body(r);
    r->state = HTTP_DRAIN;
    r->error_status = status;
    r->error_json = json;
}

/* What is announced is not what will come: buffers start small and double. */
static bool grow_body(http_request *r, size_t need)
{
    http_server *server = r->daemon->loop->server;
    size_t size = r->body_size ? r->body_size : HTTP_BODY_FIRST_BYTES;
    if (!r->body_size && r->content_length && r->content_length < size)
        size = (size_t)r->content_length;
    while (size < need)
        size *= 2;
    if (r->content_length && size > r->content_length && r->content_length >= need)
        size = (size_t)r->content_length;
    uint64_t more = size - r->body_size;
    if (atomic_fetch_add(&server->body_bytes, more) + more > HTTP_BODIES_MAX_BYTES) {
        (void)atomic_fetch_sub(&server->body_bytes, more);
        return false;
    }
    char *grown = realloc(r->body, size);
    if (!grown) {
        (void)atomic_fetch_sub(&server->body_bytes, more);
        return false;
    }
    r->body = grown;
    r->body_size = size;
    return true;
}

/* libmicrohttpd's calls with body bytes; *len becomes what was not taken: nothing. */
enum MHD_Result request_body(http_request *r, const char *bytes, size_t *len)
{
    http_loop *l = r->daemon->loop;
    size_t n = *len;
    *len = 0;
    l->counts.received_bytes += n;
    l->counted = true;
    r->daemon->again = true;
    if (r->state == HTTP_DRAIN) {
        r->drained += n;
        if (r->drained <= HTTP_DRAIN_MAX_BYTES)
            return MHD_YES;
        l->counts.by_library++; /* cannot be answered during an upload: closed */
        return MHD_NO;
    }
    if (r->body_len + n > l->server->options.max_body_bytes) {
        r->drained = r->body_len + n;
        drain_with(r, 413, ERROR_JSON("body_too_large", "The request's body exceeds the server's limit."));
        return MHD_YES;
    }
    if (r->body_len + n > r->body_size && !grow_body(r, r->body_len + n)) {
        drain_with(r, 503, ERROR_JSON("busy", "The server holds too many request bodies now; try again."));
        return MHD_YES;
    }
    memcpy(r->body + r->body_len, bytes, n);
    r->body_len += n;
    return MHD_YES;
}

static ss_str find_header(const pipeline_request *p, const char *name)
{
    const http_request *r = (const http_request *)(const void *)p;
    const char *value = NULL;
    size_t len = 0;
    if (r->gone ||
        MHD_lookup_connection_value_n(r->mhd, MHD_HEADER_KIND, name, strlen(name), &value, &len) != MHD_YES ||
        !value)
        return ss_s("", 0);
    return ss_s(value, len);
}

/* May it carry a signature of AWS? Of the body they sign what was on the wire. */
static bool is_signed(const http_request *r)
{
    ss_str value = find_header(&r->p, "Authorization");
    return (value.len > 5 && strncasecmp(value.ptr, "AWS4-", 5) == 0) ||
           (r->query.len && memmem(r->query.ptr, r->query.len, "X-Amz-", 6));
}

static bool undo_encoding(http_request *r)
{
    if (r->encoding.len == 0 || is_word(r->encoding, "identity") || r->body_len == 0)
        return true;
    http_loop *l = r->daemon->loop;
    char *out = NULL;
    size_t out_len = 0;
    enum inflate_result result =
        inflate_body(l->inflater, ss_s(r->body, r->body_len), encoding_is_gzip(r->encoding),
                     l->server->options.max_body_bytes, &out, &out_len);
    if (result == INFLATE_OK) {
        if (is_signed(r)) {
            r->wire_body = r->body;
            r->wire_size = r->body_size;
            r->p.wire_body = ss_s(r->body, r->body_len);
            r->body = NULL;
        }
        free_body(r);
        r->body = out;
        r->body_len = r->body_size = out_len;
        (void)atomic_fetch_add(&l->server->body_bytes, out_len);
        return true;
    }
    if (result == INFLATE_TOO_BIG)
        request_fail(r, 413,
                     ERROR_JSON("body_too_large", "The decompressed body exceeds the server's limit."));
    else if (result == INFLATE_DAMAGED)
        request_fail(r, 400, ERROR_JSON("bad_encoding", "The body is not what its Content-Encoding says."));
    else
        request_fail(r, 503, ERROR_JSON("busy", "Out of memory for the decompressed body; try again."));
    return false;
}

/* ---- the whole request ------------------------------------------------------------------------- */

typedef struct header_walk {
    void (*visit)(void *arg, ss_str name, ss_str value);
    void *arg;
} header_walk;

static enum MHD_Result visit_header(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_len,
                                    const char *text, size_t text_len)
{
    (void)kind;
    const header_walk *w = arg;
    w->visit(w->arg, ss_s(key, key_len), ss_s(text ? text : "", text ? text_len : 0));
    return MHD_YES;
}

static void each_header(const pipeline_request *p, void (*visit)(void *arg, ss_str name, ss_str value),
                        void *arg)
{
    const http_request *r = (const http_request *)(const void *)p;
    header_walk walk = {visit, arg};
    if (!r->gone)
        (void)MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, visit_header, &walk);
}

/* The first of client_ip_headers that holds an address; false: none does. */
static bool find_client(http_request *r, trust_address *client)
{
    const http_server *server = r->daemon->loop->server;
    for (size_t i = 0; i < server->client_header_count; i++) {
        const char *name = server->client_headers[i];
        ss_str value = *name ? find_header(&r->p, name) : ss_s("", 0);
        if (*name ? trust_client(&server->trust, &value, 1, client)
                  : trust_client(&server->trust, r->forwarded, r->forwarded_count, client))
            return true;
    }
    return false;
}

static void fill_addresses(http_request *r)
{
    ss_request *q = &r->p.request;
    const http_conn *conn = r->conn;
    q->peer_ip = ss_s(conn->peer_text, conn->peer_len);
    q->client_ip = q->peer_ip;
    q->scheme = SS_LIT("http");
    if (!conn->trusted)
        return;
    trust_address client;
    if (find_client(r, &client))
        q->client_ip = ss_s(r->client_text, trust_put(&client, r->client_text));
    if (is_word(r->forwarded_proto, "https"))
        q->scheme = SS_LIT("https");
}

static void fill_request(http_request *r, const char *method)
{
    ss_request *q = &r->p.request;
    q->struct_size = sizeof *q;
    q->pair_size = sizeof(ss_pair);
    q->method = ss_cstr(method);
    r->p.wire_path = ss_s(r->target ? r->target : "", r->path_len);
    if (r->target && memchr(r->target, '%', r->path_len)) {
        r->wire_path = strndup(r->target, r->path_len);
        r->p.wire_path = ss_s(r->wire_path ? r->wire_path : "", r->wire_path ? r->path_len : 0);
        r->path_len = url_decode_path(r->target, ss_s(r->target, r->path_len));
    }
    q->path = ss_s(r->target ? r->target : "", r->path_len);
    q->raw_query = r->query;
    q->flags = r->has_query ? 1 : 0;
    q->body = ss_s(r->body ? r->body : "", r->body_len);
    q->received_us = r->daemon->loop->now_us;
    put_id(r->daemon->loop, r->id);
    q->request_id = ss_s(r->id, sizeof r->id);
    fill_addresses(r);
    r->p.header = find_header;
    r->p.each_header = each_header;
}

/* Until the answer may go: held (asked again at every pass, which is cheaper than taking the socket out of
   epoll and back for each request), or suspended where too many are held. */
void request_wait(http_request *r)
{
    http_daemon *d = r->daemon;
    r->pending = true;
    r->state = HTTP_WAITING;
    r->waiting_us = d->loop->mono_us;
    if (d->held < HTTP_HOLD_MAX) {
        d->held++;
        return;
    }
    r->suspended = true;
    d->suspended++;
    MHD_suspend_connection(r->mhd);
}

static bool is_close_wanted(const http_request *r, const ss_response *response)
{
    return response->close != 0 || r->daemon->loop->draining;
}

void request_fail(http_request *r, uint32_t status, const char *json)
{
    static const ss_pair retry = {{"Retry-After", 11}, {"1", 1}};
    ss_response response;
    char text[HTTP_DRESS_BYTES];
    note_refusal(r, status, json);
    desk_error(r, status, json, text, &response);
    if (status == 503 && response.header_count == 0) {
        response.headers = &retry;
        response.header_count = 1;
    }
    reply_release(r->reply);
    r->reply = replies_make(&r->daemon->loop->replies, &response, is_close_wanted(r, &response));
}

/* libmicrohttpd's last call for a request: everything is there. */
enum MHD_Result request_run(http_request *r, const char *method)
{
    http_loop *l = r->daemon->loop;
    if (r->state == HTTP_DRAIN) {
        request_fail(r, r->error_status, r->error_json);
        return request_queue(r);
    }
    if (!undo_encoding(r))
        return request_queue(r);
    fill_request(r, method);
    if (endpoint_answer(r, &r->reply))
        return request_queue(r);
    if (desk_answer(r))
        return r->at_desk ? MHD_YES : request_queue(r);
    ss_response response;
    enum pipeline_ack ack = pipeline_handle(l->lane, &r->p, &response);
    r->reply = replies_make(&l->replies, &response, is_close_wanted(r, &response));
    free_body(r); /* what the receiver kept lies in the stage now */
    if (ack == PIPELINE_ACK_NOW)
        return request_queue(r);
    request_wait(r);
    return MHD_YES;
}

enum MHD_Result request_queue(http_request *r)
{
    r->state = HTTP_SENT;
    r->daemon->again = true; /* to send it, where that is not done at once */
    if (!r->reply)
        return MHD_NO; /* out of memory: closed */
    return MHD_queue_response(r->mhd, r->reply->status, r->reply->mhd);
}

void request_ready(http_request *r)
{
    http_daemon *d = r->daemon;
    r->state = HTTP_READY;
    d->again = true;
    if (!r->suspended) {
        d->held--;
        return;
    }
    r->suspended = false;
    d->suspended--;
    MHD_resume_connection(r->mhd);
}

void request_stored(void *arg, pipeline_request *p, bool stored)
{
    (void)arg;
    http_request *r = (http_request *)(void *)p;
    r->pending = false;
    if (r->gone) {
        request_free(r);
        return;
    }
    if (r->state != HTTP_WAITING)
        return; /* it waited too long and was answered with 503 */
    if (!stored)
        request_fail(r, 503, ERROR_JSON("busy", "The server could not store the events; try again."));
    request_ready(r);
}
