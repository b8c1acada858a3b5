/* Receiver @NAME@: GET or POST /@NAME@?text=... stores one event.
 *
 * A receiver turns HTTP requests into events. The server calls create() once for each instance in its
 * configuration and receive() for each request, from several threads at once: what create() made is only
 * read afterwards. streamsteam/plugin.h holds the whole contract; a plugin links nothing of the server.
 * The border is plain C: no exception may leave a callback, hence noexcept and new (std::nothrow). */
#include <new>
#include <streamsteam/plugin.h>

namespace {

/* What one instance knows. No globals: one plugin can serve several instances. */
struct Instance {
    const ss_host *host; /* what the server lends: all calls go through this table */
    ss_str greeting;     /* borrowed from the configuration, which outlives the instance */
};

/* The fields that events of this receiver have; FIELD_... are their places in the table. From this table
 * the lake, warehouses and the manual learn their columns. Each needs a sentence. */
enum { FIELD_TEXT, FIELD_GREETING };
const ss_field fields[] = {
    {.name = "text", .type = SS_FIELD_STRING, .doc = "What was said.", .source = "text"},
    {.name = "greeting", .type = SS_FIELD_STRING, .doc = "What the configuration says."},
    {.name = nullptr},
};

/* What one may write under `receivers: @NAME@:`. Types, ranges and defaults are checked by the server, so
 * that create() sees only good values; `streamsteam explain` prints this table. */
const ss_option options[] = {
    {.name = "greeting", .type = SS_T_STRING, .dflt = "hello", .doc = "Goes into every event."},
    {.name = nullptr},
};

const ss_route routes[] = {
    {.path = "/@NAME@", .methods = "GET|POST", .doc = "Stores one event from the parameter text."},
    {.path = nullptr},
};

/* Makes an instance. No network here: the configuration may still be refused. */
int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err) noexcept
{
    *inst = new (std::nothrow) Instance{host, host->cfg_str(cfg, "greeting")};
    if (!*inst) /* one sentence that names the place: it goes to the log as it stands */
        return ss_fail(err, SS_RETRY, "@NAME@: out of memory");
    return SS_OK;
}

void destroy(void *inst) noexcept { delete static_cast<Instance *>(inst); }

ss_str find(const ss_host *host, const ss_request *request, ss_str name) noexcept
{
    uint32_t count;
    const ss_pair *pairs = host->query(request, &count); /* decoded; of a form's body, too */
    for (uint32_t i = 0; i < count; i++) {
        const ss_pair *pair = ss_pair_at(request, pairs, i); /* not pairs[i]: their size is the server's */
        if (ss_eq(pair->key, name))
            return pair->value;
    }
    return ss_s("", 0);
}

/* One request. SS_OK: what was emitted is on disk before the answer goes out. SS_REJECT: nothing is stored.
 * Everything in the request is borrowed until receive() returns, and so is what the event points to. */
int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err) noexcept
{
    const Instance *self = static_cast<const Instance *>(inst);
    const ss_host *host = self->host;
    ss_str text = find(host, request, SS_LIT("text"));

    if (text.len == 0) { /* the client's fault: say so to the client, and to `streamsteam tail --rejected` */
        host->rejected(request->call, "no_text", SS_LIT("the parameter text is missing"));
        response->status = 400;
        response->body = SS_LIT("text is missing\n");
        return SS_REJECT;
    }
    ss_event *event = host->event_new(request->call);
    if (!event)
        return ss_fail(err, SS_RETRY,
                       "@NAME@: no room for an event"); /* the client gets 503 and comes again */
    event->app = SS_LIT("1");       /* the application or site that the event belongs to */
    event->type = SS_LIT("@NAME@"); /* modules can choose by it */
    ss_set_str(event, FIELD_TEXT, text);
    ss_set_str(event, FIELD_GREETING, self->greeting);
    response->status = 200;
    response->body = SS_LIT("stored\n");
    return host->emit(request->call, event); /* never SS_OK where the event was not taken */
}

const ss_receiver receiver = {.struct_size = sizeof receiver,
                              .route_size = sizeof(ss_route),
                              .view_size = sizeof(ss_view),
                              .routes = routes,
                              .receive = receive};

/* The descriptor: all that the server learns about the plugin before it calls it. */
const ss_plugin plugin = {
    SS_PLUGIN_BEGIN(SS_RECEIVER),
    .name = "@NAME@",
    .version = "0.1.0",
    .summary = "Stores one event for each request with a text.",
    .license = "MIT",
    .options = options,
    .fields = fields,
    .schema_rev = 1, /* raise it when the fields change */
    .receiver = &receiver,
    .create = create,
    .destroy = destroy,
};

} // namespace

SS_PLUGIN(plugin);
