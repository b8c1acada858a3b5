/* bug: counts requests in the instance without a lock */
/* found by: eight threads | a data race */
/* found with: thread */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    uint64_t count;
} instance;

SAMPLE_LIFE

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    instance *self = inst;
    (void)err;
    self->count++;
    response->status = self->count > UINT32_MAX ? 503 : 204;
    return sample_store(self->host, request, request->body);
}

SAMPLE_RECEIVER("unlocked_counter", NULL);
