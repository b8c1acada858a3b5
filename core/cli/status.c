/* streamsteam status: what the running server does. */
#include <inttypes.h>
#include <stdio.h>

#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/config/node.h"
#include "core/server/control.h"

static const char help[] =
    "usage: streamsteam status [--json] [-c FILE | -d DIR]\n"
    "\n"
    "Listeners with the addresses they got, the journal, the processes, and how far each module is.\n"
    "\n"
    "  --json              as one JSON object, for programs\n"
    "  -c, --config FILE   find the server by the data directory in this configuration\n"
    "  -d, --data-dir DIR  find it by its data directory\n"
    "\n"
    "Exit code: 0 = a server runs, 1 = none, 2 = wrong use.\n";

static const char *text_of(const ss_config *n, const char *path)
{
    return node_str(n, path).ptr;
}

static void print_size(char out[32], int64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    (void)snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void print_processes(const ss_config *status)
{
    const ss_config *list = node_get(status, "processes");
    (void)printf("\n%-24s %8s %-9s %8s  %s\n", "PROCESS", "PID", "READY", "RESTARTS", "STATE");
    for (size_t i = 0; i < node_len(list); i++) {
        const ss_config *p = node_at(list, i);
        int64_t pid = node_int(p, "pid");
        const char *ready = pid == 0 ? "not there" : node_int(p, "ready") ? "yes" : "not yet";
        (void)printf("%-24s %8" PRId64 " %-9s %8" PRId64 "  %s\n", text_of(p, "name"), pid, ready,
                     node_int(p, "restarts"), text_of(p, "state"));
    }
}

static void print_modules(const ss_config *status)
{
    const ss_config *list = node_get(status, "modules");
    if (node_len(list) == 0)
        return;
    (void)printf("\n%-24s %12s %12s %12s  %s\n", "MODULE", "DELIVERED TO", "WAITING", "EXPIRED", "");
    for (size_t i = 0; i < node_len(list); i++) {
        const ss_config *m = node_at(list, i);
        (void)printf("%-24s %12" PRId64 " %12" PRId64 " %12" PRId64 "  %s\n", text_of(m, "name"),
                     node_int(m, "cursor"), node_int(m, "lag"), node_int(m, "expired"),
                     node_int(m, "paused") ? "PAUSED" : "");
    }
}

static void print_status(const ss_config *status)
{
    char bytes[32];
    print_size(bytes, node_int(status, "journal.bytes"));
    (void)printf("streamsteam %s, process %" PRId64 ", up %" PRId64 " s: %s\n", text_of(status, "version"),
                 node_int(status, "pid"), node_int(status, "uptime_ms") / 1000, text_of(status, "health"));
    (void)printf("configuration %s\ndata          %s\n", text_of(status, "config"),
                 text_of(status, "data_dir"));
    const ss_config *listeners = node_get(status, "listeners");
    for (size_t i = 0; i < node_len(listeners); i++)
        (void)printf("%-13s http://%s\n", text_of(node_at(listeners, i), "name"),
                     text_of(node_at(listeners, i), "address"));
    (void)printf("journal       %s: %s, records %" PRId64 " to %" PRId64 ", %s\n",
                 text_of(status, "journal.id"), text_of(status, "journal.state"),
                 node_int(status, "journal.first_seq"), node_int(status, "journal.durable_seq"), bytes);
    const ss_config *parked = node_get(status, "parked");
    for (size_t i = 0; i < node_len(parked); i++)
        (void)printf("parked        %s: it crashed too often and rests for 5 minutes\n",
                     text_of(node_at(parked, i), ""));
    print_processes(status);
    print_modules(status);
}

static int show(const char *verb, buf *answer, bool json)
{
    if (json) {
        (void)fputs(buf_text(answer), stdout);
        return CLI_OK;
    }
    ss_error err = error_init();
    ss_config *status = node_parse(answer->ptr, answer->len, &err);
    if (!status)
        return cli_fail(CLI_FAILED, verb, "the answer cannot be read (%s); is the server of another version?",
                        err.text);
    print_status(status);
    node_free(status);
    return CLI_OK;
}

int verb_status(int argc, char **argv)
{
    char dir[PATH_MAX];
    if (cli_help(argc, argv, help))
        return CLI_OK;
    bool json = cli_take_flag(&argc, argv, "json");
    int code = cli_data_dir(&argc, argv, dir);
    if (code != CLI_OK)
        return code;
    if (argc > 1)
        return cli_fail(CLI_USAGE, argv[0], "it does not know \"%s\"; see streamsteam status --help",
                        argv[1]);
    buf answer;
    ss_error err = error_init();
    buf_init(&answer, CONTROL_ANSWER_MAX + 1);
    int rc = control_ask(dir, "status", &answer, NULL, &err);
    if (rc == 0)
        code = show(argv[0], &answer, json);
    else
        code = cli_fail(CLI_FAILED, argv[0], "%s", rc < 0 ? err.text : buf_text(&answer));
    buf_fini(&answer);
    return code;
}
