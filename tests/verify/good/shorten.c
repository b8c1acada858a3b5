/* An enricher without a known bug: shortens one field, drops events where it says so. */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    uint32_t ref;
    size_t longest;
} instance;

static const ss_option options[] = {
    {.name = "field", .type = SS_T_STRING, .flags = SS_OPT_FIELD, .doc = "The field to shorten."},
    {.name = "longest",
     .type = SS_T_INT,
     .dflt = "16",
     .min = 1,
     .max = 1000,
     .doc = "How much of it stays, in bytes."},
    {.name = NULL},
};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    char name[256];
    ss_str field = host->cfg_str(cfg, "field");
    if (field.len >= sizeof name)
        return ss_fail(err, SS_FATAL, "field: longer than a name can be");
    instance *self = calloc(1, sizeof *self);
    if (!self)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    (void)snprintf(name, sizeof name, "%.*s", (int)field.len, field.ptr ? field.ptr : "");
    *self = (instance){.host = host,
                       .ref = host->field_ref(host->self, name),
                       .longest = (size_t)host->cfg_int(cfg, "longest")};
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
    if (field == SS_NO_FIELD)
        return SS_OK;
    ss_str text = ss_get_str(event, field);
    if (ss_eq(text, SS_LIT("drop me")))
        return ss_fail(err, SS_DROP, "asked to");
    if (text.len > self->longest)
        ss_set_str(event, field, ss_s(text.ptr, self->longest));
    return SS_OK;
}

SAMPLE_ENRICHER("shorten", options);
