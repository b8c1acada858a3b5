/* From the text of a schema to the nodes that the validator walks. */
#include <stdlib.h>
#include <sys/random.h>

#include "plugins/common/json_schema_inside.h"

#define DIALECT "https://json-schema.org/draft/2020-12/schema"

/* ---- what is wrong --------------------------------------------------------------------------- */

bool json_schema_refuse(json_schema_compiler *c, uint32_t token, const char *format, ...)
{
    char path[SCHEMA_PATH_SIZE];
    va_list args;
    if (c->why->text[0])
        return false;
    va_start(args, format);
    int len = vsnprintf(c->why->text, sizeof c->why->text - sizeof path - 4, format, args);
    va_end(args);
    (void)json_schema_path(&c->s->tape, token, path, sizeof path);
    size_t at = strnlen(c->why->text, sizeof c->why->text - 1);
    if (len >= 0)
        (void)snprintf(c->why->text + at, sizeof c->why->text - at, " at %s", *path ? path : "the root");
    return false;
}

bool json_schema_no_memory(json_schema_compiler *c)
{
    return json_schema_refuse(c, 0, "no memory for the schema");
}

static void warn(json_schema_compiler *c, uint32_t key)
{
    json_schema *s = c->s;
    ss_str name = json_tape_str(&s->tape.tokens[key]);
    bool meant = name.len >= 2 && memcmp(name.ptr, "x-", 2) == 0;
    char text[400], path[SCHEMA_PATH_SIZE];
    if (meant || s->warning_count == SCHEMA_WARNINGS_MAX)
        return;
    const char *near = json_schema_keyword_near(name);
    (void)json_schema_path(&s->tape, key, path, sizeof path);
    (void)snprintf(text, sizeof text, "unknown keyword '%.*s' at %s has no effect%s%s%s",
                   (int)(name.len < 64 ? name.len : 64), name.ptr, path, near ? ", did you mean '" : "",
                   near ? near : "", near ? "'?" : "");
    char *copy = json_schema_take(s, strlen(text) + 1);
    if (copy)
        s->warnings[s->warning_count++] = strcpy(copy, text);
}

/* ---- patterns -------------------------------------------------------------------------------- */

json_schema_pattern *json_schema_compile_pattern(json_schema_compiler *c, uint32_t token)
{
    json_schema *s = c->s;
    char why[PATTERN_WHY_SIZE];
    if (s->tape.tokens[token].kind != JSON_STRING) {
        (void)json_schema_refuse(c, token, "a pattern must be a string,");
        return NULL;
    }
    if (s->pattern_count == s->pattern_size) {
        uint32_t size = s->pattern_size ? s->pattern_size * 2 : 8;
        json_schema_pattern **grown = realloc(s->patterns, size * sizeof(json_schema_pattern *));
        if (!grown) {
            (void)json_schema_no_memory(c);
            return NULL;
        }
        s->patterns = grown;
        s->pattern_size = size;
    }
    json_schema_pattern *p = json_schema_pattern_new(json_tape_str(&s->tape.tokens[token]), why);
    if (p)
        s->patterns[s->pattern_count++] = p;
    else
        (void)json_schema_refuse(c, token, "the pattern cannot be used (%s)", why);
    return p;
}

/* ---- keywords that hold for every type ------------------------------------------------------- */

static bool compile_one(json_schema_compiler *c, uint32_t value, json_schema_node **out)
{
    *out = json_schema_compile_at(c, value);
    return *out != NULL;
}

static bool compile_list(json_schema_compiler *c, uint32_t value, json_schema_list *out)
{
    const tape_token *tokens = c->s->tape.tokens;
    uint32_t count = tokens[value].count, at = value + 1;
    if (tokens[value].kind != JSON_ARRAY || count == 0)
        return json_schema_refuse(c, value, "a list of at least one schema must stand here,");
    out->nodes = json_schema_take(c->s, count * sizeof(json_schema_node *));
    if (!out->nodes)
        return json_schema_no_memory(c);
    for (; out->count < count; at = tokens[at].next)
        if (!compile_one(c, at, &out->nodes[out->count++]))
            return false;
    return true;
}

/* $defs: nothing of it is used here, but what is wrong in it is found at load. */
static bool compile_map(json_schema_compiler *c, uint32_t value)
{
    const tape_token *tokens = c->s->tape.tokens;
    uint32_t key = value + 1;
    json_schema_node *node;
    if (tokens[value].kind != JSON_OBJECT)
        return json_schema_refuse(c, value, "an object of schemas must stand here,");
    for (uint32_t i = 0; i < tokens[value].count; i++, key = tokens[key + 1].next)
        if (!compile_one(c, key + 1, &node))
            return false;
    return true;
}

static const char *const type_names[] = {"null", "boolean", "object", "array", "number", "string", "integer"};

static bool type_bit(json_schema_compiler *c, uint32_t value, uint32_t *types)
{
    const tape_token *t = &c->s->tape.tokens[value];
    for (size_t i = 0; t->kind == JSON_STRING && i < sizeof type_names / sizeof *type_names; i++)
        if (ss_eq(json_tape_str(t), ss_cstr(type_names[i]))) {
            *types |= 1u << i;
            return true;
        }
    return json_schema_refuse(c, value, "a type is null, boolean, object, array, number, string or integer,");
}

static bool compile_type(json_schema_compiler *c, json_schema_node *n, uint32_t value)
{
    const tape_token *tokens = c->s->tape.tokens;
    uint32_t at = value + 1;
    n->type_text = json_tape_raw(&c->s->tape, &tokens[value]);
    if (tokens[value].kind != JSON_ARRAY)
        return type_bit(c, value, &n->types);
    if (tokens[value].count == 0)
        return json_schema_refuse(c, value, "a list of types must not be empty,");
    for (uint32_t i = 0; i < tokens[value].count; i++, at = tokens[at].next)
        if (!type_bit(c, at, &n->types))
            return false;
    return true;
}

static bool compile_ref(json_schema_compiler *c, json_schema_node *n, uint32_t value)
{
    const tape_token *t = &c->s->tape.tokens[value];
    if (t->kind != JSON_STRING)
        return json_schema_refuse(c, value, "a reference must be a string,");
    uint32_t found = json_schema_refs_find(c->refs, n->token, json_tape_str(t), c->why);
    return found && compile_one(c, found - 1, &n->ref);
}

static bool compile_dialect(json_schema_compiler *c, uint32_t value)
{
    ss_str text = json_tape_str(&c->s->tape.tokens[value]);
    if (c->s->tape.tokens[value].kind != JSON_STRING)
        return json_schema_refuse(c, value, "$schema must be a string,");
    text.len -= text.len > 0 && text.ptr[text.len - 1] == '#';
    if (ss_eq(text, SS_LIT(DIALECT)))
        return true;
    c->why->unsupported = true;
    return json_schema_refuse(c, value, "unsupported keyword $schema of value %.*s",
                              (int)(text.len < 96 ? text.len : 96), text.ptr);
}

static void note_doc(json_schema_compiler *c, json_schema_node *n, ss_str name, uint32_t value)
{
    bool description = ss_eq(name, SS_LIT("description"));
    if (c->s->tape.tokens[value].kind == JSON_STRING &&
        (description || (n->doc.len == 0 && ss_eq(name, SS_LIT("title")))))
        n->doc = json_tape_str(&c->s->tape.tokens[value]);
}

/* *known false: no keyword of this file. */
static bool compile_keyword(json_schema_compiler *c, json_schema_node *n, uint32_t key, bool *known)
{
    const struct {
        const char *name;
        json_schema_node **one;
        json_schema_list *list;
    } within[] = {{"not", &n->not_, NULL},   {"if", &n->if_, NULL},    {"then", &n->then_, NULL},
                  {"else", &n->else_, NULL}, {"allOf", NULL, &n->all}, {"anyOf", NULL, &n->any},
                  {"oneOf", NULL, &n->one}};
    ss_str name = json_tape_str(&c->s->tape.tokens[key]);
    uint32_t value = key + 1;
    *known = true;
    for (size_t i = 0; i < sizeof within / sizeof *within; i++)
        if (ss_eq(name, ss_cstr(within[i].name)))
            return within[i].one ? compile_one(c, value, within[i].one)
                                 : compile_list(c, value, within[i].list);
    if (ss_eq(name, SS_LIT("type")))
        return compile_type(c, n, value);
    if (ss_eq(name, SS_LIT("$ref")))
        return compile_ref(c, n, value);
    if (ss_eq(name, SS_LIT("const"))) {
        n->constant = value;
        return true;
    }
    if (ss_eq(name, SS_LIT("enum"))) {
        n->choices = value;
        return c->s->tape.tokens[value].kind == JSON_ARRAY ||
               json_schema_refuse(c, value, "enum must be a list,");
    }
    if (ss_eq(name, SS_LIT("$defs")) || ss_eq(name, SS_LIT("definitions")))
        return compile_map(c, value);
    if (ss_eq(name, SS_LIT("$schema")))
        return compile_dialect(c, value);
    *known = ss_eq(name, SS_LIT("$id")) || ss_eq(name, SS_LIT("$anchor")); /* json_schema_refs.c had them */
    return true;
}

static bool compile_member(json_schema_compiler *c, json_schema_node *n, uint32_t key)
{
    ss_str name = json_tape_str(&c->s->tape.tokens[key]);
    bool known;
    switch (json_schema_keyword_form_of(name)) {
    case FORM_UNKNOWN:
        warn(c, key);
        return true;
    case FORM_ANNOTATION:
        note_doc(c, n, name, key + 1);
        return true;
    default:
        break;
    }
    bool ok = compile_keyword(c, n, key, &known);
    return ok && !known ? json_schema_compile_rule(c, n, key, &known) : ok;
}

static bool compile_object(json_schema_compiler *c, json_schema_node *n)
{
    const tape_token *tokens = c->s->tape.tokens;
    uint32_t key = n->token + 1;
    for (uint32_t i = 0; i < tokens[n->token].count; i++, key = tokens[key + 1].next)
        if (!compile_member(c, n, key))
            return false;
    n->plain = !n->ref && !n->constant && !n->choices && !n->all.count && !n->any.count && !n->one.count &&
               !n->not_ && !n->if_;
    return true;
}

json_schema_node *json_schema_compile_at(json_schema_compiler *c, uint32_t token)
{
    json_schema *s = c->s;
    const tape_token *t = &s->tape.tokens[token];
    if (s->nodes[token])
        return s->nodes[token]; /* maybe one that is being made: recursion ends here */
    if (t->kind != JSON_OBJECT && t->kind != JSON_TRUE && t->kind != JSON_FALSE) {
        (void)json_schema_refuse(c, token, "a schema must be an object, true or false,");
        return NULL;
    }
    json_schema_node *n = s->node_count++ < SCHEMA_NODES_MAX ? json_schema_take(s, sizeof *n) : NULL;
    if (!n) {
        (void)json_schema_refuse(c, token, "too many subschemas, or no memory for them,");
        return NULL;
    }
    n->token = token;
    n->never = t->kind == JSON_FALSE;
    n->plain = true;
    s->nodes[token] = n;
    return t->kind != JSON_OBJECT || compile_object(c, n) ? n : NULL;
}

/* ---- cycles ---------------------------------------------------------------------------------- */

/* A subschema that applies itself to the same value would never end. */
static bool acyclic(json_schema_compiler *c, json_schema_node *n)
{
    if (!n || n->cycle == 2)
        return true;
    if (n->cycle == 1)
        return json_schema_refuse(c, n->token, "the schema refers to itself without going into the value,");
    n->cycle = 1;
    json_schema_node *const singles[] = {n->ref, n->not_, n->if_, n->then_, n->else_};
    const json_schema_list *const lists[] = {&n->all, &n->any, &n->one};
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof singles / sizeof *singles; i++)
        ok = acyclic(c, singles[i]);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (uint32_t k = 0; ok && k < lists[i]->count; k++)
            ok = acyclic(c, lists[i]->nodes[k]);
    for (uint32_t i = 0; ok && n->objects && i < n->objects->dependence_count; i++)
        ok = acyclic(c, n->objects->dependences[i].node);
    n->cycle = 2;
    return ok;
}

static bool all_acyclic(json_schema_compiler *c)
{
    for (uint32_t i = 0; i < c->s->tape.count; i++)
        if (!acyclic(c, c->s->nodes[i]))
            return false;
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void *take_from(void *arg, size_t len)
{
    return json_schema_take(arg, len);
}

static bool read_text(json_schema_compiler *c, ss_str json)
{
    json_schema *s = c->s;
    char *copy = json_schema_take(s, json.len + 1);
    if (!copy)
        return json_schema_no_memory(c);
    memcpy(copy, json.ptr, json.len);
    if (json_tape_read(&s->tape, ss_s(copy, json.len), (tape_memory){take_from, s}))
        return true;
    (void)snprintf(c->why->text, sizeof c->why->text, "the schema is not JSON: %s at byte %zu",
                   s->tape.problem, s->tape.offset);
    return false;
}

static bool compile(json_schema_compiler *c, ss_str json)
{
    json_schema *s = c->s;
    if (json.len > SCHEMA_BYTES_MAX) {
        (void)snprintf(c->why->text, sizeof c->why->text, "a schema has at most %u bytes", SCHEMA_BYTES_MAX);
        return false;
    }
    if (!read_text(c, json))
        return false;
    s->nodes = json_schema_take(s, s->tape.count * sizeof(json_schema_node *));
    c->refs = s->nodes ? json_schema_refs_new(s, c->why) : NULL;
    if (!c->refs)
        return s->nodes ? false : json_schema_no_memory(c);
    s->root = json_schema_compile_at(c, 0);
    json_schema_refs_free(c->refs);
    return s->root && all_acyclic(c);
}

json_schema *json_schema_new(ss_str json, const json_schema_options *options, json_schema_problem *why)
{
    json_schema *s = calloc(1, sizeof *s);
    json_schema_compiler c = {.s = s, .why = why};
    *why = (json_schema_problem){0};
    if (!s) {
        (void)snprintf(why->text, sizeof why->text, "no memory for the schema");
        return NULL;
    }
    s->options = *options;
    if (getrandom(&s->seed, sizeof s->seed, GRND_NONBLOCK) < 0)
        s->seed = (uint64_t)(uintptr_t)s;
    if (compile(&c, json))
        return s;
    json_schema_free(s);
    return NULL;
}
