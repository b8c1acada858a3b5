/* From a request to what goes over the wire: URL, headers, signature. */
#include <strings.h>

#include "plugins/common/aws/inside.h"

#define HEADERS_MAX   (AWS_HEADERS_MAX + 8u)
#define AUTHORITY_MAX 512u

typedef struct wire {
    ss_pair headers[HEADERS_MAX];
    size_t count;
    char host[AUTHORITY_MAX], url[AWS_URL_MAX * 2], path[AWS_URL_MAX];
    char date[SIGV4_DATE + 1], hash[SIGV4_HEX + 1], authorization[2048];
} wire;

static void add(wire *w, const char *name, ss_str value)
{
    w->headers[w->count++] = (ss_pair){ss_cstr(name), value};
}

static bool has(const wire *w, const char *name)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->headers[i].key.len == strlen(name) &&
            strncasecmp(w->headers[i].key.ptr, name, strlen(name)) == 0)
            return true;
    return false;
}

/* "https://host:443/base" -> host; a port that the scheme has anyhow is not part of what is signed. */
static bool locate(wire *w, const aws_message *m, const aws_send *how)
{
    const char *host = strstr(how->endpoint, "://");
    if (!host)
        return false;
    bool tls = strncmp(how->endpoint, "https", 5) == 0;
    host += 3;
    size_t len = strcspn(host, "/"), scheme = (size_t)(host - how->endpoint);
    const char *port = tls ? ":443" : ":80";
    size_t port_len = strlen(port), bare = len;
    if (len > port_len && memcmp(host + len - port_len, port, port_len) == 0)
        bare = len - port_len;
    ss_str base = ss_cstr(host + len), path = m->path.len ? m->path : SS_LIT("/");
    if (m->host_prefix.len + len >= sizeof w->host || base.len + path.len >= sizeof w->path)
        return false;
    (void)snprintf(w->host, sizeof w->host, "%.*s%.*s", (int)m->host_prefix.len, m->host_prefix.ptr,
                   (int)bare, host);
    (void)snprintf(w->path, sizeof w->path, "%.*s%.*s", (int)base.len, base.ptr, (int)path.len, path.ptr);
    int url = snprintf(w->url, sizeof w->url, "%.*s%.*s%.*s%s%s%.*s", (int)scheme, how->endpoint,
                       (int)m->host_prefix.len, m->host_prefix.ptr, (int)len, host, w->path,
                       m->query.len ? "?" : "", (int)m->query.len, m->query.len ? m->query.ptr : "");
    return url > 0 && (size_t)url < sizeof w->url;
}

static bool sign(wire *w, const aws_message *m, const aws_send *how)
{
    const aws_service *service = m->service;
    sigv4_date(w->date, how->now_us);
    if (m->payload_hash.len == 0)
        sigv4_hash(w->hash, m->body);
    ss_str hash = m->payload_hash.len ? m->payload_hash : ss_cstr(w->hash);
    add(w, "x-amz-date", ss_cstr(w->date));
    if (*how->keys->token)
        add(w, "x-amz-security-token", ss_cstr(how->keys->token));
    if (service->content_hash)
        add(w, "x-amz-content-sha256", hash);
    sigv4_request r = {m->method, ss_cstr(w->path), m->query, w->headers, w->count, hash, 0};
    if (service->protocol == AWS_REST_XML)
        r.flags = SIGV4_RAW_PATH;
    sigv4_scope scope = {ss_cstr(how->region), ss_cstr(service->signing ? service->signing : service->name),
                         ""};
    memcpy(scope.date, w->date, sizeof scope.date);
    sigv4_keys keys = {ss_cstr(how->keys->access_key), ss_cstr(how->keys->secret), ss_cstr(how->keys->token)};
    int64_t len = sigv4_sign(&r, &scope, &keys, w->authorization, sizeof w->authorization);
    if (len > 0)
        add(w, "Authorization", ss_s(w->authorization, (size_t)len));
    return len > 0;
}

http_call *aws_send_message(const aws_message *m, const aws_send *how)
{
    wire w;
    char method[16];
    w.count = 0;
    if (m->header_count > AWS_HEADERS_MAX || m->method.len >= sizeof method || !locate(&w, m, how))
        return NULL;
    for (size_t i = 0; i < m->header_count; i++)
        w.headers[w.count++] = m->headers[i];
    if (!has(&w, "host"))
        add(&w, "host", ss_cstr(w.host));
    if (how->keys && !sign(&w, m, how))
        return NULL;
    (void)snprintf(method, sizeof method, "%.*s", (int)m->method.len, m->method.ptr);
    http_request r = {.method = method,
                      .url = w.url,
                      .headers = w.headers,
                      .header_count = w.count,
                      .body = m->body,
                      .connect_timeout_ms = how->connect_timeout_ms,
                      .timeout_ms = how->timeout_ms,
                      .max_body = how->max_body,
                      .user = how->user};
    http_call *call = http_start(how->http, &r);
    aws_wipe(w.authorization, sizeof w.authorization);
    return call;
}
