/* A request's body: gathered within its bounds, and unpacked. */
#include <stdlib.h>

#include "core/http/internal.h"

#define ERROR_JSON PIPELINE_ERROR_JSON

void request_free_body(http_request *r)
{
    if (!r->body)
        return;
    (void)atomic_fetch_sub(&r->daemon->loop->server->body_bytes, r->body_size);
    free(r->body);
    r->body = NULL;
    r->body_size = r->body_len = 0;
}

static void drain_with(http_request *r, uint32_t status, const char *json)
{
    request_free_body(r);
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

/* May it carry a signature of AWS? Of the body they sign what was on the wire. */
static bool is_signed(const http_request *r)
{
    ss_str value = request_header(&r->p, "Authorization");
    return (value.len > 5 && strncasecmp(value.ptr, "AWS4-", 5) == 0) ||
           (r->query.len && memmem(r->query.ptr, r->query.len, "X-Amz-", 6));
}

bool request_unpack(http_request *r)
{
    if (r->encoding.len == 0 || request_is_word(r->encoding, "identity") || r->body_len == 0)
        return true;
    http_loop *l = r->daemon->loop;
    char *out = NULL;
    size_t out_len = 0;
    enum inflate_result result =
        inflate_body(l->inflater, ss_s(r->body, r->body_len), request_is_gzip(r->encoding),
                     l->server->options.max_body_bytes, &out, &out_len);
    if (result == INFLATE_OK) {
        if (is_signed(r)) {
            r->wire_body = r->body;
            r->wire_size = r->body_size;
            r->p.wire_body = ss_s(r->body, r->body_len);
            r->body = NULL;
        }
        request_free_body(r);
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
