/* bug: sends the whole batch again where half of it was taken */
/* found by: counted exactly once | arrived 2 times */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    if (status != 200)
        return bulk_refused(self, status, result, err);
    if (bulk_items(self, batch, result, err) == SS_OK && !strstr(self->answer, "\"errors\":true"))
        return SS_OK;
    ss_mark_all(result, SS_RECORD_RETRY);
    return ss_fail(err, SS_RETRY, "url: the other end did not take all records");
}

SAMPLE_MODULE("all_again", bulk_options, );
