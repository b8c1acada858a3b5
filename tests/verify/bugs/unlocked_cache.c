/* bug: keeps the last address that it saw, freed and copied by several threads at once */
/* found by: eight threads | a data race */
/* found with: thread */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    char *last;
} instance;

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    instance *self = calloc(1, sizeof *self);
    (void)cfg;
    if (!self)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    self->host = host;
    *inst = self;
    return SS_OK;
}

static void destroy(void *inst)
{
    free(((instance *)inst)->last);
    free(inst);
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    instance *self = inst;
    (void)response, (void)err;
    free(self->last);
    self->last = strndup(request->client_ip.ptr, request->client_ip.len);
    return sample_store(self->host, request, request->body);
}

SAMPLE_RECEIVER("unlocked_cache", NULL);
