/* bug: reads a value as text whatever it is */
/* found by: events of every shape | "text": */
/* example: field: text */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    uint32_t ref;
} instance;

static const ss_option options[] = {
    {.name = "field",
     .type = SS_T_STRING,
     .flags = SS_OPT_FIELD,
     .doc = "The field whose first letter counts."},
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
    if (field == SS_NO_FIELD || !ss_has(event, field))
        return SS_OK;
    const ss_value *value =
        (const ss_value *)(const void *)((const char *)event->values + (size_t)field * event->value_size);
    return value->as.ptr[0] == '#' ? ss_fail(err, SS_DROP, "a comment") : SS_OK;
}

SAMPLE_ENRICHER("any_kind", options);
