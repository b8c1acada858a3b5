/* bug: setenv() in create(), so that mktime() counts in UTC */
/* found by: calls that a plugin must not make | setenv() */
#include <time.h>

#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    instance *self = calloc(1, sizeof *self);
    (void)cfg;
    if (!self)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    (void)setenv("TZ", "UTC", 1);
    self->host = host;
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
    struct tm then = {.tm_year = 126, .tm_mon = 10, .tm_mday = 26};
    (void)err;
    response->status = mktime(&then) > 0 ? 204 : 200;
    return sample_store(self->host, request, request->body);
}

SAMPLE_RECEIVER("timezone", NULL);
