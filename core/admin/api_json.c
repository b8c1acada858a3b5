/* What the replies of the admin API are made of. */

#include "core/admin/api_inside.h"
#include "plugins/common/json.h"

#define KEY_HIDDEN "..." /* behind the beginning of a key of which only a hash is kept */

void admin_put_text(buf *out, ss_str text)
{
    if (buf_reserve(out, json_escape_bound(text.len)))
        out->len += json_put_string(out->ptr + out->len, text);
}

/* before: "{" or ",". */
static void put_member(buf *out, const char *before, const char *name, ss_str value)
{
    buf_addf(out, "%s\"%s\":", before, name);
    admin_put_text(out, value);
}

static void put_time(buf *out, const char *name, int64_t seconds)
{
    char text[STORE_TIME_SIZE];
    store_put_time(seconds, text);
    put_member(out, ",", name, ss_cstr(text));
}

void admin_put_app(buf *out, const store_app *app, bool as_get)
{
    put_member(out, "{", "ApplicationId", ss_cstr(app->id));
    put_member(out, ",", "ApplicationName", app->name);
    if (as_get)
        put_time(out, "CreatedAt", app->created_s);
    if (app->has_description)
        put_member(out, ",", "Description", app->description);
    put_time(out, "UpdatedAt", app->updated_s);
    if (!as_get)
        put_time(out, "CreatedAt", app->created_s);
    buf_adds(out, "}");
}

static void put_value(buf *out, const store_key *key)
{
    char text[STORE_VALUE_LEN + sizeof KEY_HIDDEN];
    int len = snprintf(text, sizeof text, "%.*s%s", (int)key->value.len, key->value.ptr,
                       key->value_whole ? "" : KEY_HIDDEN);
    put_member(out, ",", "ApiKeyValue", ss_s(text, len > 0 ? (size_t)len : 0));
    explicit_bzero(text, sizeof text);
}

void admin_put_key(buf *out, const store_key *key)
{
    put_member(out, "{", "ApiKeyId", ss_cstr(key->id));
    put_value(out, key);
    put_member(out, ",", "ApiKeyName", key->name);
    put_member(out, ",", "ApplicationId", ss_cstr(key->app_id));
    if (key->has_description)
        put_member(out, ",", "ApiKeyDescription", key->description);
    put_time(out, "CreatedAt", key->created_s);
    put_time(out, "UpdatedAt", key->updated_s);
    buf_adds(out, key->enabled ? ",\"Enabled\":true}" : ",\"Enabled\":false}");
}
