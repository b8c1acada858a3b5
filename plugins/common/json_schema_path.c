/* Where a token stands, and what a schema declares. */
#include "plugins/common/json_schema_inside.h"

#define PROPERTIES_DEPTH_MAX 64u

/* '~' and '/' of a key become ~0 and ~1. */
static bool put_key(char *out, size_t size, size_t *len, ss_str key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        bool escaped = c == '~' || c == '/';
        if (*len + 2 + escaped > size)
            return false;
        out[(*len)++] = escaped ? '~' : c;
        if (escaped)
            out[(*len)++] = c == '~' ? '0' : '1';
    }
    return true;
}

/* One step down towards the token: the child of `at` that it is or lies in. */
static uint32_t step(const json_tape *t, uint32_t at, uint32_t token, char *out, size_t size, size_t *len)
{
    const tape_token *v = t->tokens;
    uint32_t child = at + 1;
    if (*len + 2 > size)
        return 0;
    out[(*len)++] = '/';
    if (v[at].kind == JSON_ARRAY) {
        uint32_t index = 0;
        for (; v[child].next <= token; child = v[child].next)
            index++;
        if (*len + JSON_I64_SIZE + 1 > size)
            return 0;
        *len += json_put_i64(out + *len, index);
        return child;
    }
    while (v[child + 1].next <= token)
        child = v[child + 1].next;
    if (!put_key(out, size, len, json_tape_str(&v[child])))
        return 0;
    return child == token ? token : child + 1;
}

size_t json_schema_path(const json_tape *t, uint32_t token, char *out, size_t size)
{
    size_t len = 0;
    for (uint32_t at = 0; at < token;) {
        uint32_t next = step(t, at, token, out, size, &len);
        if (next <= at)
            break; /* no room for more */
        at = next;
    }
    out[len] = '\0';
    return len;
}

/* ---- properties ------------------------------------------------------------------------------ */

typedef struct lister {
    void (*visit)(void *arg, const json_schema_property *property);
    void *arg;
    uint32_t steps;
} lister;

/* Types and words of a property, through its references. */
static json_schema_property describe(const json_schema_node *n, ss_str name)
{
    json_schema_property p = {.name = name, .doc = ss_s("", 0)};
    for (uint32_t i = 0; n && i < PROPERTIES_DEPTH_MAX; i++, n = n->ref) {
        p.types = p.types ? p.types : n->types;
        p.date_time |= n->strings && n->strings->format == FORMAT_DATE_TIME;
        p.doc = p.doc.len ? p.doc : n->doc;
    }
    return p;
}

static void list(lister *l, const json_schema_node *n, uint32_t depth)
{
    if (!n || depth == PROPERTIES_DEPTH_MAX || ++l->steps > SCHEMA_NODES_MAX)
        return;
    for (uint32_t i = 0; n->objects && i < n->objects->name_count; i++) {
        const json_schema_name *name = &n->objects->names[i];
        if (!name->node || name->node->never)
            continue;
        json_schema_property p = describe(name->node, name->text);
        l->visit(l->arg, &p);
    }
    for (uint32_t i = 0; n->objects && i < n->objects->dependence_count; i++)
        list(l, n->objects->dependences[i].node, depth + 1);
    const json_schema_node *const singles[] = {n->ref, n->if_, n->then_, n->else_};
    const json_schema_list *const lists[] = {&n->all, &n->any, &n->one};
    for (size_t i = 0; i < sizeof singles / sizeof *singles; i++)
        list(l, singles[i], depth + 1);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (uint32_t k = 0; k < lists[i]->count; k++)
            list(l, lists[i]->nodes[k], depth + 1);
}

void json_schema_properties(const json_schema *s,
                            void (*visit)(void *arg, const json_schema_property *property), void *arg)
{
    lister l = {.visit = visit, .arg = arg};
    list(&l, s->root, 0);
}
