/* The validator: walks the compiled nodes over a tape. */
#include <time.h>

#include "plugins/common/json_schema_inside.h"

#define DEPTH_MAX      512u /* subschemas within each other, references included */
#define MATCHES_A_LOOK 32u
#define OTHER_TYPE     1000u /* counts like so many errors */
#define WORDS_MAX      (SCHEMA_NAMES_MAX / 64u)

#define NO_CHOICE "one of several schemas"

typedef struct checker {
    const json_schema *s;
    const json_tape *tape;
    json_schema_run *run;
    json_schema_matcher matcher;
    uint32_t steps, depth;
    uint32_t quiet;           /* > 0: only whether it holds is asked */
    bool spent;               /* the limit of steps was reached */
    int64_t patterns_from_us; /* when the first pattern was tried; 0 = none yet */
    uint32_t matches;
    bool slow; /* a pattern reached its limit: no other one is tried, an input has one such chance */
} checker;

static bool check(checker *c, const json_schema_node *n, uint32_t token);

/* Always false, so that a rule can say `ok = complain(...)`. */
static bool complain(checker *c, uint32_t token, const char *keyword, ss_str expected, ss_str got)
{
    json_schema_run *run = c->run;
    if (c->quiet)
        return false;
    if (run->count < run->max)
        run->errors[run->count] = (json_schema_error){token, keyword, expected, got};
    run->count++;
    return false;
}

static bool wrong(checker *c, uint32_t token, const char *keyword, ss_str expected)
{
    return complain(c, token, keyword, expected, json_tape_raw(c->tape, &c->tape->tokens[token]));
}

/* Does the subschema hold? Says nothing about why not. */
static bool holds(checker *c, const json_schema_node *n, uint32_t token)
{
    c->quiet++;
    bool ok = check(c, n, token);
    c->quiet--;
    return ok;
}

/* Go on after what was found? Where nobody wants to know more, the first error is enough. */
#define MORE(c, ok) ((ok) || !(c)->quiet)

/* ---- numbers and strings --------------------------------------------------------------------- */

static bool check_numbers(checker *c, const json_schema_numbers *g, uint32_t token)
{
    exact value = exact_read(json_tape_str(&c->tape->tokens[token]));
    bool ok = true;
    if (g->minimum.text.ptr && exact_compare(&value, &g->minimum.value) < 0)
        ok = wrong(c, token, "minimum", g->minimum.text);
    if (g->maximum.text.ptr && exact_compare(&value, &g->maximum.value) > 0)
        ok = wrong(c, token, "maximum", g->maximum.text);
    if (g->above.text.ptr && exact_compare(&value, &g->above.value) <= 0)
        ok = wrong(c, token, "exclusiveMinimum", g->above.text);
    if (g->below.text.ptr && exact_compare(&value, &g->below.value) >= 0)
        ok = wrong(c, token, "exclusiveMaximum", g->below.text);
    if (g->multiple.text.ptr && !exact_multiple(&value, &g->multiple.value))
        ok = wrong(c, token, "multipleOf", g->multiple.text);
    return ok;
}

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The limit of one match leaves room for many that are almost as slow: now and then the clock is asked. */
static void watch_patterns(checker *c)
{
    if (c->matches++ == 0)
        c->patterns_from_us = now_us();
    c->slow |= *c->run->pattern_us <= 0;
    if (c->matches % MATCHES_A_LOOK == 0)
        c->slow |= now_us() - c->patterns_from_us > *c->run->pattern_us;
}

static enum json_schema_match match(checker *c, const json_schema_pattern *p, ss_str text)
{
    if (c->run->pattern_us)
        watch_patterns(c);
    enum json_schema_match found =
        c->slow ? PATTERN_GAVE_UP : json_schema_pattern_match(p, &c->matcher, text);
    c->slow |= found == PATTERN_GAVE_UP;
    return found;
}

static uint64_t code_points(ss_str text)
{
    uint64_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    return n;
}

/* Length in code points, counted only where the bytes do not answer already: a code point has 1 to 4. */
static bool check_length(checker *c, const json_schema_strings *g, uint32_t token, ss_str text)
{
    bool ok = true;
    if (g->max.text.ptr && text.len > g->max.value && code_points(text) > g->max.value)
        ok = wrong(c, token, "maxLength", g->max.text);
    if (g->min.text.ptr && text.len / 4 < g->min.value && code_points(text) < g->min.value)
        ok = wrong(c, token, "minLength", g->min.text);
    return ok;
}

static bool check_strings(checker *c, const json_schema_strings *g, uint32_t token)
{
    ss_str text = json_tape_str(&c->tape->tokens[token]);
    bool ok = check_length(c, g, token, text);
    if (g->pattern && MORE(c, ok)) {
        enum json_schema_match found = match(c, g->pattern, text);
        if (found == PATTERN_GAVE_UP)
            ok = complain(c, token, "pattern", g->pattern_text,
                          SS_LIT("a text on which the pattern takes too long"));
        else if (found == PATTERN_NO)
            ok = wrong(c, token, "pattern", g->pattern_text);
    }
    if (g->format && MORE(c, ok) && !json_schema_format_ok(g->format, text))
        ok = wrong(c, token, "format", g->format_text);
    return ok;
}

/* ---- arrays ---------------------------------------------------------------------------------- */

typedef struct hashed {
    uint64_t hash;
    uint32_t token;
} hashed;

static void sift(hashed *heap, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && heap[child].hash < heap[child + 1].hash)
            child++;
        if (heap[root].hash >= heap[child].hash)
            return;
        hashed swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
    }
}

static void sort_hashes(hashed *list, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sift(list, i, count);
    for (uint32_t left = count; left > 1; left--) {
        hashed last = list[left - 1];
        list[left - 1] = list[0];
        list[0] = last;
        sift(list, 0, left - 1);
    }
}

static bool check_unique(checker *c, uint32_t token)
{
    const tape_token *array = &c->tape->tokens[token];
    hashed *list = c->run->memory.take(c->run->memory.arg, (array->count + 1) * sizeof *list);
    uint32_t at = token + 1;
    if (!list)
        return complain(c, token, "uniqueItems", SS_LIT("true"),
                        SS_LIT("more items than there is memory for"));
    for (uint32_t i = 0; i < array->count; i++, at = c->tape->tokens[at].next)
        list[i] = (hashed){json_schema_hash(c->tape, at, c->s->seed), at};
    sort_hashes(list, array->count);
    for (uint32_t i = 1; i < array->count; i++)
        for (uint32_t k = i; k-- > 0 && list[k].hash == list[i].hash;)
            if (json_schema_equal(c->tape, list[k].token, c->tape, list[i].token)) {
                uint32_t later = list[k].token > list[i].token ? list[k].token : list[i].token;
                return wrong(c, later, "uniqueItems", SS_LIT("true"));
            }
    return true;
}

static bool check_contains(checker *c, const json_schema_arrays *g, uint32_t token)
{
    uint32_t at = token + 1, found = 0;
    uint64_t least = g->min_contains.text.ptr ? g->min_contains.value : 1;
    for (uint32_t i = 0; i < c->tape->tokens[token].count; i++, at = c->tape->tokens[at].next)
        found += holds(c, g->contains, at);
    if (found < least)
        return wrong(c, token, g->min_contains.text.ptr ? "minContains" : "contains",
                     g->min_contains.text.ptr ? g->min_contains.text : SS_LIT("an item that fits"));
    return !g->max_contains.text.ptr || found <= g->max_contains.value ||
           wrong(c, token, "maxContains", g->max_contains.text);
}

static bool check_arrays(checker *c, const json_schema_arrays *g, uint32_t token)
{
    const tape_token *array = &c->tape->tokens[token];
    bool ok = true;
    if (g->min.text.ptr && array->count < g->min.value)
        ok = wrong(c, token, "minItems", g->min.text);
    if (g->max.text.ptr && array->count > g->max.value)
        ok = wrong(c, token, "maxItems", g->max.text);
    uint32_t at = token + 1;
    for (uint32_t i = 0; i < array->count && MORE(c, ok) && (i < g->prefix_count || g->items); i++) {
        ok &= check(c, i < g->prefix_count ? g->prefix[i] : g->items, at);
        at = c->tape->tokens[at].next;
    }
    if (g->contains && MORE(c, ok))
        ok &= check_contains(c, g, token);
    if (g->unique && array->count > 1 && MORE(c, ok))
        ok &= check_unique(c, token);
    return ok;
}

/* ---- objects --------------------------------------------------------------------------------- */

static uint16_t name_of(const json_schema_objects *g, const tape_token *key)
{
    for (uint32_t at = key->count & g->mask; g->table[at] != SCHEMA_NO_SLOT; at = (at + 1) & g->mask) {
        const json_schema_name *name = &g->names[g->table[at]];
        if (name->hash == key->count && ss_eq(name->text, json_tape_str(key)))
            return g->table[at];
    }
    return SCHEMA_NO_SLOT;
}

static bool check_by_pattern(checker *c, const json_schema_objects *g, uint32_t key, bool *matched)
{
    bool ok = true;
    for (uint32_t i = 0; i < g->pattern_count && MORE(c, ok); i++) {
        ss_str name = json_tape_str(&c->tape->tokens[key]);
        enum json_schema_match found = match(c, g->patterns[i].pattern, name);
        if (found == PATTERN_NO)
            continue;
        *matched = true;
        ok &= found == PATTERN_YES ? check(c, g->patterns[i].node, key + 1)
                                   : complain(c, key, "patternProperties", ss_s("", 0),
                                              SS_LIT("a name on which the pattern takes too long"));
    }
    return ok;
}

static bool check_member(checker *c, const json_schema_objects *g, uint32_t key, uint64_t *seen)
{
    uint16_t slot = name_of(g, &c->tape->tokens[key]);
    bool matched = false, ok = true;
    if (slot != SCHEMA_NO_SLOT) {
        seen[slot >> 6] |= (uint64_t)1 << (slot & 63u);
        if (g->names[slot].node) {
            matched = true;
            ok = check(c, g->names[slot].node, key + 1);
        }
    }
    if (g->pattern_count)
        ok &= check_by_pattern(c, g, key, &matched);
    if (!matched && g->additional)
        ok &= g->additional->never ? wrong(c, key + 1, "additionalProperties", SS_LIT("no other property"))
                                   : check(c, g->additional, key + 1);
    if (g->property_names)
        ok &= check(c, g->property_names, key);
    return ok;
}

static inline bool there(const uint64_t *seen, uint16_t slot)
{
    return seen[slot >> 6] >> (slot & 63u) & 1u;
}

static bool check_required(checker *c, const json_schema_objects *g, const uint16_t *list, uint32_t count,
                           const char *keyword, uint32_t token, const uint64_t *seen)
{
    bool ok = true;
    for (uint32_t i = 0; i < count; i++)
        if (!there(seen, list[i]))
            ok = complain(c, token, keyword, g->names[list[i]].text, SS_LIT("nothing"));
    return ok;
}

static bool check_objects(checker *c, const json_schema_objects *g, uint32_t token)
{
    const tape_token *object = &c->tape->tokens[token];
    uint64_t seen[WORDS_MAX];
    bool ok = true;
    memset(seen, 0, (g->name_count + 63u) / 64u * sizeof *seen);
    if (g->min.text.ptr && object->count < g->min.value)
        ok = wrong(c, token, "minProperties", g->min.text);
    if (g->max.text.ptr && object->count > g->max.value)
        ok = wrong(c, token, "maxProperties", g->max.text);
    uint32_t key = token + 1;
    for (uint32_t i = 0; i < object->count && MORE(c, ok); i++, key = c->tape->tokens[key + 1].next)
        ok &= check_member(c, g, key, seen);
    if (MORE(c, ok))
        ok &= check_required(c, g, g->required, g->required_count, "required", token, seen);
    for (uint32_t i = 0; i < g->dependence_count && MORE(c, ok); i++) {
        const json_schema_dependence *d = &g->dependences[i];
        if (!there(seen, d->name))
            continue;
        ok &= d->node
                  ? check(c, d->node, token)
                  : check_required(c, g, d->required, d->required_count, "dependentRequired", token, seen);
    }
    return ok;
}

/* ---- what holds for every type --------------------------------------------------------------- */

static bool type_fits(const json_schema_node *n, const tape_token *t)
{
    static const uint8_t bits[] = {
        [JSON_OBJECT] = SCHEMA_OBJECT, [JSON_ARRAY] = SCHEMA_ARRAY,  [JSON_STRING] = SCHEMA_STRING,
        [JSON_NUMBER] = SCHEMA_NUMBER, [JSON_TRUE] = SCHEMA_BOOLEAN, [JSON_FALSE] = SCHEMA_BOOLEAN,
        [JSON_NULL] = SCHEMA_NULL};
    if (n->types & bits[t->kind])
        return true;
    if (t->kind != JSON_NUMBER || !(n->types & SCHEMA_INTEGER))
        return false;
    exact value = exact_read(json_tape_str(t));
    return exact_integer(&value);
}

/* Where none of several schemas fits, the reasons of the one that comes nearest are told, too: the one with
   the fewest, and rather one that wants this type of value. */
static void explain_nearest(checker *c, const json_schema_list *list, uint32_t token)
{
    json_schema_run *run = c->run;
    uint32_t before = run->count, room = run->max, least = UINT32_MAX;
    const json_schema_node *nearest = NULL;
    if (c->quiet || c->steps > SCHEMA_STEPS_MAX / 2)
        return;
    run->max = 0; /* count only */
    for (uint32_t i = 0; i < list->count; i++) {
        const json_schema_node *n = list->nodes[i];
        run->count = n->types && !type_fits(n, &c->tape->tokens[token]) ? OTHER_TYPE : 0;
        (void)check(c, n, token);
        if (run->count < least) {
            least = run->count;
            nearest = n;
        }
    }
    run->max = room;
    run->count = before;
    if (nearest)
        (void)check(c, nearest, token);
}

static bool check_any(checker *c, const json_schema_list *list, uint32_t token)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (holds(c, list->nodes[i], token))
            return true;
    (void)wrong(c, token, "anyOf", SS_LIT(NO_CHOICE));
    explain_nearest(c, list, token);
    return false;
}

static bool check_one(checker *c, const json_schema_list *list, uint32_t token)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < list->count && found < 2; i++)
        found += holds(c, list->nodes[i], token);
    if (found == 1)
        return true;
    if (found)
        return complain(c, token, "oneOf", SS_LIT("exactly " NO_CHOICE),
                        SS_LIT("a value that fits more than one"));
    (void)wrong(c, token, "oneOf", SS_LIT(NO_CHOICE));
    explain_nearest(c, list, token);
    return false;
}

static bool check_values(checker *c, const json_schema_node *n, uint32_t token)
{
    const json_tape *own = &c->s->tape;
    bool ok = true;
    if (n->constant && !json_schema_equal(own, n->constant, c->tape, token))
        ok = wrong(c, token, "const", json_tape_raw(own, &own->tokens[n->constant]));
    if (n->choices) {
        uint32_t at = n->choices + 1, left = own->tokens[n->choices].count;
        while (left > 0 && !json_schema_equal(own, at, c->tape, token)) {
            at = own->tokens[at].next;
            left--;
        }
        if (left == 0)
            ok = wrong(c, token, "enum", json_tape_raw(own, &own->tokens[n->choices]));
    }
    return ok;
}

static bool check_applied(checker *c, const json_schema_node *n, uint32_t token)
{
    bool ok = true;
    if (n->ref)
        ok &= check(c, n->ref, token);
    for (uint32_t i = 0; i < n->all.count && MORE(c, ok); i++)
        ok &= check(c, n->all.nodes[i], token);
    if (n->any.count && MORE(c, ok))
        ok &= check_any(c, &n->any, token);
    if (n->one.count && MORE(c, ok))
        ok &= check_one(c, &n->one, token);
    if (n->not_ && MORE(c, ok) && holds(c, n->not_, token))
        ok = wrong(c, token, "not", SS_LIT("a value that the schema does not fit"));
    if (n->if_ && MORE(c, ok)) {
        const json_schema_node *branch = holds(c, n->if_, token) ? n->then_ : n->else_;
        ok &= !branch || check(c, branch, token);
    }
    return ok;
}

static bool check_groups(checker *c, const json_schema_node *n, uint32_t token)
{
    switch (c->tape->tokens[token].kind) {
    case JSON_NUMBER:
        return !n->numbers || check_numbers(c, n->numbers, token);
    case JSON_STRING:
        return !n->strings || check_strings(c, n->strings, token);
    case JSON_ARRAY:
        return !n->arrays || check_arrays(c, n->arrays, token);
    case JSON_OBJECT:
        return !n->objects || check_objects(c, n->objects, token);
    default:
        return true;
    }
}

static bool check(checker *c, const json_schema_node *n, uint32_t token)
{
    bool ok = true;
    if (n->never)
        return wrong(c, token, "false", SS_LIT("no value at all"));
    if (c->depth == DEPTH_MAX || ++c->steps > SCHEMA_STEPS_MAX) {
        c->spent = true;
        return false;
    }
    c->depth++;
    if (n->types && !type_fits(n, &c->tape->tokens[token]))
        ok = wrong(c, token, "type", n->type_text);
    if (MORE(c, ok))
        ok &= check_groups(c, n, token);
    if (!n->plain && MORE(c, ok))
        ok &= check_values(c, n, token);
    if (!n->plain && MORE(c, ok))
        ok &= check_applied(c, n, token);
    c->depth--;
    return ok;
}

bool json_schema_check(const json_schema *s, const json_tape *tape, uint32_t token, json_schema_run *run)
{
    checker c = {.s = s, .tape = tape, .run = run, .matcher = {.memory = run->memory}};
    c.quiet = run->max == 0;
    run->count = 0;
    bool ok = check(&c, s->root, token);
    if (c.matches)
        *run->pattern_us -= now_us() - c.patterns_from_us;
    if (!c.spent)
        return ok;
    c.quiet = run->count = 0; /* whatever `not` and `anyOf` made of it: nothing was decided */
    return complain(&c, token, "limit", SS_LIT("a value that can be checked in a million steps"),
                    SS_LIT("more"));
}
