/* Rows as DynamoDB's items, and back. */
#include <stdlib.h>

#include "core/admin/dynamodb/dynamodb.h"
#include "plugins/common/rfc3339.h"

#define NUMBER_MAX 24u

/* What is written: only what somebody set. */
static const char *const limit_names[] = {"streamsteam_rate", "streamsteam_burst", "streamsteam_quota"};
#define FLAGS_NAME "streamsteam_flags"

/* ---- writing ---- */

json_t *dynamodb_text(ss_str text)
{
    return json_pack("{s:o}", "S", json_stringn(text.ptr ? text.ptr : "", text.len));
}

static void put_text(json_t *item, const char *name, ss_str text)
{
    (void)json_object_set_new(item, name, dynamodb_text(text));
}

static void put_number(json_t *item, const char *name, int64_t number)
{
    char text[NUMBER_MAX];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    (void)json_object_set_new(item, name, json_pack("{s:s}", "N", text));
}

static void put_times(json_t *item, int64_t created_s, int64_t updated_s)
{
    char text[STORE_TIME_SIZE];
    store_put_time(created_s, text);
    put_text(item, "created_at", ss_cstr(text));
    store_put_time(updated_s, text);
    put_text(item, "updated_at", ss_cstr(text));
}

static void put_limits(json_t *item, const store_limits *limits)
{
    const int64_t values[] = {limits->rate, limits->burst, limits->quota};
    for (size_t i = 0; i < 3; i++)
        if (values[i] != STORE_LIMIT_DEFAULT)
            put_number(item, limit_names[i], values[i]);
}

json_t *dynamodb_app_key(ss_str id)
{
    json_t *key = json_object();
    put_text(key, "application_id", id);
    return key;
}

json_t *dynamodb_key_key(ss_str app_id, ss_str key_id)
{
    json_t *key = json_object();
    put_text(key, "api_key_id", key_id);
    put_text(key, "application_id", app_id);
    return key;
}

json_t *dynamodb_app_item(const store_app *app)
{
    json_t *item = dynamodb_app_key(ss_cstr(app->id));
    put_text(item, "application_name", app->name);
    if (app->has_description)
        put_text(item, "description", app->description);
    put_times(item, app->created_s, app->updated_s);
    if (app->flags)
        put_number(item, FLAGS_NAME, app->flags);
    put_limits(item, &app->limits);
    return item;
}

json_t *dynamodb_key_item(const store_key *key)
{
    json_t *item = dynamodb_key_key(ss_cstr(key->app_id), ss_cstr(key->id));
    put_text(item, "api_key_name", key->name);
    put_text(item, "api_key_value", key->value);
    if (key->has_description)
        put_text(item, "api_key_description", key->description);
    (void)json_object_set_new(item, "enabled", json_pack("{s:b}", "BOOL", key->enabled));
    put_times(item, key->created_s, key->updated_s);
    put_limits(item, &key->limits);
    return item;
}

/* ---- reading ---- */

static bool read_text(const json_t *item, const char *name, ss_str *out)
{
    const json_t *text = json_object_get(json_object_get(item, name), "S");
    *out = text ? ss_s(json_string_value(text), json_string_length(text)) : ss_s("", 0);
    return json_is_string(text);
}

static bool read_id(const json_t *item, const char *name, char out[STORE_ID_SIZE])
{
    ss_str text;
    if (!read_text(item, name, &text) || !store_is_id(text))
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

/* Numbers are text there: "12", "1.2E1" where another program wrote it. */
static int64_t read_number(const json_t *item, const char *name, int64_t missing, int64_t most)
{
    const char *text = json_string_value(json_object_get(json_object_get(item, name), "N"));
    char *end;
    double value = text ? strtod(text, &end) : 0;
    return text && end != text && *end == '\0' && value >= 0 && value <= (double)most ? (int64_t)value
                                                                                      : missing;
}

static store_limits read_limits(const json_t *item)
{
    int64_t values[3];
    for (size_t i = 0; i < 3; i++)
        values[i] = read_number(item, limit_names[i], STORE_LIMIT_DEFAULT, STORE_LIMIT_MAX);
    return (store_limits){values[0], values[1], values[2]};
}

static int64_t read_time(const json_t *item, const char *name)
{
    ss_str text;
    int64_t us = 0;
    return read_text(item, name, &text) && rfc3339_date_time(text, &us) ? us / 1000000 : 0;
}

bool dynamodb_read_app(const json_t *item, store_app *out)
{
    *out = (store_app){.flags = (uint32_t)read_number(item, FLAGS_NAME, 0, UINT32_MAX),
                       .limits = read_limits(item),
                       .created_s = read_time(item, "created_at"),
                       .updated_s = read_time(item, "updated_at")};
    out->has_description = read_text(item, "description", &out->description);
    return read_id(item, "application_id", out->id) && read_text(item, "application_name", &out->name) &&
           out->name.len > 0 && out->name.len <= STORE_NAME_MAX &&
           out->description.len <= STORE_DESCRIPTION_MAX;
}

bool dynamodb_read_key(const json_t *item, store_key *out)
{
    const json_t *enabled = json_object_get(json_object_get(item, "enabled"), "BOOL");
    *out = (store_key){.value_whole = true,
                       .enabled = !enabled || json_is_true(enabled),
                       .limits = read_limits(item),
                       .created_s = read_time(item, "created_at"),
                       .updated_s = read_time(item, "updated_at")};
    out->has_description = read_text(item, "api_key_description", &out->description);
    (void)read_text(item, "api_key_name", &out->name);
    return read_id(item, "application_id", out->app_id) && read_id(item, "api_key_id", out->id) &&
           read_text(item, "api_key_value", &out->value) && out->value.len > 0 &&
           out->value.len <= STORE_NAME_MAX && out->name.len <= STORE_NAME_MAX &&
           out->description.len <= STORE_DESCRIPTION_MAX;
}
