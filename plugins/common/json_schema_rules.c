/* Compiles the keywords about numbers, strings, arrays and objects. */
#include "plugins/common/json_schema_inside.h"

typedef struct rule { /* a keyword on its way */
    json_schema_compiler *c;
    json_schema_node *node;
    const json_tape *tape;
    ss_str name;
    uint32_t value; /* token */
} rule;

static bool is(const rule *r, const char *name)
{
    return ss_eq(r->name, ss_cstr(name));
}

static json_kind kind_of(const rule *r)
{
    return (json_kind)r->tape->tokens[r->value].kind;
}

static bool refuse(const rule *r, const char *what)
{
    return json_schema_refuse(r->c, r->value, "%.*s %s,", (int)r->name.len, r->name.ptr, what);
}

/* The group that the keyword belongs to, made where it is the first. */
#define GROUP(r, group)                                                                                      \
    ((r)->node->group ? (r)->node->group                                                                     \
                      : ((r)->node->group = json_schema_take((r)->c->s, sizeof *(r)->node->group)))

/* ---- numbers --------------------------------------------------------------------------------- */

/* A number that was a double on its way here has the shortest text that means that double. */
static ss_str number_text(const rule *r)
{
    ss_str text = json_tape_str(&r->tape->tokens[r->value]);
    double value;
    char *out;
    if (!r->c->s->options.from_doubles ||
        !(memchr(text.ptr, '.', text.len) || memchr(text.ptr, 'e', text.len)) || !json_double(text, &value) ||
        !(out = json_schema_take(r->c->s, JSON_DOUBLE_SIZE)))
        return text;
    return ss_s(out, json_put_double(out, value));
}

static bool bound(const rule *r, json_schema_bound *out)
{
    if (kind_of(r) != JSON_NUMBER)
        return refuse(r, "must be a number");
    out->text = number_text(r);
    out->value = exact_read(out->text);
    return true;
}

static bool multiple(const rule *r, json_schema_bound *out)
{
    if (!bound(r, out))
        return false;
    if (out->value.count == 0 || out->value.negative)
        return refuse(r, "must be greater than 0");
    return out->value.count <= EXACT_SMALL_DIGITS || refuse(r, "has too many digits");
}

/* A whole number that counts; 1.0 is one. */
static bool count(const rule *r, json_schema_count *out)
{
    int64_t value;
    if (kind_of(r) != JSON_NUMBER || !json_i64(json_tape_str(&r->tape->tokens[r->value]), &value) ||
        value < 0)
        return refuse(r, "must be a whole number, 0 or more");
    *out = (json_schema_count){(uint64_t)value, json_tape_raw(r->tape, &r->tape->tokens[r->value])};
    return true;
}

static bool number_rule(const rule *r, bool *known)
{
    static const struct {
        const char *name;
        size_t offset;
    } bounds[] = {{"minimum", offsetof(json_schema_numbers, minimum)},
                  {"maximum", offsetof(json_schema_numbers, maximum)},
                  {"exclusiveMinimum", offsetof(json_schema_numbers, above)},
                  {"exclusiveMaximum", offsetof(json_schema_numbers, below)},
                  {"multipleOf", offsetof(json_schema_numbers, multiple)}};
    size_t i = 0, total = sizeof bounds / sizeof *bounds;
    while (i < total && !is(r, bounds[i].name))
        i++;
    *known = i < total;
    if (!*known)
        return true;
    json_schema_numbers *g = GROUP(r, numbers);
    if (!g)
        return json_schema_no_memory(r->c);
    json_schema_bound *out = (json_schema_bound *)(void *)((char *)g + bounds[i].offset);
    return out == &g->multiple ? multiple(r, out) : bound(r, out);
}

/* ---- strings --------------------------------------------------------------------------------- */

static bool format_rule(const rule *r, json_schema_strings *g)
{
    if (kind_of(r) != JSON_STRING)
        return refuse(r, "must be a string");
    if (!r->c->s->options.assert_format)
        return true;
    g->format_text = json_tape_raw(r->tape, &r->tape->tokens[r->value]);
    g->format = json_schema_format_named(json_tape_str(&r->tape->tokens[r->value]));
    if (g->format != FORMAT_UNSUPPORTED)
        return true;
    r->c->why->unsupported = true;
    return json_schema_refuse(r->c, r->value, "unsupported keyword format of value %.*s",
                              (int)g->format_text.len, g->format_text.ptr);
}

static bool string_rule(const rule *r, bool *known)
{
    *known = is(r, "minLength") || is(r, "maxLength") || is(r, "pattern") || is(r, "format");
    if (!*known)
        return true;
    json_schema_strings *g = GROUP(r, strings);
    if (!g)
        return json_schema_no_memory(r->c);
    if (is(r, "minLength"))
        return count(r, &g->min);
    if (is(r, "maxLength"))
        return count(r, &g->max);
    if (is(r, "format"))
        return format_rule(r, g);
    g->pattern = json_schema_compile_pattern(r->c, r->value);
    g->pattern_text = json_tape_raw(r->tape, &r->tape->tokens[r->value]);
    return g->pattern != NULL;
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static bool node(const rule *r, uint32_t token, json_schema_node **out)
{
    *out = json_schema_compile_at(r->c, token);
    return *out != NULL;
}

static bool prefix_rule(const rule *r, json_schema_arrays *g)
{
    uint32_t items = r->tape->tokens[r->value].count, at = r->value + 1;
    if (kind_of(r) != JSON_ARRAY || items == 0)
        return refuse(r, "must be a list of at least one schema");
    g->prefix = json_schema_take(r->c->s, items * sizeof(json_schema_node *));
    if (!g->prefix)
        return json_schema_no_memory(r->c);
    for (; g->prefix_count < items; at = r->tape->tokens[at].next)
        if (!node(r, at, &g->prefix[g->prefix_count++]))
            return false;
    return true;
}

static bool array_rule(const rule *r, bool *known)
{
    static const char *const names[] = {"prefixItems", "items",    "contains", "minContains",
                                        "maxContains", "minItems", "maxItems", "uniqueItems"};
    size_t which = 0, total = sizeof names / sizeof *names;
    while (which < total && !is(r, names[which]))
        which++;
    *known = which < total;
    if (!*known)
        return true;
    json_schema_arrays *g = GROUP(r, arrays);
    if (!g)
        return json_schema_no_memory(r->c);
    switch (which) {
    case 0:
        return prefix_rule(r, g);
    case 1:
        return kind_of(r) == JSON_ARRAY ? refuse(r, "must be a schema; for a list of them write prefixItems")
                                        : node(r, r->value, &g->items);
    case 2:
        return node(r, r->value, &g->contains);
    case 3:
        return count(r, &g->min_contains);
    case 4:
        return count(r, &g->max_contains);
    case 5:
        return count(r, &g->min);
    case 6:
        return count(r, &g->max);
    default:
        g->unique = kind_of(r) == JSON_TRUE;
        return g->unique || kind_of(r) == JSON_FALSE || refuse(r, "must be true or false");
    }
}

/* ---- objects --------------------------------------------------------------------------------- */

/* How many names the keywords of the subschema mention at the most. */
static uint32_t names_bound(const rule *r)
{
    static const char *const keywords[] = {"properties", "required", "dependentSchemas", "dependentRequired"};
    uint32_t bound = 0;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        uint32_t at = json_tape_find(r->tape, r->node->token, ss_cstr(keywords[i]));
        const tape_token *t = &r->tape->tokens[at];
        if (!at || (t->kind != JSON_OBJECT && t->kind != JSON_ARRAY))
            continue;
        bound += i == 3 ? t->next - at : t->count; /* dependentRequired holds lists: all that is within */
    }
    return bound;
}

static json_schema_objects *objects_of(const rule *r)
{
    json_schema_objects *g = r->node->objects;
    if (g)
        return g;
    uint32_t bound = names_bound(r), size = 4;
    bound = bound < SCHEMA_NAMES_MAX ? bound : SCHEMA_NAMES_MAX;
    while (size < 2 * bound)
        size *= 2;
    g = json_schema_take(r->c->s, sizeof *g);
    if (!g)
        return NULL;
    g->mask = size - 1;
    g->names = json_schema_take(r->c->s, (bound + 1) * sizeof *g->names);
    g->table = json_schema_take(r->c->s, size * sizeof *g->table);
    if (!g->names || !g->table)
        return NULL;
    memset(g->table, 0xFF, size * sizeof *g->table);
    r->node->objects = g;
    return g;
}

/* The name's index, added where it is new; SCHEMA_NO_SLOT where there are too many. */
static uint16_t name_of(const rule *r, json_schema_objects *g, uint32_t token)
{
    ss_str text = json_tape_str(&r->tape->tokens[token]);
    uint32_t hash = json_tape_hash(text), at = hash & g->mask;
    for (; g->table[at] != SCHEMA_NO_SLOT; at = (at + 1) & g->mask)
        if (ss_eq(g->names[g->table[at]].text, text))
            return g->table[at];
    if (g->name_count == SCHEMA_NAMES_MAX) {
        (void)refuse(r, "names too many properties");
        return SCHEMA_NO_SLOT;
    }
    g->table[at] = (uint16_t)g->name_count;
    g->names[g->name_count] = (json_schema_name){.text = text, .hash = hash};
    return (uint16_t)g->name_count++;
}

/* A list of different names. */
static bool name_list(const rule *r, json_schema_objects *g, uint32_t list, uint16_t **out,
                      uint32_t *out_count)
{
    const tape_token *t = &r->tape->tokens[list];
    if (t->kind != JSON_ARRAY)
        return refuse(r, "must be a list of names");
    *out = json_schema_take(r->c->s, (t->count + 1) * sizeof **out);
    if (!*out)
        return json_schema_no_memory(r->c);
    for (uint32_t i = 0, at = list + 1; i < t->count; i++, at = r->tape->tokens[at].next) {
        if (r->tape->tokens[at].kind != JSON_STRING)
            return refuse(r, "must be a list of names");
        (*out)[i] = name_of(r, g, at);
        if ((*out)[i] == SCHEMA_NO_SLOT)
            return false;
    }
    *out_count = t->count;
    return true;
}

static bool properties_rule(const rule *r, json_schema_objects *g)
{
    uint32_t key = r->value + 1;
    for (uint32_t i = 0; i < r->tape->tokens[r->value].count; i++, key = r->tape->tokens[key + 1].next) {
        uint16_t name = name_of(r, g, key);
        if (name == SCHEMA_NO_SLOT || !node(r, key + 1, &g->names[name].node))
            return false;
    }
    return true;
}

static bool patterns_rule(const rule *r, json_schema_objects *g)
{
    uint32_t total = r->tape->tokens[r->value].count, key = r->value + 1;
    g->patterns = json_schema_take(r->c->s, (total + 1) * sizeof *g->patterns);
    if (!g->patterns)
        return json_schema_no_memory(r->c);
    for (; g->pattern_count < total; g->pattern_count++, key = r->tape->tokens[key + 1].next) {
        json_schema_by_pattern *p = &g->patterns[g->pattern_count];
        p->pattern = json_schema_compile_pattern(r->c, key);
        if (!p->pattern || !node(r, key + 1, &p->node))
            return false;
    }
    return true;
}

/* dependentRequired and dependentSchemas may both be there: each adds its own entries. */
static bool dependence_rule(const rule *r, json_schema_objects *g, bool schemas)
{
    uint32_t total = r->tape->tokens[r->value].count, key = r->value + 1;
    json_schema_dependence *all = json_schema_take(r->c->s, (g->dependence_count + total + 1) * sizeof *all);
    if (!all)
        return json_schema_no_memory(r->c);
    if (g->dependence_count)
        memcpy(all, g->dependences, g->dependence_count * sizeof *all);
    g->dependences = all;
    for (uint32_t i = 0; i < total; i++, key = r->tape->tokens[key + 1].next) {
        json_schema_dependence *d = &all[g->dependence_count];
        d->name = name_of(r, g, key);
        bool ok = d->name != SCHEMA_NO_SLOT;
        if (ok && schemas)
            ok = node(r, key + 1, &d->node);
        else if (ok)
            ok = name_list(r, g, key + 1, &d->required, &d->required_count);
        if (!ok)
            return false;
        g->dependence_count++;
    }
    return true;
}

static bool object_rule(const rule *r, bool *known)
{
    static const char *const maps[] = {"properties", "patternProperties", "dependentRequired",
                                       "dependentSchemas"};
    static const char *const others[] = {"additionalProperties", "propertyNames", "required", "minProperties",
                                         "maxProperties"};
    size_t map = 0, other = 0;
    while (map < 4 && !is(r, maps[map]))
        map++;
    while (other < 5 && !is(r, others[other]))
        other++;
    *known = map < 4 || other < 5;
    if (!*known)
        return true;
    json_schema_objects *g = objects_of(r);
    if (!g)
        return json_schema_no_memory(r->c);
    if (map < 4 && kind_of(r) != JSON_OBJECT)
        return refuse(r, "must be an object");
    if (map < 4)
        return map == 0   ? properties_rule(r, g)
               : map == 1 ? patterns_rule(r, g)
                          : dependence_rule(r, g, map == 3);
    switch (other) {
    case 0:
        return node(r, r->value, &g->additional);
    case 1:
        return node(r, r->value, &g->property_names);
    case 2:
        return name_list(r, g, r->value, &g->required, &g->required_count);
    case 3:
        return count(r, &g->min);
    default:
        return count(r, &g->max);
    }
}

bool json_schema_compile_rule(json_schema_compiler *c, json_schema_node *n, uint32_t key, bool *known)
{
    rule r = {c, n, &c->s->tape, json_tape_str(&c->s->tape.tokens[key]), key + 1};
    bool (*const groups[])(const rule *, bool *) = {number_rule, string_rule, array_rule, object_rule};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        bool ok = groups[i](&r, known);
        if (!ok || *known)
            return ok;
    }
    return true;
}
