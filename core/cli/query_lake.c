#include "core/cli/query_lake.h"

#include <string.h>

#include "core/cli/common.h"
#include "core/cli/query_athena.h"
#include "core/cli/stop.h"
#include "plugins/common/lake_ask.h"

#define RECEIVERS_MAX 64u /* more have no view of their own */

static int32_t write_nothing(void *self, const char *bytes, size_t len)
{
    (void)self, (void)bytes, (void)len;
    return 0;
}

typedef struct names {
    const char *at[RECEIVERS_MAX];
    size_t count;
} names;

static void note_name(void *arg, const char *name)
{
    names *n = arg;
    if (n->count < RECEIVERS_MAX)
        n->at[n->count++] = name;
}

int query_lake(const config *c, const char *module, const char *sql, const warehouse_limits *limits,
               int64_t from_us, int64_t to_us, const warehouse_rows *rows, warehouse_fault *fault)
{
    config_entry e = {.kind = 0};
    ss_error err = error_init();
    names receivers = {.count = 0};
    *fault = (warehouse_fault){.kind = 0};
    if (!query_module(c, "lake", "--lake", module, &e))
        return CLI_FAILED;
    config_entry_names(c, &e, "receivers", note_name, &receivers);
    for (size_t i = 0, all = receivers.count == 0; all && config_receiver(c, i); i++)
        note_name(&receivers, config_receiver(c, i));
    const lake_ask ask = {sql,     e.name,       receivers.at, receivers.count, from_us, to_us,
                          *limits, cli_stopping, rows};
    const lake_sink asked = {{sizeof asked, LAKE_SINK, NULL, write_nothing}, &ask, fault};
    cli_stop_on_signals();
    if (config_run(c, &e, CONFIG_HOWTO, &asked.sink, &err) == SS_OK)
        return CLI_OK;
    if (!fault->kind) {
        fault->kind = WAREHOUSE_FAILED;
        fault->error = err;
    }
    return CLI_FAILED;
}
