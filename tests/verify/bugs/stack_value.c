/* bug: sets a field to a text that is gone when enrich() returns */
/* found by: events of every shape | after its time */
#include "../sample.h"

enum { OWN_HASH };

typedef struct instance {
    const ss_host *host;
    uint32_t ref;
} instance;

static const ss_field own[] = {
    {.name = "hash", .type = SS_FIELD_STRING, .doc = "A number of the event, as text."}, {.name = NULL}};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    instance *self = calloc(1, sizeof *self);
    (void)cfg;
    if (!self)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    self->host = host;
    self->ref = host->field_ref(host->self, "hash");
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
    char text[32];
    (void)err;
    if (field != SS_NO_FIELD)
        ss_set_str(event, field,
                   ss_s(text, (size_t)snprintf(text, sizeof text, "%016llx",
                                               (unsigned long long)event->event_us * 31u)));
    return SS_OK;
}

static const ss_enricher enricher = {.struct_size = sizeof enricher, .enrich = enrich};
static const ss_plugin plugin = {SAMPLE_DESCRIPTOR(SS_ENRICHER, "stack_value", NULL, own),
                                 .enricher = &enricher, .create = create, .destroy = destroy};
SS_PLUGIN(plugin);
