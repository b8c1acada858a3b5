#include "modules/windows/filter.h"

#include <stdlib.h>

typedef struct build {
    filter *f;
    paths *p;
    json_scan s;
    ss_error *err;
    uint32_t depth;
} build;

static uint32_t wrong(build *b, const char *what)
{
    if (!b->err->text[0])
        (void)ss_fail(b->err, SS_REJECT, "%s", what);
    return PATHS_NONE;
}

static uint32_t add(build *b, enum filter_op op, uint32_t slot)
{
    if (b->f->count == FILTER_NODES_MAX)
        return wrong(b, "too many conditions");
    b->f->nodes[b->f->count] =
        (filter_node){.op = (uint8_t)op, .slot = slot, .next = PATHS_NONE, .child = PATHS_NONE};
    return b->f->count++;
}

static bool constant(build *b, uint32_t at, const json_value *v)
{
    filter_node *n = &b->f->nodes[at];
    n->kind = (uint8_t)v->kind;
    if (v->kind == JSON_NUMBER)
        return json_double(v->text, &n->number) || wrong(b, "a number that does not fit") != PATHS_NONE;
    if (v->kind != JSON_STRING)
        return v->kind != JSON_OBJECT && v->kind != JSON_ARRAY
                   ? true
                   : wrong(b, "a value is wanted, not a list or a mapping") != PATHS_NONE;
    n->text = malloc(v->text.len + 1);
    if (!n->text || v->text.len > FILTER_TEXT_MAX)
        return wrong(b, "a text that is too long") != PATHS_NONE;
    n->len = json_unescape(n->text, v->text);
    return true;
}

static void append(build *b, uint32_t parent, uint32_t *last, uint32_t child)
{
    if (*last == PATHS_NONE)
        b->f->nodes[parent].child = child;
    else
        b->f->nodes[*last].next = child;
    *last = child;
}

static uint32_t leaf(build *b, enum filter_op op, uint32_t slot)
{
    json_value v;
    uint32_t at = add(b, op, slot);
    return at != PATHS_NONE && json_read(&b->s, &v) && constant(b, at, &v) ? at : PATHS_NONE;
}

/* The bracket of the list was read. */
static uint32_t one_of(build *b, uint32_t slot)
{
    uint32_t at = add(b, FILTER_IN, slot), last = PATHS_NONE;
    while (at != PATHS_NONE && json_item(&b->s)) {
        uint32_t item = leaf(b, FILTER_EQUALS, slot);
        if (item == PATHS_NONE)
            return PATHS_NONE;
        append(b, at, &last, item);
    }
    return at;
}

static uint32_t comparison(build *b, const json_value *key, uint32_t slot)
{
    static const struct {
        const char *name;
        enum filter_op op;
    } ops[] = {{"equals", FILTER_EQUALS}, {"exists", FILTER_EXISTS}, {"prefix", FILTER_PREFIX},
               {"gt", FILTER_GT},         {"ge", FILTER_GE},         {"lt", FILTER_LT},
               {"le", FILTER_LE}};
    json_value v;
    if (json_is(key, "in"))
        return json_read(&b->s, &v) && v.kind == JSON_ARRAY ? one_of(b, slot) : wrong(b, "in: wants a list");
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!json_is(key, ops[i].name))
            continue;
        uint32_t at = leaf(b, ops[i].op, slot);
        if (at == PATHS_NONE)
            return at;
        uint8_t kind = b->f->nodes[at].kind;
        if (ops[i].op == FILTER_EXISTS && kind != JSON_TRUE && kind != JSON_FALSE)
            return wrong(b, "exists: true or false is wanted");
        if (ops[i].op == FILTER_PREFIX && kind != JSON_STRING)
            return wrong(b, "prefix: a text is wanted");
        if (ops[i].op >= FILTER_GT && kind != JSON_NUMBER)
            return wrong(b, "gt, ge, lt and le want a number");
        return at;
    }
    return wrong(b, "a condition is one of equals, in, exists, prefix, gt, ge, lt, le");
}

static uint32_t condition(build *b, uint32_t slot)
{
    json_value v, key;
    if (!json_read(&b->s, &v))
        return wrong(b, "a condition is missing");
    if (v.kind == JSON_ARRAY)
        return one_of(b, slot);
    if (v.kind != JSON_OBJECT) {
        uint32_t at = add(b, FILTER_EQUALS, slot);
        return at != PATHS_NONE && constant(b, at, &v) ? at : PATHS_NONE;
    }
    uint32_t at = add(b, FILTER_AND, slot), last = PATHS_NONE;
    while (at != PATHS_NONE && json_member(&b->s, &key)) {
        uint32_t child = comparison(b, &key, slot);
        if (child == PATHS_NONE)
            return PATHS_NONE;
        append(b, at, &last, child);
    }
    return at;
}

static uint32_t whole(build *b);

static uint32_t list_of(build *b, enum filter_op op)
{
    json_value v;
    uint32_t at = add(b, op, 0), last = PATHS_NONE;
    if (at == PATHS_NONE || !json_read(&b->s, &v) || v.kind != JSON_ARRAY)
        return wrong(b, "and and or want a list of conditions");
    while (json_item(&b->s)) {
        uint32_t child = whole(b);
        if (child == PATHS_NONE)
            return PATHS_NONE;
        append(b, at, &last, child);
    }
    return at;
}

static uint32_t member(build *b, const json_value *key)
{
    char path[FILTER_TEXT_MAX];
    if (json_is(key, "and") || json_is(key, "or"))
        return list_of(b, json_is(key, "and") ? FILTER_AND : FILTER_OR);
    if (json_is(key, "not")) {
        uint32_t at = add(b, FILTER_NOT, 0), child = at == PATHS_NONE ? at : whole(b);
        if (child != PATHS_NONE)
            b->f->nodes[at].child = child;
        return child == PATHS_NONE ? child : at;
    }
    if (key->text.len > sizeof path)
        return wrong(b, "a path that is too long");
    uint32_t slot = paths_add(b->p, ss_s(path, json_unescape(path, key->text)), b->err);
    return slot == PATHS_NONE ? slot : condition(b, slot);
}

static uint32_t whole(build *b)
{
    json_value v, key;
    if (++b->depth > FILTER_DEPTH_MAX)
        return wrong(b, "conditions within conditions within conditions ...");
    uint32_t at = add(b, FILTER_AND, 0), last = PATHS_NONE;
    if (at == PATHS_NONE || !json_read(&b->s, &v) || v.kind != JSON_OBJECT)
        return wrong(b, "a mapping of fields to conditions is wanted");
    while (json_member(&b->s, &key)) {
        uint32_t child = member(b, &key);
        if (child == PATHS_NONE)
            return PATHS_NONE;
        append(b, at, &last, child);
    }
    b->depth--;
    return at;
}

bool filter_compile(filter *f, paths *p, ss_str json, ss_error *err)
{
    *f = (filter){NULL, 0};
    err->text[0] = '\0';
    if (json.len == 0 || ss_eq(json, SS_LIT("null")))
        return true;
    f->nodes = calloc(FILTER_NODES_MAX, sizeof *f->nodes);
    build b = {.f = f, .p = p, .err = err};
    json_start(&b.s, json);
    if (f->nodes && whole(&b) != PATHS_NONE && json_finish(&b.s))
        return true;
    (void)wrong(&b, "not readable");
    filter_free(f);
    return false;
}

void filter_free(filter *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        free(f->nodes[i].text);
    free(f->nodes);
    *f = (filter){NULL, 0};
}

/* ---- per event ---- */

static bool text_matches(const filter_node *n, const path_value *v, bool prefix)
{
    char plain[FILTER_TEXT_MAX * 6];
    ss_str text = v->text;
    if (v->kind != JSON_STRING)
        return false;
    if (v->escaped) {
        if (text.len > sizeof plain) /* only its beginning can matter, and that may be cut inside an escape */
            return false;
        text = ss_s(plain, json_unescape(plain, text));
    }
    return (prefix ? text.len >= n->len : text.len == n->len) && memcmp(text.ptr, n->text, n->len) == 0;
}

static bool equals(const filter_node *n, const path_value *v)
{
    double number;
    if (!v)
        return n->kind == JSON_NULL; /* absent and null are the same here */
    if (n->kind == JSON_STRING)
        return text_matches(n, v, false);
    if (n->kind == JSON_NUMBER)
        return v->kind == JSON_NUMBER && json_double(v->text, &number) && number >= n->number &&
               number <= n->number;
    return v->kind == (json_kind)n->kind;
}

static bool compares(const filter_node *n, const path_value *v)
{
    double x;
    if (!v || v->kind != JSON_NUMBER || !json_double(v->text, &x))
        return false;
    return n->op == FILTER_GT   ? x > n->number
           : n->op == FILTER_GE ? x >= n->number
           : n->op == FILTER_LT ? x < n->number
                                : x <= n->number;
}

static bool passes(const filter *f, const paths *p, uint32_t at)
{
    const filter_node *n = &f->nodes[at];
    uint32_t child = n->child;
    switch ((enum filter_op)n->op) {
    case FILTER_AND:
        for (; child != PATHS_NONE; child = f->nodes[child].next)
            if (!passes(f, p, child))
                return false;
        return true;
    case FILTER_OR:
    case FILTER_IN:
        for (; child != PATHS_NONE; child = f->nodes[child].next)
            if (passes(f, p, child))
                return true;
        return false;
    case FILTER_NOT:
        return !passes(f, p, child);
    case FILTER_EQUALS:
        return equals(n, paths_get(p, n->slot));
    case FILTER_EXISTS: {
        const path_value *v = paths_get(p, n->slot);
        return (v && v->kind != JSON_NULL) == (n->kind == JSON_TRUE);
    }
    case FILTER_PREFIX: {
        const path_value *v = paths_get(p, n->slot);
        return v && text_matches(n, v, true);
    }
    case FILTER_GT:
    case FILTER_GE:
    case FILTER_LT:
    case FILTER_LE:
        break;
    }
    return compares(n, paths_get(p, n->slot));
}

bool filter_passes(const filter *f, const paths *p)
{
    return !f->nodes || passes(f, p, 0);
}

bool filter_range_compile(filter_range *r, ss_str json, ss_error *err)
{
    json_scan s;
    json_value v, key;
    *r = (filter_range){.gt = 0};
    if (json.len == 0 || ss_eq(json, SS_LIT("null")))
        return true;
    json_start(&s, json);
    bool ok = json_read(&s, &v) && v.kind == JSON_OBJECT;
    while (ok && json_member(&s, &key)) {
        bool *has = json_is(&key, "gt")   ? &r->has_gt
                    : json_is(&key, "ge") ? &r->has_ge
                    : json_is(&key, "lt") ? &r->has_lt
                    : json_is(&key, "le") ? &r->has_le
                                          : NULL;
        double *to = has == &r->has_gt   ? &r->gt
                     : has == &r->has_ge ? &r->ge
                     : has == &r->has_lt ? &r->lt
                                         : &r->le;
        ok = has && json_read(&s, &v) && v.kind == JSON_NUMBER && json_double(v.text, to);
        if (ok)
            *has = true;
    }
    if (!ok || !json_finish(&s))
        (void)ss_fail(err, SS_REJECT, "having: a mapping of gt, ge, lt, le to numbers is wanted");
    return ok && !s.problem;
}

bool filter_range_holds(const filter_range *r, double x)
{
    return !(r->has_gt && !(x > r->gt)) && !(r->has_ge && !(x >= r->ge)) && !(r->has_lt && !(x < r->lt)) &&
           !(r->has_le && !(x <= r->le));
}
