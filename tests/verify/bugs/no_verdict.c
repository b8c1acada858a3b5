/* bug: leaves records of a type that it does not want without a word */
/* found by: verdict | no verdict */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    if (status != 200)
        return bulk_refused(self, status, result, err);
    for (uint32_t i = 0; i < batch->count; i++) {
        if (ss_record_at(batch, i)->body.len < 3 || i % 2 == 1)
            continue;
        ss_mark(result, i, SS_RECORD_OK);
    }
    return SS_OK;
}

SAMPLE_MODULE("no_verdict", bulk_options, );
