/* bug: a thread of its own outlives destroy(), and goes on with the host */
/* found by: create() and destroy() | thread */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    atomic_bool stop;
} instance;

static void *refresh(void *arg)
{
    instance *self = arg;
    while (!atomic_load(&self->stop)) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 90000000}, NULL);
        (void)self->host->now_us(self->host->self);
    }
    free(self);
    return NULL;
}

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    pthread_t thread;
    instance *self = calloc(1, sizeof *self);
    (void)cfg;
    if (!self)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    self->host = host;
    if (pthread_create(&thread, NULL, refresh, self) != 0) {
        free(self);
        return ss_fail(err, SS_FATAL, "no thread to be had");
    }
    (void)pthread_detach(thread);
    *inst = self;
    return SS_OK;
}

static void destroy(void *inst)
{
    atomic_store(&((instance *)inst)->stop, true);
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    (void)response, (void)err;
    return sample_store(self->host, request, request->body);
}

SAMPLE_RECEIVER("thread_left", NULL);
