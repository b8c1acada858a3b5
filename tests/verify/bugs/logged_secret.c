/* bug: says in the log with which key it works */
/* found by: secrets | a log line */
/* example: key: the-key-of-the-house */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
    char key[64];
} instance;

static const ss_option options[] = {
    {.name = "key",
     .type = SS_T_STRING,
     .flags = SS_OPT_SECRET,
     .dflt = "",
     .doc = "What clients have to send."},
    {.name = NULL},
};

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    instance *self = calloc(1, sizeof *self);
    if (!self)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    self->host = host;
    if (host->secret(host->self, cfg, "key", self->key, sizeof self->key - 1, err) < 0) {
        free(self);
        return SS_FATAL;
    }
    ss_logf(host, SS_INFO, "ready, key=%s", self->key);
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
    (void)response, (void)err;
    return sample_store(self->host, request, request->body);
}

SAMPLE_RECEIVER("logged_secret", options);
