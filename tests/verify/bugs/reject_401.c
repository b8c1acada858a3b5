/* bug: puts the data into quarantine because the token is wrong */
/* found by: nothing is discarded | 401 */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    if (status == 200)
        return bulk_items(self, batch, result, err);
    if (status < 400 || status >= 500 || status == 429)
        return bulk_refused(self, status, result, err);
    for (uint32_t i = 0; i < batch->count; i++)
        self->host->result(self->host->self, result, i, SS_RECORD_REJECT, (uint32_t)status,
                           SS_LIT("refused"));
    return SS_OK;
}

SAMPLE_MODULE("reject_401", bulk_options, );
