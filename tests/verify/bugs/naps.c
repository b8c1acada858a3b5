/* bug: waits in receive(), "to be gentle with the disk" */
/* found by: calls that a plugin must not make | usleep() */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

SAMPLE_LIFE

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    (void)response, (void)err;
    (void)usleep(2000);
    return sample_store(self->host, request, request->body);
}

SAMPLE_RECEIVER("naps", NULL);
