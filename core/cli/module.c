/* streamsteam module: outputs are switched on and off one by one, with a file of their own in conf.d. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/cli/common.h"
#include "core/cli/files.h"
#include "core/cli/instances.h"
#include "core/cli/verbs.h"
#include "core/config/explain.h"
#include "core/config/tables.h"
#include "core/server/control.h"
#include "plugins/loader/loader.h"
#include "plugins/loader/remove_tree.h"

#define SETS_MAX 64u

static const char help[] =
    "usage: streamsteam module VERB [NAME] [OPTIONS]\n"
    "\n"
    "  list             the modules that are on, and the plugins that could be; --json\n"
    "  enable NAME      write conf.d/NAME.yaml with every option as a comment, check it, run the module's\n"
    "                   setup, let the running server take it over, and say how it is used\n"
    "  disable NAME     run its teardown and put conf.d/NAME.yaml aside as NAME.yaml.off; data stays\n"
    "  setup NAME       make what it needs outside (tables, streams); may be run again\n"
    "  teardown NAME    take away what setup made; never data\n"
    "  howto NAME       how what it writes is used\n"
    "  forget NAME      a module that is off: give up what it has not delivered, and its position\n"
    "\n"
    "  --use PLUGIN         enable: the plugin, where NAME is not its name\n"
    "  --set OPTION=VALUE   enable: an option, as it would stand in the YAML; may be repeated\n"
    "  --yes                enable, disable, forget: do not ask\n"
    "  --force              disable: also where the teardown fails\n"
    "  -c, --config FILE    the configuration (default: config/streamsteam.yaml, else the installed one)\n"
    "\n"
    "Exit code: 0 = done, 1 = failed, 2 = wrong use, or it is on (off) already.\n";

typedef struct request {
    const char *verb, *name, *use;
    bool yes, force;
    const char *sets[SETS_MAX];
    config_set set;
    cli_files files;
    config_entry entry; /* valid where on */
    bool on;
    char fragment[PATH_MAX], aside[PATH_MAX]; /* conf.d/NAME.yaml and what it is called when off */
} request;

#define fail(code, ...) cli_fail(code, "module", __VA_ARGS__)

/* ---- asking a person ---- */

static bool agreed(const request *r, const char *question)
{
    char line[16] = "";
    if (r->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        (void)fail(CLI_USAGE, "%s: nobody is there to ask (%s); say --yes", r->name, question);
        return false;
    }
    (void)printf("%s [y/N] ", question);
    (void)fflush(stdout);
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

/* ---- the running server ---- */

/* 0: it took the configuration over, or none runs. */
static int reload(const request *r)
{
    buf answer;
    ss_error err = error_init();
    buf_init(&answer, CONTROL_ANSWER_MAX + 1);
    int rc = control_ask(r->files.place.data_dir, "reload", &answer, NULL, &err);
    if (rc == 0)
        (void)printf("the server took it over\n");
    else if (rc < 0)
        (void)printf("no server runs on %s: it counts from the next start\n", r->files.place.data_dir);
    else
        (void)fail(CLI_FAILED, "the server did not take it over:\n%s", buf_text(&answer));
    buf_fini(&answer);
    return rc > 0 ? CLI_FAILED : CLI_OK;
}

/* ---- what the plugin does itself ---- */

static int32_t sink_write(void *self, const char *bytes, size_t len)
{
    (void)self;
    return fwrite(bytes, 1, len, stdout) == len ? 0 : -1;
}

static int run(const request *r, enum config_verb verb, const char *name, bool optional)
{
    const ss_sink out = {.struct_size = sizeof out, .write = sink_write};
    ss_error err = error_init();
    int32_t status = config_run(r->files.config, &r->entry, verb, &out, &err);
    (void)fflush(stdout);
    if (status == SS_OK || (status == SS_DECLINE && optional))
        return CLI_OK;
    if (status == SS_DECLINE)
        return fail(CLI_FAILED, "%s: the plugin %s has no %s; `streamsteam explain %s` tells its options",
                    r->name, r->entry.plugin->name, name, r->entry.plugin->name);
    return fail(CLI_FAILED, "%s: %s failed: %s", r->name, name,
                err.text[0] ? err.text : "the plugin gave no reason");
}

/* ---- files ---- */

static int paths_make(request *r)
{
    const char *slash = strrchr(r->files.path, '/');
    int dir = slash ? (int)(slash - r->files.path) + 1 : 0;
    int n = snprintf(r->fragment, sizeof r->fragment, "%.*sconf.d/%s.yaml", dir, r->files.path, r->name);
    int m = snprintf(r->aside, sizeof r->aside, "%s.off", r->fragment);
    return n > 0 && m > 0 && (size_t)m < sizeof r->aside ? CLI_OK : fail(CLI_USAGE, "the name is too long");
}

static int write_fragment(const request *r, const ss_plugin *p)
{
    char dir[PATH_MAX];
    (void)snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(r->fragment, '/') - r->fragment), r->fragment);
    buf text;
    buf_init(&text, EXPLAIN_FRAGMENT_MAX);
    explain_fragment(p, r->name, r->use, &r->set, &text);
    bool good = !text.failed && file_make_dirs(dir, 0755) == 0 &&
                file_replace(r->fragment, text.ptr, text.len, 0600) == 0; /* it may hold secrets */
    buf_fini(&text);
    return good ? CLI_OK : fail(CLI_FAILED, "cannot write %s: %s", r->fragment, strerror(errno));
}

static int put_aside(const request *r)
{
    return rename(r->fragment, r->aside) == 0
               ? CLI_OK
               : fail(CLI_FAILED, "cannot rename %s: %s", r->fragment, strerror(errno));
}

static const ss_plugin *open_plugin(const request *r)
{
    ss_error err = error_init();
    char path[PATH_MAX];
    const ss_plugin *p = NULL;
    if (loader_find((const char *const *)r->files.place.dirs, r->files.place.dir_count, SS_MODULE, r->use,
                    path, &err))
        p = loader_open(path, SS_MODULE, &err);
    if (!p)
        (void)fail(CLI_FAILED, "%s; `streamsteam module list` shows what there is", err.text);
    return p;
}

/* ---- enable ---- */

static int check_again(request *r)
{
    const char *path = r->files.path;
    cli_unload(&r->files);
    int code = cli_load("module", path, &r->files);
    if (code == CLI_OK && !config_entry_find(r->files.config, SS_MODULE, r->name, &r->entry))
        code = fail(CLI_FAILED, "%s does not say modules: %s:", r->fragment, r->name);
    return code;
}

static int bring_back_or_write(request *r)
{
    if (access(r->fragment, F_OK) == 0)
        return fail(CLI_FAILED, "%s exists but does not switch %s on; look at it, or remove it", r->fragment,
                    r->name);
    if (access(r->aside, F_OK) == 0) {
        if (r->set.count > 0)
            return fail(CLI_USAGE,
                        "%s keeps the former options: change them there, or remove it to use --set",
                        r->aside);
        (void)printf("taking %s\n", r->aside);
        return rename(r->aside, r->fragment) == 0
                   ? CLI_OK
                   : fail(CLI_FAILED, "cannot rename %s: %s", r->aside, strerror(errno));
    }
    const ss_plugin *p = open_plugin(r);
    return p ? write_fragment(r, p) : CLI_FAILED;
}

static int warn(const request *r)
{
    const ss_plugin *p = open_plugin(r);
    if (!p)
        return CLI_FAILED;
    if (!SS_HAS(ss_plugin, p, warning) || !p->warning)
        return CLI_OK;
    (void)printf("%s\n", p->warning);
    return agreed(r, "Switch it on?") ? CLI_OK : CLI_USAGE;
}

static int enable(request *r)
{
    if (r->on)
        return fail(CLI_USAGE, "%s is on already (%s:%u)", r->name, r->entry.file, r->entry.line);
    int code = access(r->aside, F_OK) == 0 && strcmp(r->use, r->name) == 0 ? CLI_OK : warn(r);
    if (code == CLI_OK)
        code = bring_back_or_write(r);
    if (code != CLI_OK)
        return code;
    code = check_again(r);
    if (code == CLI_OK)
        code = run(r, CONFIG_SETUP, "setup", true);
    if (code == CLI_OK)
        code = reload(r);
    if (code != CLI_OK) {
        (void)put_aside(r);
        return fail(code, "%s stays off; mend %s and enable it again", r->name, r->aside);
    }
    (void)printf("module %s is on: %s\n", r->name, r->fragment);
    return run(r, CONFIG_HOWTO, "howto", true);
}

/* ---- disable ---- */

static bool same_file(const char *a, const char *b)
{
    char x[PATH_MAX], y[PATH_MAX];
    return realpath(a, x) && realpath(b, y) && strcmp(x, y) == 0;
}

/* The file switches this module on, and nothing else. */
static bool has_own_file(const request *r)
{
    size_t others = 0;
    for (size_t i = 0; i < config_entries(r->files.config); i++)
        others += same_file(config_entry_at(r->files.config, i).file, r->fragment);
    return others == 1 && same_file(r->entry.file, r->fragment);
}

static int disable(request *r)
{
    if (!r->on)
        return fail(CLI_USAGE, "%s is off already", r->name);
    if (!has_own_file(r))
        return fail(CLI_FAILED,
                    "%s stands in %s:%u, among others: run `streamsteam module teardown %s`, take it "
                    "out there, and run `streamsteam reload`",
                    r->name, r->entry.file, r->entry.line, r->name);
    if (!agreed(r, "Switch it off?"))
        return CLI_USAGE;
    int code = run(r, CONFIG_TEARDOWN, "teardown", true);
    if (code != CLI_OK && !r->force)
        return fail(code, "%s stays on; --force switches it off all the same", r->name);
    code = put_aside(r);
    if (code == CLI_OK)
        code = reload(r);
    if (code == CLI_OK)
        (void)printf(
            "module %s is off; its options are kept in %s, its place in the journal until `streamsteam "
            "module forget %s`\n",
            r->name, r->aside, r->name);
    return code;
}

/* ---- forget ---- */

/* No server runs: nobody else may be at the directory, which the server's own lock tells. */
static int forget_here(const request *r)
{
    char lock[PATH_MAX + 8], dir[PATH_MAX + 80];
    const char *data = r->files.place.data_dir;
    (void)snprintf(lock, sizeof lock, "%s/LOCK", data);
    (void)snprintf(dir, sizeof dir, "%s/modules/%s", data, r->name);
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    int code = CLI_OK;
    if (access(dir, F_OK) != 0)
        code = fail(CLI_FAILED, "there is nothing to forget: no %s", dir);
    else if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        code = fail(CLI_FAILED, "a server is starting or stopping on %s; try again in a moment", data);
    else
        remove_tree(dir);
    if (code == CLI_OK && access(dir, F_OK) == 0)
        code = fail(CLI_FAILED, "cannot remove %s: check its owner", dir);
    if (fd >= 0)
        (void)close(fd);
    return code;
}

static int forget(const request *r)
{
    if (r->on)
        return fail(CLI_USAGE, "%s is on (%s:%u); disable it first", r->name, r->entry.file, r->entry.line);
    if (!agreed(r, "Give up what it has not delivered?"))
        return CLI_USAGE;
    char ask[CONTROL_REQUEST_MAX];
    buf answer;
    ss_error err = error_init();
    buf_init(&answer, CONTROL_ANSWER_MAX + 1);
    (void)snprintf(ask, sizeof ask, "module %.64s forget", r->name);
    int rc = control_ask(r->files.place.data_dir, ask, &answer, NULL, &err), code = CLI_OK;
    if (rc < 0)
        code = forget_here(r);
    else if (rc > 0)
        code = fail(CLI_FAILED, "%s", buf_text(&answer));
    buf_fini(&answer);
    if (code == CLI_OK)
        (void)printf("module %s is forgotten; what it wrote outside stays\n", r->name);
    return code;
}

/* ---- */

static int only_when_on(request *r, enum config_verb verb)
{
    if (!r->on)
        return fail(CLI_USAGE, "%s is off; `streamsteam module list` shows which are on", r->name);
    return run(r, verb, r->verb, false);
}

static int dispatch(request *r)
{
    if (strcmp(r->verb, "enable") == 0)
        return enable(r);
    if (strcmp(r->verb, "disable") == 0)
        return disable(r);
    if (strcmp(r->verb, "forget") == 0)
        return forget(r);
    if (strcmp(r->verb, "setup") == 0)
        return only_when_on(r, CONFIG_SETUP);
    if (strcmp(r->verb, "teardown") == 0)
        return only_when_on(r, CONFIG_TEARDOWN);
    if (strcmp(r->verb, "howto") == 0)
        return only_when_on(r, CONFIG_HOWTO);
    return fail(CLI_USAGE, "it does not know \"%s\"; see streamsteam module --help", r->verb);
}

static bool take_sets(request *r, int *argc, char **argv, bool *bad)
{
    for (const char *pair; (pair = cli_take_option(argc, argv, NULL, "set", bad)) != NULL;) {
        if (r->set.count == SETS_MAX || !strchr(pair, '=') || strpbrk(pair, "\n\r"))
            return false;
        r->sets[r->set.count++] = pair;
    }
    r->set.pairs = r->sets;
    return true;
}

static int run_verb(request *r, const char *given, bool json)
{
    int code = cli_load("module", given, &r->files);
    if (code != CLI_OK)
        return code;
    if (strcmp(r->verb, "list") == 0)
        return instances_list("module", SS_MODULE, r->files.config, &r->files.place, json);
    r->on = config_entry_find(r->files.config, SS_MODULE, r->name, &r->entry);
    code = paths_make(r);
    return code == CLI_OK ? dispatch(r) : code;
}

int verb_module(int argc, char **argv)
{
    bool bad = false;
    request r = {.verb = ""};
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *given = cli_take_option(&argc, argv, "c", "config", &bad);
    r.use = cli_take_option(&argc, argv, NULL, "use", &bad);
    bool sets = take_sets(&r, &argc, argv, &bad);
    r.yes = cli_take_flag(&argc, argv, "yes");
    r.force = cli_take_flag(&argc, argv, "force");
    bool json = cli_take_flag(&argc, argv, "json");
    r.verb = argc > 1 ? argv[1] : "";
    bool list = strcmp(r.verb, "list") == 0;
    if (!sets)
        return fail(CLI_USAGE, "--set wants OPTION=VALUE on one line, at most %u times", SETS_MAX);
    if (bad || argc != (list ? 2 : 3))
        return fail(CLI_USAGE, "say a verb%s; see streamsteam module --help", list ? "" : " and a name");
    r.name = list ? "" : argv[2];
    r.use = r.use ? r.use : r.name;
    if (strlen(r.name) > TABLES_NAME_MAX || strpbrk(r.name, "/. \t\n"))
        return fail(CLI_USAGE, "\"%s\" is no name: letters, digits, _ and -", r.name);
    log_init("module", SS_WARNING);
    int code = run_verb(&r, given, json);
    cli_unload(&r.files);
    return code;
}
