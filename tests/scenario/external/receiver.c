/* A receiver outside the tree: GET /ping?text=... stores one event. */
#include <streamsteam/plugin.h>

typedef struct pinger {
    const ss_host *host;
    ss_str greeting;
} pinger;

enum { FIELD_TEXT, FIELD_GREETING };
static const ss_field fields[] = {
    {.name = "text", .type = SS_FIELD_STRING, .doc = "What was said.", .source = "text"},
    {.name = "greeting", .type = SS_FIELD_STRING, .doc = "What the configuration says."},
    {.name = NULL},
};
static const ss_option options[] = {
    {.name = "greeting", .type = SS_T_STRING, .dflt = "hello", .doc = "Goes into every event."},
    {.name = NULL}};
static const ss_route routes[] = {{.path = "/ping", .methods = "GET", .doc = "Stores one event."},
                                  {.path = NULL}};
static pinger instance; /* one per process is enough for this example */
static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    (void)err;
    instance = (pinger){host, host->cfg_str(cfg, "greeting")};
    *inst = &instance;
    return SS_OK;
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const ss_host *host = ((pinger *)inst)->host;
    uint32_t count;
    const ss_pair *pairs = host->query(request, &count);
    ss_event *event = host->event_new(request->call);
    if (!event)
        return ss_fail(err, SS_RETRY, "ping: no room for an event");
    for (uint32_t i = 0; i < count; i++)
        if (ss_eq(ss_pair_at(request, pairs, i)->key, SS_LIT("text")))
            ss_set_str(event, FIELD_TEXT, ss_pair_at(request, pairs, i)->value);
    ss_set_str(event, FIELD_GREETING, ((pinger *)inst)->greeting);
    event->app = SS_LIT("ping");
    event->type = SS_LIT("ping");
    response->status = 200;
    response->body = SS_LIT("pong\n");
    return host->emit(request->call, event);
}

static void destroy(void *inst)
{
    (void)inst;
}

static const ss_receiver receiver = {
    .struct_size = sizeof(ss_receiver), .route_size = sizeof(ss_route), .routes = routes, .receive = receive};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,      .kind = SS_RECEIVER,      .name = "ping",
                                 .version = "1.0",      .summary = "An example.", .license = "MIT",
                                 .options = options,    .fields = fields,         .schema_rev = 1,
                                 .receiver = &receiver, .create = create,         .destroy = destroy};
SS_PLUGIN(plugin);
