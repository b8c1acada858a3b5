/* A receiver for the tests of ingest: stores what it was sent, and misbehaves when asked to. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "streamsteam/plugin.h"

enum { FIELD_QUERY, FIELD_BODY, FIELD_NUMBER, FIELD_IP, FIELD_SCHEME, FIELD_PATH, FIELD_PART, FIELD_HEADER };

static const ss_field fields[] = {
    {.name = "query", .type = SS_FIELD_STRING, .doc = "The raw query."},
    {.name = "body", .type = SS_FIELD_STRING, .doc = "The body."},
    {.name = "number", .type = SS_FIELD_INT, .doc = "Of the event within its request."},
    {.name = "client_ip", .type = SS_FIELD_STRING, .doc = "Who sent it."},
    {.name = "scheme", .type = SS_FIELD_STRING, .doc = "http or https."},
    {.name = "path", .type = SS_FIELD_STRING, .doc = "The decoded path."},
    {.name = "part", .type = SS_FIELD_STRING, .doc = "The {app} part of the path."},
    {.name = "header", .type = SS_FIELD_STRING, .doc = "X-Test."},
    {.name = NULL},
};

static const ss_option options[] = {
    {.name = "status", .type = SS_T_INT, .dflt = "200", .doc = "What a GIF is answered with."},
    {.name = "refuse", .type = SS_T_BOOL, .dflt = "false", .doc = "create() fails."},
    {.name = "timer", .type = SS_T_BOOL, .dflt = "false", .doc = "Store one event from a timer."},
    {.name = NULL},
};

static const ss_route routes[] = {
    {.path = "/hit", .methods = "GET|HEAD|POST", .doc = "One event, or n; a GIF."},
    {.path = "/echo", .methods = "POST", .doc = "One event; the body comes back."},
    {.path = "/v1/{app}/events", .methods = "POST", .doc = "One event with the part of the path."},
    {.path = "/bad", .methods = "GET", .doc = "What ?do= says."},
    {.path = NULL},
};

typedef struct echo {
    const ss_host *host;
    int64_t status;
} echo;

static const char gif[] = "GIF89a\1\0\1\0\200\0\0\0\0\0\0\0\0!\371\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";

static void on_timer(void *arg)
{
    const echo *e = arg;
    ss_error err = {.struct_size = sizeof err};
    ss_call *call = e->host->call_begin(e->host->self);
    if (!call)
        return;
    ss_event *event = e->host->event_new(call);
    if (event) {
        event->app = SS_LIT("timer");
        ss_set_int(event, FIELD_NUMBER, 77);
        (void)e->host->emit(call, event);
    }
    if (e->host->call_commit(e->host->self, call, SS_LIT("position 1"), &err) == SS_OK)
        ss_logf(e->host, SS_INFO, "the timer's event is stored");
}

static int32_t echo_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    if (host->cfg_int(cfg, "refuse"))
        return ss_fail(err, SS_REJECT, "refuse is set");
    echo *e = malloc(sizeof *e);
    if (!e)
        return ss_fail(err, SS_FATAL, "out of memory");
    *e = (echo){.host = host, .status = host->cfg_int(cfg, "status")};
    *inst = e;
    return SS_OK;
}

static int32_t echo_start(void *inst, const ss_resume *resume, ss_error *err)
{
    (void)resume, (void)err;
    echo *e = inst;
    if (e->status == 299) /* the tests' way to ask for the timer */
        (void)e->host->once(e->host->self, 10, on_timer, e);
    return SS_OK;
}

static int32_t emit_one(const echo *e, const ss_request *request, int64_t number)
{
    ss_event *event = e->host->event_new(request->call);
    if (!event)
        return SS_RETRY;
    event->app = SS_LIT("1");
    event->type = SS_LIT("echo");
    ss_set_str(event, FIELD_QUERY, request->raw_query);
    ss_set_str(event, FIELD_BODY, request->body);
    ss_set_int(event, FIELD_NUMBER, number);
    ss_set_str(event, FIELD_IP, request->client_ip);
    ss_set_str(event, FIELD_SCHEME, request->scheme);
    ss_set_str(event, FIELD_PATH, request->path);
    ss_set_str(event, FIELD_HEADER, e->host->header(request, "x-test"));
    if (request->path_param_count)
        ss_set_str(event, FIELD_PART, request->path_params[0].value);
    return e->host->emit(request->call, event);
}

static ss_str query_value(const echo *e, const ss_request *request, const char *name)
{
    uint32_t count = 0;
    const ss_pair *pairs = e->host->query(request, &count);
    for (uint32_t i = 0; i < count; i++)
        if (ss_eq(pairs[i].key, ss_cstr(name)))
            return pairs[i].value;
    return ss_s("", 0);
}

static int64_t query_number(const echo *e, const ss_request *request, const char *name, int64_t dflt)
{
    ss_str text = query_value(e, request, name);
    int64_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n = n * 10 + (text.ptr[i] - '0');
    return text.len ? n : dflt;
}

static int32_t misbehave(const echo *e, const ss_request *request, ss_response *response, ss_error *err)
{
    ss_str what = query_value(e, request, "do");
    for (int64_t i = 0; i < 3; i++)
        if (emit_one(e, request, 1000 + i) == SS_RETRY)
            return SS_RETRY;
    if (ss_eq(what, SS_LIT("crash")))
        abort();
    if (ss_eq(what, SS_LIT("hang")))
        for (;;)
            (void)pause();
    if (ss_eq(what, SS_LIT("reject"))) {
        response->status = 400;
        e->host->rejected(request->call, "test", SS_LIT("asked to"));
        return ss_fail(err, SS_REJECT, "asked to");
    }
    if (ss_eq(what, SS_LIT("retry")))
        return SS_RETRY;
    if (ss_eq(what, SS_LIT("fatal")))
        return ss_fail(err, SS_FATAL, "asked to");
    return SS_DECLINE;
}

static int32_t echo_receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const echo *e = inst;
    if (ss_eq(request->route, SS_LIT("/bad")))
        return misbehave(e, request, response, err);
    int64_t n = query_number(e, request, "n", 1);
    for (int64_t i = 0; i < n; i++) {
        int32_t status = emit_one(e, request, i);
        if (status != SS_OK && status != SS_DROP)
            return status;
    }
    if (ss_eq(request->route, SS_LIT("/echo"))) {
        char *copy = e->host->mem(request->call, request->body.len + 1);
        if (!copy)
            return SS_LIMIT;
        if (request->body.len)
            memcpy(copy, request->body.ptr, request->body.len);
        response->status = 200;
        response->content_type = request->content_type;
        response->body = ss_s(copy, request->body.len);
        return SS_OK;
    }
    static const ss_pair headers[] = {{{"Cache-Control", 13}, {"no-store", 8}}};
    response->status = (uint32_t)(e->status ? e->status : 200);
    response->content_type = SS_LIT("image/gif");
    response->body = ss_s(gif, sizeof gif - 1);
    response->headers = headers;
    response->header_count = 1;
    return SS_OK;
}

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver),
                                     .route_size = sizeof(ss_route),
                                     .routes = routes,
                                     .receive = echo_receive};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,
                                 .kind = SS_RECEIVER,
                                 .name = "echo",
                                 .version = "1.0",
                                 .summary = "Stores what it was sent.",
                                 .license = "MIT",
                                 .options = options,
                                 .fields = fields,
                                 .schema_rev = 1,
                                 .receiver = &receiver,
                                 .create = echo_create,
                                 .start = echo_start,
                                 .destroy = free};
SS_PLUGIN(plugin);
