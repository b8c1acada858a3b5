/* bug: takes an answer 200 for the success of all its items */
/* found by: counted exactly once | half of a bulk */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    if (status != 200)
        return bulk_refused(self, status, result, err);
    ss_mark_all(result, SS_RECORD_OK);
    return SS_OK;
}

SAMPLE_MODULE("half_ok", bulk_options, );
