/* streamsteam quarantine: the records that a module refused, on a live or a dead data directory. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/delivery/state.h"
#include "core/server/control.h"
#include "plugins/common/json.h"

#define LIST_REASON_MAX 60

static const char help[] = "usage: streamsteam quarantine list [MODULE]\n"
                           "       streamsteam quarantine show MODULE SEQ\n"
                           "       streamsteam quarantine retry MODULE SEQ|--all\n"
                           "       streamsteam quarantine drop MODULE SEQ|--all\n"
                           "\n"
                           "Records that a module refused for good, or that crashed it, are kept here with "
                           "the reason. The rest goes on.\n"
                           "\n"
                           "  list     one line per record\n"
                           "  show     everything about one record, as JSON\n"
                           "  retry    deliver again: at once where the server runs, else at its next start\n"
                           "  drop     delete; the ledger goes on to count them as rejected\n"
                           "\n"
                           "  -c, --config FILE   find the data directory through this configuration\n"
                           "  -d, --data-dir DIR  the data directory\n"
                           "\n"
                           "Exit code: 0 = done, 1 = failed or no such record, 2 = wrong use.\n";

typedef struct request {
    const char *verb, *data_dir, *module;
    uint64_t seq; /* 0 = all */
    bool found;
} request;

static state *open_state(const request *r, const char *module, ss_error *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/modules/%s/" STATE_FILE, r->data_dir, module);
    if (n < 0 || (size_t)n >= sizeof path || strchr(module, '/') || module[0] == '.') {
        (void)ss_fail(err, SS_FATAL, "\"%s\" is not the name of a module", module);
        return NULL;
    }
    return state_open_existing(path, err);
}

/* ---- list and show
 * ------------------------------------------------------------------------------------------- */

static void print_time(int64_t us)
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm = {0};
    char text[32];
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    (void)fputs(text, stdout);
}

/* A stored text comes from outside: no control characters on somebody's terminal. */
static void print_text(ss_str s, size_t most)
{
    for (size_t i = 0; i < s.len && i < most; i++)
        (void)putchar((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f ? '?' : s.ptr[i]);
}

static bool list_row(void *arg, const state_row *row)
{
    request *r = arg;
    r->found = true;
    (void)printf("%-16s %12" PRIu64 "  ", r->module, row->record.seq);
    print_time(row->quarantined_us);
    (void)printf("  %s%" PRIu32 "x  ", row->retry ? "retry " : "", row->attempts);
    print_text(row->record.receiver, 32);
    (void)putchar('/');
    print_text(row->record.app, 32);
    (void)fputs("  ", stdout);
    print_text(row->reason, LIST_REASON_MAX);
    (void)putchar('\n');
    return true;
}

static void print_member(const char *name, ss_str value)
{
    char *text = malloc(json_escape_bound(value.len));
    if (!text)
        return;
    size_t len = json_put_string(text, value);
    (void)printf(",\"%s\":%.*s", name, (int)len, text);
    free(text);
}

static bool show_row(void *arg, const state_row *row)
{
    request *r = arg;
    if (row->record.seq != r->seq)
        return row->record.seq < r->seq;
    const ss_record *record = &row->record;
    r->found = true;
    (void)printf("{\"seq\":%" PRIu64 ",\"quarantined_us\":%" PRId64 ",\"receive_us\":%" PRId64
                 ",\"event_us\":%" PRId64 ",\"attempts\":%" PRIu32 ",\"code\":%" PRIu32 ",\"retry\":%s",
                 record->seq, row->quarantined_us, record->receive_us, record->event_us, row->attempts,
                 row->code, row->retry ? "true" : "false");
    print_member("reason", row->reason);
    print_member("receiver", record->receiver);
    print_member("app", record->app);
    print_member("type", record->type);
    print_member("id", record->id);
    print_member("key", record->key);
    if (json_valid(record->json))
        (void)printf(",\"event\":%.*s}\n", (int)record->json.len, record->json.ptr);
    else {
        print_member("line", record->json);
        (void)fputs("}\n", stdout);
    }
    return false;
}

/* Its directory is there and its state is not: it has not started yet, and holds nothing. */
static bool not_started(const request *r, const char *module)
{
    char dir[PATH_MAX], file[PATH_MAX];
    (void)snprintf(dir, sizeof dir, "%.3600s/modules/%.256s", r->data_dir, module);
    (void)snprintf(file, sizeof file, "%.3900s/" STATE_FILE, dir);
    return *module && !strchr(module, '/') && module[0] != '.' && access(dir, F_OK) == 0 &&
           access(file, F_OK) != 0;
}

static int list_module(request *r, const char *module)
{
    if (not_started(r, module))
        return CLI_OK;
    ss_error err = error_init();
    state *s = open_state(r, module, &err);
    if (!s)
        return cli_fail(CLI_FAILED, "quarantine", "%s", err.text);
    r->module = module;
    int rc = state_rows(s, 0, false, list_row, r, &err);
    state_close(s);
    return rc == 0 ? CLI_OK : cli_fail(CLI_FAILED, "quarantine", "%s", err.text);
}

static int list_all(request *r)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%.4000s/modules", r->data_dir);
    struct dirent **names = NULL;
    int count = scandir(path, &names, NULL, alphasort), code = CLI_OK;
    for (int i = 0; i < count; i++) {
        char file[PATH_MAX];
        int n = snprintf(file, sizeof file, "%.3600s/%.256s/" STATE_FILE, path, names[i]->d_name);
        if (code == CLI_OK && names[i]->d_name[0] != '.' && n > 0 && access(file, F_OK) == 0)
            code = list_module(r, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return code;
}

static int show(request *r)
{
    ss_error err = error_init();
    state *s = open_state(r, r->module, &err);
    if (!s)
        return cli_fail(CLI_FAILED, "quarantine", "%s", err.text);
    int rc = state_rows(s, r->seq - 1, false, show_row, r, &err);
    state_close(s);
    if (rc != 0)
        return cli_fail(CLI_FAILED, "quarantine", "%s", err.text);
    return r->found ? CLI_OK
                    : cli_fail(CLI_FAILED, "quarantine",
                               "module %s has no record %" PRIu64
                               " in quarantine; `streamsteam quarantine list %s`",
                               r->module, r->seq, r->module);
}

/* ---- retry and drop
 * ------------------------------------------------------------------------------------------ */

static void tell_server(const request *r)
{
    char text[CONTROL_REQUEST_MAX];
    buf answer;
    ss_error err = error_init();
    buf_init(&answer, CONTROL_ANSWER_MAX + 1);
    (void)snprintf(text, sizeof text, "module %.64s quarantine", r->module);
    int rc = control_ask(r->data_dir, text, &answer, NULL, &err);
    if (rc == 0)
        (void)puts("the server was told and delivers them now");
    else if (rc < 0)
        (void)puts("no server runs here: they are delivered when it starts");
    else
        (void)printf("the server did not take it: %s\n", buf_text(&answer));
    buf_fini(&answer);
}

static int change(request *r, bool retry)
{
    ss_error err = error_init();
    state *s = open_state(r, r->module, &err);
    if (!s)
        return cli_fail(CLI_FAILED, "quarantine", "%s", err.text);
    int64_t n = retry ? state_mark(s, r->seq, true, &err) : state_drop(s, r->seq, &err);
    state_close(s);
    if (n < 0)
        return cli_fail(CLI_FAILED, "quarantine", "%s", err.text);
    if (n == 0 && r->seq)
        return cli_fail(CLI_FAILED, "quarantine",
                        "module %s has no such record (or its cursor has not passed it yet): %" PRIu64,
                        r->module, r->seq);
    (void)printf("%" PRId64 " record%s %s\n", n, n == 1 ? "" : "s",
                 retry ? "marked for another delivery" : "dropped");
    if (retry && n > 0)
        tell_server(r);
    return CLI_OK;
}

static int with_record(request *r, int argc, char **argv, bool all)
{
    if (argc != (all ? 3 : 4))
        return cli_fail(CLI_USAGE, "quarantine", "%s takes MODULE and SEQ%s", r->verb,
                        strcmp(r->verb, "show") == 0 ? "" : ", or --all");
    char *end = NULL;
    r->module = argv[2];
    r->seq = all ? 0 : strtoull(argv[3], &end, 10);
    if (!all && (*end || r->seq == 0))
        return cli_fail(CLI_USAGE, "quarantine", "\"%s\" is not the number of a record", argv[3]);
    if (strcmp(r->verb, "show") == 0)
        return all ? cli_fail(CLI_USAGE, "quarantine", "show takes one record") : show(r);
    return change(r, strcmp(r->verb, "retry") == 0);
}

int verb_quarantine(int argc, char **argv)
{
    char dir[PATH_MAX];
    if (cli_help(argc, argv, help))
        return CLI_OK;
    int code = cli_data_dir(&argc, argv, dir);
    if (code != CLI_OK)
        return code;
    bool all = cli_take_flag(&argc, argv, "all");
    request r = {.verb = argc > 1 ? argv[1] : "", .data_dir = dir};
    if (strcmp(r.verb, "list") == 0 && argc <= 3 && !all)
        return argc == 3 ? list_module(&r, argv[2]) : list_all(&r);
    if (strcmp(r.verb, "show") == 0 || strcmp(r.verb, "retry") == 0 || strcmp(r.verb, "drop") == 0)
        return with_record(&r, argc, argv, all);
    return cli_fail(CLI_USAGE, argv[0], "say list, show, retry or drop; see streamsteam quarantine --help");
}
