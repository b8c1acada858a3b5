/* bug: takes for granted that the receiver declares the field */
/* found by: events of every shape | enrich() of {} */
/* example: field: text */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    uint32_t ref;
} instance;

static const ss_option options[] = {
    {.name = "field", .type = SS_T_STRING, .flags = SS_OPT_FIELD, .doc = "The field that is set."},
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
    (void)err;
    ss_set_str(event, event->refs[self->ref], SS_LIT("seen"));
    return SS_OK;
}

SAMPLE_ENRICHER("field_absent", options);
