/* Any bytes as an answer of _bulk: nothing is said of a document unless the answer is whole. The first byte
   is the number of documents that were asked about. */
// with: modules/opensearch/answer.c
#include <stdint.h>
#include <stdlib.h>

#include "modules/opensearch/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hear(void *arg, uint32_t i, const answer_item *item)
{
    uint32_t *next = arg;
    if (i != *next || memchr(item->type, '\0', sizeof item->type) == NULL ||
        memchr(item->reason, '\0', sizeof item->reason) == NULL)
        abort();
    (*next)++;
    (void)answer_judge(item, i & 1u);
    (void)answer_remedy(item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t heard = 0, count = size ? data[0] : 0;
    ss_str body = size ? ss_s((const char *)data + 1, size - 1) : ss_s("", 0);
    if (answer_walk(body, count, hear, &heard) ? heard != count : heard != 0)
        abort();
    return 0;
}
