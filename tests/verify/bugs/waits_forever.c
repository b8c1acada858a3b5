/* bug: sets no limit to the wait for an answer */
/* found by: counted exactly once | no answer until the deadline */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    int fd = bulk_connect(self, batch->deadline_us), status = -1;
    struct timeval none = {0, 0};
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
        if (bulk_send(self, fd, batch))
            status = bulk_receive(self, fd);
        (void)close(fd);
    }
    return status == 200 ? bulk_items(self, batch, result, err) : bulk_refused(self, status, result, err);
}

SAMPLE_MODULE("waits_forever", bulk_options, );
