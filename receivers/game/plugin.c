/* The receiver of the events API for games: the descriptor, its options, its fields, its route. */
#include <stdlib.h>

#include "receivers/game/game.h"
#include "receivers/game/receiver.h"

#define EVENTS_LIMIT 10000

static const ss_option options[] = {
    {.name = "stage",
     .type = SS_T_STRING,
     .dflt = "live",
     .doc = "The first part of the path, /live/applications/{id}/events; other stages are not answered."},
    {.name = "events_auth",
     .type = SS_T_ENUM,
     .dflt = "key",
     .choices = "key|sigv4|both",
     .doc = "What a request proves itself with: an API key, raw in the header Authorization, an AWS "
            "signature, or "
            "either."},
    {.name = "invalid",
     .type = SS_T_ENUM,
     .dflt = "refuse",
     .choices = "refuse|tolerate",
     .doc = "What a batch with an event that does not fit becomes: refused whole with 400, or its good "
            "events are "
            "stored and each bad one is kept as failed; an application that is set to tolerant always "
            "tolerates."},
    {.name = "status",
     .type = SS_T_ENUM,
     .dflt = "seed",
     .choices = "seed|http",
     .doc = "What says that nothing can be taken now: 200 with the error "
            "ProvisionedThroughputExceededException for "
            "each event, as the guidance's API does, or 503 and 429 with Retry-After."},
    {.name = "max_events",
     .type = SS_T_INT,
     .dflt = "500",
     .min = 1,
     .max = EVENTS_LIMIT,
     .doc = "A batch of more events than this is refused with 400."},
    {.name = "max_event",
     .type = SS_T_SIZE,
     .dflt = "1MiB",
     .min = 1024,
     .max = 2000000,
     .doc = "An event of more bytes than this does not fit; server.max_event_bytes is a limit for the stored "
            "line as "
            "well."},
    {.name = NULL}};

static const ss_field fields[] = {
    [FIELD_METADATA] = {"metadata", SS_FIELD_JSON, SS_FIELD_OBJECT,
                        "How the event came and was processed: ingestion_id, processing_timestamp, api, "
                        "processing_result.",
                        NULL},
    [FIELD_EVENT_ID] = {"event_id", SS_FIELD_STRING, 0, "The event's id, a UUID that the client made.",
                        "event_id"},
    [FIELD_EVENT_TYPE] = {"event_type", SS_FIELD_STRING, 0, "The kind of event.", "event_type"},
    [FIELD_EVENT_NAME] = {"event_name", SS_FIELD_STRING, 0, "The event's name.", "event_name"},
    [FIELD_EVENT_VERSION] = {"event_version", SS_FIELD_STRING, 0, "Version of the event's format.",
                             "event_version"},
    [FIELD_EVENT_TIMESTAMP] =
        {"event_timestamp", SS_FIELD_INT, 0,
         "When it happened, seconds since 1970 by the client's clock, as the client wrote "
         "the number.",
         "event_timestamp"},
    [FIELD_APP_VERSION] = {"app_version", SS_FIELD_STRING, 0, "Version of the game.", "app_version"},
    [FIELD_EVENT_DATA] = {"event_data", SS_FIELD_JSON, SS_FIELD_OBJECT,
                          "What the event is about, free in form.", "event_data"},
    [FIELD_APPLICATION_NAME] = {"application_name", SS_FIELD_STRING, 0,
                                "The application's name; absent where it is not registered.", NULL},
    [FIELD_APPLICATION_ID] = {"application_id", SS_FIELD_STRING, 0, "The application's id.",
                              "application_id"},
    {NULL, 0, 0, NULL, NULL}};

static const ss_route routes[] = {
    {"/{stage}/applications/{id}/events", "*", 0, 0, "A batch of events of one application."},
    {NULL, NULL, 0, 0, NULL}};

static void make_metrics(game *g)
{
    const ss_host *host = g->host;
    static const char help[] = "Records of direct producers, by what processing said of them.";
    g->invalid = host->counter(host->self, "game_invalid_total",
                               "Batches, or events of tolerant applications, that do "
                               "not fit the schema.",
                               "");
    g->throttled = host->counter(host->self, "game_throttled_total",
                                 "Events that could not be taken at the moment; the client was told so.", "");
    g->direct_ok = host->counter(host->self, "game_direct_total", help, "status=\"ok\"");
    g->direct_mismatch = host->counter(host->self, "game_direct_total", help, "status=\"schema_mismatch\"");
    g->direct_unregistered = host->counter(host->self, "game_direct_total", help, "status=\"unregistered\"");
}

static int32_t game_create(const ss_host *host, const ss_config *cfg, void **instance, ss_error *err)
{
    ss_str auth = host->cfg_str(cfg, "events_auth"), stage = host->cfg_str(cfg, "stage");
    if (stage.len == 0 || memchr(stage.ptr, '/', stage.len))
        return ss_fail(err, SS_REJECT,
                       "stage: one part of a path, without a slash; `routes:` renames the whole path");
    game *g = calloc(1, sizeof *g);
    if (!g)
        return ss_fail(err, SS_LIMIT, "no memory for the receiver");
    g->host = host;
    g->stage = stage;
    g->proofs = ss_eq(auth, SS_LIT("key"))     ? SS_PROOF_KEY
                : ss_eq(auth, SS_LIT("sigv4")) ? SS_PROOF_SIGV4
                                               : SS_PROOF_KEY | SS_PROOF_SIGV4;
    g->tolerate = ss_eq(host->cfg_str(cfg, "invalid"), SS_LIT("tolerate"));
    g->http_status = ss_eq(host->cfg_str(cfg, "status"), SS_LIT("http"));
    g->max_events = (uint32_t)host->cfg_int(cfg, "max_events");
    g->max_event_bytes = (size_t)host->cfg_int(cfg, "max_event");
    make_metrics(g);
    *instance = g;
    return SS_OK;
}

static void game_destroy(void *instance)
{
    free(instance);
}

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver),
                                     .route_size = sizeof(ss_route),
                                     .view_size = sizeof(ss_view),
                                     .routes = routes,
                                     .views = game_views,
                                     .receive = receiver_receive,
                                     .parse = direct_parse};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_RECEIVER,
    .name = "game",
    .version = "0.1.0",
    .build_id = SS_VERSION,
    .summary = "Takes batches of game events, as the Game Analytics Pipeline's API does.",
    .license = "MIT",
    .options = options,
    .fields = fields,
    .schema_rev = 1,
    .receiver = &receiver,
    .create = game_create,
    .destroy = game_destroy};

SS_PLUGIN(plugin);
