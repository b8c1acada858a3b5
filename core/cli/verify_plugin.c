/* streamsteam verify-plugin: does a plugin keep the contract? */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/config/config.h"
#include "core/observe/health.h"
#include "plugins/loader/loader.h"
#include "plugins/loader/remove_tree.h"
#include "plugins/sdk/verify/verify.h"

#define OUTPUT_BYTES_MAX (1024u * 1024)

static const char help[] =
    "usage: streamsteam verify-plugin FILE.so [--config example.yaml] [--json]\n"
    "\n"
    "Tries the plugin on a host of its own, without a server: descriptor, options, create and destroy, odd "
    "and\n"
    "hostile input, failing host calls, threads, a scripted remote end, secrets, calls that a plugin must "
    "not\n"
    "make. Each check runs in a process of its own, so that a crash is one failed check.\n"
    "\n"
    "  --config FILE   an example that names the plugin with the options it needs; where an option is the "
    "URL of\n"
    "                  an HTTP end, write ${env:STREAMSTEAM_REMOTE:-http://127.0.0.1:9000}: the checker puts "
    "its\n"
    "                  scripted end there; relative paths lie below an empty folder, not the example's "
    "data_dir\n"
    "  --json          one JSON object, for programs\n"
    "\n"
    "Exit code: 0 = it keeps the contract, 1 = it does not, 2 = wrong use.\n";

typedef struct results {
    bool json;
    size_t ok, failed, skipped;
    buf out;
} results;

static void put_json(buf *out, const char *name, const char *text)
{
    buf_addf(out, "\"%s\":\"", name);
    health_put_json(out, ss_cstr(text));
    buf_adds(out, "\"");
}

static void put_indented(buf *out, const char *text)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        buf_addf(out, "          %.*s\n", (int)strcspn(line, "\n"), line);
}

static void note(void *arg, const char *name, enum verify_outcome outcome, const char *text)
{
    static const char *const words[] = {"ok", "failed", "skipped"};
    results *r = arg;
    *(outcome == VERIFY_OK ? &r->ok : outcome == VERIFY_FAILED ? &r->failed : &r->skipped) += 1;
    if (!r->json) {
        buf_addf(&r->out, "%-8s  %s\n", words[outcome], name);
        put_indented(&r->out, outcome == VERIFY_OK ? "" : text);
        return;
    }
    buf_adds(&r->out, r->ok + r->failed + r->skipped > 1 ? ",\n {" : "\n {");
    put_json(&r->out, "check", name);
    buf_adds(&r->out, ",");
    put_json(&r->out, "result", words[outcome]);
    buf_adds(&r->out, ",");
    put_json(&r->out, "text", outcome == VERIFY_OK ? "" : text);
    buf_adds(&r->out, "}");
}

/* The example's instance of this very plugin. */
static bool find_entry(const config *c, const char *path, config_entry *out)
{
    char wanted[PATH_MAX], real[PATH_MAX];
    for (size_t i = 0; realpath(path, wanted) && i < config_entries(c); i++) {
        *out = config_entry_at(c, i);
        if (realpath(out->plugin_path, real) && strcmp(real, wanted) == 0)
            return true;
    }
    return false;
}

static int read_example(const char *file, const char *path, const char *data_dir, char **options,
                        char **secrets)
{
    char copy[PATH_MAX];
    buf errors;
    buf_init(&errors, CONFIG_ERRORS_MAX);
    (void)snprintf(copy, sizeof copy, "%s", path);
    (void)setenv("STREAMSTEAM_REMOTE", VERIFY_REMOTE, 1);
    config *c = config_load_untried(file, dirname(copy), data_dir, &errors);
    config_entry entry;
    int code = CLI_OK;
    if (!c)
        code = cli_fail(CLI_FAILED, "verify-plugin", "the example is not right:\n%s", buf_text(&errors));
    else if (!find_entry(c, path, &entry))
        code = cli_fail(CLI_FAILED, "verify-plugin", "%s does not use %s; write `use: %s`", file, path, path);
    else if (!config_entry_options(c, &entry, options, secrets))
        code = cli_fail(CLI_FAILED, "verify-plugin", "%s: a secret's file cannot be read", file);
    config_free(c);
    buf_fini(&errors);
    return code;
}

static void refused(results *r, const char *text)
{
    note(r, "the loader lets it in", VERIFY_FAILED, text);
}

static void print(results *r, const char *path)
{
    if (r->json)
        (void)printf("{\"plugin\":\"%s\",\"passed\":%zu,\"failed\":%zu,\"skipped\":%zu,\"checks\":[%s\n]}\n",
                     path, r->ok, r->failed, r->skipped, buf_text(&r->out));
    else
        (void)printf("%s%zu passed, %zu failed, %zu skipped\n", buf_text(&r->out), r->ok, r->failed,
                     r->skipped);
}

/* Where odd paths like ../../etc/passwd hurt nobody. */
static bool go_below(const char *data_dir)
{
    char deep[PATH_MAX];
    return (size_t)snprintf(deep, sizeof deep, "%s/very/deep/down", data_dir) < sizeof deep &&
           file_make_dirs(deep, 0700) == 0 && chdir(deep) == 0;
}

static int verify(const char *path, const char *example, const char *data_dir, bool json)
{
    results r = {.json = json};
    ss_error err = error_init();
    char *options = NULL, *secrets = NULL;
    int code = CLI_OK;
    buf_init(&r.out, OUTPUT_BYTES_MAX);
    const ss_plugin *p = loader_open(path, 0, &err);
    if (!p)
        refused(&r, err.text);
    else if (example)
        code = read_example(example, path, data_dir, &options, &secrets);
    if (code == CLI_OK && !go_below(data_dir))
        code = cli_fail(CLI_FAILED, "verify-plugin", "%s: %s", data_dir, strerror(errno));
    if (p && code == CLI_OK) {
        note(&r, "the loader lets it in", VERIFY_OK, "");
        verify_subject subject = {p, path, options ? options : "{}", secrets ? secrets : ""};
        (void)verify_run(&subject, note, &r);
    }
    if (code == CLI_OK) {
        print(&r, path);
        code = r.failed ? CLI_FAILED : CLI_OK;
    }
    free(options);
    free(secrets);
    buf_fini(&r.out);
    return code;
}

int verb_verify_plugin(int argc, char **argv)
{
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *example = cli_take_option(&argc, argv, "c", "config", &bad);
    bool json = cli_take_flag(&argc, argv, "json");
    if (bad || argc != 2)
        return cli_fail(CLI_USAGE, argv[0], "%s; see streamsteam verify-plugin --help",
                        bad ? "--config wants a file" : "name the .so of one plugin");
    log_init("verify-plugin", SS_WARNING);
    char path[PATH_MAX]; /* dlopen() looks for a bare name elsewhere */
    if (!realpath(argv[1], path))
        return cli_fail(CLI_FAILED, argv[0], "%s: no such file", argv[1]);
    char data_dir[] =
        "/tmp/streamsteam-verify-XXXXXX"; /* the example's own may be a server's, or hold a person's data */
    if (!mkdtemp(data_dir))
        return cli_fail(CLI_FAILED, argv[0], "%s: %s", data_dir, strerror(errno));
    int code = verify(path, example, data_dir, json);
    remove_tree(data_dir);
    return code;
}
