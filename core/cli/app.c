/* streamsteam app: the applications that events belong to. */
#include <stdio.h>
#include <string.h>

#include "core/cli/common.h"
#include "core/cli/store_open.h"
#include "core/cli/verbs.h"
#include "core/config/node.h"
#include "core/server/control.h"

#define ADDRESS_DEFAULT "127.0.0.1:8080"
#define ADDRESS_MAX     128u

static const char help[] =
    "usage: streamsteam app create NAME [--description TEXT] [--id ID] [--with-key] [--json]\n"
    "       streamsteam app list [--json]\n"
    "       streamsteam app show ID [--json]\n"
    "       streamsteam app set ID [--tolerant on|off] [--rate R] [--burst B] [--quota Q] [--json]\n"
    "       streamsteam app delete ID\n"
    "       streamsteam app setup\n"
    "\n"
    "An application is a game or a site whose events are sent with keys of its own (`streamsteam key`).\n"
    "\n"
    "  create     a new one; --with-key makes a key too, and prints a command that sends a first event;\n"
    "             --id: the id that clients know already, for who moves here from elsewhere\n"
    "  set        --tolerant on: a batch's good events are taken, its bad ones refused one by one; off: one "
    "bad\n"
    "             event refuses the batch. --rate: events a second on average, --burst: at once on top of "
    "it,\n"
    "             --quota: events a UTC day; 0 = no limit, default = as server.applications.per_application "
    "says\n"
    "  delete     with all its keys; events that were stored stay\n"
    "  setup      store: dynamodb: makes the tables that are missing\n"
    "\n"
    "  --json              as JSON, with the names of the HTTP API\n" CLI_STORE_HELP;

typedef struct printing {
    bool json;
    int64_t count;
    char id[STORE_ID_SIZE]; /* of the last one */
    char value[STORE_VALUE_LEN + 1];
} printing;

static bool print_line(void *arg, const store_app *app)
{
    printing *p = arg;
    if (p->json) {
        (void)fputs(p->count ? ",\n  " : "\n  ", stdout);
        cli_print_app_json(app);
    } else {
        cli_print_app_line(app);
    }
    p->count++;
    return true;
}

static bool print_one(void *arg, const store_app *app)
{
    printing *p = arg;
    if (p->json) {
        cli_print_app_json(app);
        (void)putchar('\n');
    } else {
        cli_print_app(app);
    }
    memcpy(p->id, app->id, sizeof p->id);
    return true;
}

/* ---- create ----------------------------------------------------------------------------------- */

static bool keep_id(void *arg, const store_app *app)
{
    printing *p = arg;
    (void)fputs(p->json ? "{\"Application\":" : "", stdout);
    if (p->json)
        cli_print_app_json(app);
    else
        cli_print_app(app);
    memcpy(p->id, app->id, sizeof p->id);
    return true;
}

static bool print_made_key(void *arg, const store_key *key)
{
    printing *p = arg;
    (void)fputs(p->json ? ",\"Authorization\":" : "\n", stdout);
    if (p->json)
        cli_print_key_json(key);
    else
        cli_print_key(key);
    (void)snprintf(p->value, sizeof p->value, "%.*s", (int)key->value.len, key->value.ptr);
    return true;
}

/* Where a running server listens, else where one would by default. */
static void find_address(const char *data_dir, char out[ADDRESS_MAX])
{
    ss_error err = error_init();
    buf answer;
    buf_init(&answer, CONTROL_ANSWER_MAX + 1);
    (void)snprintf(out, ADDRESS_MAX, "%s", ADDRESS_DEFAULT);
    int rc = control_ask(data_dir, "status", &answer, NULL, &err);
    ss_config *status = rc == 0 ? node_parse(answer.ptr, answer.len, &err) : NULL;
    const ss_config *list = node_get(status, "listeners");
    for (size_t i = 0; i < node_len(list); i++) {
        const ss_config *l = node_at(list, i);
        if (node_int(l, "admin"))
            continue;
        ss_str address = node_str(l, "address");
        bool any = strncmp(address.ptr, "0.0.0.0:", 8) == 0;
        (void)snprintf(out, ADDRESS_MAX, "%s%s", any ? "127.0.0.1" : "", address.ptr + (any ? 7 : 0));
        break;
    }
    node_free(status);
    buf_fini(&answer);
}

static void print_command(const cli_store *s, const printing *p)
{
    char address[ADDRESS_MAX];
    find_address(s->data_dir, address);
    (void)printf(
        "\nA first event, where the receiver game is switched on:\n"
        "curl -d '{\"events\":[{\"event_id\":\"'$(cat /proc/sys/kernel/random/uuid)'\",\"event_type\":"
        "\"client\",\"event_name\":\"login\",\"event_timestamp\":'$(date +%%s)'}]}' \\\n"
        "  -H 'Content-Type: application/json' -H 'Authorization: %s' \\\n"
        "  http://%s/live/applications/%s/events\n",
        p->value, address, p->id);
}

static int create(const cli_store *s, const char *verb, const char *name, const char *id,
                  const char *description, bool with_key, bool json)
{
    ss_error err = error_init();
    printing p = {.json = json};
    ss_str text = ss_cstr(description);
    store_app_visit print = with_key ? keep_id : print_one;
    const ss_str *about = description ? &text : NULL;
    enum store_status status =
        id ? store_app_import(s->store, ss_cstr(id), ss_cstr(name), about, print, &p, &err)
           : store_app_create(s->store, ss_cstr(name), about, print, &p, &err);
    if (status == STORE_OK && with_key) {
        status = store_key_create(s->store, ss_cstr(p.id), ss_cstr(name), NULL, print_made_key, &p, &err);
        (void)fputs(json ? "}\n" : "", stdout);
        if (status == STORE_OK && !json)
            print_command(s, &p);
    }
    explicit_bzero(p.value, sizeof p.value);
    return cli_store_result(verb, status, &err);
}

/* ---- the rest --------------------------------------------------------------------------------- */

static int list(const cli_store *s, const char *verb, bool json)
{
    ss_error err = error_init();
    printing p = {.json = json};
    if (json)
        (void)fputs("{\"Applications\":[", stdout);
    enum store_status status = store_app_each(s->store, print_line, &p, &err);
    if (json)
        (void)printf("\n],\"Count\":%lld}\n", (long long)p.count);
    else if (status == STORE_OK && p.count == 0)
        (void)puts("no applications yet: streamsteam app create NAME --with-key");
    return cli_store_result(verb, status, &err);
}

static int set(const cli_store *s, const char *verb, const char *id, const char *tolerant,
               const cli_limits *limits, bool json)
{
    ss_error err = error_init();
    printing p = {.json = json};
    bool on = tolerant && strcmp(tolerant, "on") == 0;
    uint32_t flags = on ? SS_APP_TOLERANT : 0;
    if (tolerant && !on && strcmp(tolerant, "off") != 0)
        return cli_fail(CLI_USAGE, verb, "--tolerant wants on or off");
    store_app_change change = {tolerant ? &flags : NULL, limits->rate, limits->burst, limits->quota};
    if (!tolerant && !change.rate && !change.burst && !change.quota)
        return cli_fail(CLI_USAGE, verb, "say what to set: --tolerant, --rate, --burst or --quota");
    return cli_store_result(verb, store_app_set(s->store, ss_cstr(id), &change, print_one, &p, &err), &err);
}

static int show(const cli_store *s, const char *verb, const char *id, bool json)
{
    ss_error err = error_init();
    printing p = {.json = json};
    return cli_store_result(verb, store_app_get(s->store, ss_cstr(id), print_one, &p, &err), &err);
}

static int delete (const cli_store *s, const char *verb, const char *id)
{
    ss_error err = error_init();
    int code = cli_store_result(verb, store_app_delete(s->store, ss_cstr(id), &err), &err);
    if (code == CLI_OK)
        (void)printf("application %s is deleted, with its keys\n", id);
    return code;
}

int verb_app(int argc, char **argv)
{
    if (cli_help(argc, argv, help))
        return CLI_OK;
    if (argc > 1 && strcmp(argv[1], "setup") == 0)
        return cli_store_setup(&argc, argv);
    bool bad = false, json = cli_take_flag(&argc, argv, "json"),
         with_key = cli_take_flag(&argc, argv, "with-key");
    const char *description = cli_take_option(&argc, argv, NULL, "description", &bad);
    const char *tolerant = cli_take_option(&argc, argv, NULL, "tolerant", &bad);
    const char *given = cli_take_option(&argc, argv, NULL, "id", &bad);
    const char *verb = argv[0];
    cli_limits limits;
    cli_store s = {.db = NULL};
    if (bad)
        return cli_fail(CLI_USAGE, verb, "an option lacks its value; see streamsteam app --help");
    int code = cli_store_limits(&argc, argv, &limits);
    if (code == CLI_OK)
        code = cli_store_open(&argc, argv, &s);
    const char *what = argc > 1 ? argv[1] : "", *id = argc > 2 ? argv[2] : "";
    if (code != CLI_OK)
        ;
    else if (argc == 2 && strcmp(what, "list") == 0)
        code = list(&s, verb, json);
    else if (argc == 3 && strcmp(what, "create") == 0)
        code = create(&s, verb, id, given, description, with_key, json);
    else if (argc == 3 && strcmp(what, "show") == 0)
        code = show(&s, verb, id, json);
    else if (argc == 3 && strcmp(what, "set") == 0)
        code = set(&s, verb, id, tolerant, &limits, json);
    else if (argc == 3 && strcmp(what, "delete") == 0)
        code = delete (&s, verb, id);
    else
        code = cli_fail(CLI_USAGE, verb,
                        "say create NAME, list, show ID, set ID or delete ID; see streamsteam app --help");
    cli_store_close(&s);
    return code;
}
