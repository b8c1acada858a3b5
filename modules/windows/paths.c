#include "modules/windows/paths.h"

#include <stdlib.h>

enum { SLOT_APP, SLOT_TYPE, SLOT_ID, SLOT_KEY, SLOT_RECEIVER, SLOT_HEADERS };

static const char *const header_names[SLOT_HEADERS] = {"@app", "@type", "@id", "@key", "@receiver"};

void paths_init(paths *p)
{
    memset(p, 0, sizeof *p);
    p->node_count = 1;
    p->nodes[0] = (path_node){NULL, 0, PATHS_NONE, PATHS_NONE, PATHS_NONE};
    p->count = p->headers = SLOT_HEADERS;
}

void paths_fini(paths *p)
{
    for (uint32_t i = 0; i < p->node_count; i++)
        free(p->nodes[i].name);
    for (uint32_t i = 0; i < p->count; i++)
        free(p->names[i]);
    paths_init(p);
}

static uint32_t child_of(paths *p, uint32_t parent, ss_str name)
{
    uint32_t at = p->nodes[parent].child;
    for (; at != PATHS_NONE; at = p->nodes[at].sibling)
        if (ss_eq(name, ss_s(p->nodes[at].name, p->nodes[at].len)))
            return at;
    char *copy = p->node_count < PATHS_NODES_MAX ? strndup(name.ptr, name.len) : NULL;
    if (!copy)
        return PATHS_NONE;
    at = p->node_count++;
    p->nodes[at] = (path_node){copy, name.len, PATHS_NONE, p->nodes[parent].child, PATHS_NONE};
    p->nodes[parent].child = at;
    return at;
}

uint32_t paths_add(paths *p, ss_str path, ss_error *err)
{
    if (path.len > 2 && memcmp(path.ptr, "$.", 2) == 0)
        path = ss_s(path.ptr + 2, path.len - 2);
    for (uint32_t i = 0; i < SLOT_HEADERS; i++)
        if (ss_eq(path, ss_cstr(header_names[i]))) {
            p->asked |= 1u << i;
            return i;
        }
    uint32_t node = 0;
    size_t at = 0;
    if (path.len == 0 || path.ptr[0] == '@' || path.ptr[path.len - 1] == '.')
        goto wrong;
    while (at < path.len) {
        const char *dot = memchr(path.ptr + at, '.', path.len - at);
        size_t len = dot ? (size_t)(dot - path.ptr) - at : path.len - at;
        if (len == 0)
            goto wrong;
        node = child_of(p, node, ss_s(path.ptr + at, len));
        if (node == PATHS_NONE)
            goto full;
        at += len + 1;
    }
    if (p->nodes[node].slot != PATHS_NONE)
        return p->nodes[node].slot;
    if (p->count == PATHS_MAX)
        goto full;
    p->nodes[node].slot = p->count;
    p->names[p->count] = strndup(path.ptr, path.len);
    return p->names[p->count] ? p->count++ : PATHS_NONE;
wrong:
    (void)ss_fail(err, SS_REJECT,
                  "'%.*s' is no path: names with dots between them, or @app, @type, @id, @key, @receiver",
                  (int)path.len, path.ptr);
    return PATHS_NONE;
full:
    (void)ss_fail(err, SS_LIMIT, "the metrics ask for too many different fields (at most %u)", PATHS_MAX);
    return PATHS_NONE;
}

static inline void keep(paths *p, uint32_t slot, json_kind kind, ss_str text, bool escaped, bool plain)
{
    p->values[slot] = (path_value){p->round, kind, escaped, plain, text};
}

static bool read_value(paths *p, json_scan *s, const path_node *node);

static bool read_object(paths *p, json_scan *s, const path_node *parent)
{
    json_value key;
    while (json_member(s, &key)) {
        uint32_t at = parent->child;
        for (; at != PATHS_NONE; at = p->nodes[at].sibling) {
            const path_node *n = &p->nodes[at];
            if (key.escaped ? json_is(&key, n->name)
                            : key.text.len == n->len && memcmp(key.text.ptr, n->name, n->len) == 0)
                break;
        }
        if (at == PATHS_NONE ? !json_skip(s, NULL) : !read_value(p, s, &p->nodes[at]))
            return false;
    }
    return !s->problem;
}

static bool read_value(paths *p, json_scan *s, const path_node *node)
{
    json_value v;
    if (!json_read(s, &v))
        return false;
    bool container = v.kind == JSON_OBJECT || v.kind == JSON_ARRAY;
    const char *from = s->at - 1; /* the bracket */
    if (container &&
        !(v.kind == JSON_OBJECT && node->child != PATHS_NONE ? read_object(p, s, node) : json_leave(s)))
        return false;
    if (node->slot != PATHS_NONE)
        keep(p, node->slot, v.kind, container ? ss_s(from, (size_t)(s->at - from)) : v.text, v.escaped,
             false);
    return true;
}

void paths_read(paths *p, const ss_record *r)
{
    const ss_str own[SLOT_HEADERS] = {r->app, r->type, r->id, r->key, r->receiver};
    json_scan s;
    p->round++;
    for (uint32_t i = 0; i < SLOT_HEADERS; i++)
        keep(p, i, JSON_STRING, own[i], false, true);
    if (p->count == SLOT_HEADERS)
        return;
    json_value v;
    json_start(&s, r->json);
    if (json_read(&s, &v) && v.kind == JSON_OBJECT)
        (void)read_object(p, &s, &p->nodes[0]);
}
