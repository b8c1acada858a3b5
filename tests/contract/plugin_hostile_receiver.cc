/* A receiver that does what ?do= says, after it stored an event. */
#include "tests/contract/hostile.h"

static const ss_host *lent;

static int32_t hostile_receive(void *, const ss_request *request, ss_response *response, ss_error *)
{
    ss_event *event = lent->event_new(request->call);
    if (!event || lent->emit(request->call, event) == SS_RETRY)
        return SS_RETRY;
    uint32_t count = 0;
    const ss_pair *pairs = lent->query(request, &count);
    for (uint32_t i = 0; i < count; i++)
        if (ss_eq(pairs[i].key, ss_cstr("do")))
            hostile_act(pairs[i].value);
    response->status = 204;
    return SS_OK;
}

static int32_t hostile_create(const ss_host *host, const ss_config *, void **inst, ss_error *)
{
    static char place;
    lent = host;
    *inst = &place;
    return SS_OK;
}

SS_EXPORT const ss_plugin *ss_plugin_v0(void)
{
    static ss_route routes[2] = {};
    static ss_receiver receiver = {};
    static ss_plugin plugin = hostile_plugin(SS_RECEIVER, "hostile");
    routes[0].path = "/hostile";
    routes[0].methods = "*";
    receiver.struct_size = sizeof receiver;
    receiver.route_size = sizeof(ss_route);
    receiver.routes = routes;
    receiver.receive = hostile_receive;
    plugin.receiver = &receiver;
    plugin.create = hostile_create;
    return &plugin;
}
