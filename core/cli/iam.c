/* streamsteam iam: the access keys that open the admin API, and that may send signed events. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/admin/iam.h"
#include "core/cli/common.h"
#include "core/cli/store_open.h"
#include "core/cli/verbs.h"
#include "core/config/value.h"
#include "plugins/common/json.h"

static const char help[] =
    "usage: streamsteam iam create [--policy POLICY] [--name NAME] [--session TIME]\n"
    "       streamsteam iam list\n"
    "       streamsteam iam disable|enable|delete ACCESS-KEY-ID\n"
    "\n"
    "Access keys for requests that are signed with SigV4, as AWS' tools and SDKs sign them: for the admin "
    "API,\n"
    "and for events where the receiver takes signatures. A running server notices within a second.\n"
    "\n"
    "  create    a new key; its secret is printed now and never again\n"
    "  list      all keys, without secrets\n"
    "  disable   requests with it are refused from now on\n"
    "  enable    ... and accepted again\n"
    "  delete    for good\n"
    "\n"
    "  --policy POLICY      create: admin (everything; the default), read-only (GET of the admin API),\n"
    "                       events:APPLICATION-ID or events:* (send events); several, joined by commas\n"
    "  --name NAME          create: what it is for\n"
    "  --session TIME       create: a temporary key for 15m, 12h, 7d: with a session token, which requests "
    "have\n"
    "                       to bring in X-Amz-Security-Token\n"
    "  --json               print JSON\n" CLI_STORE_HELP;

#define fail(code, ...) cli_fail(code, "iam", __VA_ARGS__)

typedef struct request {
    const char *verb, *id, *policy, *name, *session;
    bool json;
    cli_store store;
} request;

/* ---- printing ---- */

static void put_text(const char *name, const char *text, const char *before)
{
    char *out = malloc(json_escape_bound(strlen(text)));
    size_t len = out ? json_put_string(out, ss_cstr(text)) : 0;
    (void)printf("%s\"%s\":%.*s", before, name, (int)len, out ? out : "");
    free(out);
}

static void put_time(const char *name, int64_t seconds)
{
    char text[STORE_TIME_SIZE];
    store_put_time(seconds, text);
    put_text(name, text, ",");
}

/* The names are those of AWS' CLI. */
static void print_json(const iam_key *k, bool secret)
{
    put_text("AccessKeyId", k->id, "{");
    if (secret)
        put_text("SecretAccessKey", k->secret, ",");
    if (secret && k->token[0])
        put_text("SessionToken", k->token, ",");
    put_text("Status", k->enabled ? "Active" : "Inactive", ",");
    put_text("Policies", k->policies, ",");
    put_text("Name", k->name, ",");
    put_time("CreateDate", k->created_s);
    if (k->expires_s)
        put_time("Expiration", k->expires_s);
    (void)printf("}");
}

typedef struct printer {
    bool json;
    size_t count;
} printer;

static void print_one(void *arg, const iam_key *k)
{
    printer *p = arg;
    char created[STORE_TIME_SIZE], until[STORE_TIME_SIZE] = "";
    if (p->json) {
        (void)printf("%s", p->count++ ? "," : "");
        print_json(k, false);
        return;
    }
    store_put_time(k->created_s, created);
    if (k->expires_s)
        store_put_time(k->expires_s, until);
    if (p->count++ == 0)
        (void)printf("%-20s  %-8s  %-20s  %-20s  %-24s  %s\n", "ACCESS KEY", "STATUS", "CREATED", "EXPIRES",
                     "POLICIES", "NAME");
    (void)printf("%-20s  %-8s  %-20s  %-20s  %-24s  %s\n", k->id, k->enabled ? "enabled" : "disabled",
                 created, until, k->policies, k->name);
}

/* ---- verbs ---- */

static int failed(enum store_status status, const ss_error *err)
{
    return fail(status == STORE_INVALID ? CLI_USAGE : CLI_FAILED, "%s",
                err->text[0] ? err->text : store_status_name(status));
}

static int create(const request *r)
{
    iam_key key;
    ss_error err = error_init();
    int64_t life_ms = 0;
    if (r->session && (!value_duration(r->session, &life_ms) || life_ms < 1000))
        return fail(CLI_USAGE, "--session wants a time of at least a second, as in 12h, not \"%s\"",
                    r->session);
    enum store_status status =
        iam_create(r->store.db, ss_cstr(r->name), ss_cstr(r->policy), life_ms / 1000, &key, &err);
    if (status != STORE_OK)
        return failed(status, &err);
    if (r->json) {
        print_json(&key, true);
        (void)printf("\n");
    } else {
        (void)printf("access key  %s\nsecret      %s\n", key.id, key.secret);
        if (key.token[0])
            (void)printf("token       %s\n", key.token);
        (void)printf("policies    %s\n", key.policies);
        (void)fprintf(stderr, "The secret is shown this once; keep it now.\n");
    }
    iam_forget(&key);
    return CLI_OK;
}

static int list(const request *r)
{
    ss_error err = error_init();
    printer p = {.json = r->json};
    if (r->json)
        (void)printf("[");
    enum store_status status = iam_each(r->store.db, print_one, &p, &err);
    if (r->json)
        (void)printf("]\n");
    else if (status == STORE_OK && p.count == 0)
        (void)printf("no access keys; `streamsteam iam create` makes one\n");
    return status == STORE_OK ? CLI_OK : failed(status, &err);
}

static int change(const request *r)
{
    ss_error err = error_init();
    ss_str id = ss_cstr(r->id);
    bool remove = strcmp(r->verb, "delete") == 0, enable = strcmp(r->verb, "enable") == 0;
    enum store_status status =
        remove ? iam_delete(r->store.db, id, &err) : iam_set_enabled(r->store.db, id, enable, &err);
    if (status == STORE_NOT_FOUND)
        return fail(CLI_FAILED, "no access key %s; `streamsteam iam list` shows them", r->id);
    if (status != STORE_OK)
        return failed(status, &err);
    (void)printf("%s is %s\n", r->id, remove ? "deleted" : enable ? "enabled" : "disabled");
    return CLI_OK;
}

/* ---- */

static int check_use(const request *r, int argc, bool bad)
{
    bool named =
        strcmp(r->verb, "disable") == 0 || strcmp(r->verb, "enable") == 0 || strcmp(r->verb, "delete") == 0;
    if (!named && strcmp(r->verb, "create") != 0 && strcmp(r->verb, "list") != 0)
        return fail(CLI_USAGE, "it does not know \"%s\"; see streamsteam iam --help", r->verb);
    if (bad || argc != (named ? 3 : 2))
        return fail(CLI_USAGE, "say %s; see streamsteam iam --help",
                    named ? "an access key id" : "create, list, disable, enable or delete");
    return CLI_OK;
}

int verb_iam(int argc, char **argv)
{
    bool bad = false;
    request r = {.verb = ""};
    if (cli_help(argc, argv, help))
        return CLI_OK;
    r.policy = cli_take_option(&argc, argv, NULL, "policy", &bad);
    r.name = cli_take_option(&argc, argv, NULL, "name", &bad);
    r.session = cli_take_option(&argc, argv, NULL, "session", &bad);
    r.json = cli_take_flag(&argc, argv, "json");
    int code = bad ? CLI_OK : cli_store_open_own(&argc, argv, &r.store);
    r.verb = argc > 1 ? argv[1] : "";
    r.id = argc > 2 ? argv[2] : "";
    r.policy = r.policy ? r.policy : "admin";
    r.name = r.name ? r.name : "";
    if (code == CLI_OK)
        code = check_use(&r, argc, bad);
    if (code == CLI_OK)
        code = strcmp(r.verb, "create") == 0 ? create(&r)
               : strcmp(r.verb, "list") == 0 ? list(&r)
                                             : change(&r);
    cli_store_close(&r.store);
    return code;
}
