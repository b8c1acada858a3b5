/* bug: leaves the socket open where the answer is not 200 */
/* found by: hundreds of calls | descriptors are left open */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int fd = bulk_connect(self, batch->deadline_us), status = -1;
    if (fd < 0)
        return bulk_refused(self, -1, result, err);
    if (bulk_send(self, fd, batch))
        status = bulk_receive(self, fd);
    if (status != 200)
        return bulk_refused(self, status, result, err);
    (void)close(fd);
    return bulk_items(self, batch, result, err);
}

SAMPLE_MODULE("socket_left", bulk_options, );
