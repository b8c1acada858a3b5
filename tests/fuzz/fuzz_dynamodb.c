// with: core/admin/dynamodb/item.c
/* Items of DynamoDB's tables, as anybody may have written them. */
#include <stdint.h>

#include "core/admin/dynamodb/dynamodb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    store_app app;
    store_key key;
    json_t *item = json_loadb((const char *)data, size, 0, NULL);
    if (dynamodb_read_app(item, &app)) {
        json_t *again = dynamodb_app_item(&app);
        if (!dynamodb_read_app(again, &app))
            __builtin_trap(); /* what was read can be written, and read again */
        json_decref(again);
    }
    if (dynamodb_read_key(item, &key)) {
        json_t *again = dynamodb_key_item(&key);
        if (!dynamodb_read_key(again, &key))
            __builtin_trap();
        json_decref(again);
    }
    json_decref(item);
    return 0;
}
