/* bug: reads the byte after the body, as if a NUL ended it */
/* found by: requests of each route | sanitizer */
/* found with: address */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

SAMPLE_LIFE

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    size_t len = 0;
    (void)response, (void)err;
    while (request->body.ptr[len] != '\0' && len < request->body.len + 1)
        len++;
    return sample_store(self->host, request,
                        ss_s(request->body.ptr, len < request->body.len ? len : request->body.len));
}

SAMPLE_RECEIVER("past_the_end", NULL);
