#include "core/pipeline/route.h"

#include <stdlib.h>

enum route_kind { ROUTE_EXACT = 0, ROUTE_PATTERN = 1, ROUTE_PREFIX = 2 };

struct route_table {
    route_entry *entries;
    size_t count, size;
    uint32_t *buckets; /* index of an exact entry + 1 */
    size_t bucket_mask;
    size_t first_pattern, first_prefix; /* entries are sorted by kind */
};

static const struct {
    const char *name;
    uint32_t bit;
} method_names[] = {
    {"GET", ROUTE_GET},       {"HEAD", ROUTE_HEAD},       {"POST", ROUTE_POST},   {"PUT", ROUTE_PUT},
    {"DELETE", ROUTE_DELETE}, {"OPTIONS", ROUTE_OPTIONS}, {"PATCH", ROUTE_PATCH},
};
#define METHOD_NAMES (sizeof method_names / sizeof method_names[0])

uint32_t route_method_of(ss_str method)
{
    for (size_t i = 0; i < METHOD_NAMES; i++)
        if (ss_eq(method, ss_cstr(method_names[i].name)))
            return method_names[i].bit;
    return ROUTE_OTHER;
}

size_t route_put_methods(uint32_t methods, char *out, size_t size)
{
    size_t len = 0;
    if (size)
        out[0] = '\0';
    for (size_t i = 0; i < METHOD_NAMES; i++) {
        if (!(methods & method_names[i].bit))
            continue;
        int n = snprintf(out + len, size - len, "%s%s", len ? ", " : "", method_names[i].name);
        if (n < 0 || (size_t)n >= size - len)
            break;
        len += (size_t)n;
    }
    return len;
}

static uint64_t hash_path(ss_str path)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < path.len; i++)
        h = (h ^ (unsigned char)path.ptr[i]) * 0x100000001b3u;
    return h;
}

static ss_str without_slash(ss_str path)
{
    if (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

route_table *route_table_new(void)
{
    return calloc(1, sizeof(route_table));
}

void route_table_free(route_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        free(t->entries[i].path);
    free(t->entries);
    free(t->buckets);
    free(t);
}

/* "GET|POST" -> bits; 0 where a name is unknown. */
static uint32_t parse_methods(const char *text)
{
    if (!text || strcmp(text, "*") == 0)
        return ROUTE_ALL;
    uint32_t bits = 0;
    while (*text) {
        size_t len = strcspn(text, "|");
        uint32_t bit = route_method_of(ss_s(text, len));
        if (bit == ROUTE_OTHER)
            return 0;
        bits |= bit;
        text += len;
        text += *text == '|';
    }
    return bits;
}

static bool check_pattern(ss_str path, ss_error *err)
{
    size_t params = 0;
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '{')
            continue;
        const char *end = memchr(path.ptr + i, '}', path.len - i);
        if (!end || path.ptr[i - 1] != '/' || (end + 1 != path.ptr + path.len && end[1] != '/')) {
            (void)ss_fail(err, SS_REJECT, "route %.*s: {name} must fill a whole part between slashes",
                          (int)path.len, path.ptr);
            return false;
        }
        if (++params > ROUTE_PARAMS_MAX) {
            (void)ss_fail(err, SS_REJECT, "route %.*s: more than %u {name} parts", (int)path.len, path.ptr,
                          ROUTE_PARAMS_MAX);
            return false;
        }
    }
    return true;
}

static bool check_route(const route_table *t, ss_str path, uint32_t methods, ss_error *err)
{
    if (path.len == 0 || path.ptr[0] != '/' || path.len > ROUTE_PATH_MAX) {
        (void)ss_fail(err, SS_REJECT, "route \"%.*s\": a path begins with / and has at most %u bytes",
                      (int)path.len, path.ptr, ROUTE_PATH_MAX);
        return false;
    }
    if (!methods) {
        (void)ss_fail(err, SS_REJECT,
                      "route %.*s: methods are GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"
                      " joined by |, or *",
                      (int)path.len, path.ptr);
        return false;
    }
    if (t->count >= ROUTES_MAX) {
        (void)ss_fail(err, SS_REJECT, "more than %u routes: use a prefix or {name} parts", ROUTES_MAX);
        return false;
    }
    return check_pattern(path, err);
}

bool route_add(route_table *t, ss_str path, const char *methods, uint32_t flags, ss_str declared, void *owner,
               ss_error *err)
{
    uint32_t bits = parse_methods(methods);
    if (!check_route(t, path, bits, err))
        return false;
    if (t->count == t->size) {
        size_t size = t->size ? t->size * 2 : 16;
        route_entry *grown = realloc(t->entries, size * sizeof *grown);
        if (!grown) {
            (void)ss_fail(err, SS_LIMIT, "out of memory for routes");
            return false;
        }
        t->entries = grown;
        t->size = size;
    }
    path = without_slash(path);
    char *copy = strndup(path.ptr, path.len);
    if (!copy) {
        (void)ss_fail(err, SS_LIMIT, "out of memory for routes");
        return false;
    }
    uint32_t kind = flags & SS_ROUTE_PREFIX ? ROUTE_PREFIX : ROUTE_EXACT;
    if (kind == ROUTE_EXACT && memchr(copy, '{', path.len))
        kind = ROUTE_PATTERN;
    t->entries[t->count] = (route_entry){.path = copy,
                                         .len = path.len,
                                         .hash = hash_path(path),
                                         .methods = bits,
                                         .kind = kind,
                                         .order = (uint32_t)t->count,
                                         .declared = declared,
                                         .owner = owner};
    t->count++;
    return true;
}

static int compare_entries(const void *a, const void *b)
{
    const route_entry *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->kind == ROUTE_PREFIX && x->len != y->len)
        return x->len > y->len ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

bool route_table_seal(route_table *t, ss_error *err)
{
    size_t buckets = 16;
    while (buckets < 2 * t->count)
        buckets *= 2;
    t->buckets = calloc(buckets, sizeof *t->buckets);
    if (!t->buckets) {
        (void)ss_fail(err, SS_LIMIT, "out of memory for routes");
        return false;
    }
    t->bucket_mask = buckets - 1;
    if (t->count)
        qsort(t->entries, t->count, sizeof *t->entries, compare_entries);
    while (t->first_pattern < t->count && t->entries[t->first_pattern].kind == ROUTE_EXACT)
        t->first_pattern++;
    t->first_prefix = t->first_pattern;
    while (t->first_prefix < t->count && t->entries[t->first_prefix].kind == ROUTE_PATTERN)
        t->first_prefix++;
    /* From the last to the first, so that each chain keeps the order of the configuration. */
    for (size_t i = t->first_pattern; i-- > 0;) {
        uint32_t *bucket = &t->buckets[t->entries[i].hash & t->bucket_mask];
        t->entries[i].chain = *bucket;
        *bucket = (uint32_t)i + 1;
    }
    return true;
}

void route_walk_start(route_walk *w, const route_table *t, ss_str path, uint32_t method)
{
    w->table = t;
    w->path = without_slash(path);
    w->hash = hash_path(w->path);
    w->method = method;
    w->stage = ROUTE_EXACT;
    w->next = t->buckets[w->hash & t->bucket_mask];
    w->methods_seen = 0;
    w->param_count = 0;
}

static bool match_pattern(route_walk *w, const route_entry *e)
{
    const char *p = e->path, *p_end = e->path + e->len;
    const char *s = w->path.ptr, *s_end = w->path.ptr + w->path.len;
    w->param_count = 0;
    while (p < p_end) {
        if (*p != '{') {
            if (s == s_end || *p++ != *s++)
                return false;
            continue;
        }
        const char *name_end = memchr(p, '}', (size_t)(p_end - p));
        const char *slash = memchr(s, '/', (size_t)(s_end - s));
        const char *value_end = slash ? slash : s_end;
        if (value_end == s)
            return false;
        w->params[w->param_count++] =
            (ss_pair){ss_s(p + 1, (size_t)(name_end - p - 1)), ss_s(s, (size_t)(value_end - s))};
        p = name_end + 1;
        s = value_end;
    }
    return s == s_end;
}

static bool match_prefix(const route_walk *w, const route_entry *e)
{
    if (w->path.len < e->len || memcmp(w->path.ptr, e->path, e->len) != 0)
        return false;
    return e->len == 1 || w->path.len == e->len || w->path.ptr[e->len] == '/';
}

/* The next entry whose path matches, whatever its methods. */
static const route_entry *next_by_path(route_walk *w)
{
    const route_table *t = w->table;
    while (w->stage == ROUTE_EXACT) {
        if (!w->next) {
            w->stage = ROUTE_PATTERN;
            w->next = (uint32_t)t->first_pattern;
            break;
        }
        const route_entry *e = &t->entries[w->next - 1];
        w->next = e->chain;
        if (e->hash == w->hash && ss_eq(w->path, ss_s(e->path, e->len)))
            return e;
    }
    while (w->next < t->count) {
        const route_entry *e = &t->entries[w->next++];
        if (e->kind == ROUTE_PATTERN ? match_pattern(w, e) : match_prefix(w, e)) {
            if (e->kind == ROUTE_PREFIX)
                w->param_count = 0;
            return e;
        }
    }
    w->param_count = 0;
    return NULL;
}

const route_entry *route_walk_next(route_walk *w)
{
    for (;;) {
        const route_entry *e = next_by_path(w);
        if (!e)
            return NULL;
        if (e->methods & w->method)
            return e;
        w->methods_seen |= e->methods;
    }
}
