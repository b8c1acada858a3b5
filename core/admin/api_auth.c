/* Who calls: a signature by an access key, or the bearer token. Reasons go to the log, and to the client
   where the gateway of AWS tells them, too; secrets and signatures to neither. */
#include <strings.h>
#include <unistd.h>

#include "core/admin/api_inside.h"
#include "core/base/log.h"
#include "plugins/common/secret.h"

#define LOG_LINES_PER_SECOND 10u
#define LOG_TEXT_MAX         256

/* ---- the log ---- */

/* Whoever tries keys must not fill the disk. */
static bool may_log(admin_api *api, int64_t now_us, uint32_t *left_out)
{
    (void)pthread_mutex_lock(&api->lock);
    if (api->log_second != now_us / 1000000) {
        api->log_second = now_us / 1000000;
        api->log_lines = 0;
    }
    bool good = api->log_lines < LOG_LINES_PER_SECOND;
    if (good) {
        api->log_lines++;
        *left_out = api->log_left_out;
        api->log_left_out = 0;
    } else {
        api->log_left_out++;
    }
    (void)pthread_mutex_unlock(&api->lock);
    return good;
}

/* Of what came from outside: printable, short. */
static void put_clean(char out[LOG_TEXT_MAX], ss_str text)
{
    size_t len = text.len < LOG_TEXT_MAX ? text.len : LOG_TEXT_MAX - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = text.ptr[i] > ' ' && text.ptr[i] < 0x7F ? text.ptr[i] : '?';
    out[len] = '\0';
}

static void log_refusal(admin_api *api, const admin_call *call, ss_str who, const char *why)
{
    char path[LOG_TEXT_MAX], name[LOG_TEXT_MAX], more[64] = "";
    uint32_t left_out = 0;
    if (!may_log(api, call->now_us, &left_out))
        return;
    put_clean(path, call->path);
    put_clean(name, who);
    if (left_out)
        (void)snprintf(more, sizeof more, " (%u like this were not logged)", left_out);
    log_warn("admin: refused %.*s %s from %.*s%s%s: %s%s", (int)call->wire.method.len, call->wire.method.ptr,
             path, (int)call->client.len, call->client.ptr, name[0] ? ", access key " : "", name, why, more);
}

/* ---- answers ---- */

static bool refuse(admin_api *api, const admin_call *call, ss_str who, const char *why, admin_reply *reply)
{
    log_refusal(api, call, who, why);
    admin_error(reply, 400, "BadRequest", ss_cstr(why));
    return false;
}

static bool deny(admin_api *api, const admin_call *call, const char *why, admin_reply *reply)
{
    log_refusal(api, call, ss_s("", 0), why);
    reply->status = 403;
    buf_reset(&reply->body);
    buf_adds(&reply->body, admin_denied);
    return false;
}

static bool fail(const char *what, const ss_error *err, admin_reply *reply)
{
    log_error("admin: %s: %s", what, err->text);
    admin_error(reply, 500, "InternalFailure", SS_LIT("An error occurred on the server side."));
    return false;
}

/* ---- is the door open at all ---- */

bool admin_has_store(store *s)
{
    database *db = store_database(s);
    return database_is_postgres(db) || access(database_place(db), F_OK) == 0;
}

static void tell_closed(admin_api *api)
{
    if (atomic_exchange(&api->told, true))
        return;
    log_warn("the admin API under %s is closed (403): no access key and no bearer token exists; open it with "
             "`streamsteam iam create --policy admin`, or set server.applications.api.bearer_token",
             api->options.stage);
}

/* 1: somebody could be let in, 0: nobody, -1: err. */
static int is_open(admin_api *api, int64_t token_len, ss_error *err)
{
    int64_t count = 0;
    if (token_len > 0)
        return 1;
    if (!admin_has_store(api->options.store))
        return 0;
    if (iam_count(api->db, &count, err) != STORE_OK)
        return -1;
    return count > 0;
}

void admin_look(admin_api *api)
{
    char token[ADMIN_TOKEN_MAX];
    ss_error err = error_init();
    int64_t len = api->options.token(api->options.arg, token, sizeof token, &err);
    explicit_bzero(token, sizeof token);
    if (is_open(api, len, &err) == 0)
        tell_closed(api);
}

/* ---- bearer ---- */

static bool is_bearer(ss_str authorization, ss_str *given)
{
    static const char scheme[] = "Bearer ";
    size_t n = sizeof scheme - 1;
    if (authorization.len <= n || strncasecmp(authorization.ptr, scheme, n) != 0)
        return false;
    *given = ss_s(authorization.ptr + n, authorization.len - n);
    return true;
}

static bool by_token(admin_api *api, const admin_call *call, ss_str given, admin_caller *caller,
                     admin_reply *reply)
{
    char token[ADMIN_TOKEN_MAX];
    ss_error err = error_init();
    int64_t len = api->options.token(api->options.arg, token, sizeof token, &err);
    bool same = len > 0 && secret_equal(token, sizeof token, (size_t)len, given);
    explicit_bzero(token, sizeof token);
    if (len < 0)
        return fail("server.applications.api.bearer_token", &err, reply);
    if (!same)
        return deny(api, call, len ? "the bearer token is wrong" : "no bearer token is configured", reply);
    (void)snprintf(caller->name, sizeof caller->name, "bearer");
    (void)snprintf(caller->key.policies, sizeof caller->key.policies, "admin");
    return true;
}

/* ---- signatures ---- */

static signature_policy policy_of(const admin_api *api, const admin_call *call)
{
    return (signature_policy){.region = ss_cstr(api->options.region),
                              .now_us = call->now_us,
                              .skew_s = api->options.skew_ms / 1000};
}

static bool by_signature(admin_api *api, const admin_call *call, admin_caller *caller, admin_reply *reply)
{
    const char *reason;
    ss_error err = error_init();
    enum signature_result result = signature_read(&call->wire, &caller->claim, &reason);
    ss_str who = caller->claim.access_key;
    if (result == SIGNATURE_NONE)
        return deny(api, call, "neither signed with SigV4 nor with a bearer token", reply);
    if (result != SIGNATURE_GOOD)
        return refuse(api, call, ss_s("", 0), reason, reply);
    enum store_status status = iam_get(api->db, who, &caller->key, &err);
    if (status != STORE_OK && status != STORE_NOT_FOUND)
        return fail("access keys", &err, reply);
    signature_policy policy = policy_of(api, call);
    result = signature_check(&call->wire, &caller->claim, status == STORE_OK ? &caller->key : NULL, &policy,
                             &reason);
    if (result != SIGNATURE_GOOD)
        return refuse(api, call, who, reason, reply);
    caller->by_signature = true;
    (void)snprintf(caller->name, sizeof caller->name, "%s", caller->key.id);
    return true;
}

bool admin_authenticate(admin_api *api, const admin_call *call, admin_caller *caller, admin_reply *reply)
{
    ss_str given;
    if (is_bearer(call->authorization, &given))
        return by_token(api, call, given, caller, reply);
    char token[ADMIN_TOKEN_MAX];
    ss_error err = error_init();
    int64_t len = api->options.token(api->options.arg, token, sizeof token, &err);
    explicit_bzero(token, sizeof token);
    int open = is_open(api, len, &err);
    if (open < 0)
        return fail("access keys", &err, reply);
    if (open > 0)
        return by_signature(api, call, caller, reply);
    tell_closed(api);
    return deny(api, call, "no access key and no bearer token exists", reply);
}

/* ---- once ---- */

bool admin_once(admin_api *api, const admin_call *call, const admin_caller *caller, admin_reply *reply)
{
    ss_error err = error_init();
    signature_policy policy = policy_of(api, call);
    enum store_status status =
        iam_use_once(api->db, caller->claim.signature, signature_until(&caller->claim, &policy),
                     call->now_us / 1000000, &err);
    if (status == STORE_CONFLICT)
        return refuse(api, call, caller->claim.access_key,
                      "The signature was used before: sign the request again, a second later.", reply);
    return status == STORE_OK || fail("used signatures", &err, reply);
}

void admin_again(admin_api *api, const admin_caller *caller)
{
    iam_unuse(api->db, caller->claim.signature);
}
