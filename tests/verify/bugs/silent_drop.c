/* bug: drops an event and does not say why */
/* found by: events of every shape | without a reason */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    uint32_t ref;
} instance;

static const ss_option options[] = {
    {.name = "field", .type = SS_T_STRING, .flags = SS_OPT_FIELD, .doc = "Events without it are dropped."},
    {.name = NULL},
};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    char name[128] = "";
    ss_str field = host->cfg_str(cfg, "field");
    instance *self = calloc(1, sizeof *self);
    if (!self)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    (void)snprintf(name, sizeof name, "%.*s", (int)field.len, field.ptr ? field.ptr : "");
    self->host = host;
    self->ref = host->field_ref(host->self, name);
    *inst = self;
    return SS_OK;
}

static void destroy(void *inst)
{
    free(inst);
}

static int32_t enrich(void *inst, ss_event *event, ss_error *err)
{
    const instance *self = inst;
    uint32_t field = ss_ref(event, self->ref);
    (void)err;
    return field == SS_NO_FIELD || ss_get_str(event, field).len == 0 ? SS_DROP : SS_OK;
}

SAMPLE_ENRICHER("silent_drop", options);
