/* streamsteam windows: the metrics of the modules windows, for those who outgrow one machine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/cli/ask.h"
#include "core/cli/common.h"
#include "core/cli/files.h"
#include "core/cli/verbs.h"
#include "core/cli/windows_backfill.h"
#include "plugins/common/windows_ask.h"

#define SETS_MAX  64u
#define BYTES_MAX (64u << 20)

static const char help[] =
    "usage: streamsteam windows export --to flink-sql [--source kafka|kinesis|files] [--set KEY=VALUE]...\n"
    "                                  [--module NAME] [-o FILE] [-c FILE]\n"
    "\n"
    "Prints the metrics of each module windows as a job of Apache Flink: the table of events, a query for "
    "each\n"
    "metric, the table of documents. docs/windows.md tells what Flink does otherwise, docs/scaling.md when "
    "it\n"
    "is needed.\n"
    "\n"
    "  --to FORMAT          flink-sql\n"
    "  --source SOURCE      where the job finds the stored lines: kafka (default), kinesis, files (a lake; "
    "a\n"
    "                       batch job that ends)\n"
    "  --set KEY=VALUE      what the tables need to know; may be repeated:\n"
    "     brokers, topic, group, idle            kafka: the events; idle: after so long a silent partition "
    "does\n"
    "                                            not hold up the others (30 s, never)\n"
    "     start                                  committed (default), earliest, latest\n"
    "     end                                    kafka: never (default), latest: ends where the topic ends "
    "now\n"
    "     properties.NAME                        kafka: a property of its client, for both ends\n"
    "     stream, region                         kinesis: the stream's ARN\n"
    "     path                                   files: the folder of the lake\n"
    "     sink                                   kafka (default), kinesis, files: where documents go\n"
    "     metrics_topic, metrics_brokers, metrics_stream, metrics_region, metrics_path\n"
    "     late                                   drop (default), wait: windows with `lateness` are written "
    "when\n"
    "                                            it is over\n"
    "     time                                   the field that says when an event happened, where it is "
    "not\n"
    "                                            event_timestamp, event_datetime or event_time\n"
    "  --module NAME        this module alone\n"
    "  -o, --output FILE    into a file\n"
    "  -c, --config FILE    the configuration (default: config/streamsteam.yaml, else the installed one)\n"
    "\n"
    "Exit code: 0 = printed, 1 = the configuration is wrong or asks for what Flink cannot do, 2 = wrong "
    "use.\n";

#define fail(code, ...) cli_fail(code, "windows", __VA_ARGS__)

typedef struct request {
    const char *source, *module, *output;
    cli_names sets;
    const config *config;
    buf text;
} request;

static int32_t keep(void *self, const char *bytes, size_t len)
{
    buf *text = self;
    buf_add(text, bytes, len);
    return text->failed ? -1 : 0;
}

/* One module behind the other: each is a job. */
static int export_one(request *r, const config_entry *e)
{
    static cli_names receivers, types, apps;
    ss_error err = error_init();
    cli_names_taken(&receivers, r->config, e);
    cli_names_of(&types, r->config, e, "types");
    cli_names_of(&apps, r->config, e, "apps");
    const windows_ask ask = {.module = e->name,
                             .source = r->source,
                             .sets = {r->sets.at, r->sets.count},
                             .receivers = {receivers.at, receivers.count},
                             .types = {types.at, types.count},
                             .apps = {apps.at, apps.count}};
    const windows_sink sink = {{sizeof sink, WINDOWS_SINK, &r->text, keep}, &ask};
    if (r->text.len)
        buf_adds(&r->text, "\n");
    if (config_run(r->config, e, CONFIG_HOWTO, &sink.sink, &err) == SS_OK)
        return CLI_OK;
    return fail(CLI_FAILED, "%s:%u: modules.%s: %s", e->file, e->line, e->name, err.text);
}

static int export_all(request *r)
{
    size_t count = 0;
    int code = CLI_OK;
    for (size_t i = 0; code == CLI_OK && i < config_entries(r->config); i++) {
        config_entry e = config_entry_at(r->config, i);
        if (e.kind != SS_MODULE || strcmp(e.plugin->name, "windows") != 0 ||
            (r->module && strcmp(r->module, e.name) != 0))
            continue;
        code = export_one(r, &e);
        count++;
    }
    if (code == CLI_OK && count == 0 && r->module)
        return fail(CLI_USAGE, "there is no module '%.64s' that uses windows", r->module);
    if (code == CLI_OK && count == 0)
        return fail(CLI_FAILED, "no module of the configuration uses windows: see docs/windows.md");
    return code;
}

static int put_out(const request *r)
{
    if (!r->output)
        return fwrite(r->text.ptr, 1, r->text.len, stdout) == r->text.len && fflush(stdout) == 0
                   ? CLI_OK
                   : fail(CLI_FAILED, "cannot print: %s", strerror(errno));
    return file_replace(r->output, r->text.ptr, r->text.len, 0600) == 0 /* properties may be secrets */
               ? CLI_OK
               : fail(CLI_FAILED, "cannot write %s: %s", r->output, strerror(errno));
}

static int export_to(request *r, const char *given)
{
    cli_files files;
    log_init("windows", SS_WARNING);
    int code = cli_load("windows", given, &files);
    buf_init(&r->text, BYTES_MAX);
    r->config = files.config;
    if (code == CLI_OK)
        code = export_all(r);
    if (code == CLI_OK)
        code = put_out(r);
    buf_fini(&r->text);
    cli_unload(&files);
    return code;
}

int verb_windows(int argc, char **argv)
{
    static request r; /* the same */
    bool bad = false;
    if (argc > 1 && strcmp(argv[1], "backfill") == 0)
        return windows_backfill(argc - 1, argv + 1);
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *to = cli_take_option(&argc, argv, NULL, "to", &bad);
    const char *given = cli_take_option(&argc, argv, "c", "config", &bad);
    r.source = cli_take_option(&argc, argv, NULL, "source", &bad);
    r.module = cli_take_option(&argc, argv, NULL, "module", &bad);
    r.output = cli_take_option(&argc, argv, "o", "output", &bad);
    for (const char *pair; (pair = cli_take_option(&argc, argv, NULL, "set", &bad)) != NULL;) {
        if (r.sets.count == SETS_MAX)
            return fail(CLI_USAGE, "--set may stand there %u times", SETS_MAX);
        cli_names_add(&r.sets, pair);
    }
    r.source = r.source ? r.source : "kafka";
    if (bad || argc != 2 || strcmp(argv[1], "export") != 0)
        return fail(CLI_USAGE, "it knows `export` and `backfill`; see streamsteam windows --help");
    if (!to || strcmp(to, "flink-sql") != 0)
        return fail(CLI_USAGE, "--to flink-sql is wanted");
    return export_to(&r, given);
}
