/* One request: from its head to the answer that libmicrohttpd sends. */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/http/internal.h"
#include "plugins/common/url.h"

#define ERROR_JSON PIPELINE_ERROR_JSON

/* ---- memory ---- */

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

void request_free(http_request *r)
{
    http_loop *l = r->daemon->loop;
    request_free_body(r);
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

/* ---- the whole request ---- */

ss_str request_header(const pipeline_request *p, const char *name)
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
        ss_str value = *name ? request_header(&r->p, name) : ss_s("", 0);
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
    if (request_is_word(r->forwarded_proto, "https"))
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
    r->p.header = request_header;
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
    request_note_refusal(r, status, json);
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
    if (!request_unpack(r))
        return request_queue(r);
    fill_request(r, method);
    if (endpoint_answer(r, &r->reply))
        return request_queue(r);
    if (desk_answer(r))
        return r->at_desk ? MHD_YES : request_queue(r);
    ss_response response;
    enum pipeline_ack ack = pipeline_handle(l->lane, &r->p, &response);
    r->reply = replies_make(&l->replies, &response, is_close_wanted(r, &response));
    request_free_body(r); /* what the receiver kept lies in the stage now */
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
