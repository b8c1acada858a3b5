/* The file to read first: a call's way through the admin API. */
#include "core/admin/api.h"

#include <stdlib.h>

#include "core/admin/api_inside.h"
#include "core/base/log.h"

/* ---- routes ---- */

static bool next_segment(ss_str *rest, ss_str *segment)
{
    if (rest->len == 0)
        return false;
    const char *slash = memchr(rest->ptr, '/', rest->len);
    size_t len = slash ? (size_t)(slash - rest->ptr) : rest->len;
    size_t used = slash ? len + 1 : len;
    *segment = ss_s(rest->ptr, len);
    *rest = ss_s(rest->ptr + used, rest->len - used);
    return true;
}

static enum admin_route route_named(const ss_str *parts, size_t count)
{
    if (count == 2 && ss_eq(parts[0], SS_LIT("redshift")) && ss_eq(parts[1], SS_LIT("setup")))
        return ADMIN_SETUP;
    if (count == 0 || !ss_eq(parts[0], SS_LIT("applications")))
        return ADMIN_UNKNOWN;
    if (count > 2 && !ss_eq(parts[2], SS_LIT("authorizations")))
        return ADMIN_UNKNOWN;
    static const enum admin_route by_count[] = {ADMIN_UNKNOWN, ADMIN_APPS, ADMIN_APP, ADMIN_KEYS, ADMIN_KEY};
    return by_count[count];
}

static bool has_method(enum admin_route route, ss_str method)
{
    static const struct {
        enum admin_route route;
        const char *methods;
    } table[] = {{ADMIN_APPS, "GET HEAD POST OPTIONS"},
                 {ADMIN_APP, "GET HEAD DELETE OPTIONS"},
                 {ADMIN_KEYS, "GET HEAD POST DELETE OPTIONS"},
                 {ADMIN_KEY, "GET HEAD PUT DELETE OPTIONS"},
                 {ADMIN_SETUP, "POST OPTIONS"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].route != route)
            continue;
        ss_str rest = ss_cstr(table[i].methods);
        while (rest.len) {
            size_t len = strcspn(rest.ptr, " ");
            if (ss_eq(method, ss_s(rest.ptr, len)))
                return true;
            rest = ss_cstr(rest.ptr + len + (rest.ptr[len] == ' '));
        }
    }
    return false;
}

bool admin_route_of(ss_str stage, ss_str path, ss_str method, admin_target *out)
{
    ss_str parts[4], rest, one;
    size_t count = 0;
    *out = (admin_target){.route = ADMIN_UNKNOWN, .app = {"", 0}, .key = {"", 0}};
    if (path.len < stage.len || memcmp(path.ptr, stage.ptr, stage.len) != 0 ||
        (path.len > stage.len && path.ptr[stage.len] != '/'))
        return false;
    rest = ss_s(path.ptr + stage.len, path.len - stage.len);
    if (rest.len)
        rest = ss_s(rest.ptr + 1, rest.len - 1);
    while (next_segment(&rest, &one)) {
        if (count == sizeof parts / sizeof *parts || one.len == 0)
            return true;
        parts[count++] = one;
    }
    enum admin_route route = route_named(parts, count);
    if (!has_method(route, method))
        return true;
    out->route = route;
    if (count > 1 && route != ADMIN_SETUP)
        out->app = parts[1];
    if (count > 3)
        out->key = parts[3];
    return true;
}

/* ---- errors ---- */

const char admin_denied[] = "{\"error\":\"AccessDenied\"}";

void admin_error(admin_reply *reply, uint32_t status, const char *code, ss_str text)
{
    reply->status = status;
    buf_reset(&reply->body);
    buf_addf(&reply->body, "{\"error\":\"%s\",\"error_detail\":", code);
    admin_put_text(&reply->body, text);
    buf_adds(&reply->body, "}");
}

/* ---- a call ---- */

static bool is_change(ss_str method)
{
    return !ss_eq(method, SS_LIT("GET")) && !ss_eq(method, SS_LIT("HEAD"));
}

/* What comes twice must not do harm: a second POST makes a second thing, and an old PUT would switch on what
   was switched off since. A second DELETE deletes nothing. */
static bool is_once(ss_str method)
{
    return ss_eq(method, SS_LIT("POST")) || ss_eq(method, SS_LIT("PUT"));
}

static void deny(admin_reply *reply)
{
    reply->status = 403;
    buf_reset(&reply->body);
    buf_adds(&reply->body, admin_denied);
}

static void answer_as(admin_api *api, const admin_call *call, const admin_caller *caller, admin_reply *reply)
{
    ss_str method = call->wire.method;
    admin_target target;
    bool ours = admin_route_of(ss_cstr(api->options.stage), call->path, method, &target) &&
                target.route != ADMIN_UNKNOWN;
    if (!ours || !iam_allows(&caller->key, is_change(method) ? IAM_CHANGE : IAM_READ, ss_s("", 0))) {
        deny(reply);
        return;
    }
    bool once = caller->by_signature && api->options.refuse_replays && is_once(method);
    if (once && !admin_once(api, call, caller, reply))
        return;
    admin_do(api, &target, call, reply);
    if (once && reply->status >= 500)
        admin_again(api, caller);
    if (is_change(method) && reply->status < 400)
        log_info("admin: %.*s %.*s by %s", (int)method.len, method.ptr, (int)call->path.len, call->path.ptr,
                 caller->name);
}

void admin_answer(admin_api *api, const admin_call *call, admin_reply *reply)
{
    admin_caller caller = {.by_signature = false};
    reply->status = 500;
    buf_init(&reply->body, ADMIN_REPLY_MAX);
    if (admin_authenticate(api, call, &caller, reply))
        answer_as(api, call, &caller, reply);
    iam_forget(&caller.key);
    if (reply->body.failed) { /* a list beyond all bounds, or no memory */
        buf_fini(&reply->body);
        buf_init(&reply->body, ADMIN_REPLY_MAX);
        admin_error(reply, 500, "InternalFailure", SS_LIT("The answer is too long."));
    }
}

/* ---- life ---- */

admin_api *admin_new(const admin_options *options)
{
    admin_api *api = calloc(1, sizeof *api);
    if (!api)
        return NULL;
    api->options = *options;
    api->db = store_database(options->store);
    (void)pthread_mutex_init(&api->lock, NULL);
    return api;
}

void admin_free(admin_api *api)
{
    if (!api)
        return;
    (void)pthread_mutex_destroy(&api->lock);
    free(api);
}
