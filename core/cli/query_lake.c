#include "core/cli/query_lake.h"

#include "core/cli/ask.h"
#include "core/cli/common.h"
#include "core/cli/query_athena.h"
#include "core/cli/stop.h"
#include "plugins/common/lake_ask.h"

int query_lake(const config *c, const char *module, const char *sql, const warehouse_limits *limits,
               int64_t from_us, int64_t to_us, const warehouse_rows *rows, warehouse_fault *fault)
{
    config_entry e = {.kind = 0};
    static cli_names receivers;
    ss_error err = error_init();
    *fault = (warehouse_fault){.kind = 0};
    if (!query_module(c, "lake", "--lake", module, &e))
        return CLI_FAILED;
    cli_names_taken(&receivers, c, &e);
    const lake_ask ask = {sql,     e.name,       receivers.at, receivers.count, from_us, to_us,
                          *limits, cli_stopping, rows};
    const lake_sink asked = {{sizeof asked, LAKE_SINK, NULL, cli_write_nothing}, &ask, fault};
    cli_stop_on_signals();
    if (config_run(c, &e, CONFIG_HOWTO, &asked.sink, &err) == SS_OK)
        return CLI_OK;
    if (!fault->kind) {
        fault->kind = WAREHOUSE_FAILED;
        fault->error = err;
    }
    return CLI_FAILED;
}
