/* An enricher that does what the event's action name says. */
#include "tests/contract/hostile.h"

static uint32_t action_name;

static int32_t hostile_enrich(void *, ss_event *event, ss_error *)
{
    hostile_act(ss_get_str(event, ss_ref(event, action_name)));
    return SS_OK;
}

static int32_t hostile_create(const ss_host *host, const ss_config *, void **inst, ss_error *)
{
    static char place;
    action_name = host->field_ref(host->self, "action_name");
    *inst = &place;
    return SS_OK;
}

SS_EXPORT const ss_plugin *ss_plugin_v0(void)
{
    static ss_enricher enricher = {};
    static ss_plugin plugin = hostile_plugin(SS_ENRICHER, "hostile");
    enricher.struct_size = sizeof enricher;
    enricher.enrich = hostile_enrich;
    plugin.enricher = &enricher;
    plugin.create = hostile_create;
    return &plugin;
}
