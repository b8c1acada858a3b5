#include "core/cli/query_athena.h"

#include <dlfcn.h>
#include <signal.h>
#include <string.h>

#include "core/cli/common.h"
#include "plugins/common/athena.h"

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static bool stopping(void *arg)
{
    (void)arg;
    return stop_asked != 0;
}

/* ---- which module ---- */

static bool find_module(const config *c, const char *wanted, config_entry *chosen)
{
    size_t count = 0;
    for (size_t i = 0; i < config_entries(c); i++) {
        config_entry e = config_entry_at(c, i);
        if (e.kind != SS_MODULE || strcmp(e.plugin->name, "glue") != 0 ||
            (wanted && strcmp(wanted, e.name) != 0))
            continue;
        *chosen = e;
        count++;
    }
    if (count == 1)
        return true;
    if (count > 1)
        (void)cli_fail(CLI_USAGE, "query", "there are %zu modules glue: choose one with --database", count);
    else if (wanted)
        (void)cli_fail(CLI_USAGE, "query", "there is no module '%.64s' that uses glue", wanted);
    else
        (void)cli_fail(CLI_FAILED, "query",
                       "--athena needs a module glue in the configuration: see docs/glue.md");
    return false;
}

/* ---- asking ---- */

typedef struct asking {
    athena_entry *entry;
    athena_ask ask;
    warehouse_fault *fault;
} asking;

static int32_t ask(const ss_host *host, const ss_config *cfg, void *arg, ss_error *err)
{
    asking *a = arg;
    int32_t rc = a->entry(host, cfg, &a->ask, a->fault);
    (void)snprintf(err->text, sizeof err->text, "%s", a->fault->error.text); /* secrets are taken out of it */
    return rc;
}

static athena_entry *entry_of(const config_entry *e)
{
    void *plugin = dlopen(e->plugin_path, RTLD_NOW | RTLD_LOCAL);
    athena_entry *entry = NULL;
    if (plugin)
        *(void **)(void *)&entry = dlsym(plugin, ATHENA_ENTRY);
    return entry;
}

int query_athena(const config *c, const char *module, const char *sql, int64_t timeout_ms,
                 const warehouse_rows *rows, warehouse_fault *fault)
{
    config_entry e = {.kind = 0};
    ss_error err = error_init();
    *fault = (warehouse_fault){.kind = 0};
    if (!find_module(c, module, &e))
        return CLI_FAILED;
    asking a = {.entry = entry_of(&e), .ask = {sql, timeout_ms, stopping, NULL, rows}, .fault = fault};
    if (!a.entry)
        return cli_fail(CLI_FAILED, "query", "the plugin %s is of another version and cannot ask Athena",
                        e.plugin_path);
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    int32_t rc = config_call(c, &e, ask, &a, &err);
    if (rc == SS_OK)
        return CLI_OK;
    if (!fault->kind)
        fault->kind = WAREHOUSE_FAILED;
    fault->error = err;
    return CLI_FAILED;
}
