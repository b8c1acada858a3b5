/* bug: drain() waits half a minute, whatever its deadline says */
/* found by: end in time | drain() */
#include <time.h>

#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int status = bulk_post(self, batch);
    return status == 200 ? bulk_items(self, batch, result, err) : bulk_refused(self, status, result, err);
}

static int32_t drain(void *inst, int64_t deadline_us, ss_error *err)
{
    (void)inst, (void)deadline_us, (void)err;
    for (int i = 0; i < 300; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    return SS_OK;
}

SAMPLE_MODULE("long_goodbye", bulk_options, .drain = drain, );
