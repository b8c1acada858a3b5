/* A module that does what the type of a record says. */
#include "tests/contract/hostile.h"

static int32_t hostile_deliver(void *, const ss_batch *batch, ss_result *result, ss_error *)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const ss_record *r = ss_record_at(batch, i);
        const char *at = static_cast<const char *>(memmem(r->json.ptr, r->json.len, "\"event_category\":\"", 18));
        size_t len = 0;
        while (at && at[18 + len] != '"')
            len++;
        if (at)
            hostile_act(ss_s(at + 18, len));
        ss_mark(result, i, SS_RECORD_OK);
    }
    return SS_OK;
}

static int32_t hostile_create(const ss_host *, const ss_config *, void **inst, ss_error *)
{
    static char place;
    *inst = &place;
    return SS_OK;
}

SS_EXPORT const ss_plugin *ss_plugin_v0(void)
{
    static ss_module module = {};
    static ss_plugin plugin = hostile_plugin(SS_MODULE, "hostile");
    module.struct_size = sizeof module;
    module.max_records = 16;
    module.deliver = hostile_deliver;
    plugin.module = &module;
    plugin.create = hostile_create;
    return &plugin;
}
