/* A request as the server would hand it over, and the answer to it. */
#include <stdlib.h>
#include <strings.h>

#include "plugins/common/json.h"
#include "plugins/common/url.h"
#include "plugins/sdk/testkit/inside.h"

static void pairs_add(testkit *k, ss_str query, char *out)
{
    url_pairs walk;
    url_pair pair;
    url_pairs_start(&walk, query);
    while (url_pairs_next(&walk, &pair)) {
        k->pairs = kit_realloc(k->pairs, (k->pair_count + 1) * sizeof *k->pairs);
        ss_pair *p = &k->pairs[k->pair_count++];
        p->key = ss_s(out, url_decode(out, pair.key));
        out += p->key.len;
        p->value = ss_s(out, url_decode(out, pair.value));
        out += p->value.len;
    }
}

const ss_pair *kit_query(const ss_request *request, uint32_t *count)
{
    testkit *k = request->call->kit;
    if (!k->pairs) {
        char *out = k->host.mem(request->call, request->raw_query.len + request->body.len + 1);
        if (out) {
            pairs_add(k, request->raw_query, out);
            if (request->content_type.len >= 33 &&
                strncasecmp(request->content_type.ptr, "application/x-www-form-urlencoded", 33) == 0)
                pairs_add(k, request->body, out + request->raw_query.len);
        }
    }
    *count = k->pair_count;
    return k->pairs;
}

ss_str kit_header(const ss_request *request, const char *name)
{
    const kit_list *h = &request->call->kit->request_headers;
    for (size_t i = 0; i < h->count; i++)
        if (strcasecmp(h->items[i].text, name) == 0)
            return ss_cstr(h->items[i].more);
    return ss_s("", 0);
}

static void headers_read(kit_list *list, const char *text)
{
    kit_clear(list);
    while (text && *text) {
        size_t line = strcspn(text, "\n"), name = strcspn(text, ":\n");
        if (name < line) {
            const char *value = text + name + 1;
            while (*value == ' ')
                value++;
            kit_text *t = kit_add(list, ss_s(text, name));
            t->more = kit_copy(ss_s(value, (size_t)(text + line - value)));
        }
        text += line + (text[line] == '\n');
    }
}

static void answer_clear(testkit *k)
{
    kit_events_clear(&k->events);
    kit_inputs_clear(&k->failed);
    kit_clear(&k->rejects);
    kit_clear(&k->headers);
    free(k->body);
    free(k->content_type);
    k->body = NULL;
    k->content_type = NULL;
    k->body_len = 0;
    k->http = 0;
    k->error = (ss_error){.struct_size = sizeof k->error};
}

static void answer_keep(testkit *k, const ss_response *r)
{
    k->http = r->status;
    if (kit_is_gone(k, r->body))
        kit_problem(
            k,
            "the answer points to memory after its time: take it from mem() before event_new(), or make it "
            "static");
    k->body = kit_copy(r->body);
    k->body_len = r->body.len;
    k->content_type = kit_copy(r->content_type);
    for (uint32_t i = 0; i < r->header_count; i++) {
        kit_text *t = kit_add(&k->headers, r->headers[i].key);
        t->more = kit_copy(r->headers[i].value);
        if (memchr(t->more, '\n', r->headers[i].value.len) || memchr(t->more, '\r', r->headers[i].value.len))
            kit_problem(k, "header %s holds a line break", t->text);
    }
    if (r->body.len && r->status == 204)
        kit_problem(k, "a 204 has a body");
}

/* Exact copies on the heap: reading past any part of the request is an ASan report. */
typedef struct wire {
    char *path, *query, *body;
    size_t path_len, query_len, body_len;
} wire;

char *kit_exact(ss_str bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    if (!copy)
        abort();
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

static wire wire_make(const testkit_request *r)
{
    wire w = {0};
    const char *target = r->target ? r->target : "/", *mark = strchr(target, '?');
    w.path_len = mark ? (size_t)(mark - target) : strlen(target);
    w.path = kit_exact(ss_s(target, w.path_len));
    w.path_len = url_decode_path(w.path, ss_s(w.path, w.path_len));
    ss_str query = r->raw_query.ptr ? r->raw_query : ss_cstr(mark ? mark + 1 : "");
    w.query_len = query.len;
    w.query = kit_exact(query);
    w.body_len = r->body ? (r->body_len ? r->body_len : strlen(r->body)) : 0;
    w.body = kit_exact(ss_s(r->body, w.body_len));
    return w;
}

static void request_make(testkit *k, ss_call *call, const testkit_request *r, const wire *w, ss_request *out)
{
    *out = (ss_request){.struct_size = sizeof *out,
                        .pair_size = sizeof(ss_pair),
                        .call = call,
                        .method = ss_cstr(r->method ? r->method : "GET"),
                        .path = ss_s(w->path, w->path_len),
                        .raw_query = ss_s(w->query, w->query_len),
                        .body = ss_s(w->body, w->body_len),
                        .client_ip = ss_cstr(r->client_ip ? r->client_ip : "192.0.2.7"),
                        .peer_ip = ss_cstr(r->client_ip ? r->client_ip : "192.0.2.7"),
                        .scheme = ss_cstr(r->scheme ? r->scheme : "http"),
                        .host = ss_cstr(r->host ? r->host : "localhost"),
                        .request_id = SS_LIT("testkit"),
                        .received_us = k->now_us,
                        .flags = r->raw_query.ptr || (r->target && strchr(r->target, '?')) ? 1 : 0};
    out->content_type = kit_header(out, "Content-Type");
    out->user_agent = kit_header(out, "User-Agent");
}

int32_t testkit_receive(testkit *k, const testkit_request *r)
{
    answer_clear(k);
    if (!k->instance)
        return SS_FATAL;
    wire w = wire_make(r);
    kit_params params;
    const ss_route *route =
        kit_route_find(k, ss_s(w.path, w.path_len), r->method ? r->method : "GET", &params);
    int32_t status = SS_DECLINE;
    if (route) {
        ss_call call;
        ss_request request;
        kit_call_begin(k, &call, false);
        headers_read(&k->request_headers, r->headers);
        request_make(k, &call, r, &w, &request);
        request.route = ss_cstr(route->path);
        request.path_params = params.pairs;
        request.path_param_count = params.count;
        ss_response response = {.struct_size = sizeof response, .status = 204};
        testkit *outer = kit_enter(k);
        status = k->plugin->receiver->receive(k->instance, &request, &response, &k->error);
        (void)kit_enter(outer);
        k->call_frame = __builtin_frame_address(0);
        if (status == SS_OK || status == SS_REJECT)
            answer_keep(k, &response);
        k->call_frame = NULL;
        kit_call_end(&call, status == SS_OK);
        free(k->pairs);
        k->pairs = NULL;
        k->pair_count = 0;
    }
    kit_take_back(k, w.path, w.path, w.path_len);
    kit_take_back(k, w.query, w.query, w.query_len);
    kit_take_back(k, w.body, w.body, w.body_len);
    return status;
}

uint32_t testkit_http(testkit *k)
{
    return k->http;
}

const char *testkit_body(testkit *k, size_t *len)
{
    if (len)
        *len = k->body_len;
    return k->body ? k->body : "";
}

const char *testkit_content_type(testkit *k)
{
    return k->content_type ? k->content_type : "";
}

const char *testkit_header(testkit *k, const char *name)
{
    for (size_t i = 0; i < k->headers.count; i++)
        if (strcasecmp(k->headers.items[i].text, name) == 0)
            return k->headers.items[i].more;
    return NULL;
}

size_t testkit_event_count(testkit *k)
{
    return k->events.count;
}

const char *testkit_line(testkit *k, size_t i)
{
    return i < k->events.count ? k->events.items[i].line : NULL;
}

const char *testkit_value(testkit *k, size_t i, const char *path)
{
    if (i >= k->events.count)
        return NULL;
    kit_stored *e = &k->events.items[i];
    ss_str text = ss_cstr(e->line);
    while (*path) {
        size_t len = strcspn(path, ".");
        json_scan s;
        json_value v, key;
        ss_str found = {NULL, 0}, raw;
        json_start(&s, text);
        if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
            return NULL;
        while (json_member(&s, &key) && json_skip(&s, &raw))
            if (ss_eq(key.text, ss_s(path, len)))
                found = raw;
        if (!found.ptr)
            return NULL;
        text = found;
        path += len + (path[len] == '.');
    }
    free(e->value);
    e->value = kit_copy(text);
    return e->value;
}

testkit_event testkit_event_at(testkit *k, size_t i)
{
    if (i >= k->events.count)
        return (testkit_event){.app = "", .type = "", .id = "", .key = ""};
    const kit_stored *e = &k->events.items[i];
    return (testkit_event){.app = e->app,
                           .type = e->type,
                           .id = e->id,
                           .key = e->key,
                           .receive_us = e->receive_us,
                           .event_us = e->event_us};
}

size_t testkit_reject_count(testkit *k)
{
    return k->rejects.count;
}

const char *testkit_reject_code(testkit *k, size_t i)
{
    return kit_at(&k->rejects, i);
}

const char *testkit_reject_text(testkit *k, size_t i)
{
    return i < k->rejects.count ? k->rejects.items[i].more : NULL;
}
