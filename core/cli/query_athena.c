#include "core/cli/query_athena.h"

#include <string.h>

#include "core/cli/ask.h"
#include "core/cli/common.h"
#include "core/cli/stop.h"
#include "plugins/common/athena.h"

static bool stopping(void *arg)
{
    (void)arg;
    return cli_stopping();
}

/* ---- which module ---- */

bool query_module(const config *c, const char *plugin, const char *option, const char *wanted,
                  config_entry *chosen)
{
    size_t count = 0;
    for (size_t i = 0; i < config_entries(c); i++) {
        config_entry e = config_entry_at(c, i);
        if (e.kind != SS_MODULE || strcmp(e.plugin->name, plugin) != 0 ||
            (wanted && strcmp(wanted, e.name) != 0))
            continue;
        *chosen = e;
        count++;
    }
    if (count == 1)
        return true;
    if (count > 1)
        (void)cli_fail(CLI_USAGE, "query", "there are %zu modules %s: choose one with --database", count,
                       plugin);
    else if (wanted)
        (void)cli_fail(CLI_USAGE, "query", "there is no module '%.64s' that uses %s", wanted, plugin);
    else
        (void)cli_fail(CLI_FAILED, "query", "%s needs a module %s in the configuration: see docs/%s.md",
                       option, plugin, plugin);
    return false;
}

/* ---- asking ---- */

int query_athena(const config *c, const char *module, const char *sql, int64_t timeout_ms,
                 const warehouse_rows *rows, warehouse_fault *fault)
{
    config_entry e = {.kind = 0};
    ss_error err = error_init();
    *fault = (warehouse_fault){.kind = 0};
    if (!query_module(c, "glue", "--athena", module, &e))
        return CLI_FAILED;
    const athena_ask ask = {sql, timeout_ms, stopping, NULL, rows};
    const athena_sink asked = {{sizeof asked, ATHENA_SINK, NULL, cli_write_nothing}, &ask, fault};
    cli_stop_on_signals();
    int32_t rc = config_run(c, &e, CONFIG_HOWTO, &asked.sink, &err);
    if (rc == SS_OK)
        return CLI_OK;
    if (!fault->kind)
        fault->kind = WAREHOUSE_FAILED;
    fault->error = err; /* secrets are taken out of it */
    return CLI_FAILED;
}
