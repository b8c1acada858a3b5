/* A request's head: its target, what its headers say, and whether it is answered without its body. */
#include "core/http/internal.h"

#define ERROR_JSON PIPELINE_ERROR_JSON

/* ---- target ---- */

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

/* ---- head ---- */

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
    if (s->transfer.ptr && !request_is_word(s->transfer, "chunked"))
        return ERROR_JSON("bad_request", "The only Transfer-Encoding served is chunked.");
    if (s->transfer.ptr && s->r->head_10)
        return ERROR_JSON("bad_request", "HTTP/1.0 has no Transfer-Encoding.");
    if (s->hosts > 1 || (s->hosts == 0 && strcmp(version, "HTTP/1.1") == 0))
        return ERROR_JSON("bad_request", "An HTTP/1.1 request has exactly one Host header.");
    return NULL;
}

bool request_is_gzip(ss_str e)
{
    return request_is_word(e, "gzip") || request_is_word(e, "x-gzip");
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
    bool known = r->encoding.len == 0 || request_is_word(r->encoding, "identity") ||
                 request_is_word(r->encoding, "deflate") || request_is_gzip(r->encoding);
    if (!known || s->encodings > 1) {
        *json = ERROR_JSON("unsupported_encoding", "Content-Encoding may be gzip, deflate or identity.");
        return 415;
    }
    return 0;
}

/* For `streamsteam tail --rejected`: what was wrong with an input, under the name "http". json: as made by
   PIPELINE_ERROR_JSON, which begins with {"error":"CODE". */
void request_note_refusal(const http_request *r, uint32_t status, const char *json)
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
    request_note_refusal(r, status, json);
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

bool request_is_word(ss_str value, const char *word)
{
    return value.len == strlen(word) && strncasecmp(value.ptr, word, value.len) == 0;
}
