/* bug: answers well although event_new() gave nothing to store into */
/* found by: refuses is never acknowledged | event_new() failed */
#include "../sample.h"

typedef struct instance {
    const ss_host *host;
} instance;

SAMPLE_LIFE

static int32_t receive(void *inst, const ss_request *request, ss_response *response, ss_error *err)
{
    const instance *self = inst;
    (void)response, (void)err;
    ss_event *event = self->host->event_new(request->call);
    if (!event) {
        ss_logf(self->host, SS_WARNING, "no room for an event");
        return SS_OK;
    }
    ss_set_str(event, FIELD_TEXT, request->body);
    return self->host->emit(request->call, event);
}

SAMPLE_RECEIVER("no_event_no_word", NULL);
