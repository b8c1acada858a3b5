/* Built for another major version of the contract: the loader must refuse it. */
#include "streamsteam/plugin.h"

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    (void)host, (void)cfg, (void)inst, (void)err;
    return SS_OK;
}

static void destroy(void *inst)
{
    (void)inst;
}

static int32_t enrich(void *inst, ss_event *event, ss_error *err)
{
    (void)inst, (void)event, (void)err;
    return SS_OK;
}

static const ss_enricher enricher = {.struct_size = sizeof(ss_enricher), .enrich = enrich};
static const ss_plugin plugin = {.struct_size = sizeof(ss_plugin),
                                 .abi_major = SS_ABI_MAJOR + 1,
                                 .abi_minor = 0,
                                 .option_size = sizeof(ss_option),
                                 .field_size = sizeof(ss_field),
                                 .kind = SS_ENRICHER,
                                 .name = "bad",
                                 .version = "1.0",
                                 .enricher = &enricher,
                                 .create = create,
                                 .destroy = destroy};
SS_PLUGIN(plugin);
