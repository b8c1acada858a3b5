/* Ids and times as texts: also of the shared object that talks to DynamoDB. */
#include <time.h>

#include "core/admin/store.h"

void store_put_time(int64_t seconds, char out[STORE_TIME_SIZE])
{
    time_t t = (time_t)seconds;
    struct tm tm = {0};
    (void)gmtime_r(&t, &tm);
    (void)strftime(out, STORE_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool store_is_id(ss_str text)
{
    if (text.len != STORE_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}
