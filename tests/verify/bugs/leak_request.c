/* bug: every request leaves its copy of the body behind */
/* found by: hundreds of calls | a leak */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

SAMPLE_LIFE

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    (void)response, (void)err;
    char *text = malloc(request->body.len + 1);
    if (!text)
        return SS_RETRY;
    memcpy(text, request->body.ptr ? request->body.ptr : "", request->body.len);
    text[request->body.len] = '\0';
    return sample_store(self->host, request, ss_cstr(text));
}

SAMPLE_RECEIVER("leak_request", NULL);
