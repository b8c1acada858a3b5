/* bug: answers well although emit() said SS_RETRY */
/* found by: refuses is never acknowledged | emit() failed */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

SAMPLE_LIFE

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    (void)err;
    ss_event *event = self->host->event_new(request->call);
    if (!event)
        return SS_RETRY;
    ss_set_str(event, FIELD_TEXT, request->body);
    (void)self->host->emit(request->call, event);
    response->status = 200;
    response->body = SS_LIT("thank you");
    return SS_OK;
}

SAMPLE_RECEIVER("thanks_anyway", NULL);
