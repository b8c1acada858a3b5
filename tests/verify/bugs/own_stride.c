/* bug: walks the records with an index, as if the server's were of its own size */
/* found by: verdict | deliver() of 7 records */
#include "../bulk.h"

static int32_t deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    instance *self = inst;
    size_t bytes = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        bytes += memchr(batch->records[i].json.ptr, '}', batch->records[i].json.len)
                     ? batch->records[i].json.len
                     : 0;
    int status = bytes ? bulk_post(self, batch) : 200;
    return status == 200 ? bulk_items(self, batch, result, err) : bulk_refused(self, status, result, err);
}

SAMPLE_MODULE("own_stride", bulk_options, );
