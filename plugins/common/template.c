#include "plugins/common/template.h"

#include "plugins/common/json.h"

typedef struct out_text {
    char *at;
    size_t len, size;
    bool cut;
} out_text;

/* ---- compiling ---- */

static const struct {
    const char *name;
    enum template_kind kind;
} names[] = {{"receiver", TEMPLATE_RECEIVER},
             {"app", TEMPLATE_APP},
             {"type", TEMPLATE_TYPE},
             {"id", TEMPLATE_ID},
             {"key", TEMPLATE_KEY}};

static bool add_part(record_template *t, enum template_kind kind, size_t at, size_t len, ss_error *err)
{
    if (t->count == TEMPLATE_PARTS_MAX)
        return ss_fail(err, 0, "the template \"%.100s\" has more than %u parts", t->text, TEMPLATE_PARTS_MAX);
    t->parts[t->count++] = (template_part){kind, (uint16_t)at, (uint16_t)len};
    return true;
}

static bool path_ok(ss_str path)
{
    uint32_t depth = 1;
    if (path.len == 0 || path.ptr[0] == '.' || path.ptr[path.len - 1] == '.')
        return false;
    for (size_t i = 1; i < path.len; i++) {
        if (path.ptr[i] != '.')
            continue;
        if (path.ptr[i - 1] == '.' || ++depth > TEMPLATE_DEPTH_MAX)
            return false;
    }
    return true;
}

static bool add_name(record_template *t, size_t at, size_t len, ss_error *err)
{
    static const char json[] = "json:";
    ss_str name = ss_s(t->text + at, len);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ss_eq(name, ss_cstr(names[i].name)))
            return add_part(t, names[i].kind, 0, 0, err);
    size_t head = sizeof json - 1;
    if (len > head && memcmp(name.ptr, json, head) == 0 && path_ok(ss_s(name.ptr + head, len - head)))
        return add_part(t, TEMPLATE_JSON, at + head, len - head, err);
    return ss_fail(err, 0,
                   "the template \"%.100s\" has {%.*s}: there are {receiver}, {app}, {type}, {id}, {key} and "
                   "{json:path.to.member}",
                   t->text, (int)(len < 60 ? len : 60), name.ptr);
}

bool template_compile(record_template *t, ss_str text, ss_error *err)
{
    memset(t, 0, sizeof *t);
    if (text.len >= sizeof t->text)
        return ss_fail(err, 0, "a template has at most %u bytes", TEMPLATE_TEXT_MAX - 1);
    if (text.len)
        memcpy(t->text, text.ptr, text.len);
    const char *p = t->text;
    for (size_t i = 0; i < text.len;) {
        size_t from = i;
        while (i < text.len && p[i] != '{' && p[i] != '}')
            i++;
        if (i > from && !add_part(t, TEMPLATE_TEXT, from, i - from, err))
            return false;
        if (i == text.len)
            break;
        if (i + 1 < text.len && p[i + 1] == p[i]) { /* a brace of its own */
            if (!add_part(t, TEMPLATE_TEXT, i, 1, err))
                return false;
            i += 2;
            continue;
        }
        const char *end = p[i] == '{' ? memchr(p + i, '}', text.len - i) : NULL;
        if (!end)
            return ss_fail(err, 0, "the template \"%.100s\" has a brace without its other half at byte %zu",
                           t->text, i + 1);
        size_t len = (size_t)(end - p) - i - 1;
        if (!add_name(t, i + 1, len, err))
            return false;
        i += len + 2;
    }
    return true;
}

bool template_is_fixed(const record_template *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->parts[i].kind != TEMPLATE_TEXT)
            return false;
    return true;
}

/* ---- writing ---- */

static void put(out_text *o, ss_str text)
{
    size_t room = o->size - o->len, len = text.len;
    if (o->cut)
        return;
    if (len > room) {
        o->cut = true;
        for (len = room; len > 0 && ((unsigned char)text.ptr[len] & 0xC0u) == 0x80u; len--)
            ;
    }
    if (len)
        memcpy(o->at + o->len, text.ptr, len);
    o->len += len;
}

/* As many of its bytes as fit, without half an escape at the end. */
static ss_str whole_escapes(ss_str raw, size_t most)
{
    size_t i = 0, step;
    for (; i < raw.len; i += step) {
        step = raw.ptr[i] != '\\' ? 1 : raw.ptr[i + 1] == 'u' ? 6 : 2;
        if (i + step > most)
            break;
    }
    return ss_s(raw.ptr, i);
}

static void put_value(out_text *o, const json_value *v)
{
    char plain[TEMPLATE_VALUE_MAX];
    if (v->kind == JSON_STRING && v->escaped)
        put(o, ss_s(plain, json_unescape(plain, whole_escapes(v->text, sizeof plain))));
    else if (v->kind != JSON_NULL)
        put(o, v->text);
}

/* Walks down the line to the member; containers are written as they stand. */
static void put_member(out_text *o, ss_str line, ss_str path)
{
    json_scan s;
    json_value key, v;
    json_start(&s, line);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return;
    while (json_member(&s, &key)) {
        const char *dot = memchr(path.ptr, '.', path.len);
        size_t len = dot ? (size_t)(dot - path.ptr) : path.len;
        if (key.escaped || !ss_eq(key.text, ss_s(path.ptr, len))) {
            if (!json_skip(&s, NULL))
                return;
            continue;
        }
        ss_str raw;
        json_scan before = s;
        if (!dot) {
            if (json_read(&s, &v) && v.kind != JSON_OBJECT && v.kind != JSON_ARRAY)
                put_value(o, &v);
            else if (json_skip(&before, &raw))
                put(o, raw);
            return;
        }
        if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
            return;
        path = ss_s(dot + 1, path.len - len - 1);
    }
}

size_t template_write(const record_template *t, const ss_record *r, char *out, size_t size)
{
    out_text o = {.at = out, .size = size};
    for (uint32_t i = 0; i < t->count; i++) {
        const template_part *p = &t->parts[i];
        ss_str own = ss_s(t->text + p->at, p->len);
        switch (p->kind) {
        case TEMPLATE_TEXT:
            put(&o, own);
            break;
        case TEMPLATE_RECEIVER:
            put(&o, r->receiver);
            break;
        case TEMPLATE_APP:
            put(&o, r->app);
            break;
        case TEMPLATE_TYPE:
            put(&o, r->type);
            break;
        case TEMPLATE_ID:
            put(&o, r->id);
            break;
        case TEMPLATE_KEY:
            put(&o, r->key);
            break;
        case TEMPLATE_JSON:
            put_member(&o, r->json, own);
            break;
        }
    }
    return o.len;
}
