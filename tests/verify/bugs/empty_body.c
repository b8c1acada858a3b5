/* bug: takes the brackets off a body that may be empty */
/* found by: requests of each route | a bare request */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

SAMPLE_LIFE

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    (void)response, (void)err;
    char *inner = self->host->mem(request->call, request->body.len + 1);
    if (!inner)
        return SS_RETRY;
    memcpy(inner, request->body.ptr + 1, request->body.len - 2);
    return sample_store(self->host, request, ss_s(inner, request->body.len - 2));
}

SAMPLE_RECEIVER("empty_body", NULL);
