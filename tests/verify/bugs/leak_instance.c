/* bug: destroy() frees the instance, but not the table in it */
/* found by: create() and destroy() | a leak */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    uint32_t *table;
} instance;

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    instance *self = calloc(1, sizeof *self);
    (void)cfg;
    if (!self || !(self->table = calloc(1024, sizeof *self->table))) {
        free(self);
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    }
    self->host = host;
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
    event->event_us += self->table[event->field_count & 1023u];
    return SS_OK;
}

SAMPLE_ENRICHER("leak_instance", NULL);
