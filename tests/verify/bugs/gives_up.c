/* bug: ends the process where nobody listens */
/* found by: calls that a plugin must not make | exit() */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    if (status < 0)
        exit(1);
    return status == 200 ? bulk_items(self, batch, result, err) : bulk_refused(self, status, result, err);
}

SAMPLE_MODULE("gives_up", bulk_options, );
