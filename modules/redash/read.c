#include "modules/redash/api.h"

#define TEXT_MAX (64u << 10)

/* ---- reading ---- */

/* What is longer than out is cut. */
static void copy_text(char *out, size_t size, const json_value *v)
{
    char *whole = v->kind == JSON_STRING ? malloc(v->text.len + 1) : NULL;
    out[0] = '\0';
    if (!whole)
        return;
    size_t len = json_unescape(whole, v->text);
    len = len < size ? len : size - 1;
    memcpy(out, whole, len);
    out[len] = '\0';
    free(whole);
}

static bool read_text(json_scan *s, char *out, size_t size)
{
    json_value v;
    if (!json_read(s, &v))
        return false;
    copy_text(out, size, &v);
    return (v.kind != JSON_OBJECT && v.kind != JSON_ARRAY) || json_leave(s);
}

static bool read_id(json_scan *s, int64_t *out)
{
    json_value v;
    if (!json_read(s, &v))
        return false;
    if (v.kind != JSON_NUMBER || !json_i64(v.text, out))
        *out = 0;
    return (v.kind != JSON_OBJECT && v.kind != JSON_ARRAY) || json_leave(s);
}

static bool read_tags(const api *a, json_scan *s, api_item *out)
{
    json_value v;
    char tag[API_NAME_MAX];
    if (!json_read(s, &v))
        return false;
    if (v.kind != JSON_ARRAY)
        return v.kind != JSON_OBJECT || json_leave(s);
    while (json_item(s)) {
        if (!read_text(s, tag, sizeof tag))
            return false;
        out->tagged = true;
        out->ours = out->ours || strcmp(tag, a->tag) == 0;
    }
    return !s->problem;
}

/* A number that stands in an object under that name. */
static bool read_inside(json_scan *s, const char *name, int64_t *number)
{
    json_value v, key;
    if (!json_read(s, &v))
        return false;
    if (v.kind != JSON_OBJECT)
        return v.kind != JSON_ARRAY || json_leave(s);
    while (json_member(s, &key))
        if (!(json_is(&key, name) ? read_id(s, number) : json_skip(s, NULL)))
            return false;
    return !s->problem;
}

static bool read_sql(json_scan *s, grow *sql)
{
    json_value v;
    if (!json_read(s, &v) || v.kind != JSON_STRING || !grow_room(sql, v.text.len + 1))
        return false;
    sql->len = json_unescape(sql->at, v.text);
    sql->at[sql->len] = '\0';
    return true;
}

static bool read_item(const api *a, json_scan *s, api_item *out, grow *sql)
{
    json_value v, key;
    *out = (api_item){.id = 0};
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(s, &key)) {
        bool good = true;
        if (json_is(&key, "id"))
            good = read_id(s, &out->id);
        else if (json_is(&key, "data_source_id"))
            good = read_id(s, &out->source);
        else if (json_is(&key, "name"))
            good = read_text(s, out->name, sizeof out->name);
        else if (json_is(&key, "type"))
            good = read_text(s, out->type, sizeof out->type);
        else if (json_is(&key, "description"))
            good = read_text(s, out->description, sizeof out->description);
        else if (json_is(&key, "tags"))
            good = read_tags(a, s, out);
        else if (json_is(&key, "visualization")) /* of a widget */
            good = read_inside(s, "id", &out->visualization);
        else if (json_is(&key, "schedule"))
            good = read_inside(s, "interval", &out->interval_s);
        else if (sql && json_is(&key, "query"))
            good = read_sql(s, sql);
        else if (json_is(&key, "is_draft")) {
            good = json_read(s, &v);
            out->draft = v.kind == JSON_TRUE;
        } else {
            good = json_skip(s, NULL);
        }
        if (!good)
            return false;
    }
    return !s->problem;
}

bool api_read_item(const api *a, ss_str json, api_item *out, grow *sql)
{
    json_scan s;
    json_start(&s, json);
    return json_valid(json) && read_item(a, &s, out, sql) && out->id > 0;
}

static bool read_list(const api *a, json_scan *s, bool (*visit)(void *arg, const api_item *i), void *arg)
{
    json_value v;
    api_item item;
    if (!json_read(s, &v) || v.kind != JSON_ARRAY)
        return false;
    while (json_item(s))
        if (!read_item(a, s, &item, NULL) || !visit(arg, &item))
            return false;
    return !s->problem;
}

bool api_each(const api *a, ss_str json, const char *name, bool (*visit)(void *arg, const api_item *i),
              void *arg)
{
    json_scan s;
    json_value v, key;
    bool good = json_valid(json), found = false;
    json_start(&s, json);
    if (!good || !name)
        return good && read_list(a, &s, visit, arg);
    good = json_read(&s, &v) && v.kind == JSON_OBJECT;
    while (good && json_member(&s, &key)) {
        bool wanted = json_is(&key, name);
        good = wanted ? read_list(a, &s, visit, arg) : json_skip(&s, NULL);
        found = found || wanted;
    }
    return good && found;
}

bool api_read_count(ss_str json, int64_t *out)
{
    json_scan s;
    json_start(&s, json);
    *out = -1;
    return json_valid(json) && read_inside(&s, "count", out) && *out >= 0;
}

/* ---- writing ---- */

void api_put_text(grow *out, const char *before, ss_str text)
{
    (void)grow_puts(out, before);
    if (text.len > TEXT_MAX || !grow_room(out, json_escape_bound(text.len)))
        out->full = true;
    else
        out->len += json_put_string(out->at + out->len, text);
}

void api_put_number(grow *out, const char *before, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    (void)grow_puts(out, before);
    (void)grow_puts(out, text);
}
