/* A receiver of messages for the tests: the message says what shall happen. */
#include <stdlib.h>
#include <unistd.h>

#include "streamsteam/plugin.h"

static const ss_field fields[] = {{.name = "text", .type = SS_FIELD_STRING, .doc = "The message."},
                                  {.name = NULL}};
static const ss_route routes[] = {{.path = "/fragile", .methods = "POST", .doc = "Nothing."}, {.path = NULL}};

typedef struct fragile {
    const ss_host *host;
} fragile;

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    fragile *f = malloc(sizeof *f);
    (void)cfg;
    (void)err;
    if (!f)
        return SS_LIMIT;
    f->host = host;
    *inst = f;
    return SS_OK;
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    (void)inst;
    (void)request;
    (void)response;
    (void)err;
    return SS_OK;
}

static int32_t parse(void *inst, ss_call *call, const ss_message *message, ss_error *err)
{
    const fragile *f = inst;
    if (ss_eq(message->body, SS_LIT("crash")))
        abort();
    while (ss_eq(message->body, SS_LIT("hang")))
        (void)sleep(1);
    ss_event *event = f->host->event_new(call);
    if (!event)
        return ss_fail(err, SS_RETRY, "no event");
    event->type = SS_LIT("line");
    ss_set_str(event, 0, message->body);
    return f->host->emit(call, event);
}

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver),
                                     .route_size = sizeof(ss_route),
                                     .routes = routes,
                                     .receive = receive,
                                     .parse = parse};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,      .kind = SS_RECEIVER, .name = "fragile_receiver",
    .version = "1",        .build_id = "1",     .summary = "Does what messages say.",
    .license = "MIT",      .fields = fields,    .schema_rev = 1,
    .receiver = &receiver, .create = create,    .destroy = free};

SS_PLUGIN(plugin);
