/* bug: opens a file in create() and leaves it open in destroy() */
/* found by: create() and destroy() | descriptors are left open */
#include <fcntl.h>

#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    int random;
} instance;

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    instance *self = calloc(1, sizeof *self);
    (void)cfg;
    if (!self)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    self->host = host;
    self->random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    *inst = self;
    return SS_OK;
}

static void destroy(void *inst)
{
    free(inst);
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    unsigned char salt = 0;
    (void)err;
    response->status = read(self->random, &salt, 1) == 1 && salt == 0 ? 200 : 204;
    return sample_store(self->host, request, request->body);
}

SAMPLE_RECEIVER("open_descriptor", NULL);
