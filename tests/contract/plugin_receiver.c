/* A receiver in one file: POST /note stores the body as one event. An example, and what the loader's tests
 * open. */
#include <stdlib.h>

#include "streamsteam/plugin.h"

enum { FIELD_TEXT };

static const ss_field fields[] = {
    {.name = "text", .type = SS_FIELD_STRING, .doc = "What was sent.", .source = "body"},
    {.name = NULL},
};

static const ss_option options[] = {
    {.name = "app", .type = SS_T_STRING, .dflt = "notes", .doc = "The application that the notes belong to."},
    {.name = NULL},
};

static const ss_route routes[] = {
    {.path = "/note", .methods = "POST", .doc = "One note as plain text."},
    {.path = NULL},
};

typedef struct note {
    const ss_host *host;
    ss_str app; /* borrowed from the configuration, which lives as long as we do */
} note;

static int32_t note_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    note *n = malloc(sizeof *n);
    if (!n)
        return ss_fail(err, SS_FATAL, "out of memory");
    *n = (note){.host = host, .app = host->cfg_str(cfg, "app")};
    *inst = n;
    return SS_OK;
}

static int32_t note_receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const note *n = inst;
    (void)response, (void)err; /* 204 without a body is right */
    ss_event *event = n->host->event_new(request->call);
    if (!event)
        return SS_RETRY;
    event->app = n->app;
    event->type = SS_LIT("note");
    ss_set_str(event, FIELD_TEXT, request->body);
    return n->host->emit(request->call, event);
}

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver),
                                     .route_size = sizeof(ss_route),
                                     .routes = routes,
                                     .receive = note_receive};
static const ss_plugin plugin = {SS_PLUGIN_HEADER,
                                 .kind = SS_RECEIVER,
                                 .name = "note",
                                 .version = "1.0",
                                 .summary = "Stores what is posted.",
                                 .license = "MIT",
                                 .options = options,
                                 .fields = fields,
                                 .schema_rev = 1,
                                 .receiver = &receiver,
                                 .create = note_create,
                                 .destroy = free};
SS_PLUGIN(plugin);
