/* A receiver for the tests of the application store: asks the host, and answers with what it heard. */
#include "streamsteam/plugin.h"

enum { FIELD_NAME };
static const ss_field fields[] = {
    {.name = "application_name", .type = SS_FIELD_STRING, .doc = "Of the application."},
    {.name = NULL},
};
static const ss_route routes[] = {
    {.path = "/ask/{app}",
     .methods = "GET|POST",
     .doc = "May so many (?events=) be sent? One event where they may."},
    {.path = "/get/{app}", .methods = "GET", .doc = "The application itself."},
    {.path = "/auth/{app}", .methods = "GET", .doc = "Is the header X-Key a key of it?"},
    {.path = "/list", .methods = "GET", .doc = "How many applications there are."},
    {.path = NULL},
};

static const ss_host *host;
static const char *const words[] = {"OK",       "RETRY", "REJECT", "DROP", "DECLINE",
                                    "THROTTLE", "PAUSE", "FATAL",  "LIMIT"};

static int32_t app_create(const ss_host *h, const ss_config *cfg, void **inst, ss_error *err)
{
    (void)cfg, (void)err;
    host = h;
    *inst = &host;
    return SS_OK;
}

static void app_destroy(void *inst)
{
    (void)inst;
}

static uint32_t events_of(const ss_request *request)
{
    uint32_t count = 0;
    const ss_pair *pairs = host->query(request, &count);
    return count ? (uint32_t)(ss_pair_at(request, pairs, 0)->value.ptr[0] - '0') : 1;
}

static void answer(ss_response *response, const ss_request *request, int32_t status, const ss_app *app)
{
    char *text = host->mem(request->call, 2048);
    int n = snprintf(text, 2048, "%s %.*s %.*s %u %lld\n", words[status], (int)app->id.len,
                     app->id.ptr ? app->id.ptr : "", (int)app->name.len, app->name.ptr ? app->name.ptr : "",
                     app->flags, (long long)app->retry_after_ms);
    response->status = 200;
    response->body = ss_s(text, (size_t)n);
}

static void store_one(const ss_request *request, const ss_app *app)
{
    ss_event *event = host->event_new(request->call);
    event->app = app->id;
    ss_set_str(event, FIELD_NAME, app->name);
    (void)host->emit(request->call, event);
}

static void count_one(void *arg, ss_str app, ss_str name)
{
    (void)app, (void)name;
    ++*(uint32_t *)arg;
}

static int32_t app_receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    (void)inst;
    ss_app app = {.struct_size = sizeof app};
    ss_str id = request->path_param_count ? request->path_params[0].value : ss_s("", 0);
    int32_t status;
    if (ss_eq(request->route, SS_LIT("/list"))) {
        status = host->app_list(host->self, count_one, &app.flags);
    } else if (ss_eq(request->route, SS_LIT("/get/{app}"))) {
        status = host->app_get(request->call, id, &app);
    } else if (ss_eq(request->route, SS_LIT("/auth/{app}"))) {
        status = host->app_auth(host->self, host->header(request, "X-Key"), id);
    } else {
        status = host->app_check(request, id, SS_PROOF_KEY | SS_PROOF_SIGV4, events_of(request), &app, err);
        if (status == SS_OK)
            store_one(request, &app);
    }
    answer(response, request, status, &app);
    return SS_OK;
}

static const ss_receiver app_receiver = {.struct_size = sizeof(ss_receiver),
                                         .route_size = sizeof(ss_route),
                                         .routes = routes,
                                         .receive = app_receive};

static const ss_plugin app_plugin = {SS_PLUGIN_HEADER,
                                     .kind = SS_RECEIVER,
                                     .name = "app",
                                     .version = "1.0",
                                     .summary = "Asks for applications",
                                     .license = "test",
                                     .fields = fields,
                                     .schema_rev = 1,
                                     .receiver = &app_receiver,
                                     .create = app_create,
                                     .destroy = app_destroy};
SS_PLUGIN(app_plugin);
