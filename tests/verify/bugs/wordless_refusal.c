/* bug: create() refuses an option and does not say which, nor why */
/* found by: odd options | without a sentence */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

static const ss_option options[] = {
    {.name = "prefix", .type = SS_T_STRING, .dflt = "x_", .doc = "What goes before the name; not empty."},
    {.name = NULL},
};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    if (host->cfg_str(cfg, "prefix").len == 0)
        return SS_FATAL;
    instance *self = calloc(1, sizeof *self);
    if (!self)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
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
    (void)inst, (void)event, (void)err;
    return SS_OK;
}

SAMPLE_ENRICHER("wordless_refusal", options);
