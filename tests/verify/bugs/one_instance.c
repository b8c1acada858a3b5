/* bug: the instance is static, and destroy() of the old one after a reload empties the new one */
/* found by: reload | two instances */
#include "../sample.h"

static struct {
    const ss_host *host;
    char *prefix;
} state;

static int32_t create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    (void)cfg;
    state.host = host;
    state.prefix = strdup("note");
    if (!state.prefix)
        return ss_fail(err, SS_FATAL, "out of memory: give the server more");
    *inst = &state;
    return SS_OK;
}

static void destroy(void *inst)
{
    (void)inst;
    free(state.prefix);
    state.prefix = NULL;
    state.host = NULL;
}

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    (void)inst, (void)response, (void)err;
    return sample_store(state.host, request, request->body.len ? request->body : ss_cstr(state.prefix));
}

SAMPLE_RECEIVER("one_instance", NULL);
