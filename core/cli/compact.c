/* streamsteam compact: what a module compact would do by itself, now. */
#include <stdio.h>
#include <string.h>

#include "core/cli/common.h"
#include "core/cli/files.h"
#include "core/cli/stop.h"
#include "core/cli/verbs.h"
#include "plugins/common/compact_ask.h"

static const char help[] =
    "usage: streamsteam compact [--module NAME] [--partition FOLDER] [--dry-run] [-c FILE]\n"
    "\n"
    "Makes few large files out of the small ones of a lake, as the module compact does by itself. The server "
    "may run.\n"
    "\n"
    "  --module NAME        the module compact, where there are several\n"
    "  --partition FOLDER   only what is below that folder of the lake, closed or not\n"
    "  --dry-run            only say what would become one file\n"
    "  -c, --config FILE    the configuration (default: config/streamsteam.yaml, else the installed one)\n"
    "\n"
    "Replaced files stay for as long as the module's `keep` says; the module, or a later call, removes "
    "them.\n"
    "\n"
    "Exit code: 0 = done, 1 = failed, 2 = wrong use.\n";

#define fail(code, ...) cli_fail(code, "compact", __VA_ARGS__)

static int32_t print(void *self, const char *bytes, size_t len)
{
    (void)self;
    return fwrite(bytes, 1, len, stdout) == len ? 0 : -1;
}

static int find_module(const config *c, const char *wanted, config_entry *chosen)
{
    size_t count = 0;
    for (size_t i = 0; i < config_entries(c); i++) {
        config_entry e = config_entry_at(c, i);
        if (e.kind != SS_MODULE || strcmp(e.plugin->name, "compact") != 0 ||
            (wanted && strcmp(wanted, e.name) != 0))
            continue;
        *chosen = e;
        count++;
    }
    if (count == 1)
        return CLI_OK;
    if (count > 1)
        return fail(CLI_USAGE, "there are %zu modules compact: choose one with --module", count);
    if (wanted)
        return fail(CLI_USAGE, "there is no module '%.64s' that uses compact", wanted);
    return fail(CLI_FAILED,
                "it needs a module compact in the configuration: `streamsteam module enable compact`");
}

static int run(const config *c, const char *module, const compact_ask *ask)
{
    config_entry e = {.kind = 0};
    ss_error err = {.struct_size = sizeof err};
    const compact_sink sink = {{sizeof sink, COMPACT_SINK, NULL, print}, ask};
    int code = find_module(c, module, &e);
    if (code != CLI_OK)
        return code;
    cli_stop_on_signals();
    int32_t rc = config_run(c, &e, CONFIG_HOWTO, &sink.sink, &err);
    if (fflush(stdout) != 0)
        return fail(CLI_FAILED, "what was done cannot be printed: %m");
    return rc == SS_OK ? CLI_OK : fail(CLI_FAILED, "%s", err.text);
}

int verb_compact(int argc, char **argv)
{
    bool bad = false;
    cli_files files;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *module = cli_take_option(&argc, argv, NULL, "module", &bad);
    const char *partition = cli_take_option(&argc, argv, NULL, "partition", &bad);
    const char *given = cli_take_option(&argc, argv, "c", "config", &bad);
    const compact_ask ask = {.partition = ss_cstr(partition),
                             .dry_run = cli_take_flag(&argc, argv, "dry-run"),
                             .stopping = cli_stopping};
    if (bad || argc != 1 || (partition && (!*partition || *partition == '/')))
        return fail(CLI_USAGE, "see streamsteam compact --help");
    int code = cli_load("compact", given, &files);
    if (code == CLI_OK)
        code = run(files.config, module, &ask);
    cli_unload(&files);
    return code;
}
