/* bug: says in the error text which token was refused */
/* found by: secrets | an error text */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    if (status == 200)
        return bulk_items(self, batch, result, err);
    (void)bulk_refused(self, status, result, err);
    if (status == 401 || status == 403 || status == 404)
        return ss_fail(err, SS_PAUSE, "url: answer %d for Authorization: Bearer %s", status, self->token);
    return status == 429 ? SS_THROTTLE : SS_RETRY;
}

SAMPLE_MODULE("secret_in_error", bulk_options, );
