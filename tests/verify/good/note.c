/* A receiver without a known bug: the text of a request is one event; it counts what came, with a lock. */
#include <pthread.h>

#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    pthread_mutex_t lock;
    uint64_t count;
    char *greeting;
} instance;

static const ss_option options[] = {
    {.name = "greeting", .type = SS_T_STRING, .dflt = "hello", .doc = "What is answered."},
    {.name = "longest",
     .type = SS_T_SIZE,
     .dflt = "64KiB",
     .min = 1,
     .max = 1 << 20,
     .doc = "Longer texts are refused."},
    {.name = NULL},
};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    ss_str greeting = host->cfg_str(cfg, "greeting");
    instance *self = calloc(1, sizeof *self);
    if (!self || !(self->greeting = strndup(greeting.ptr ? greeting.ptr : "", greeting.len))) {
        free(self);
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    }
    self->host = host;
    pthread_mutex_init(&self->lock, NULL);
    *inst = self;
    return SS_OK;
}

static void destroy(void *inst)
{
    instance *self = inst;
    pthread_mutex_destroy(&self->lock);
    free(self->greeting);
    free(self);
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    instance *self = inst;
    char *answer = self->host->mem(request->call, 600);
    (void)err;
    if (!answer)
        return SS_RETRY;
    if (request->body.len == 0) {
        response->status = 400;
        self->host->rejected(request->call, "empty", SS_LIT("there is no text"));
        return SS_REJECT;
    }
    (void)pthread_mutex_lock(&self->lock);
    uint64_t count = ++self->count;
    (void)pthread_mutex_unlock(&self->lock);
    int n = snprintf(answer, 600, "%.500s %llu", self->greeting, (unsigned long long)count);
    response->status = 200;
    response->body = ss_s(answer, (size_t)n);
    return sample_store(self->host, request, request->body);
}

SAMPLE_RECEIVER("note", options);
