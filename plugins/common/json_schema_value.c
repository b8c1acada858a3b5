/* Values compared as JSON Schema compares them. Depth is bounded by the scanner's. */
#include "plugins/common/json_schema_inside.h"

static bool same_number(const tape_token *a, const tape_token *b)
{
    exact x = exact_read(json_tape_str(a)), y = exact_read(json_tape_str(b));
    return exact_compare(&x, &y) == 0;
}

static bool same_items(const json_tape *a, uint32_t i, const json_tape *b, uint32_t j)
{
    uint32_t count = a->tokens[i].count, x = i + 1, y = j + 1;
    for (uint32_t n = 0; n < count; n++, x = a->tokens[x].next, y = b->tokens[y].next)
        if (!json_schema_equal(a, x, b, y))
            return false;
    return true;
}

static bool same_members(const json_tape *a, uint32_t i, const json_tape *b, uint32_t j)
{
    uint32_t count = a->tokens[i].count, key = i + 1;
    for (uint32_t n = 0; n < count; n++, key = a->tokens[key + 1].next) {
        uint32_t other = json_tape_find(b, j, json_tape_str(&a->tokens[key]));
        if (!other || !json_schema_equal(a, key + 1, b, other))
            return false;
    }
    return true;
}

bool json_schema_equal(const json_tape *a, uint32_t i, const json_tape *b, uint32_t j)
{
    const tape_token *x = &a->tokens[i], *y = &b->tokens[j];
    if (x->kind != y->kind)
        return false;
    switch (x->kind) {
    case JSON_STRING:
        return ss_eq(json_tape_str(x), json_tape_str(y));
    case JSON_NUMBER:
        return same_number(x, y);
    case JSON_ARRAY:
        return x->count == y->count && same_items(a, i, b, j);
    case JSON_OBJECT:
        return x->count == y->count && same_members(a, i, b, j);
    default:
        return true;
    }
}

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCDu;
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53u;
    return h ^ h >> 33;
}

static uint64_t hash_text(ss_str text, uint64_t seed)
{
    uint64_t h = seed ^ text.len;
    for (size_t i = 0; i < text.len; i += 8) {
        uint64_t part = 0;
        memcpy(&part, text.ptr + i, text.len - i < 8 ? text.len - i : 8);
        h = mix(h ^ part) + seed;
    }
    return h;
}

uint64_t json_schema_hash(const json_tape *t, uint32_t token, uint64_t seed)
{
    const tape_token *v = &t->tokens[token];
    uint64_t h = mix(seed + v->kind);
    if (v->kind == JSON_STRING)
        return hash_text(json_tape_str(v), h);
    if (v->kind == JSON_NUMBER) {
        exact n = exact_read(json_tape_str(v));
        return mix(exact_hash(&n, h));
    }
    uint32_t at = token + 1;
    for (uint32_t i = 0; i < v->count && v->kind == JSON_ARRAY; i++, at = t->tokens[at].next)
        h = mix(h ^ json_schema_hash(t, at, seed));
    for (uint32_t i = 0; i < v->count && v->kind == JSON_OBJECT; i++, at = t->tokens[at + 1].next)
        h += mix(hash_text(json_tape_str(&t->tokens[at]), seed) ^
                 json_schema_hash(t, at + 1, seed)); /* any order */
    return h;
}
