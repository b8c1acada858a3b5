#include "core/cli/windows_lake.h"

#include <stdlib.h>
#include <string.h>

#include "core/cli/common.h"
#include "core/cli/files.h"
#include "core/cli/stop.h"

#define NAMES_MAX 2048u /* more than the configuration takes */

typedef struct names {
    const char *at[NAMES_MAX];
    size_t count;
} names;

static void note_name(void *arg, const char *name)
{
    names *n = arg;
    if (n->count < NAMES_MAX)
        n->at[n->count++] = name;
}

static windows_names as_asked(const names *n)
{
    return (windows_names){n->at, n->count};
}

static int32_t write_nothing(void *self, const char *bytes, size_t len)
{
    (void)self, (void)bytes, (void)len;
    return 0;
}

static int ask(windows_lake_job *job, const config *c, const config_entry *e, backfill_result *result)
{
    static names receivers, types, apps, all; /* too large for a stack; the verb has one thread */
    ss_error err = error_init();
    receivers.count = types.count = apps.count = all.count = 0;
    config_entry_names(c, e, "receivers", note_name, &receivers);
    config_entry_names(c, e, "types", note_name, &types);
    config_entry_names(c, e, "apps", note_name, &apps);
    for (size_t i = 0; config_receiver(c, i); i++)
        note_name(&all, config_receiver(c, i));
    const windows_lake asked = {.lake = job->lake,
                                .dir = job->dir,
                                .from_us = job->from_us,
                                .to_us = job->to_us,
                                .receivers = as_asked(&receivers),
                                .types = as_asked(&types),
                                .apps = as_asked(&apps),
                                .all = as_asked(&all),
                                .stopping = cli_stopping};
    windows_lake_sink sink = {{sizeof sink, WINDOWS_LAKE_SINK, NULL, write_nothing}, &asked, result, 0, 0};
    cli_stop_on_signals();
    if (config_run(c, e, CONFIG_HOWTO, &sink.sink, &err) != SS_OK)
        return cli_fail(CLI_FAILED, "windows", "%s", err.text);
    job->through = sink.through;
    job->lines = sink.lines;
    return CLI_OK;
}

int windows_lake_compute(windows_lake_job *job, backfill_result *result)
{
    cli_files files;
    int code = cli_load("windows", job->config, &files);
    for (size_t i = 0; code == CLI_OK && i < config_entries(files.config); i++) {
        config_entry e = config_entry_at(files.config, i);
        if (e.kind == SS_MODULE && strcmp(e.name, job->module) == 0)
            code = ask(job, files.config, &e, result);
    }
    cli_unload(&files);
    return code;
}
