/* The receiver for events that are declared in the configuration: the descriptor, its options, its routes. */
#include <stdlib.h>

#include "receivers/events/events.h"
#include "receivers/events/receiver.h"
#include "receivers/events/setup.h"

#define POLICY_CHOICES "quarantine|reject"

static const ss_option type_keys[] = {
    {.name = "schema",
     .type = SS_T_ANY,
     .doc = "JSON Schema (draft 2020-12) of the event, written here as YAML, or ${file:signup.json}."},
    {.name = "schema_file",
     .type = SS_T_PATH,
     .doc = "The schema in a file of its own, for those larger than 64 KiB; a relative path starts at "
            "data_dir."},
    {.name = "on_invalid",
     .type = SS_T_ENUM,
     .choices = POLICY_CHOICES,
     .doc = "For this type, instead of on_invalid below."},
    {.name = "time_path", .type = SS_T_STRING, .doc = "For this type, instead of time_path below."},
    {.name = "id_path", .type = SS_T_STRING, .doc = "For this type, instead of id_path below."},
    {.name = "key_path", .type = SS_T_STRING, .doc = "For this type, instead of key_path below."},
    {.name = NULL}};
static const ss_option type_item[] = {
    {.name = "*", .type = SS_T_OBJECT, .children = type_keys, .doc = "An event type."}, {.name = NULL}};

static const ss_option name_item[] = {{.name = "*", .type = SS_T_STRING, .doc = "The name of a type."},
                                      {.name = NULL}};
static const ss_option key_keys[] = {
    {.name = "secret",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED | SS_OPT_SECRET,
     .doc = "The key as clients send it."},
    {.name = "app", .type = SS_T_STRING, .doc = "The application whose key it is: app_id of its events."},
    {.name = "types",
     .type = SS_T_LIST,
     .children = name_item,
     .max = (int64_t)TYPES_MAX,
     .doc = "The types that it may send; none means all."},
    {.name = NULL}};
static const ss_option key_item[] = {
    {.name = "*", .type = SS_T_OBJECT, .children = key_keys, .doc = "An API key."}, {.name = NULL}};
static const ss_option origin_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "An origin such as https://example.org, or *."},
    {.name = NULL}};
static const ss_option method_item[] = {
    {.name = "*",
     .type = SS_T_STRING,
     .doc = "POST, PUT, PATCH, or GET with the event in the parameter data."},
    {.name = NULL}};

static const ss_option options[] = {
    {.name = "types",
     .type = SS_T_MAP,
     .flags = SS_OPT_REQUIRED,
     .children = type_item,
     .min = 1,
     .max = (int64_t)TYPES_MAX,
     .doc = "The event types by name; their top-level properties become fields of the catalog."},
    {.name = "default_type",
     .type = SS_T_STRING,
     .doc = "The type of an event that names none; where one type is declared it is that."},
    {.name = "type_path",
     .type = SS_T_STRING,
     .dflt = "type",
     .doc = "Where an event names its type: a JSON pointer (/meta/type) or names with dots (meta.type)."},
    {.name = "data_path",
     .type = SS_T_STRING,
     .dflt = "",
     .doc = "Where what the schema describes stands in an event; empty: it is the event."},
    {.name = "time_path",
     .type = SS_T_STRING,
     .dflt = "time",
     .doc = "Where the event's time stands: RFC 3339, or seconds, milliseconds or microseconds since 1970."},
    {.name = "id_path",
     .type = SS_T_STRING,
     .dflt = "id",
     .doc = "Where the event's id stands; without one it gets a UUID."},
    {.name = "key_path",
     .type = SS_T_STRING,
     .dflt = "",
     .doc = "Where the partition key stands: events of one key keep their order; empty: the id."},
    {.name = "app_path",
     .type = SS_T_STRING,
     .dflt = "",
     .doc = "Where the application's id stands; that of a key comes first."},
    {.name = "app", .type = SS_T_STRING, .dflt = "", .doc = "The application's id of events that have none."},
    {.name = "on_invalid",
     .type = SS_T_ENUM,
     .dflt = "quarantine",
     .choices = POLICY_CHOICES,
     .doc = "What does not fit its schema is stored as an event of quarantine_type with all reasons, or "
            "refused."},
    {.name = "quarantine_type",
     .type = SS_T_STRING,
     .dflt = "quarantine",
     .doc = "The type under which invalid inputs are stored: modules choose or leave it with `types:`."},
    {.name = "assert_format",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "Is `format` of a schema a rule, or only a note?"},
    {.name = "max_events",
     .type = SS_T_INT,
     .dflt = "1000",
     .min = 1,
     .max = 100000,
     .doc = "A request with more events than this is refused whole with 413."},
    {.name = "max_event_bytes",
     .type = SS_T_SIZE,
     .dflt = "256KiB",
     .min = 1024,
     .max = 1048576,
     .doc = "An event larger than this is invalid."},
    {.name = "max_errors",
     .type = SS_T_INT,
     .dflt = "20",
     .min = 1,
     .max = (int64_t)ERRORS_MAX,
     .doc = "Reasons told of one event."},
    {.name = "answer",
     .type = SS_T_ENUM,
     .dflt = "all",
     .choices = "all|errors|none",
     .doc = "Results in the answer: of all events, of those with errors, or none (204 where nothing was "
            "refused)."},
    {.name = "methods",
     .type = SS_T_LIST,
     .dflt = "[\"POST\"]",
     .children = method_item,
     .min = 1,
     .max = (int64_t)METHODS_MAX,
     .doc = "Methods that take events."},
    {.name = "keys",
     .type = SS_T_LIST,
     .children = key_item,
     .max = (int64_t)KEYS_MAX,
     .doc = "API keys; where there are some a request without one of them gets 401."},
    {.name = "key_header",
     .type = SS_T_STRING,
     .dflt = "X-API-Key",
     .doc = "The header that has the key; a leading Bearer is passed over, so that Authorization will do."},
    {.name = "key_parameter",
     .type = SS_T_STRING,
     .dflt = "",
     .doc = "The query parameter that may have the key instead, for sendBeacon(); empty: none."},
    {.name = "origins",
     .type = SS_T_LIST,
     .children = origin_item,
     .max = (int64_t)ORIGINS_MAX,
     .doc = "Origins whose pages may send (CORS); others get 403. None: origins are not looked at, and no "
            "page of "
            "another origin can send JSON."},
    {.name = NULL}};

static const ss_route routes[] = {
    {"/events", "*", 0, 0, "An event, an array of events, or lines of them; each names its type."},
    {"/events/{type}", "*", 0, 0, "The same for events of the type that stands in the path."},
    {NULL, NULL, 0, 0, NULL}};

static void events_destroy(void *instance)
{
    setup_free(instance);
    free(instance);
}

static int32_t events_create(const ss_host *host, const ss_config *cfg, void **instance, ss_error *err)
{
    events *e = calloc(1, sizeof *e);
    if (!e)
        return ss_fail(err, SS_LIMIT, "no memory for the receiver");
    e->host = host;
    int32_t status = setup_read(e, cfg, err);
    if (status != SS_OK) {
        events_destroy(e);
        return status;
    }
    *instance = e;
    return SS_OK;
}

static const ss_field *events_fields(void *instance)
{
    const events *e = instance;
    return e->fields;
}

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver),
                                     .route_size = sizeof(ss_route),
                                     .view_size = sizeof(ss_view),
                                     .routes = routes,
                                     .receive = receiver_receive,
                                     .parse = receiver_parse};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_RECEIVER,
    .name = "events",
    .version = "0.1.0",
    .build_id = SS_VERSION,
    .summary = "Takes events of types that the configuration declares with JSON Schema.",
    .license = "MIT",
    .options = options,
    .schema_rev = 1,
    .receiver = &receiver,
    .create = events_create,
    .destroy = events_destroy,
    .instance_fields = events_fields};

SS_PLUGIN(plugin);
