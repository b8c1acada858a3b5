/* bug: the default lies outside the option's own range */
/* found by: options are documented | outside its own range */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

static const ss_option options[] = {
    {.name = "percent",
     .type = SS_T_INT,
     .dflt = "1000",
     .min = 0,
     .max = 100,
     .doc = "How many events stay."},
    {.name = NULL},
};

SAMPLE_LIFE

static int32_t enrich(void *inst, ss_event *event, ss_error *err)
{
    (void)inst, (void)event, (void)err;
    return SS_OK;
}

SAMPLE_ENRICHER("default_outside", options);
