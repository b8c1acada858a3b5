/* bug: writes to what mem() gave without looking whether it gave anything */
/* found by: refuses is never acknowledged | mem() fails */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

SAMPLE_LIFE

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    (void)response, (void)err;
    char *upper = self->host->mem(request->call, request->body.len + 1);
    for (size_t i = 0; i < request->body.len; i++)
        upper[i] =
            (char)(request->body.ptr[i] >= 'a' && request->body.ptr[i] <= 'z' ? request->body.ptr[i] - 32
                                                                              : request->body.ptr[i]);
    upper[request->body.len] = '\0';
    return sample_store(self->host, request, ss_s(upper, request->body.len));
}

SAMPLE_RECEIVER("mem_unchecked", NULL);
