#include "core/config/schema.h"

#include <limits.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/config/suggest.h"
#include "core/config/value.h"

#define SCHEMA_SHOWN_MAX 64u
#define SCHEMA_KEY_MAX   256u

/* One value on its way: what it must be, what stands there, how to name it. */
typedef struct slot {
    const ss_option *option;
    size_t stride;
    const char *path;
    bool secret; /* the option's own flag or that of one around it */
    bool suffix_ms;
} slot;

static json_t *check_value(schema *s, const slot *want, const tree *node);
static json_t *check_mapping(schema *s, const slot *want, const tree *node, place at);

ss_option schema_option(const ss_option *table, size_t stride, size_t i)
{
    ss_option o = {0};
    memcpy(&o, (const char *)table + i * stride, stride < sizeof o ? stride : sizeof o);
    return o;
}

const char *schema_type_name(uint32_t type)
{
    static const char *const names[] = {"",       "string",   "integer", "number", "true or false",
                                        "size",   "duration", "choice",  "URL",    "path",
                                        "object", "list",     "map",     "any"};
    return type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

const char *schema_range_text(const ss_option *o, char *out, size_t size)
{
    char low[32], high[32];
    out[0] = '\0';
    if (o->min == o->max)
        return out;
    if (o->type == SS_T_SIZE) {
        (void)value_size_text(o->min, low, sizeof low);
        (void)value_size_text(o->max, high, sizeof high);
    } else if (o->type == SS_T_DURATION) {
        (void)value_duration_text(o->min, low, sizeof low);
        (void)value_duration_text(o->max, high, sizeof high);
    } else {
        (void)snprintf(low, sizeof low, "%lld", (long long)o->min);
        (void)snprintf(high, sizeof high, "%lld", (long long)o->max);
    }
    if (o->max == INT64_MAX)
        (void)snprintf(out, size, "at least %s", low);
    else
        (void)snprintf(out, size, "between %s and %s", low, high);
    return out;
}

/* What stands in the file, for messages: before references are filled in, and never of a secret. */
static const char *shown(const slot *want, const tree *node, char out[SCHEMA_SHOWN_MAX + 8])
{
    if (want->secret)
        return "the secret given";
    size_t n = 0;
    out[n++] = '\'';
    for (const char *p = node->text.ptr; *p && n < SCHEMA_SHOWN_MAX; p++)
        out[n++] = (unsigned char)*p < ' ' ? '?' : *p;
    memcpy(out + n, "'", 2);
    return out;
}

static json_t *refuse(schema *s, const slot *want, const tree *node, const char *why)
{
    char text[SCHEMA_SHOWN_MAX + 8];
    problems_add(s->problems, node->at, "%s: %s %s", want->path, shown(want, node, text), why);
    return NULL;
}

static const char *join(schema *s, const char *path, const char *key)
{
    char text[SCHEMA_PATH_MAX];
    (void)snprintf(text, sizeof text, "%s%s%s", path, *path ? "." : "", key);
    size_t size = strlen(text) + 1;
    char *copy = arena_take(s->arena, size);
    return copy ? memcpy(copy, text, size) : path;
}

/* The scalar with its references filled in, in the arena. NULL: a problem was added. */
static const char *expand(schema *s, const slot *want, const tree *node)
{
    if (!strstr(node->text.ptr, "${"))
        return node->text.ptr;
    buf out;
    buf_init(&out, REFERENCE_VALUE_MAX);
    ss_error err = error_init();
    char *copy = NULL;
    if (!reference_expand(&s->references, node->text, &out, &err)) {
        problems_add(s->problems, node->at, "%s: %s", want->path, err.text);
    } else if ((copy = arena_take(s->arena, out.len + 1)) != NULL) {
        if (out.len > 0)
            memcpy(copy, out.ptr, out.len);
        copy[out.len] = '\0';
    } else {
        problems_add(s->problems, node->at, "%s: out of memory", want->path);
    }
    buf_fini(&out);
    return copy;
}

static json_t *in_range(schema *s, const slot *want, const tree *node, int64_t number)
{
    const ss_option *o = want->option;
    if (o->min == o->max || (number >= o->min && number <= o->max))
        return json_integer(number);
    char range[96], why[112];
    (void)snprintf(why, sizeof why, "is out of range, it must be %s",
                   schema_range_text(o, range, sizeof range));
    return refuse(s, want, node, why);
}

static json_t *check_number(schema *s, const slot *want, const tree *node, const char *text)
{
    int64_t number = 0;
    double real = 0;
    bool truth = false;
    switch (want->option->type) {
    case SS_T_INT:
        return value_int(text, &number) ? in_range(s, want, node, number)
                                        : refuse(s, want, node, "is not a whole number");
    case SS_T_SIZE:
        return value_size(text, &number) ? in_range(s, want, node, number)
                                         : refuse(s, want, node, "is not a size; write 4096, 25MB or 128MiB");
    case SS_T_DURATION:
        return value_duration(text, &number)
                   ? in_range(s, want, node, number)
                   : refuse(s, want, node, "is not a length of time; write 200ms, 60s, 15m, 1h or 7d");
    case SS_T_FLOAT:
        return value_float(text, &real) ? json_real(real) : refuse(s, want, node, "is not a number");
    default:
        return value_bool(text, &truth) ? json_boolean(truth) : refuse(s, want, node, "is not true or false");
    }
}

static bool choose(const char *choices, const char *text, suggest *near)
{
    for (const char *p = choices; *p;) {
        size_t len = strcspn(p, "|");
        if (ss_eq(ss_s(p, len), ss_cstr(text)))
            return true;
        suggest_offer(near, ss_s(p, len));
        p += len + (p[len] == '|');
    }
    return false;
}

static json_t *check_enum(schema *s, const slot *want, const tree *node, const char *text)
{
    suggest near;
    suggest_init(&near, ss_cstr(text));
    if (choose(want->option->choices, text, &near))
        return json_string(text);
    char why[400], hint[96];
    (void)snprintf(why, sizeof why, "is not one of %.256s%s", want->option->choices,
                   want->secret ? "" : suggest_text(&near, hint, sizeof hint));
    return refuse(s, want, node, why);
}

static json_t *make_string(schema *s, const slot *want, const tree *node, const char *text)
{
    json_t *value = json_string(text);
    if (!value)
        return refuse(s, want, node, "is not UTF-8 text");
    if (!want->secret)
        return value;
    log_add_secret(ss_cstr(text));
    return json_pack("{s:o}", "$secret", value);
}

/* "s3://bucket/prefix" is a place of its own, not one below data_dir. */
static bool has_scheme(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+");
    return len > 0 && strncmp(text + len, "://", 3) == 0;
}

static json_t *make_path(schema *s, const slot *want, const tree *node, const char *text)
{
    if (!s->data_dir || text[0] == '/' || text[0] == '\0' || has_scheme(text))
        return make_string(s, want, node, text);
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", s->data_dir, text) >= sizeof path)
        return refuse(s, want, node, "is too long for a path");
    return make_string(s, want, node, path);
}

/* A secret that is a file as a whole stays a reference: it is read again whenever it is used. It has to be
   readable now, so that a wrong path is found before anything starts. */
static json_t *check_secret_file(schema *s, const slot *want, const tree *node, const char *path)
{
    buf content;
    buf_init(&content, REFERENCE_VALUE_MAX);
    ss_error err = error_init();
    json_t *value = NULL;
    if (reference_read_file(path, &content, &err)) {
        log_add_secret(buf_str(&content));
        value = json_pack("{s:s}", "$file", path);
    } else {
        problems_add(s->problems, node->at, "%s: %s", want->path, err.text);
    }
    if (content.len > 0)
        explicit_bzero(content.ptr, content.len);
    buf_fini(&content);
    return value;
}

static json_t *check_scalar(schema *s, const slot *want, const tree *node)
{
    if (node->kind != TREE_SCALAR) {
        problems_add(s->problems, node->at, "%s: a %s is wanted here, not %s", want->path,
                     schema_type_name(want->option->type), tree_kind_name(node));
        return NULL;
    }
    if (tree_is_null(node)) {
        problems_add(s->problems, node->at, "%s: a value is missing; write \"\" for an empty one",
                     want->path);
        return NULL;
    }
    char path[PATH_MAX];
    if (want->secret && reference_is_file(&s->references, node->text, path, sizeof path))
        return check_secret_file(s, want, node, path);
    const char *text = expand(s, want, node);
    if (!text)
        return NULL;
    switch (want->option->type) {
    case SS_T_STRING:
        return make_string(s, want, node, text);
    case SS_T_ENUM:
        return check_enum(s, want, node, text);
    case SS_T_URL:
        return value_url(text)
                   ? make_string(s, want, node, text)
                   : refuse(s, want, node, "is not a URL; write it with its scheme, https://host/");
    case SS_T_PATH:
        return make_path(s, want, node, text);
    default:
        return check_number(s, want, node, text);
    }
}

static void check_count(schema *s, const slot *want, const tree *node)
{
    const ss_option *o = want->option;
    char range[96];
    if (o->min != o->max && ((int64_t)node->count < o->min || (int64_t)node->count > o->max))
        problems_add(s->problems, node->at, "%s: %zu entries, there must be %s", want->path, node->count,
                     schema_range_text(o, range, sizeof range));
}

static json_t *check_list(schema *s, const slot *want, const tree *node)
{
    ss_option item = schema_option(want->option->children, want->stride, 0);
    slot one = {&item, want->stride, want->path, want->secret || (item.flags & SS_OPT_SECRET) != 0,
                want->suffix_ms};
    json_t *list = json_array();
    if (node->kind == TREE_SCALAR && (want->option->flags & SCHEMA_OPT_ONE_OR_LIST)) {
        json_t *value = check_value(s, &one, node);
        if (value)
            (void)json_array_append_new(list, value);
        return list;
    }
    if (node->kind != TREE_LIST) {
        problems_add(s->problems, node->at, "%s: a list is wanted here, not %s; write [a, b]", want->path,
                     tree_kind_name(node));
        json_decref(list);
        return NULL;
    }
    check_count(s, want, node);
    size_t n = 0;
    for (const tree_item *i = node->first; i; i = i->next, n++) {
        char key[24];
        (void)snprintf(key, sizeof key, "%zu", n);
        one.path = join(s, want->path, key);
        json_t *value = check_value(s, &one, i->value);
        if (value)
            (void)json_array_append_new(list, value);
    }
    return list;
}

static json_t *check_map(schema *s, const slot *want, const tree *node)
{
    ss_option item = schema_option(want->option->children, want->stride, 0);
    slot one = {&item, want->stride, want->path, want->secret || (item.flags & SS_OPT_SECRET) != 0,
                want->suffix_ms};
    if (node->kind != TREE_MAP) {
        problems_add(s->problems, node->at, "%s: a mapping is wanted here, not %s; write {key: value}",
                     want->path, tree_kind_name(node));
        return NULL;
    }
    check_count(s, want, node);
    json_t *map = json_object();
    for (const tree_item *i = node->first; i; i = i->next) {
        const char *key = i->key->text.ptr;
        if (key[0] == '\0' || key[0] == '$' || i->key->text.len > SCHEMA_KEY_MAX) {
            problems_add(s->problems, i->key->at, "%s: a key must have 1 to 256 bytes and not begin with '$'",
                         want->path);
            continue;
        }
        one.path = join(s, want->path, key);
        json_t *value = check_value(s, &one, i->value);
        if (value)
            (void)json_object_set_new(map, key, value);
    }
    return map;
}

/* A plain scalar as YAML itself would type it: only for ANY. */
static json_t *free_scalar(schema *s, const slot *want, const tree *node)
{
    const char *text = expand(s, want, node);
    int64_t number;
    double real;
    if (!text)
        return NULL;
    if (!node->quoted) {
        if (tree_is_null(node))
            return json_null();
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            return json_boolean(text[0] == 't');
        if (value_int(text, &number))
            return json_integer(number);
        if (value_float(text, &real))
            return json_real(real);
    }
    json_t *value = json_string(text);
    return value ? value : refuse(s, want, node, "is not UTF-8 text");
}

static json_t *free_value(schema *s, const slot *want, const tree *node)
{
    if (node->kind == TREE_SCALAR)
        return free_scalar(s, want, node);
    json_t *out = node->kind == TREE_LIST ? json_array() : json_object();
    for (const tree_item *i = node->first; i; i = i->next) {
        json_t *value = free_value(s, want, i->value);
        if (value && node->kind == TREE_LIST)
            (void)json_array_append_new(out, value);
        else if (value)
            (void)json_object_set_new(out, i->key->text.ptr, value);
    }
    return out;
}

static json_t *check_any(schema *s, const slot *want, const tree *node)
{
    json_t *value = free_value(s, want, node);
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    json_t *out = text ? make_string(s, want, node, text) : NULL;
    free(text);
    return out;
}

static json_t *check_value(schema *s, const slot *want, const tree *node)
{
    switch (want->option->type) {
    case SS_T_OBJECT:
        return check_mapping(s, want, node, node->at);
    case SS_T_LIST:
        return check_list(s, want, node);
    case SS_T_MAP:
        return check_map(s, want, node);
    case SS_T_ANY:
        return check_any(s, want, node);
    default:
        return check_scalar(s, want, node);
    }
}

static bool needs_something(const ss_option *table, size_t stride)
{
    for (size_t i = 0; table; i++) {
        ss_option o = schema_option(table, stride, i);
        if (!o.name)
            return false;
        if ((o.flags & SS_OPT_REQUIRED) ||
            (o.type == SS_T_OBJECT && !o.dflt && needs_something(o.children, stride)))
            return true;
    }
    return false;
}

/* Defaults are written as in YAML. Those of simple types are taken literally, so that "{receiver}/" needs no
   quotes inside the C string. */
static json_t *default_value(schema *s, const slot *want, place at)
{
    const ss_option *o = want->option;
    bool simple = o->type < SS_T_OBJECT;
    if (!o->dflt) {
        if (o->type != SS_T_OBJECT || needs_something(o->children, want->stride))
            return NULL;
        return check_mapping(s, want, NULL, at);
    }
    tree *node;
    if (simple && o->dflt[0] != '"' && o->dflt[0] != '\'')
        node = tree_scalar(s->arena, at, o->dflt);
    else
        node = tree_parse(s->arena, s->problems, "default", o->dflt, strlen(o->dflt));
    if (!node)
        return NULL;
    node->quoted = true; /* an empty default is an empty text, not "nothing" */
    return check_value(s, want, node);
}

static void check_option(schema *s, const slot *want, const tree_item *given, place at, json_t *out)
{
    const ss_option *o = want->option;
    json_t *value = NULL;
    if (given && !tree_is_null(given->value)) {
        if (o->flags & SS_OPT_DEPRECATED)
            log_warn("%s:%u: %s is deprecated: %s", given->key->at.file, given->key->at.line, want->path,
                     o->doc);
        value = check_value(s, want, given->value);
    } else if (o->flags & SS_OPT_REQUIRED) {
        problems_add(s->problems, given ? given->key->at : at, "%s is required: %s", want->path, o->doc);
    } else {
        value = default_value(s, want, given ? given->key->at : at);
    }
    if (!value)
        return;
    char key[SCHEMA_KEY_MAX];
    (void)snprintf(key, sizeof key, "%s%s", o->name,
                   want->suffix_ms && o->type == SS_T_DURATION ? "_ms" : "");
    (void)json_object_set_new(out, key, value);
}

static bool has_option(const schema_part *parts, size_t count, const char *key, suggest *near)
{
    for (size_t p = 0; p < count; p++)
        for (size_t i = 0; parts[p].options; i++) {
            ss_option o = schema_option(parts[p].options, parts[p].stride, i);
            if (!o.name)
                break;
            if (strcmp(o.name, key) == 0)
                return true;
            suggest_offer(near, ss_cstr(o.name));
        }
    return false;
}

static void check_unknown(schema *s, const tree *node, const char *path, const schema_part *parts,
                          size_t count)
{
    for (const tree_item *i = node->first; i; i = i->next) {
        suggest near;
        suggest_init(&near, i->key->text);
        if (has_option(parts, count, i->key->text.ptr, &near))
            continue;
        char hint[96];
        problems_add(s->problems, i->key->at, "%s: unknown key '%.64s'%s", *path ? path : "top level",
                     i->key->text.ptr, suggest_text(&near, hint, sizeof hint));
    }
}

static void check_parts(schema *s, const tree *node, place at, const char *path, schema_part *parts,
                        size_t count, bool secret)
{
    if (node && tree_is_null(node))
        node = NULL;
    if (node && node->kind != TREE_MAP) {
        problems_add(s->problems, node->at, "%s: a mapping is wanted here, not %s; write key: value", path,
                     tree_kind_name(node));
        return;
    }
    if (node)
        check_unknown(s, node, path, parts, count);
    for (size_t p = 0; p < count; p++)
        for (size_t i = 0; parts[p].options; i++) {
            ss_option o = schema_option(parts[p].options, parts[p].stride, i);
            if (!o.name)
                break;
            slot want = {&o, parts[p].stride, join(s, path, o.name), secret || (o.flags & SS_OPT_SECRET) != 0,
                         parts[p].suffix_ms};
            check_option(s, &want, tree_find(node, o.name), at, parts[p].out);
        }
}

static json_t *check_mapping(schema *s, const slot *want, const tree *node, place at)
{
    schema_part part = {want->option->children, want->stride, json_object(), want->suffix_ms};
    check_parts(s, node, at, want->path, &part, 1, want->secret);
    return part.out;
}

void schema_check(schema *s, const tree *node, place at, const char *path, schema_part *parts, size_t count)
{
    for (size_t p = 0; p < count; p++)
        parts[p].out = json_object();
    check_parts(s, node, at, path, parts, count, false);
}
