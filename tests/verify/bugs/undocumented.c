/* bug: an option without a sentence about it */
/* found by: the loader | no doc */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

static const ss_option options[] = {
    {.name = "app", .type = SS_T_STRING, .dflt = "notes", .doc = "The application that the notes belong to."},
    {.name = "legacy_mode", .type = SS_T_BOOL, .dflt = "false", .doc = ""},
    {.name = NULL},
};

SAMPLE_LIFE

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    (void)response, (void)err;
    return sample_store(self->host, request, request->body);
}

SAMPLE_RECEIVER("undocumented", options);
