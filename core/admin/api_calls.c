/* The calls themselves: what each does, and what each answers. */
#include "core/admin/api_inside.h"
#include "core/base/log.h"

static const char no_app[] = "The application does not exist.";

static void good(admin_reply *reply)
{
    reply->status = 200;
}

static void not_found(admin_reply *reply, const char *text)
{
    admin_error(reply, 404, "NotFoundException", ss_cstr(text));
}

static void bad_parameter(admin_reply *reply, const char *text)
{
    admin_error(reply, 400, "InvalidParameterException", ss_cstr(text));
}

/* Of the store: what was given is wrong (400), else 500, and the reason is in the log. */
static void failed(admin_reply *reply, enum store_status status, const ss_error *err, const char *text)
{
    if (status == STORE_INVALID) {
        bad_parameter(reply, err->text);
        return;
    }
    log_error("admin: %s: %s", text, err->text[0] ? err->text : store_status_name(status));
    admin_error(reply, 500, "InternalFailure", ss_cstr(text));
}

/* ---- lists and single things: the visits write straight into the reply ---- */

typedef struct put {
    buf *out;
    uint64_t count;
    bool list, as_get;
} put;

static void begin_item(put *p)
{
    if (p->list && p->count > 0)
        buf_adds(p->out, ",");
    p->count++;
}

static bool put_app(void *arg, const store_app *app)
{
    put *p = arg;
    begin_item(p);
    admin_put_app(p->out, app, p->as_get);
    return !p->out->failed;
}

static bool put_key(void *arg, const store_key *key)
{
    put *p = arg;
    begin_item(p);
    admin_put_key(p->out, key);
    return !p->out->failed;
}

static void begin_list(put *p, const char *name)
{
    p->list = true;
    buf_addf(p->out, "{\"%s\":[", name);
}

static void end_list(const put *p)
{
    buf_addf(p->out, "],\"Count\":%llu}", (unsigned long long)p->count);
}

/* ---- applications ---- */

static bool read_named(const admin_call *call, admin_fields *fields, admin_reply *reply)
{
    if (!admin_read_fields(call->body, fields, reply))
        return false;
    if (!fields->has_name)
        bad_parameter(reply, "Name is required and must be string");
    else if (fields->bad_description)
        bad_parameter(reply, "Description must be string");
    return fields->has_name && !fields->bad_description;
}

static void create_app(admin_api *api, const admin_call *call, admin_reply *reply)
{
    admin_fields f;
    ss_error err = error_init();
    put p = {.out = &reply->body};
    if (read_named(call, &f, reply)) {
        enum store_status status = store_app_create(
            api->options.store, f.name, f.has_description ? &f.description : NULL, put_app, &p, &err);
        if (status == STORE_OK)
            good(reply);
        else
            failed(reply, status, &err, "Error occurred while attempting to create application");
    }
    admin_fields_fini(&f);
}

static void list_apps(admin_api *api, admin_reply *reply)
{
    ss_error err = error_init();
    put p = {.out = &reply->body};
    begin_list(&p, "Applications");
    enum store_status status = store_app_each(api->options.store, put_app, &p, &err);
    end_list(&p);
    if (status != STORE_OK)
        failed(reply, status, &err, "Error occurred while attempting to retrieve applications");
    else if (p.count == 0)
        not_found(reply, "No applications are registered with the solution.");
    else
        good(reply);
}

static void get_app(admin_api *api, ss_str id, admin_reply *reply)
{
    ss_error err = error_init();
    put p = {.out = &reply->body, .as_get = true};
    enum store_status status = store_app_get(api->options.store, id, put_app, &p, &err);
    if (status == STORE_OK)
        good(reply);
    else if (status == STORE_NOT_FOUND)
        not_found(reply, no_app);
    else
        failed(reply, status, &err, "Error occurred while attempting to retrieve application");
}

static void delete_app(admin_api *api, ss_str id, admin_reply *reply)
{
    ss_error err = error_init();
    enum store_status status = store_app_delete(api->options.store, id, &err);
    if (status != STORE_OK && status != STORE_NOT_FOUND) {
        failed(reply, status, &err, "Error occurred while attempting to delete application");
        return;
    }
    good(reply);
    buf_adds(&reply->body, "\"Delete successful\"");
}

/* ---- authorizations ---- */

static void create_key(admin_api *api, ss_str app, const admin_call *call, admin_reply *reply)
{
    admin_fields f;
    ss_error err = error_init();
    put p = {.out = &reply->body};
    if (read_named(call, &f, reply)) {
        enum store_status status = store_key_create(
            api->options.store, app, f.name, f.has_description ? &f.description : NULL, put_key, &p, &err);
        if (status == STORE_OK)
            good(reply);
        else if (status == STORE_NOT_FOUND)
            not_found(reply, no_app);
        else
            failed(reply, status, &err, "Error occurred while attempting to create authorization");
    }
    admin_fields_fini(&f);
}

static void list_keys(admin_api *api, ss_str app, admin_reply *reply)
{
    ss_error err = error_init();
    put p = {.out = &reply->body};
    begin_list(&p, "Authorizations");
    enum store_status status = store_key_each(api->options.store, app, put_key, &p, &err);
    end_list(&p);
    if (status == STORE_OK)
        good(reply);
    else
        failed(reply, status, &err, "Error occurred while attempting to retrieve authorizations");
}

static void get_key(admin_api *api, ss_str app, ss_str id, admin_reply *reply)
{
    ss_error err = error_init();
    put p = {.out = &reply->body};
    enum store_status status = store_key_get(api->options.store, app, id, put_key, &p, &err);
    if (status == STORE_OK)
        good(reply);
    else if (status == STORE_NOT_FOUND)
        not_found(reply, "Authorization not found");
    else
        failed(reply, status, &err, "Error occurred while attempting to retrieve authorization");
}

static void set_key(admin_api *api, ss_str app, ss_str id, const admin_call *call, admin_reply *reply)
{
    admin_fields f;
    ss_error err = error_init();
    put p = {.out = &reply->body};
    if (admin_read_fields(call->body, &f, reply)) {
        const store_key_change change = {.enabled = &f.enabled};
        enum store_status status = STORE_INVALID;
        if (!f.has_enabled)
            bad_parameter(reply, "Enabled field is required and must be boolean value");
        else
            status = store_key_set(api->options.store, app, id, &change, put_key, &p, &err);
        if (status == STORE_OK)
            good(reply);
        else if (status == STORE_NOT_FOUND)
            admin_error(reply, 500, "InternalFailure", SS_LIT("Error modifying authorization"));
        else if (f.has_enabled)
            failed(reply, status, &err, "Error modifying authorization");
    }
    admin_fields_fini(&f);
}

static void delete_key(admin_api *api, ss_str app, ss_str id, admin_reply *reply)
{
    static const char text[] = "Error occurred while attempting to delete authorization";
    ss_error err = error_init();
    enum store_status status = store_key_delete(api->options.store, app, id, &err);
    if (status != STORE_OK && status != STORE_NOT_FOUND) {
        failed(reply, status, &err, text);
        return;
    }
    good(reply);
    buf_adds(&reply->body, "{\"Result\":\"Deleted\"}");
}

/* Without an id: as the seed answers. */
static void delete_no_key(admin_reply *reply)
{
    admin_error(reply, 500, "InternalFailure",
                SS_LIT("Error occurred while attempting to delete authorization"));
}

/* ---- redshift/setup ---- */

static void set_up(const admin_api *api, admin_reply *reply)
{
    ss_error err = error_init();
    int32_t status = api->options.setup(api->options.arg, &err);
    if (status == SS_OK) {
        good(reply);
        buf_adds(&reply->body, "{\"Result\":\"OK\"}");
    } else if (status == SS_DECLINE) {
        admin_error(reply, 400, "BadRequest", SS_LIT("Redshift is not deployed and can not be configured."));
    } else {
        log_error("admin: redshift/setup: %s", err.text);
        admin_error(reply, 500, "InternalFailure",
                    SS_LIT("Error occurred while attempting to set up Redshift"));
    }
}

/* ---- */

void admin_do(admin_api *api, const admin_target *target, const admin_call *call, admin_reply *reply)
{
    ss_str method = call->wire.method;
    bool post = ss_eq(method, SS_LIT("POST")), remove = ss_eq(method, SS_LIT("DELETE"));
    switch (target->route) {
    case ADMIN_APPS:
        if (post)
            create_app(api, call, reply);
        else
            list_apps(api, reply);
        break;
    case ADMIN_APP:
        if (remove)
            delete_app(api, target->app, reply);
        else
            get_app(api, target->app, reply);
        break;
    case ADMIN_KEYS:
        if (post)
            create_key(api, target->app, call, reply);
        else if (remove)
            delete_no_key(reply);
        else
            list_keys(api, target->app, reply);
        break;
    case ADMIN_KEY:
        if (ss_eq(method, SS_LIT("PUT")))
            set_key(api, target->app, target->key, call, reply);
        else if (remove)
            delete_key(api, target->app, target->key, reply);
        else
            get_key(api, target->app, target->key, reply);
        break;
    case ADMIN_SETUP:
        set_up(api, reply);
        break;
    case ADMIN_UNKNOWN:
        break;
    }
}
