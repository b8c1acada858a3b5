/* A module without a known bug: posts batches and reads the answer item by item. */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    return status == 200 ? bulk_items(self, batch, result, err) : bulk_refused(self, status, result, err);
}

SAMPLE_MODULE("bulk", bulk_options, );
