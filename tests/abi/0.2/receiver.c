/* A receiver of contract 0.2, with much of what a receiver can call. Never changed: it stands for those that are out there. */
#include <stdlib.h>
#include <streamsteam/plugin.h>

enum { F_TEXT, F_AGENT, F_NUMBER, F_DOUBLE, F_BOOL, F_TIME, F_JSON, F_NONE, F_NOTE };
static const ss_field fields[] = {
    {.name = "text", .type = SS_FIELD_STRING, .doc = "Text."},
    {.name = "agent", .type = SS_FIELD_STRING, .doc = "User agent."},
    {.name = "number", .type = SS_FIELD_INT, .doc = "Number."},
    {.name = "share", .type = SS_FIELD_DOUBLE, .doc = "Double."},
    {.name = "yes", .type = SS_FIELD_BOOL, .doc = "Bool."},
    {.name = "at", .type = SS_FIELD_TIMESTAMP, .doc = "Time."},
    {.name = "tree", .type = SS_FIELD_JSON, .doc = "JSON."},
    {.name = "none", .type = SS_FIELD_STRING, .doc = "Never set."},
    {.name = "note", .type = SS_FIELD_STRING, .doc = "Of the enricher."},
    {.name = NULL},
};
static const ss_option item[] = {{.name = "*", .type = SS_T_STRING, .doc = "Word."}, {.name = NULL}};
static const ss_option inner[] = {
    {.name = "depth", .type = SS_T_INT, .dflt = "3", .min = 1, .max = 9, .doc = "Depth."},
    {.name = NULL},
};
static const ss_option options[] = {
    {.name = "words", .type = SS_T_LIST, .dflt = "[a, b]", .children = item, .doc = "Words."},
    {.name = "inner", .type = SS_T_OBJECT, .children = inner, .doc = "Object."},
    {.name = "key", .type = SS_T_STRING, .flags = SS_OPT_SECRET, .dflt = "hush", .doc = "Secret."},
    {.name = "wait", .type = SS_T_DURATION, .dflt = "2s", .doc = "Duration."},
    {.name = "kind", .type = SS_T_ENUM, .dflt = "one", .choices = "one|two", .doc = "Choice."},
    {.name = NULL},
};
static const ss_route routes[] = {
    {.path = "/old/{app}", .methods = "GET|POST", .doc = "One event."},
    {.path = NULL},
};

typedef struct old_receiver {
    const ss_host *host;
    const ss_config *cfg;
    ss_metric *events;
    int64_t *state;
} old_receiver;

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    old_receiver *r = calloc(1, sizeof *r);
    char key[16];
    if (!r || !SS_HAS(ss_host, host, alarm))
        return ss_fail(err, SS_FATAL, "old: no memory, or a host that is older than 0.1");
    *r = (old_receiver){.host = host, .cfg = cfg};
    r->events = host->counter(host->self, "old_events_total", "Events.", "");
    r->state = host->state_file(host->self, "count", sizeof *r->state, err);
    if (host->secret(host->self, cfg, "key", key, sizeof key, err) != 4 || memcmp(key, "hush", 4) != 0 || host->cfg_len(host->cfg_get(cfg, "words")) != 2) {
        free(r);
        return ss_fail(err, SS_FATAL, "old: the configuration is not what it says");
    }
    ss_logf(host, SS_INFO, "old receiver %.*s in server %.*s", (int)host->instance.len, host->instance.ptr, (int)host->server_version.len,
            host->server_version.ptr);
    *inst = r;
    return SS_OK;
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    old_receiver *r = inst;
    const ss_host *host = r->host;
    static const ss_pair headers[] = {{{"X-Old", 5}, {"0.1", 3}}};
    uint32_t count;
    const ss_pair *pairs = host->query(request, &count);
    ss_event *e = host->event_new(request->call);
    char *text = host->mem(request->call, 64);
    if (!e || !text || request->path_param_count != 1)
        return ss_fail(err, SS_RETRY, "old: no room");
    for (uint32_t i = 0; i < count; i++) {
        const ss_pair *p = (const ss_pair *)(const void *)((const char *)pairs + (size_t)i * request->pair_size);
        if (ss_eq(p->key, SS_LIT("text")))
            ss_set_str(e, F_TEXT, p->value);
        if (ss_eq(p->key, SS_LIT("reject"))) {
            host->rejected(request->call, "asked", p->value);
            response->status = 422;
            return SS_REJECT;
        }
    }
    (void)snprintf(text, 64, "{\"depth\":%d,\"wait\":%d,\"kind\":\"%.*s\",\"second\":\"%.*s\"}", (int)host->cfg_int(r->cfg, "inner.depth"),
                   (int)host->cfg_int(r->cfg, "wait"), (int)host->cfg_str(r->cfg, "kind").len, host->cfg_str(r->cfg, "kind").ptr,
                   (int)host->cfg_str(host->cfg_at(host->cfg_get(r->cfg, "words"), 1), "").len,
                   host->cfg_str(host->cfg_at(host->cfg_get(r->cfg, "words"), 1), "").ptr);
    ss_set_str(e, F_AGENT, host->header(request, "User-Agent"));
    ss_set_int(e, F_NUMBER, 7);
    ss_set_double(e, F_DOUBLE, 0.5);
    ss_set_bool(e, F_BOOL, true);
    ss_set_time(e, F_TIME, 1764559445000000);
    ss_set_json(e, F_JSON, ss_cstr(text));
    ss_set_str(e, F_NONE, SS_LIT("x"));
    ss_unset(e, F_NONE);
    e->app = request->path_params[0].value;
    e->type = SS_LIT("old");
    e->key = SS_LIT("k");
    host->metric_add(r->events, 1);
    response->status = 200;
    response->content_type = SS_LIT("text/plain");
    response->body = SS_LIT("old\n");
    response->headers = headers;
    response->header_count = 1;
    return host->emit(request->call, e);
}

static void destroy(void *inst) { free(inst); }

static int32_t render(const ss_record *record, const ss_sink *out, ss_error *err)
{
    (void)err;
    return out->write(out->self, "view:", 5) == 0 && out->write(out->self, record->app.ptr, record->app.len) == 0 ? SS_OK : SS_RETRY;
}

static const ss_view views[] = {
    {.name = "short", .content_type = "text/plain", .doc = "The application.", .render = render},
    {.name = NULL},
};
static const ss_receiver receiver = {.struct_size = sizeof receiver, .route_size = sizeof(ss_route), .view_size = sizeof(ss_view),
                                     .routes = routes, .views = views, .receive = receive};
static const ss_plugin plugin = {SS_PLUGIN_HEADER, .kind = SS_RECEIVER, .name = "old", .version = "1.0", .summary = "Of contract 0.2.",
                                 .license = "MIT", .options = options, .fields = fields, .schema_rev = 3, .receiver = &receiver,
                                 .create = create, .destroy = destroy};
SS_PLUGIN(plugin);
