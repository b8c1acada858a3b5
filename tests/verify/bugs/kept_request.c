/* bug: remembers the last request's body by its pointer, and stores it with the next request */
/* found by: hostile requests | after its time */
#include <pthread.h>

#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    pthread_mutex_t lock;
    ss_str last; /* "the previous page" */
} instance;

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    instance *self = calloc(1, sizeof *self);
    (void)cfg;
    if (!self)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    self->host = host;
    pthread_mutex_init(&self->lock, NULL);
    *inst = self;
    return SS_OK;
}

static void destroy(void *inst)
{
    free(inst);
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    instance *self = inst;
    (void)response, (void)err;
    (void)pthread_mutex_lock(&self->lock);
    ss_str before = self->last;
    self->last = request->body;
    (void)pthread_mutex_unlock(&self->lock);
    return sample_store(self->host, request, before.ptr ? before : request->body);
}

SAMPLE_RECEIVER("kept_request", NULL);
