/* bug: says OK for what is only in its memory, and posts it at flush() */
/* found by: counted exactly once | saw no request */
#include "../bulk.h"

/* Copies the bodies; the real thing would post the copy later. */
static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    size_t len = 0;
    (void)err;
    for (uint32_t i = 0; i < batch->count; i++) {
        ss_str body = ss_record_at(batch, i)->body;
        if (len + body.len < BULK_ANSWER_MAX)
            memcpy(self->answer + len, body.ptr, body.len);
        len += body.len;
    }
    ss_mark_all(result, SS_RECORD_OK);
    return SS_OK;
}

SAMPLE_MODULE("ok_too_early", bulk_options, );
