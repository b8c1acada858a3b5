/* streamsteam key: what events are sent with. */
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "core/cli/common.h"
#include "core/cli/store_open.h"
#include "core/cli/verbs.h"

#define VALUE_FILE_MAX 256u

static const char help[] =
    "usage: streamsteam key create APPLICATION NAME [--description TEXT] [--json]\n"
    "                              [--value-from FILE [--id KEY]]\n"
    "       streamsteam key list APPLICATION [--json]\n"
    "       streamsteam key show APPLICATION KEY [--json]\n"
    "       streamsteam key enable|disable APPLICATION KEY [--json]\n"
    "       streamsteam key set APPLICATION KEY [--rate R] [--burst B] [--quota Q] [--json]\n"
    "       streamsteam key delete APPLICATION KEY\n"
    "\n"
    "APPLICATION and KEY are ids. A key opens its application only: its value goes into the Authorization "
    "header.\n"
    "\n"
    "  create     a new one; where server.applications.keys is hashed, its value is shown now and never "
    "again;\n"
    "             --value-from: the value that clients have already, from a file or - for standard input, "
    "with "
    "the id\n"
    "             that it had, for who moves here from elsewhere\n"
    "  list       one line per key, with the first characters of its value\n"
    "  show       the value as well, where keys are kept in clear\n"
    "  disable    events with it are refused until it is enabled again\n"
    "  set        --rate: events a second on average, --burst: at once on top of it, --quota: events a UTC "
    "day;\n"
    "             0 = no limit, default = as server.applications.per_key says\n"
    "\n"
    "  --json              as JSON, with the names of the HTTP API\n" CLI_STORE_HELP;

typedef struct printing {
    bool json;
    int64_t count;
} printing;

static bool print_line(void *arg, const store_key *key)
{
    printing *p = arg;
    if (p->json) {
        (void)fputs(p->count ? ",\n  " : "\n  ", stdout);
        cli_print_key_json(key);
    } else {
        cli_print_key_line(key);
    }
    p->count++;
    return true;
}

static bool print_one(void *arg, const store_key *key)
{
    const printing *p = arg;
    if (p->json) {
        cli_print_key_json(key);
        (void)putchar('\n');
    } else {
        cli_print_key(key);
    }
    return true;
}

static int list(const cli_store *s, const char *verb, const char *app, bool json)
{
    ss_error err = error_init();
    printing p = {.json = json};
    enum store_status status = store_app_get(s->store, ss_cstr(app), NULL, NULL, &err);
    if (status == STORE_OK && json)
        (void)fputs("{\"Authorizations\":[", stdout);
    if (status == STORE_OK) {
        status = store_key_each(s->store, ss_cstr(app), print_line, &p, &err);
        if (json)
            (void)printf("\n],\"Count\":%lld}\n", (long long)p.count);
    }
    return cli_store_result(verb, status, &err);
}

typedef struct given { /* NULL: not said */
    const char *description, *id, *value_from;
} given;

static int create(const cli_store *s, const char *verb, const char *app, const char *name, const given *g,
                  bool json)
{
    ss_error err = error_init();
    printing p = {.json = json};
    ss_str text = ss_cstr(g->description);
    const ss_str *about = g->description ? &text : NULL;
    return cli_store_result(
        verb, store_key_create(s->store, ss_cstr(app), ss_cstr(name), about, print_one, &p, &err), &err);
}

/* The value comes from a file: on the command line everybody on the machine could read it. */
static int import(const cli_store *s, const char *verb, const char *app, const char *name, const given *g,
                  bool json)
{
    ss_error err = error_init();
    printing p = {.json = json};
    ss_str text = ss_cstr(g->description);
    const char *path = strcmp(g->value_from, "-") == 0 ? "/dev/stdin" : g->value_from;
    buf value;
    buf_init(&value, VALUE_FILE_MAX);
    if (file_read(path, &value) != 0 || value.failed) {
        buf_fini(&value);
        return cli_fail(CLI_FAILED, verb, "%s cannot be read, or holds more than a key", path);
    }
    while (value.len > 0 && (value.ptr[value.len - 1] == '\n' || value.ptr[value.len - 1] == '\r'))
        value.len--;
    int code =
        cli_store_result(verb,
                         store_key_import(s->store, ss_cstr(app), ss_cstr(g->id), buf_str(&value),
                                          ss_cstr(name), g->description ? &text : NULL, print_one, &p, &err),
                         &err);
    if (value.ptr)
        explicit_bzero(value.ptr, value.size);
    buf_fini(&value);
    return code;
}

static int change(const cli_store *s, const char *verb, const char *app, const char *key,
                  const store_key_change *wanted, bool json)
{
    ss_error err = error_init();
    printing p = {.json = json};
    return cli_store_result(
        verb, store_key_set(s->store, ss_cstr(app), ss_cstr(key), wanted, print_one, &p, &err), &err);
}

static int show(const cli_store *s, const char *verb, const char *app, const char *key, bool json)
{
    ss_error err = error_init();
    printing p = {.json = json};
    return cli_store_result(verb, store_key_get(s->store, ss_cstr(app), ss_cstr(key), print_one, &p, &err),
                            &err);
}

static int delete (const cli_store *s, const char *verb, const char *app, const char *key)
{
    ss_error err = error_init();
    int code = cli_store_result(verb, store_key_delete(s->store, ss_cstr(app), ss_cstr(key), &err), &err);
    if (code == CLI_OK)
        (void)printf("key %s is deleted\n", key);
    return code;
}

static int set(const cli_store *s, const char *verb, char **argv, const cli_limits *limits, bool json)
{
    store_key_change wanted = {NULL, limits->rate, limits->burst, limits->quota};
    if (!wanted.rate && !wanted.burst && !wanted.quota)
        return cli_fail(CLI_USAGE, verb, "say what to set: --rate, --burst or --quota");
    return change(s, verb, argv[2], argv[3], &wanted, json);
}

static int run(const cli_store *s, int argc, char **argv, const given *g, const cli_limits *limits, bool json)
{
    const char *verb = argv[0], *what = argc > 1 ? argv[1] : "";
    bool on = strcmp(what, "enable") == 0;
    if (argc == 3 && strcmp(what, "list") == 0)
        return list(s, verb, argv[2], json);
    if (argc != 4)
        what = "";
    if (strcmp(what, "create") == 0 && g->id && !g->value_from)
        return cli_fail(CLI_USAGE, verb, "--id goes with --value-from: a new key gets a new id");
    if (strcmp(what, "create") == 0)
        return g->value_from ? import(s, verb, argv[2], argv[3], g, json)
                             : create(s, verb, argv[2], argv[3], g, json);
    if (strcmp(what, "show") == 0)
        return show(s, verb, argv[2], argv[3], json);
    if (strcmp(what, "set") == 0)
        return set(s, verb, argv, limits, json);
    if (strcmp(what, "delete") == 0)
        return delete (s, verb, argv[2], argv[3]);
    if (strcmp(what, "enable") == 0 || strcmp(what, "disable") == 0)
        return change(s, verb, argv[2], argv[3], &(store_key_change){.enabled = &on}, json);
    return cli_fail(CLI_USAGE, verb,
                    "say create, list, show, enable, disable, set or delete, and of which application; see "
                    "streamsteam key --help");
}

int verb_key(int argc, char **argv)
{
    if (cli_help(argc, argv, help))
        return CLI_OK;
    bool bad = false, json = cli_take_flag(&argc, argv, "json");
    const given g = {.description = cli_take_option(&argc, argv, NULL, "description", &bad),
                     .id = cli_take_option(&argc, argv, NULL, "id", &bad),
                     .value_from = cli_take_option(&argc, argv, NULL, "value-from", &bad)};
    cli_limits limits;
    cli_store s = {.db = NULL};
    if (bad)
        return cli_fail(CLI_USAGE, argv[0], "an option lacks its value; see streamsteam key --help");
    int code = cli_store_limits(&argc, argv, &limits);
    if (code == CLI_OK)
        code = cli_store_open(&argc, argv, &s);
    if (code == CLI_OK)
        code = run(&s, argc, argv, &g, &limits, json);
    cli_store_close(&s);
    return code;
}
