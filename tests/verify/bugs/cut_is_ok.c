/* bug: takes a status line for an answer, though the body was cut off */
/* found by: counted exactly once | cut in the middle */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    if (status < 0 && strncmp(self->answer, "HTTP/1.1 200", 12) == 0)
        ss_mark_all(result, SS_RECORD_OK);
    else
        return status == 200 ? bulk_items(self, batch, result, err) : bulk_refused(self, status, result, err);
    return SS_OK;
}

SAMPLE_MODULE("cut_is_ok", bulk_options, );
