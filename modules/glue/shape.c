#include "modules/glue/shape.h"

#include <ctype.h>

#include "plugins/common/json.h"
#include "plugins/common/url.h"

#define FOLDER_MAX 512u

void glue_put_text(buf *out, ss_str text)
{
    if (buf_reserve(out, json_escape_bound(text.len)))
        out->len += json_put_string(out->ptr + out->len, text);
}

/* ---- one folder of the template ---- */

typedef struct folder { /* what stands in one */
    char text[FOLDER_MAX];
    uint32_t times, names, plain; /* %Y..., {app} and {type}, other bytes of the value */
    char time;
    const char *value; /* behind "name=" */
} folder;

static const char *time_name(char time)
{
    switch (time) {
    case 'Y':
        return "year";
    case 'm':
        return "month";
    case 'd':
        return "day";
    case 'H':
        return "hour";
    case 'M':
        return "minute";
    default:
        return "day_of_year";
    }
}

static void look_at(folder *f)
{
    const char *equals = strchr(f->text, '=');
    f->value = equals ? equals + 1 : f->text;
    f->times = f->names = f->plain = 0;
    for (const char *at = f->value; *at; at++) {
        if (*at == '%') {
            f->times++;
            f->time = *++at;
        } else if (*at == '{') {
            f->names++;
            at = strchr(at, '}');
        } else {
            f->plain++;
        }
    }
}

/* "%Y-%m-%d" as "yyyy-MM-dd". false: text that a format cannot hold as it stands. */
static bool java_format(const char *value, shape_key *k)
{
    static const char units[] = "YmdjHM"; /* from coarse to fine */
    static const char *const names[] = {"YEARS", "MONTHS", "DAYS", "DAYS", "HOURS", "MINUTES"};
    size_t len = 0, finest = 0;
    for (const char *at = value; *at && len + 5 < sizeof k->format; at++) {
        if (isalnum((unsigned char)*at) || *at == '\'')
            return false;
        if (*at != '%') {
            k->format[len++] = *at;
            continue;
        }
        const char *unit = strchr(units, *++at);
        const char *java = *at == 'Y'   ? "yyyy"
                           : *at == 'm' ? "MM"
                           : *at == 'd' ? "dd"
                           : *at == 'H' ? "HH"
                           : *at == 'M' ? "mm"
                                        : "DDD";
        finest = (size_t)(unit - units) > finest ? (size_t)(unit - units) : finest;
        len += (size_t)snprintf(k->format + len, sizeof k->format - len, "%s", java);
    }
    k->unit = names[finest];
    return true;
}

static bool name_it(const folder *f, shape_key *k, ss_error *err)
{
    size_t len = f->value > f->text ? (size_t)(f->value - f->text) - 1 : 0;
    const char *automatic = f->names        ? (strcmp(f->value, "{app}") == 0 ? "app" : "type")
                            : f->times == 1 ? time_name(f->time)
                                            : "dt";
    (void)snprintf(k->name, sizeof k->name, "%.*s", len ? (int)len : (int)strlen(automatic),
                   len ? f->text : automatic);
    bool good = len < sizeof k->name && f->text[0] != '=';
    for (const char *at = k->name; *at; at++)
        good &= islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_';
    return good ||
           ss_fail(err, 0,
                   "glue: partition: \"%.60s\" is no name of a partition key; small letters, digits and _",
                   k->name);
}

static bool add_key(shape *s, folder *f, uint32_t number, ss_error *err)
{
    if (s->key_count == SHAPE_KEYS_MAX)
        return ss_fail(err, 0, "glue: partition has more than %u keys", SHAPE_KEYS_MAX);
    shape_key *k = &s->keys[s->key_count];
    *k = (shape_key){.folder = number, .skip = (size_t)(f->value - f->text), .time = f->time};
    bool named = f->names == 1 && f->times == 0 && f->plain == 0;
    bool timed = f->names == 0 && java_format(f->value, k);
    k->kind = named ? SHAPE_INJECTED : f->times == 1 && f->plain == 0 ? SHAPE_NUMBER : SHAPE_DATE;
    if (!named && !timed)
        return ss_fail(
            err, 0,
            "glue: partition: the folder \"%.100s\" cannot be a partition key; write name=VALUE with "
            "times alone, {app} or {type}",
            f->text);
    if (!name_it(f, k, err))
        return false;
    for (uint32_t i = 0; i < s->key_count; i++)
        if (strcmp(s->keys[i].name, k->name) == 0)
            return ss_fail(err, 0, "glue: partition has two keys that are called %s", k->name);
    s->names[s->key_count++] = k->name;
    size_t len = strlen(s->folders);
    (void)snprintf(s->folders + len, sizeof s->folders - len, "%.*s${%s}/", (int)k->skip, f->text, k->name);
    return true;
}

/* ---- the whole ---- */

static bool add_folder(shape *s, const char *text, size_t len, uint32_t number, ss_error *err)
{
    folder f = {.text = ""};
    size_t at = 0;
    for (size_t i = 0; i < len;) {
        static const char receiver[] = "{receiver}";
        bool own = len - i >= sizeof receiver - 1 && memcmp(text + i, receiver, sizeof receiver - 1) == 0;
        at += (size_t)snprintf(f.text + at, sizeof f.text - at, "%.*s", own ? (int)strlen(s->receiver) : 1,
                               own ? s->receiver : text + i);
        i += own ? sizeof receiver - 1 : 1;
        if (at >= sizeof f.text)
            return ss_fail(err, 0, "glue: a folder of partition is longer than %u bytes", FOLDER_MAX);
    }
    f.text[at] = '\0';
    look_at(&f);
    if (f.times + f.names > 0)
        return add_key(s, &f, number, err);
    char *to = s->key_count ? s->folders : s->location;
    size_t used = strlen(to);
    return (size_t)snprintf(to + used, SHAPE_LOCATION_MAX - used, "%s/", f.text) <
               SHAPE_LOCATION_MAX - used ||
           ss_fail(err, 0, "glue: location and partition are too long");
}

/* As it stands in the lake's folders. */
static bool encode_receiver(shape *s, ss_str receiver, ss_error *err)
{
    char dir[LAYOUT_DIR_MAX];
    layout l;
    const ss_record r = {.receiver = receiver};
    if (!layout_compile(&l, "partition", SS_LIT("{receiver}"), err))
        return false;
    size_t len = layout_dir(&l, &r, dir);
    (void)snprintf(s->receiver, sizeof s->receiver, "%.*s", len ? (int)len - 1 : 0, dir);
    return true;
}

bool shape_make(shape *s, ss_str receiver, ss_str location, ss_str partition, bool by_receive, ss_error *err)
{
    *s = (shape){.key_count = 0};
    while (location.len && location.ptr[location.len - 1] == '/')
        location.len--;
    if (location.len < 6 || memcmp(location.ptr, "s3://", 5) != 0 || location.len >= SHAPE_LOCATION_MAX / 2)
        return ss_fail(err, 0, "glue: location must be s3://bucket/prefix, as the lake's path");
    if (!layout_compile(&s->layout, "partition", partition, err) || !encode_receiver(s, receiver, err))
        return false;
    s->layout.by_receive = by_receive;
    (void)snprintf(s->root, sizeof s->root, "%.*s/", (int)location.len, location.ptr);
    memcpy(s->location, s->root, sizeof s->location);
    uint32_t number = 0;
    for (const char *at = s->layout.text; *at; number++) {
        size_t len = strcspn(at, "/");
        if (!add_folder(s, at, len, number, err))
            return false;
        at += len + (at[len] == '/');
    }
    return true;
}

/* ---- as JSON ---- */

static void put_range(const shape_key *k, buf *out)
{
    static const struct {
        char time;
        const char *range, *digits;
    } ranges[] = {{'Y', "2020,2039", "4"}, {'m', "1,12", "2"}, {'d', "1,31", "2"},
                  {'H', "0,23", "2"},      {'M', "0,59", "2"}, {'j', "1,366", "3"}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].time == k->time)
            buf_addf(out,
                     ", \"projection.%s.type\": \"integer\", \"projection.%s.range\": \"%s\", "
                     "\"projection.%s.digits\": \"%s\"",
                     k->name, k->name, ranges[i].range, k->name, ranges[i].digits);
}

/* The first moment that is projected, in the key's own form. */
static void put_start(const shape_key *k, buf *out)
{
    static const char *const parts[][2] = {{"yyyy", "2020"}, {"MM", "01"}, {"dd", "01"},
                                           {"HH", "00"},     {"mm", "00"}, {"DDD", "001"}};
    for (const char *at = k->format; *at;) {
        size_t i = 0, count = sizeof parts / sizeof *parts;
        while (i < count && strncmp(at, parts[i][0], strlen(parts[i][0])) != 0)
            i++;
        if (i < count)
            buf_adds(out, parts[i][1]);
        else
            buf_add(out, at, 1);
        at += i < count ? strlen(parts[i][0]) : 1;
    }
}

void shape_put_projection(const shape *s, buf *out)
{
    buf_adds(out, ", \"projection.enabled\": \"true\"");
    for (uint32_t i = 0; i < s->key_count; i++) {
        const shape_key *k = &s->keys[i];
        if (k->kind == SHAPE_INJECTED)
            buf_addf(out, ", \"projection.%s.type\": \"injected\"", k->name);
        if (k->kind == SHAPE_NUMBER)
            put_range(k, out);
        if (k->kind != SHAPE_DATE)
            continue;
        buf_addf(out, ", \"projection.%s.type\": \"date\", \"projection.%s.format\": ", k->name, k->name);
        glue_put_text(out, ss_cstr(k->format));
        buf_addf(out,
                 ", \"projection.%s.interval\": \"1\", \"projection.%s.interval.unit\": \"%s\", "
                 "\"projection.%s.range\": \"",
                 k->name, k->name, k->unit, k->name);
        put_start(k, out);
        buf_adds(out, ",NOW\"");
    }
    buf text;
    buf_init(&text, 2 * SHAPE_LOCATION_MAX);
    buf_addf(&text, "%s%s", s->location, s->folders);
    buf_adds(out, ", \"storage.location.template\": ");
    glue_put_text(out, ss_s(text.ptr, text.len ? text.len - 1 : 0)); /* without the slash */
    buf_fini(&text);
}

void shape_put_keys(const shape *s, buf *out)
{
    buf_adds(out, "[");
    for (uint32_t i = 0; i < s->key_count; i++)
        buf_addf(out, "%s{\"Name\": \"%s\", \"Type\": \"string\"}", i ? ", " : "", s->keys[i].name);
    buf_adds(out, "]");
}

void shape_put_values(const shape *s, const char *dir, buf *out)
{
    char value[LAYOUT_DIR_MAX];
    uint32_t number = 0, key = 0;
    buf_adds(out, "[");
    for (const char *at = dir; *at && key < s->key_count; number++) {
        size_t len = strcspn(at, "/");
        const shape_key *k = &s->keys[key];
        if (k->folder == number && len >= k->skip) {
            size_t n = url_decode_path(value, ss_s(at + k->skip, len - k->skip));
            buf_adds(out, key++ ? ", " : "");
            glue_put_text(out, ss_s(value, n));
        }
        at += len + (at[len] == '/');
    }
    buf_adds(out, "]");
}
