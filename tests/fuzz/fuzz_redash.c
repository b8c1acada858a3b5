/* Answers of Redash, as module redash reads them. */
// with: modules/redash/read.c
#include <stdlib.h>

#include "modules/redash/api.h"

static bool visit(void *arg, const api_item *i)
{
    size_t *count = arg;
    if (strlen(i->name) >= sizeof i->name || strlen(i->description) >= sizeof i->description)
        abort();
    return ++*count < 100000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ss_str text = ss_s((const char *)data, size);
    api a = {.tag = "streamsteam-redash"};
    api_item item;
    size_t count = 0;
    grow sql = {.limit = 1u << 20};
    (void)api_each(&a, text, NULL, visit, &count);
    (void)api_each(&a, text, "results", visit, &count);
    (void)api_each(&a, text, "visualizations", visit, &count);
    (void)api_each(&a, text, "widgets", visit, &count);
    if (api_read_item(&a, text, &item, &sql) && item.id <= 0)
        abort();
    grow_free(&sql);
    return 0;
}
