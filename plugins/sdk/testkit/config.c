/* Options for a test: JSON against the plugin's option table, defaults applied, like the server's checked
 * tree. */
#include <stdlib.h>

#include "plugins/common/json.h"
#include "plugins/sdk/testkit/inside.h"

static void node_free(ss_config *n)
{
    for (size_t i = 0; i < n->count; i++)
        node_free(&n->items[i]);
    free(n->items);
    free(n->key);
    free(n->text);
    free(n->raw);
    *n = (ss_config){0};
}

void kit_config_free(ss_config *root)
{
    node_free(root);
}

static ss_config *node_add(ss_config *n, const char *key)
{
    ss_config *items = realloc(n->items, (n->count + 1) * sizeof *items);
    if (!items)
        abort();
    n->items = items;
    ss_config *item = &items[n->count++];
    *item = (ss_config){.key = key ? kit_copy(ss_cstr(key)) : NULL};
    return item;
}

static void node_text(ss_config *n, int kind, ss_str text)
{
    n->kind = kind == NODE_NUMBER ? NODE_NUMBER : NODE_STRING;
    n->text = kit_copy(text);
    n->text_len = text.len;
}

static bool node_read(ss_config *n, json_scan *s);

static bool node_read_value(ss_config *n, json_scan *s)
{
    json_value v, key;
    if (!json_read(s, &v))
        return false;
    if (v.kind == JSON_OBJECT) {
        n->kind = NODE_OBJECT;
        while (json_member(s, &key)) {
            char *name = kit_copy(key.text);
            name[json_unescape(name, key.text)] = '\0';
            ss_config *item = node_add(n, name);
            free(name);
            if (!node_read(item, s))
                return false;
        }
    } else if (v.kind == JSON_ARRAY) {
        n->kind = NODE_LIST;
        while (json_item(s))
            if (!node_read(node_add(n, NULL), s))
                return false;
    } else if (v.kind == JSON_STRING) {
        node_text(n, NODE_STRING, v.text);
        n->text_len = json_unescape(n->text, v.text);
        n->text[n->text_len] = '\0';
    } else if (v.kind == JSON_NUMBER) {
        node_text(n, NODE_NUMBER, v.text);
        (void)json_double(v.text, &n->number);
        if (!json_i64(v.text, &n->whole))
            n->whole = (int64_t)n->number;
    } else {
        n->kind = v.kind == JSON_NULL ? NODE_NULL : NODE_BOOL;
        n->whole = v.kind == JSON_TRUE;
    }
    return !s->problem;
}

static bool node_read(ss_config *n, json_scan *s)
{
    const char *from = s->at;
    bool ok = node_read_value(n, s);
    n->raw = kit_copy(ss_s(from, (size_t)(s->at - from)));
    return ok;
}

/* 25MB, 128MiB, 60s, 200ms */
static bool unit_read(const char *text, uint32_t type, int64_t *out)
{
    static const struct {
        const char *unit;
        uint32_t type;
        int64_t factor;
    } units[] = {{"KB", SS_T_SIZE, 1000},       {"MB", SS_T_SIZE, 1000000},    {"GB", SS_T_SIZE, 1000000000},
                 {"KiB", SS_T_SIZE, 1024},      {"MiB", SS_T_SIZE, 1048576},   {"GiB", SS_T_SIZE, 1073741824},
                 {"ms", SS_T_DURATION, 1},      {"s", SS_T_DURATION, 1000},    {"m", SS_T_DURATION, 60000},
                 {"h", SS_T_DURATION, 3600000}, {"d", SS_T_DURATION, 86400000}};
    char *end;
    *out = strtoll(text, &end, 10);
    if (end == text)
        return false;
    if (*end == '\0')
        return true;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (units[i].type == type && strcmp(units[i].unit, end) == 0) {
            *out *= units[i].factor;
            return true;
        }
    return false;
}

/* Gives a node the option's type; scalars may come as text (defaults do). */
static bool node_type(ss_config *n, const ss_option *o)
{
    int64_t whole = 0;
    switch (o->type) {
    case SS_T_BOOL:
        if (n->kind == NODE_STRING) {
            n->whole = strcmp(n->text, "true") == 0;
            n->kind = NODE_BOOL;
        }
        return n->kind == NODE_BOOL;
    case SS_T_INT:
    case SS_T_SIZE:
    case SS_T_DURATION:
        if (n->kind == NODE_STRING && unit_read(n->text, o->type, &whole)) {
            n->kind = NODE_NUMBER;
            n->whole = whole;
            n->number = (double)whole;
        }
        return n->kind == NODE_NUMBER && (o->min == o->max || (n->whole >= o->min && n->whole <= o->max));
    case SS_T_FLOAT:
        if (n->kind == NODE_STRING) {
            n->kind = NODE_NUMBER;
            n->number = strtod(n->text, NULL);
        }
        return n->kind == NODE_NUMBER;
    case SS_T_OBJECT:
    case SS_T_MAP:
        return n->kind == NODE_OBJECT;
    case SS_T_LIST:
        return n->kind == NODE_LIST;
    case SS_T_ANY: /* as the server: the value's JSON text */
        free(n->text);
        n->text = kit_copy(ss_cstr(n->raw ? n->raw : ""));
        n->text_len = strlen(n->text);
        return true;
    default:
        return n->kind == NODE_STRING || n->kind == NODE_NUMBER;
    }
}

static const ss_option *option_next(const ss_option *o, size_t size)
{
    return (const ss_option *)(const void *)((const char *)o + size);
}

static ss_config *member(const ss_config *n, const char *key, size_t len)
{
    for (size_t i = 0; n->kind == NODE_OBJECT && i < n->count; i++)
        if (strlen(n->items[i].key) == len && memcmp(n->items[i].key, key, len) == 0)
            return &n->items[i];
    return NULL;
}

static bool node_check(ss_config *n, const ss_option *options, size_t size, char *why, size_t why_size);

static bool node_fit(ss_config *n, const ss_option *o, size_t size, char *why, size_t why_size)
{
    if (!node_type(n, o)) {
        (void)snprintf(why, why_size, "option %s: not of the declared type, or out of range", o->name);
        return false;
    }
    if (o->type == SS_T_OBJECT)
        return node_check(n, o->children, size, why, why_size);
    for (size_t i = 0; (o->type == SS_T_LIST || o->type == SS_T_MAP) && o->children && i < n->count; i++)
        if (!node_fit(&n->items[i], o->children, size, why, why_size))
            return false;
    return true;
}

static bool node_default(ss_config *n, const ss_option *o)
{
    if (o->type != SS_T_LIST && o->type != SS_T_MAP && o->type != SS_T_OBJECT && o->type != SS_T_ANY) {
        node_text(n, NODE_STRING, ss_cstr(o->dflt));
        return true;
    }
    json_scan s;
    json_start(&s, ss_cstr(o->dflt));
    return node_read(n, &s);
}

/* An object that is not given is made of its defaults, where it needs nothing. */
static bool needs_something(const ss_option *o, size_t size)
{
    for (; o && o->name; o = option_next(o, size))
        if ((o->flags & SS_OPT_REQUIRED) ||
            (o->type == SS_T_OBJECT && !o->dflt && needs_something(o->children, size)))
            return true;
    return false;
}

static bool node_check(ss_config *n, const ss_option *options, size_t size, char *why, size_t why_size)
{
    for (size_t i = 0; i < n->count; i++) {
        const ss_option *o = options;
        while (o && o->name && strcmp(o->name, n->items[i].key) != 0)
            o = option_next(o, size);
        if (!o || !o->name) {
            (void)snprintf(why, why_size, "option %s: the plugin declares no such option", n->items[i].key);
            return false;
        }
    }
    for (const ss_option *o = options; o && o->name; o = option_next(o, size)) {
        ss_config *have = member(n, o->name, strlen(o->name));
        if (!have && !o->dflt) {
            if (o->flags & SS_OPT_REQUIRED) {
                (void)snprintf(why, why_size, "option %s is required", o->name);
                return false;
            }
            if (o->type != SS_T_OBJECT || needs_something(o->children, size))
                continue;
        }
        if (!have) {
            have = node_add(n, o->name);
            have->kind = NODE_OBJECT;
            if (o->dflt && !node_default(have, o)) {
                (void)snprintf(why, why_size, "option %s: write its default as JSON, which is YAML too",
                               o->name);
                return false;
            }
        }
        if (!node_fit(have, o, size, why, why_size))
            return false;
    }
    return true;
}

bool kit_config_read(ss_config *root, const char *json, const ss_option *options, size_t option_size,
                     char *why, size_t size)
{
    json_scan s;
    json_start(&s, ss_cstr(json));
    if (!node_read(root, &s) || !json_finish(&s) || root->kind != NODE_OBJECT) {
        (void)snprintf(why, size, "the options are not a JSON object: %s at byte %zu",
                       s.problem ? s.problem : "another value", json_offset(&s));
        return false;
    }
    return node_check(root, options, option_size, why, size);
}

/* ---- the host's calls ---- */

static const ss_config *cfg_get(const ss_config *n, const char *path)
{
    while (n && *path) {
        size_t len = strcspn(path, ".");
        n = member(n, path, len);
        path += len + (path[len] == '.');
    }
    return n;
}

static size_t cfg_len(const ss_config *n)
{
    return n ? n->count : 0;
}

static const ss_config *cfg_at(const ss_config *n, size_t i)
{
    return n && i < n->count ? &n->items[i] : NULL;
}

static ss_str cfg_key(const ss_config *n, size_t i)
{
    return n && i < n->count && n->items[i].key ? ss_cstr(n->items[i].key) : ss_s("", 0);
}

static ss_str cfg_str(const ss_config *n, const char *path)
{
    n = cfg_get(n, path);
    return n && n->text ? ss_s(n->text, n->text_len) : ss_s("", 0);
}

static int64_t cfg_int(const ss_config *n, const char *path)
{
    n = cfg_get(n, path);
    return n ? n->whole : 0;
}

static double cfg_float(const ss_config *n, const char *path)
{
    n = cfg_get(n, path);
    return n ? n->number : 0;
}

static int64_t secret(void *self, const ss_config *n, const char *path, char *out, size_t size, ss_error *err)
{
    ss_str text = cfg_str(n, path);
    if (kit_fault(self, TESTKIT_SECRET) || text.len > size) {
        (void)ss_fail(err, SS_REJECT, "the secret %s cannot be read", path);
        return -1;
    }
    memcpy(out, text.ptr, text.len);
    return (int64_t)text.len;
}

void kit_config_lend(ss_host *host)
{
    host->cfg_get = cfg_get;
    host->cfg_len = cfg_len;
    host->cfg_at = cfg_at;
    host->cfg_key = cfg_key;
    host->cfg_str = cfg_str;
    host->cfg_int = cfg_int;
    host->cfg_float = cfg_float;
    host->secret = secret;
}
