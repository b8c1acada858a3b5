#include "modules/compact/manifest.h"

#include <time.h>

#include "plugins/common/rfc3339.h"

#define US_PER_S 1000000

static const char *const states[] = {"written", "published", "done"};

/* ---- reading ---- */

static bool read_time(json_scan *s, int64_t *out)
{
    json_value v;
    return json_read(s, &v) && v.kind == JSON_STRING && rfc3339_date_time(v.text, out);
}

static bool read_objects(json_scan *s, const manifest_visitor *visitor)
{
    json_value v;
    lake_object o;
    char path[LAKE_PATH_MAX];
    if (!json_read(s, &v) || v.kind != JSON_ARRAY)
        return false;
    while (json_item(s))
        if (!lake_object_read(s, &o, path) || o.has != LAKE_HAS_ALL ||
            (visitor->object && !visitor->object(visitor->arg, &o)))
            return false;
    return !s->problem;
}

static bool read_replaced(json_scan *s, const manifest_visitor *visitor)
{
    json_value v;
    ss_str at;
    char path[LAKE_PATH_MAX];
    if (!json_read(s, &v) || v.kind != JSON_ARRAY)
        return false;
    while (json_item(s))
        if (!lake_path_read(s, path, &at) || (visitor->replaced && !visitor->replaced(visitor->arg, at)))
            return false;
    return !s->problem;
}

static bool read_state(json_scan *s, enum unit_state *out)
{
    json_value v;
    if (!json_read(s, &v) || v.kind != JSON_STRING)
        return false;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (json_is(&v, states[i])) {
            *out = (enum unit_state)i;
            return true;
        }
    return false;
}

bool manifest_read(ss_str text, unit_head *head, const manifest_visitor *visitor)
{
    json_scan s;
    json_value v, key;
    ss_str final = {NULL, 0};
    bool objects = false, replaces = false, state = false;
    if (head)
        *head = (unit_head){.state = UNIT_WRITTEN};
    bool good = text.len <= JSON_TEXT_MAX && json_valid(text);
    json_start(&s, text);
    good = good && json_read(&s, &v) && v.kind == JSON_OBJECT;
    while (good && json_member(&s, &key)) {
        if (json_is(&key, "objects"))
            objects = good = read_objects(&s, visitor);
        else if (head && json_is(&key, "replaces"))
            replaces = good = read_replaced(&s, visitor);
        else if (head && json_is(&key, "state"))
            state = good = read_state(&s, &head->state);
        else if (head && json_is(&key, "written"))
            good = read_time(&s, &head->written_us);
        else if (head && json_is(&key, "published"))
            good = read_time(&s, &head->published_us);
        else if (head && json_is(&key, "final"))
            good = lake_path_read(&s, head->final, &final);
        else
            good = json_skip(&s, NULL);
    }
    return good && objects && (!head || (replaces && state && final.len > 0));
}

/* ---- writing ---- */

static void put_text(grow *out, const char *name, ss_str text)
{
    char escaped[json_escape_bound(LAKE_PATH_MAX)];
    (void)grow_puts(out, name);
    (void)grow_put(out, ss_s(escaped, json_put_string(escaped, text)));
}

static void put_time(grow *out, const char *name, int64_t us)
{
    char text[120];
    time_t seconds = (time_t)(us / US_PER_S - (us % US_PER_S < 0));
    struct tm t = {0};
    (void)gmtime_r(&seconds, &t);
    (void)snprintf(text, sizeof text, "%s\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", name, t.tm_year + 1900,
                   t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
                   (int)((us - (int64_t)seconds * US_PER_S) / 1000));
    (void)grow_puts(out, text);
}

void manifest_put_head(grow *out, const char *name, const unit_head *head, const lake_object *o)
{
    char numbers[200];
    put_text(out, "{\"version\":1,\"unit\":", ss_cstr(name));
    put_text(out, ",\"state\":", ss_cstr(states[head->state]));
    put_time(out, ",\"written\":", head->written_us);
    if (head->state != UNIT_WRITTEN)
        put_time(out, ",\"published\":", head->published_us);
    put_text(out, ",\"final\":", ss_cstr(head->final));
    put_text(out, ",\"objects\":[\n{\"path\":", o->path);
    (void)snprintf(numbers, sizeof numbers,
                   ",\"bytes\":%lld,\"raw_bytes\":%lld,\"count\":%lld,\"crc32\":\"%08x\"",
                   (long long)o->bytes, (long long)o->raw_bytes, (long long)o->count, o->crc);
    (void)grow_puts(out, numbers);
    put_time(out, ",\"event_min\":", o->min_us);
    put_time(out, ",\"event_max\":", o->max_us);
    (void)grow_puts(out, o->errors ? ",\"errors\":true}\n],\"replaces\":[" : "}\n],\"replaces\":[");
}

void manifest_put_replaced(grow *out, ss_str path, bool first)
{
    put_text(out, first ? "\n" : ",\n", path);
}

void manifest_put_end(grow *out)
{
    (void)grow_puts(out, "\n]}\n");
}
