#include "core/cli/windows_lake.h"

#include <string.h>

#include "core/cli/ask.h"
#include "core/cli/common.h"
#include "core/cli/stop.h"

static windows_names as_asked(const cli_names *n)
{
    return (windows_names){n->at, n->count};
}

static int compute(const config *c, const config_entry *e, windows_lake *ask, windows_lake_result *result)
{
    static cli_names receivers, types, apps, all;
    ss_error err = error_init();
    cli_names_taken(&receivers, c, e);
    cli_names_of(&types, c, e, "types");
    cli_names_of(&apps, c, e, "apps");
    cli_names_receivers(&all, c);
    ask->receivers = as_asked(&receivers);
    ask->types = as_asked(&types);
    ask->apps = as_asked(&apps);
    ask->all = as_asked(&all);
    ask->stopping = cli_stopping;
    const windows_lake_sink sink = {{sizeof sink, WINDOWS_LAKE_SINK, NULL, cli_write_nothing}, ask, result};
    cli_stop_on_signals();
    return config_run(c, e, CONFIG_HOWTO, &sink.sink, &err) == SS_OK
               ? CLI_OK
               : cli_fail(CLI_FAILED, "windows", "%s", err.text);
}

int windows_lake_compute(const config *c, const char *module, windows_lake *ask, windows_lake_result *result)
{
    for (size_t i = 0; i < config_entries(c); i++) {
        config_entry e = config_entry_at(c, i);
        if (e.kind == SS_MODULE && strcmp(e.name, module) == 0)
            return compute(c, &e, ask, result);
    }
    return cli_fail(CLI_FAILED, "windows", "there is no module '%.64s' any more", module);
}
