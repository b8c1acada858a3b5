/* bug: takes any answer at all for success */
/* found by: counted exactly once | 503 */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    if (status < 0)
        return bulk_refused(self, status, result, err);
    if (status == 200)
        return bulk_items(self, batch, result, err);
    ss_mark_all(result, SS_RECORD_OK);
    return SS_OK;
}

SAMPLE_MODULE("any_answer", bulk_options, );
