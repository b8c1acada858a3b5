#include "plugins/common/lake_manifest.h"

#include <stdlib.h>

#include "plugins/common/rfc3339.h"

static bool path_is_safe(ss_str path)
{
    bool up = path.len >= 2 && memcmp(path.ptr, "..", 2) == 0;
    return path.len > 0 && path.ptr[0] != '/' && !up && !memchr(path.ptr, '\0', path.len) &&
           !memmem(path.ptr, path.len, "/..", 3) && !memmem(path.ptr, path.len, "../", 3);
}

bool lake_path_read(json_scan *s, char path[LAKE_PATH_MAX], ss_str *out)
{
    json_value v;
    if (!json_read(s, &v) || v.kind != JSON_STRING || v.text.len >= LAKE_PATH_MAX)
        return false;
    *out = ss_s(path, json_unescape(path, v.text));
    path[out->len] = '\0';
    return path_is_safe(*out);
}

static bool is_number(const json_value *v, int64_t *out)
{
    return v->kind == JSON_NUMBER && json_i64(v->text, out) && *out >= 0;
}

static bool is_crc(const json_value *v, uint32_t *out)
{
    char text[16], *end;
    if (v->kind != JSON_STRING || v->text.len != 8)
        return false;
    memcpy(text, v->text.ptr, v->text.len);
    text[v->text.len] = '\0';
    *out = (uint32_t)strtoul(text, &end, 16);
    return *end == '\0';
}

static bool take(json_scan *s, lake_object *o, uint32_t bit)
{
    json_value v;
    int64_t *numbers[] = {&o->bytes, &o->raw_bytes, &o->count}, *times[] = {&o->min_us, &o->max_us};
    bool there = false;
    if (!json_read(s, &v))
        return false;
    if (v.kind == JSON_OBJECT || v.kind == JSON_ARRAY)
        (void)json_leave(s);
    else if (bit == LAKE_HAS_CRC)
        there = is_crc(&v, &o->crc);
    else if (bit == LAKE_HAS_MIN || bit == LAKE_HAS_MAX)
        there = v.kind == JSON_STRING && rfc3339_date_time(v.text, times[bit == LAKE_HAS_MAX]);
    else
        there = is_number(&v, numbers[bit >> 1]);
    o->has = there ? o->has | bit : o->has & ~bit;
    /* A size, a count or a time that is none is damage; who wants the others looks at `has`. */
    bool vital = bit == LAKE_HAS_BYTES || bit == LAKE_HAS_COUNT ||
                 ((bit == LAKE_HAS_MIN || bit == LAKE_HAS_MAX) && v.kind == JSON_STRING);
    return there || !vital;
}

bool lake_object_read(json_scan *s, lake_object *o, char path[LAKE_PATH_MAX])
{
    static const char *const names[] = {"bytes", "raw_bytes", "count", "crc32", "event_min", "event_max"};
    json_value v, key;
    *o = (lake_object){.path = {NULL, 0}};
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(s, &key)) {
        size_t i = 0, count = sizeof names / sizeof *names;
        while (i < count && !json_is(&key, names[i]))
            i++;
        bool good;
        if (i < count) {
            good = take(s, o, 1u << i);
        } else if (json_is(&key, "path")) {
            good = lake_path_read(s, path, &o->path);
        } else if (json_is(&key, "errors")) {
            good = json_read(s, &v);
            o->errors = v.kind == JSON_TRUE;
        } else {
            good = json_skip(s, NULL);
        }
        if (!good)
            return false;
    }
    return !s->problem && o->path.len > 0;
}
