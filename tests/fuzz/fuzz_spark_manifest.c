/* Manifests of a lake, and cron times, as they come from outside. */
// with: modules/spark/lake.c modules/spark/cron.c
#include <stdlib.h>

#include "modules/spark/cron.h"
#include "modules/spark/lake.h"

static bool visit(void *arg, const lake_object *o)
{
    if (o->path.len == 0 || o->path.ptr[0] == '/' || o->bytes < 0 || o->count < 0)
        abort();
    (void)arg;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ss_error err = {.struct_size = sizeof err};
    cron c;
    ss_str text = ss_s((const char *)data, size);
    (void)manifest_read(text, visit, NULL, &err);
    if (cron_parse(&c, text, &err)) {
        int64_t next = cron_next(&c, 1764559445000000);
        if (next && (next <= 1764559445000000 || next % 60000000))
            abort();
    }
    return 0;
}
