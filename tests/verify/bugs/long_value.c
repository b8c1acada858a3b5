/* bug: copies the body into 4 KiB of stack */
/* found by: hostile requests | crashed */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

SAMPLE_LIFE

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    char text[4096];
    (void)response, (void)err;
    memset(text, 0, sizeof text);
    for (size_t i = 0; i < request->body.len; i++)
        text[i] = request->body.ptr[i] == '\n' ? ' ' : request->body.ptr[i];
    return sample_store(self->host, request, ss_cstr(text));
}

SAMPLE_RECEIVER("long_value", NULL);
