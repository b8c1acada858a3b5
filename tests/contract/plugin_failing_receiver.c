/* A receiver for the tests of failed inputs: POST /in/{app}?note=..&time=JSON stores an event whose field
   event_timestamp is that JSON (absent without time); with ?fail=CODE the body is kept as failed instead. */
#include <stdlib.h>

#include "streamsteam/plugin.h"

#define CODE_MAX 32u

enum { FIELD_NOTE, FIELD_TIME };

static const ss_field fields[] = {
    {.name = "note", .type = SS_FIELD_STRING, .doc = "What the client calls it."},
    {.name = "event_timestamp", .type = SS_FIELD_JSON, .doc = "Its time, as the client sent it."},
    {.name = NULL},
};

static const ss_route routes[] = {
    {.path = "/in/{app}", .methods = "POST", .doc = "One event, or one failed input."},
    {.path = NULL},
};

typedef struct failing {
    const ss_host *host;
} failing;

static int32_t failing_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    (void)cfg;
    failing *f = malloc(sizeof *f);
    if (!f)
        return ss_fail(err, SS_RETRY, "out of memory");
    f->host = host;
    *inst = f;
    return SS_OK;
}

static ss_str query_value(const failing *f, const ss_request *request, const char *name)
{
    uint32_t count = 0;
    const ss_pair *pairs = f->host->query(request, &count);
    for (uint32_t i = 0; i < count; i++)
        if (ss_eq(ss_pair_at(request, pairs, i)->key, ss_cstr(name)))
            return ss_pair_at(request, pairs, i)->value;
    return ss_s("", 0);
}

static int64_t seconds(ss_str text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        n = n * 10 + (text.ptr[i] - '0');
    return n;
}

static int32_t failing_receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const failing *f = inst;
    (void)err;
    ss_str app = request->path_params[0].value, time = query_value(f, request, "time");
    ss_str code = query_value(f, request, "fail");
    response->status = 204;
    if (code.len > 0 && code.len < CODE_MAX) {
        char name[CODE_MAX] = "";
        memcpy(name, code.ptr, code.len);
        return f->host->failed(request->call, app, name, SS_LIT("it was asked to"), request->body);
    }
    ss_event *event = f->host->event_new(request->call);
    if (!event)
        return SS_RETRY;
    event->app = app;
    event->type = SS_LIT("note");
    ss_set_str(event, FIELD_NOTE, query_value(f, request, "note"));
    if (time.len > 0) {
        ss_set_json(event, FIELD_TIME, time);
        event->event_us = seconds(time) > 0 ? seconds(time) * 1000000 : event->receive_us;
    }
    return f->host->emit(request->call, event);
}

static int32_t shout(const ss_record *record, const ss_sink *out, ss_error *err)
{
    if (record->json.len && memmem(record->json.ptr, record->json.len, "\"refuse\"", 8))
        return ss_fail(err, SS_REJECT, "it was asked to");
    if (out->write(out->self, "{\"shout\":", 9) != 0 ||
        out->write(out->self, record->json.ptr, record->json.len) != 0 || out->write(out->self, "}", 1) != 0)
        return ss_fail(err, SS_LIMIT, "full");
    return SS_OK;
}

static const ss_view views[] = {
    {.name = "shout", .content_type = "application/json", .doc = "The line within a line.", .render = shout},
    {.name = NULL},
};

static const ss_receiver ops = {.struct_size = sizeof ops,
                                .route_size = sizeof(ss_route),
                                .view_size = sizeof(ss_view),
                                .routes = routes,
                                .views = views,
                                .receive = failing_receive};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,
                                 .kind = SS_RECEIVER,
                                 .name = "failing",
                                 .version = "1.0",
                                 .summary = "Keeps events and failed inputs.",
                                 .license = "MIT",
                                 .fields = fields,
                                 .schema_rev = 1,
                                 .receiver = &ops,
                                 .create = failing_create,
                                 .destroy = free};
SS_PLUGIN(plugin);
