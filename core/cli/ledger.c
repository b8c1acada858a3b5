/* streamsteam ledger: what was accepted, against what became of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/delivery/ledger.h"
#include "plugins/common/json.h"

static const char help[] = "usage: streamsteam ledger [--verify] [--json] [-c FILE | -d DIR]\n"
                           "\n"
                           "For every module, receiver and application: how many records were delivered, "
                           "rejected (quarantine), expired,\n"
                           "filtered, damaged, up to the module's cursor.\n"
                           "\n"
                           "  --verify            compare with what the journal accepted: exit code 1 where "
                           "the books do not balance\n"
                           "  --json              one JSON object per module, for programs\n"
                           "  -c, --config FILE   find the data directory through this configuration\n"
                           "  -d, --data-dir DIR  the data directory\n"
                           "\n"
                           "Works while the server runs and when it does not.\n"
                           "Exit code: 0 = done (and balanced), 1 = not balanced or failed, 2 = wrong use.\n";

static const char *const names[OUTCOME_COUNT] = {"delivered", "rejected", "expired", "filtered", "damaged"};

typedef struct printing {
    bool json, verify, wrong;
    int modules;
} printing;

static void print_name(ss_str receiver, ss_str app)
{
    char text[80];
    int n = receiver.len == 0 && app.len == 0
                ? snprintf(text, sizeof text, "(unknown)")
                : snprintf(text, sizeof text, "%.*s/%.*s", (int)(receiver.len < 32 ? receiver.len : 32),
                           receiver.ptr, (int)(app.len < 32 ? app.len : 32), app.ptr);
    for (int i = 0; i < n && i < (int)sizeof text - 1; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    (void)printf("  %-30s", text);
}

static void print_text_module(const printing *p, const ledger_module *m)
{
    (void)printf("module %s: records %" PRIu64 " to %" PRIu64 "%s%s%s\n", m->name, m->start_seq + 1,
                 m->cursor, m->balances ? (p->verify ? ": balances" : "") : ": DOES NOT BALANCE: ",
                 m->balances ? "" : m->why, "");
    (void)printf("  %-30s", "RECEIVER/APPLICATION");
    if (p->verify)
        (void)printf(" %12s", "ACCEPTED");
    for (int k = 0; k < OUTCOME_COUNT; k++)
        (void)printf(" %12s", names[k]);
    (void)putchar('\n');
    for (size_t i = 0; i < m->row_count; i++) {
        const ledger_row *row = &m->rows[i];
        print_name(row->receiver, row->app);
        if (p->verify)
            (void)printf(" %12" PRId64, row->accepted);
        for (int k = 0; k < OUTCOME_COUNT; k++)
            (void)printf(" %12" PRId64, row->counts[k]);
        (void)putchar('\n');
    }
}

static void print_string(const char *name, ss_str value)
{
    char *text = malloc(json_escape_bound(value.len));
    if (!text)
        return;
    size_t len = json_put_string(text, value);
    (void)printf("\"%s\":%.*s", name, (int)len, text);
    free(text);
}

static void print_counts(const int64_t counts[OUTCOME_COUNT])
{
    for (int k = 0; k < OUTCOME_COUNT; k++)
        (void)printf(",\"%s\":%" PRId64, names[k], counts[k]);
}

static void print_json_module(const printing *p, const ledger_module *m)
{
    (void)putchar('{');
    print_string("module", ss_cstr(m->name));
    (void)printf(",\"start_seq\":%" PRIu64 ",\"cursor\":%" PRIu64 ",\"accepted\":%" PRIu64, m->start_seq,
                 m->cursor, m->cursor - m->start_seq);
    print_counts(m->counts);
    (void)printf(",\"verified\":%s,\"balances\":%s,", p->verify ? "true" : "false",
                 m->balances ? "true" : "false");
    print_string("why", ss_cstr(m->why));
    (void)fputs(",\"rows\":[", stdout);
    for (size_t i = 0; i < m->row_count; i++) {
        (void)fputs(i ? ",{" : "{", stdout);
        print_string("receiver", m->rows[i].receiver);
        (void)putchar(',');
        print_string("app", m->rows[i].app);
        if (p->verify)
            (void)printf(",\"accepted\":%" PRId64, m->rows[i].accepted);
        print_counts(m->rows[i].counts);
        (void)putchar('}');
    }
    (void)fputs("]}\n", stdout);
}

static void print_module(void *arg, const ledger_module *m)
{
    printing *p = arg;
    p->modules++;
    p->wrong |= !m->balances;
    if (p->json)
        print_json_module(p, m);
    else
        print_text_module(p, m);
}

int verb_ledger(int argc, char **argv)
{
    char dir[PATH_MAX];
    if (cli_help(argc, argv, help))
        return CLI_OK;
    int code = cli_data_dir(&argc, argv, dir);
    if (code != CLI_OK)
        return code;
    printing p = {.json = cli_take_flag(&argc, argv, "json"), .verify = cli_take_flag(&argc, argv, "verify")};
    if (argc > 1)
        return cli_fail(CLI_USAGE, argv[0], "it does not know \"%s\"; see streamsteam ledger --help",
                        argv[1]);
    ss_error err = error_init();
    if (ledger_modules(dir, p.verify, print_module, &p, &err) != 0)
        return cli_fail(CLI_FAILED, argv[0], "%s", err.text);
    if (p.modules == 0 && !p.json)
        (void)printf("%s: no module ran here yet\n", dir);
    return p.wrong ? CLI_FAILED : CLI_OK;
}
