#include "modules/opensearch/wire.h"

#include <stdlib.h>
#include <zlib.h>

#include "plugins/common/base64.h"
#include "plugins/common/json.h"

#define GZIP_LEVEL    1    /* JSON shrinks to a fifth with it; more costs more than it saves */
#define GZIP_FROM     1024 /* bytes: below it is not worth a header                          */
#define GZIP_BITS     (15 + 16)
#define GZIP_MEMORY   8
#define RETRY_AFTER_S 600
#define USER_MAX      256u

/* Serverless wants x-amz-content-sha256; both are plain JSON over HTTP. */
static const aws_service service_es = {.name = "es", .id = "OPENSEARCH", .protocol = AWS_REST_JSON};
static const aws_service service_aoss = {
    .name = "aoss", .id = "OPENSEARCHSERVERLESS", .protocol = AWS_REST_JSON, .content_hash = true};

/* ---- opening ---- */

static bool add_host(wire *w, ss_str url, ss_error *err)
{
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    bool http = url.len > 7 && memcmp(url.ptr, "http://", 7) == 0;
    bool https = url.len > 8 && memcmp(url.ptr, "https://", 8) == 0;
    if ((!http && !https) || url.len >= WIRE_URL_MAX || memchr(url.ptr, '@', url.len) ||
        memchr(url.ptr, '?', url.len))
        return ss_fail(err, 0,
                       "opensearch: \"%.*s\" is not a URL like https://host:9200 (name and password go into "
                       "user and password)",
                       (int)(url.len < 100 ? url.len : 100), url.ptr);
    if (w->host_count == WIRE_HOSTS_MAX)
        return ss_fail(err, 0, "opensearch: at most %u hosts", WIRE_HOSTS_MAX);
    wire_host *h = &w->hosts[w->host_count++];
    memcpy(h->url, url.ptr, url.len);
    h->url[url.len] = '\0';
    return true;
}

static bool add_hosts(wire *w, ss_error *err)
{
    const ss_host *h = w->host;
    if (!add_host(w, h->cfg_str(w->cfg, "url"), err))
        return false;
    const ss_config *more = h->cfg_get(w->cfg, "more_urls");
    size_t count = more ? h->cfg_len(more) : 0;
    for (size_t i = 0; i < count; i++)
        if (!add_host(w, h->cfg_str(h->cfg_at(more, i), ""), err))
            return false;
    if (w->kind != WIRE_PLAIN && w->host_count > 1)
        return ss_fail(err, 0,
                       "opensearch: more_urls is for clusters of one's own; Amazon's have one address");
    return true;
}

static int32_t read_password(wire *w, ss_error *err)
{
    char pair[USER_MAX + WIRE_PASSWORD_MAX];
    ss_str user = w->host->cfg_str(w->cfg, "user");
    w->stale = false;
    w->basic[0] = '\0';
    if (user.len == 0)
        return SS_OK;
    if (user.len >= USER_MAX || memchr(user.ptr, ':', user.len))
        return ss_fail(err, SS_REJECT, "opensearch: user has no colon and less than %u bytes", USER_MAX);
    memcpy(pair, user.ptr, user.len);
    pair[user.len] = ':';
    char *password = pair + user.len + 1;
    int64_t len = w->host->secret(w->host->self, w->cfg, "password", password, WIRE_PASSWORD_MAX - 1, err);
    if (len < 0)
        return SS_PAUSE;
    while (len &&
           (password[len - 1] == '\n' || password[len - 1] == '\r')) /* a file ends with a line break */
        len--;
    static const char head[] = "Basic ";
    memcpy(w->basic, head, sizeof head - 1);
    size_t put = base64_put(w->basic + sizeof head - 1, ss_s(pair, user.len + 1 + (size_t)len));
    w->basic[sizeof head - 1 + put] = '\0';
    explicit_bzero(pair, sizeof pair);
    return SS_OK;
}

static int32_t open_aws(wire *w, ss_error *err)
{
    aws_settings s = aws_settings_of(&w->origin, w->host, w->cfg);
    s.endpoint = ss_cstr(w->hosts[0].url);
    if (w->host->cfg_str(w->cfg, "user").len)
        return ss_fail(err, SS_REJECT, "opensearch: user is for sign: none; with %s requests are signed",
                       w->kind == WIRE_ES ? "es" : "aoss");
    w->aws = aws_client_new(&s, err);
    return w->aws ? SS_OK : SS_REJECT;
}

static int32_t open_plain(wire *w, ss_error *err)
{
    char ca_file[WIRE_URL_MAX];
    ss_str ca = w->host->cfg_str(w->cfg, "ca_file");
    if (ca.len >= sizeof ca_file)
        return ss_fail(err, SS_REJECT, "opensearch: ca_file is longer than %u bytes", WIRE_URL_MAX - 1);
    (void)snprintf(ca_file, sizeof ca_file, "%.*s", (int)ca.len, ca.ptr);
    http_options options = {.ca_file = *ca_file ? ca_file : NULL, .user_agent = "streamsteam"};
    w->http = http_client_new(&options);
    return w->http ? read_password(w, err) : ss_fail(err, SS_RETRY, "opensearch: no memory");
}

int32_t wire_open(wire *w, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    memset(w, 0, sizeof *w);
    w->host = host;
    w->cfg = cfg;
    ss_str sign = host->cfg_str(cfg, "sign");
    w->kind = ss_eq(sign, SS_LIT("es")) ? WIRE_ES : ss_eq(sign, SS_LIT("aoss")) ? WIRE_AOSS : WIRE_PLAIN;
    w->gzip = host->cfg_int(cfg, "gzip") != 0 && w->kind != WIRE_AOSS;
    w->timeout_ms = host->cfg_int(cfg, "timeout");
    w->connect_timeout_ms = host->cfg_int(cfg, "connect_timeout");
    if (!add_hosts(w, err))
        return SS_REJECT;
    return w->kind == WIRE_PLAIN ? open_plain(w, err) : open_aws(w, err);
}

void wire_close(wire *w)
{
    aws_client_free(w->aws);
    if (w->http)
        http_client_free(w->http);
    w->aws = NULL;
    w->http = NULL;
    explicit_bzero(w->basic, sizeof w->basic);
}

int32_t wire_renew(wire *w, ss_error *err)
{
    return w->stale && w->kind == WIRE_PLAIN ? read_password(w, err) : SS_OK;
}

/* ---- sending ---- */

static bool pack(grow *out, ss_str body)
{
    z_stream z;
    memset(&z, 0, sizeof z);
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_BITS, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    uLong bound = deflateBound(&z, (uLong)body.len);
    grow_clear(out);
    out->limit = bound + 1;
    bool good = body.len < UINT32_MAX && grow_room(out, bound);
    if (good) {
        z.next_in = (Bytef *)(uintptr_t)body.ptr;
        z.avail_in = (uInt)body.len;
        z.next_out = (Bytef *)out->at;
        z.avail_out = (uInt)bound;
        good = deflate(&z, Z_FINISH) == Z_STREAM_END;
        out->len = bound - z.avail_out;
    }
    (void)deflateEnd(&z);
    return good;
}

/* Round robin over those that did not fail of late; where all did, the one that may be asked first. */
static uint32_t choose(wire *w)
{
    int64_t now = http_now_ms();
    uint32_t best = w->next % w->host_count;
    for (uint32_t i = 0; i < w->host_count; i++) {
        uint32_t at = (w->next + i) % w->host_count;
        if (w->hosts[at].due_ms <= now) {
            best = at;
            break;
        }
        if (w->hosts[at].due_ms < w->hosts[best].due_ms)
            best = at;
    }
    w->next = best + 1;
    return best;
}

bool wire_start(wire *w, wire_call *call, const wire_request *r, void *user)
{
    char url[WIRE_URL_MAX * 2];
    ss_pair headers[5];
    size_t count = 0;
    ss_str body = r->body;
    bool packed = r->pack && w->gzip && body.len >= GZIP_FROM && pack(&call->packed, body);
    if (packed)
        body = grow_str(&call->packed);
    call->user = user;
    call->aws = NULL;
    call->http = NULL;
    if (body.len)
        headers[count++] = (ss_pair){SS_LIT("Content-Type"), ss_cstr(r->type ? r->type : "application/json")};
    if (packed)
        headers[count++] = (ss_pair){SS_LIT("Content-Encoding"), SS_LIT("gzip")};
    if (r->host)
        headers[count++] = (ss_pair){SS_LIT("osd-xsrf"), SS_LIT("true")}; /* Dashboards asks for it */
    int64_t timeout = r->timeout_ms ? r->timeout_ms : w->timeout_ms;
    if (w->aws && !r->host) {
        const aws_request request = {.service = w->kind == WIRE_ES ? &service_es : &service_aoss,
                                     .method = ss_cstr(r->method),
                                     .path = ss_cstr(r->path),
                                     .query = ss_cstr(r->query ? r->query : ""),
                                     .headers = headers,
                                     .header_count = count,
                                     .body = body,
                                     .timeout_ms = timeout,
                                     .flags = AWS_ONCE,
                                     .user = call};
        call->aws = aws_start(w->aws, &request);
        w->in_flight += call->aws != NULL;
        return call->aws != NULL;
    }
    if (!w->http) /* Dashboards beside a signed cluster */
        w->http = http_client_new(&(http_options){.user_agent = "streamsteam"});
    if (w->basic[0])
        headers[count++] = (ss_pair){SS_LIT("Authorization"), ss_cstr(w->basic)};
    call->host = choose(w);
    (void)snprintf(url, sizeof url, "%s%s%s%s", r->host ? r->host : w->hosts[call->host].url, r->path,
                   r->query ? "?" : "", r->query ? r->query : "");
    const http_request request = {.method = r->method,
                                  .url = url,
                                  .headers = headers,
                                  .header_count = count,
                                  .body = body,
                                  .connect_timeout_ms = w->connect_timeout_ms,
                                  .timeout_ms = timeout,
                                  .user = call};
    call->http = w->http ? http_start(w->http, &request) : NULL;
    w->in_flight += call->http != NULL;
    return call->http != NULL;
}

/* ---- answers ---- */

wire_call *wire_poll(wire *w, int64_t timeout_ms)
{
    if (w->aws) {
        aws_call *done = aws_done(w->aws);
        if (!done && aws_poll(w->aws, timeout_ms))
            done = aws_done(w->aws);
        return done ? aws_reply_of(done)->user : NULL;
    }
    http_call *done = http_done(w->http);
    if (!done) {
        http_poll(w->http, timeout_ms);
        done = http_done(w->http);
    }
    return done ? http_user(done) : NULL;
}

static void read_aws(const wire_call *call, wire_answer *a)
{
    const aws_reply *r = aws_reply_of(call->aws);
    a->status = r->status;
    a->body = r->body;
    a->sent = r->unknown || r->status;
    a->retry_after_ms = r->retry_after_ms;
    if (r->status)
        return;
    a->result = r->result == AWS_AUTH ? WIRE_WRONG : WIRE_AGAIN;
    (void)snprintf(a->problem, sizeof a->problem, "%.380s", r->text);
}

static int64_t retry_after(const http_reply *reply)
{
    int64_t s = 0;
    return json_i64(http_header(reply, "retry-after"), &s) && s > 0
               ? (s < RETRY_AFTER_S ? s : RETRY_AFTER_S) * 1000
               : 0;
}

static void read_http(wire *w, const wire_call *call, wire_answer *a)
{
    const http_reply *r = http_reply_of(call->http);
    wire_host *h = &w->hosts[call->host];
    a->sent = r->sent;
    a->status = r->failure == HTTP_FINE ? r->status : 0;
    a->body = r->body;
    a->retry_after_ms = a->status ? retry_after(r) : 0;
    bool down = a->status == 0 || a->status == 502 || a->status == 504;
    h->due_ms = down ? http_now_ms() + WIRE_HOST_WAIT_MS : 0;
    if (a->status)
        return;
    /* One host's certificate is no reason to stop where others answer. */
    a->result =
        (r->failure == HTTP_TLS || r->failure == HTTP_BROKEN) && w->host_count == 1 ? WIRE_WRONG : WIRE_AGAIN;
    (void)snprintf(a->problem, sizeof a->problem, "%.150s: %.200s", h->url, r->problem);
}

void wire_read(wire *w, const wire_call *call, wire_answer *a)
{
    *a = (wire_answer){.result = WIRE_ANSWER, .body = ss_s("", 0)};
    if (call->aws)
        read_aws(call, a);
    else
        read_http(w, call, a);
    w->stale |= a->status == 401;
}

void wire_end(wire *w, wire_call *call)
{
    w->in_flight -= call->aws || call->http;
    if (call->aws)
        aws_call_free(call->aws);
    if (call->http)
        http_call_free(call->http);
    call->aws = NULL;
    call->http = NULL;
}

uint32_t wire_ask(wire *w, wire_call *call, const wire_request *r, wire_answer *a)
{
    if (!wire_start(w, call, r, NULL)) {
        *a = (wire_answer){.result = WIRE_AGAIN, .problem = "no memory", .body = ss_s("", 0)};
        return 0;
    }
    if (call->aws)
        (void)aws_wait(call->aws);
    else
        http_wait(w->http, call->http);
    wire_read(w, call, a);
    return a->status;
}

/* ---- what is wrong ---- */

static void put_text(char *out, size_t size, ss_str text)
{
    size_t n = text.len < size - 1 ? text.len : size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text.ptr[i] < ' ' ? ' ' : text.ptr[i];
    out[n] = '\0';
}

void wire_reason(const wire_answer *a, char *out, size_t size)
{
    json_scan s;
    json_value v, key;
    char type[100] = "", reason[300] = "";
    if (a->status == 0) {
        put_text(out, size, ss_cstr(a->problem));
        return;
    }
    json_start(&s, a->body);
    if (json_read(&s, &v) && v.kind == JSON_OBJECT)
        while (json_member(&s, &key)) {
            bool error = json_is(&key, "error"), is_type = json_is(&key, "type");
            bool is_reason = json_is(&key, "reason") || json_is(&key, "message") || json_is(&key, "Message");
            if (!error && !is_type && !is_reason) {
                (void)json_skip(&s, NULL);
                continue;
            }
            if (!json_read(&s, &v))
                break;
            if (v.kind == JSON_ARRAY)
                (void)json_leave(&s);
            else if (v.kind == JSON_STRING)
                put_text(is_type ? type : reason, is_type ? sizeof type : sizeof reason, v.text);
        }
    if (*type || *reason)
        (void)snprintf(out, size, "%s%s%s", type, *type && *reason ? ": " : "", reason);
    else
        put_text(out, size < 200 ? size : 200, a->body);
}
