/* bug: puts the data into quarantine because the other end is in trouble */
/* found by: counted exactly once | was rejected */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    if (status == 200)
        return bulk_items(self, batch, result, err);
    if (status != 500)
        return bulk_refused(self, status, result, err);
    for (uint32_t i = 0; i < batch->count; i++)
        self->host->result(self->host->self, result, i, SS_RECORD_REJECT, 500,
                           SS_LIT("the other end failed"));
    return SS_OK;
}

SAMPLE_MODULE("reject_500", bulk_options, );
