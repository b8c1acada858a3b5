/* `streamsteam`: the verbs, and the children that the supervisor starts from the same binary. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/config/suggest.h"
#include "core/pull/puller.h"
#include "core/server/ingest.h"
#include "core/server/module.h"
#include "core/server/setup.h"

typedef struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *doc;
} verb;

static const verb verbs[] = {
    {"serve", verb_serve, "run the server"},
    {"init", verb_init, "a configuration to start with: the default one, or made from another system's file"},
    {"check", verb_check, "is the configuration right? Says everything that is wrong, with line and column"},
    {"explain", verb_explain, "every option of a plugin or of the server section, with defaults"},
    {"plugins", verb_plugins, "the plugins that can be found, with kind and version"},
    {"verify-plugin", verb_verify_plugin, "does a plugin keep the contract? Tries it without a server"},
    {"module", verb_module, "list, enable, disable, howto, setup, teardown, forget: the outputs, one by one"},
    {"receiver", verb_receiver, "list: what takes events in"},
    {"enricher", verb_enricher, "list: what edits events on their way"},
    {"catalog", verb_catalog,
     "the fields of a receiver's events: the manual, or DDL and mappings for others"},
    {"status", verb_status, "what the running server does: listeners, journal, processes, modules"},
    {"reload", verb_reload, "let the running server take over the changed configuration"},
    {"send", verb_send, "send a sample event to the running server"},
    {"tail", verb_tail, "the newest events, or why inputs were rejected; --follow goes on"},
    {"journal", verb_journal, "stat, verify, dump, replay: look into the journal, live or dead"},
    {"quarantine", verb_quarantine, "records that a module could not deliver: list, retry, drop"},
    {"iam", verb_iam, "access keys for signed requests: create, list, disable, enable, delete"},
    {"app", verb_app, "create, list, show, set, delete: the applications that events belong to"},
    {"key", verb_key, "create, list, show, enable, disable, set, delete: what their events are sent with"},
    {"new", verb_new, "a folder to write a plugin in: source, test, Makefile, example, CI"},
    {"schema-check", verb_schema_check,
     "does this JSON fit that JSON Schema? As the receiver events decides"},
    {"query", verb_query, "ask the warehouse with SQL, or a saved query, while the server writes it"},
    {"spark", verb_spark, "list, show, run, rerun, drop: batches of the lake's files and their Spark jobs"},
    {"compact", verb_compact, "make few large files out of the small ones of a lake's closed partitions"},
    {"windows", verb_windows, "export: metrics as a job of Apache Flink; backfill: windows computed anew"},
    {"ledger", verb_ledger, "accepted = delivered + quarantined + waiting + expired, for each module"},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

#define CHILD_PREFIX "streamsteam: "

static void print_help(FILE *to)
{
    (void)fputs("usage: streamsteam VERB [OPTIONS]\n\n", to);
    for (size_t i = 0; i < VERB_COUNT; i++)
        (void)fprintf(to, "  %-13s %s\n", verbs[i].name, verbs[i].doc);
    (void)fputs("\n  --help, --version\n\n`streamsteam VERB --help` tells the options of a verb.\n", to);
}

/* Asked through the dynamic linker: the headers of these libraries belong to other folders. */
static int print_version(void)
{
    static const struct {
        const char *name, *function;
    } libraries[] = {
        {"libmicrohttpd", "MHD_get_version"},
        {"SQLite", "sqlite3_libversion"},
        {"jansson", "jansson_version_str"},
        {"libyaml", "yaml_get_version_string"},
        {"zlib", "zlibVersion"},
    };
    (void)printf("streamsteam %s, plugin contract %u.%u\n", SS_VERSION, SS_ABI_MAJOR, SS_ABI_MINOR);
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        void *symbol = dlsym(RTLD_DEFAULT, libraries[i].function);
        const char *(*version)(void);
        memcpy(&version, &symbol, sizeof version);
        if (symbol)
            (void)printf("  %-14s %s\n", libraries[i].name, version());
    }
    return CLI_OK;
}

static int unknown(const char *name)
{
    suggest near;
    char text[128];
    suggest_init(&near, ss_cstr(name));
    for (size_t i = 0; i < VERB_COUNT; i++)
        suggest_offer(&near, ss_cstr(verbs[i].name));
    if (near.best.len > 0)
        return cli_fail(CLI_USAGE, name, "no such verb%s `streamsteam --help` lists them",
                        suggest_text(&near, text, sizeof text));
    (void)cli_fail(CLI_USAGE, name, "no such verb; these are known:\n");
    print_help(stderr);
    return CLI_USAGE;
}

static int run_child(const char *name)
{
    (void)prctl(PR_SET_NAME, name); /* the kernel took it from the descriptor's number */
    if (strcmp(name, "ingest") == 0)
        return ingest_main();
    if (strncmp(name, "module ", 7) == 0)
        return module_main();
    if (strncmp(name, SETUP_TITLE, sizeof SETUP_TITLE - 1) == 0)
        return setup_main();
    if (strncmp(name, "receiver ", 9) == 0)
        return puller_main();
    return cli_fail(CLI_USAGE, name, "no such process; start the server with `streamsteam serve`");
}

int main(int argc, char **argv)
{
    if (argc < 1 || !argv[0])
        return CLI_USAGE;
    if (strncmp(argv[0], CHILD_PREFIX, sizeof CHILD_PREFIX - 1) == 0)
        return run_child(argv[0] + sizeof CHILD_PREFIX - 1);
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0)
        return print_version();
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(name, verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    }
    return unknown(name);
}
