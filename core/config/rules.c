#include <ctype.h>
#include <stdlib.h>

#include "core/config/config_inside.h"
#include "core/config/suggest.h"
#include "core/config/value.h"
#include "plugins/loader/loader.h"

#define FIELD_NAME_MAX 128u

/* ---- names of other instances ---- */

/* Every name in the list under key must be an instance of that kind, and come once. */
static void check_names(config *c, const config_instance *i, const char *key, uint32_t kind)
{
    const json_t *names = json_object_get(i->host, key);
    for (size_t n = 0; n < json_array_size(names); n++) {
        const char *name = json_string_value(json_array_get(names, n));
        for (size_t m = 0; m < n; m++)
            if (strcmp(json_string_value(json_array_get(names, m)), name) == 0)
                problems_add(&c->problems, config_item_place(i, key, n),
                             "%s.%s: '%.64s' stands twice; keep one", i->label, key, name);
        if (config_instance_find(c, kind, name))
            continue;
        suggest near;
        suggest_init(&near, ss_cstr(name));
        for (size_t k = 0; k < c->count; k++)
            if (c->instances[k].kind == kind)
                suggest_offer(&near, ss_cstr(c->instances[k].name));
        char hint[96];
        problems_add(&c->problems, config_item_place(i, key, n), "%s.%s: there is no '%.64s' under '%s:'%s",
                     i->label, key, name, tables_section(kind), suggest_text(&near, hint, sizeof hint));
    }
}

/* ---- receivers ---- */

static void check_new_paths(config *c, const config_instance *i, const char *old, const json_t *paths)
{
    const tree_item *routes = tree_find(i->node, "routes");
    const tree_item *entry = routes ? tree_find(routes->value, old) : NULL;
    for (size_t n = 0; n < json_array_size(paths); n++) {
        const char *path = json_string_value(json_array_get(paths, n));
        bool good = path[0] == '/';
        for (const char *p = path; *p; p++)
            good &= (unsigned char)*p > ' ' && *p != '?' && *p != '#';
        if (!good)
            problems_add(&c->problems, entry ? entry->value->at : i->at,
                         "%s.routes.%.64s: a path begins with / and has no blank, ? or #", i->label, old);
    }
}

static void check_routes(config *c, const config_instance *i)
{
    const tree_item *section = tree_find(i->node, "routes");
    const char *old;
    json_t *paths;
    json_object_foreach(json_object_get(i->host, "routes"), old, paths)
    {
        suggest near;
        suggest_init(&near, ss_cstr(old));
        bool known = false;
        for (size_t r = 0; i->plugin->receiver->receive && !known; r++) {
            ss_route route = loader_route(i->plugin, r);
            if (!route.path)
                break;
            known = strcmp(route.path, old) == 0;
            suggest_offer(&near, ss_cstr(route.path));
        }
        char hint[96];
        const tree_item *entry = section ? tree_find(section->value, old) : NULL;
        if (!known)
            problems_add(&c->problems, entry ? entry->key->at : i->at, "%s.routes: %s has no route '%.64s'%s",
                         i->label, i->plugin->name, old, suggest_text(&near, hint, sizeof hint));
        check_new_paths(c, i, old, paths);
    }
}

/* ---- fields ---- */

typedef struct seen_fields {
    ss_field fields[LOADER_FIELDS_MAX];
    const config_instance *from[LOADER_FIELDS_MAX];
    size_t count;
    config *problems_to; /* NULL: do not report */
    const config_instance *receiver;
} seen_fields;

static bool inside(const char *outer, const char *name)
{
    size_t len = strlen(outer);
    return strncmp(outer, name, len) == 0 && name[len] == '.';
}

/* true: new here. */
static bool see_field(seen_fields *seen, const ss_field *f, const config_instance *from)
{
    for (size_t i = 0; i < seen->count; i++) {
        const ss_field *old = &seen->fields[i];
        bool same = strcmp(old->name, f->name) == 0;
        bool clash = same ? old->type != f->type : inside(old->name, f->name) || inside(f->name, old->name);
        if (clash && seen->problems_to)
            problems_add(&seen->problems_to->problems, seen->receiver->at,
                         "%s: the field '%.64s' of %s does not fit '%.64s' of %s; leave one of the two out "
                         "of 'enrich'",
                         seen->receiver->label, f->name, from->label, old->name, seen->from[i]->label);
        if (same || clash)
            return false;
    }
    if (seen->count == LOADER_FIELDS_MAX)
        return false;
    seen->fields[seen->count] = *f;
    seen->from[seen->count++] = from;
    return true;
}

typedef void field_visit(void *arg, const ss_field *field, const config_instance *from);

uint32_t config_field_type(const char *name)
{
    uint32_t type = SS_FIELD_STRING;
    for (const char *p = TABLES_FIELD_TYPES; *p; p++) {
        size_t len = strcspn(p, "|");
        if (strlen(name) == len && memcmp(p, name, len) == 0)
            break;
        type++;
        p += len;
    }
    return type;
}

/* Those that an enricher's `fields:` declares. */
static void walk_own_fields(seen_fields *seen, const config_instance *from, field_visit *visit, void *arg)
{
    const char *name;
    json_t *type;
    json_object_foreach(json_object_get(from->host, "fields"), name, type)
    {
        ss_field f = {.name = name,
                      .type = config_field_type(json_string_value(type)),
                      .doc = "Declared in the configuration."};
        if (see_field(seen, &f, from) && visit)
            visit(arg, &f, from);
    }
}

static void walk_fields(const config *c, seen_fields *seen, field_visit *visit, void *arg)
{
    const json_t *enrich = json_object_get(seen->receiver->host, "enrich");
    for (size_t e = 0; e <= json_array_size(enrich); e++) {
        const config_instance *from = seen->receiver;
        if (e > 0)
            from = config_instance_find(c, SS_ENRICHER, json_string_value(json_array_get(enrich, e - 1)));
        if (!from || !from->plugin)
            continue;
        for (size_t i = 0;; i++) {
            ss_field f = from->fields ? from->fields[i] : loader_field(from->plugin, i);
            if (!f.name)
                break;
            if (see_field(seen, &f, from) && visit)
                visit(arg, &f, from);
        }
        walk_own_fields(seen, from, visit, arg);
    }
}

void config_each_field(const config *c, const config_instance *receiver, field_visit *visit, void *arg)
{
    seen_fields *seen = calloc(1, sizeof *seen);
    if (!seen)
        return;
    seen->receiver = receiver;
    walk_fields(c, seen, visit, arg);
    free(seen);
}

typedef struct field_visitor {
    void (*visit)(void *arg, const ss_field *field, const char *from);
    void *arg;
} field_visitor;

static void visit_with_label(void *arg, const ss_field *field, const config_instance *from)
{
    const field_visitor *v = arg;
    v->visit(v->arg, field, from->label);
}

bool config_fields(const config *c, const char *receiver,
                   void (*visit)(void *arg, const ss_field *field, const char *from), void *arg)
{
    const config_instance *r = config_instance_find(c, SS_RECEIVER, receiver);
    field_visitor v = {visit, arg};
    if (r)
        config_each_field(c, r, visit_with_label, &v);
    return r != NULL;
}

static void check_fields(config *c, const config_instance *i)
{
    seen_fields *seen = calloc(1, sizeof *seen);
    if (!seen) {
        problems_add(&c->problems, i->at, "%s: out of memory", i->label);
        return;
    }
    seen->receiver = i;
    seen->problems_to = c;
    walk_fields(c, seen, NULL, NULL);
    free(seen);
}

/* Letters, digits, _ and -, in parts that dots separate. */
static bool good_field_name(const char *name)
{
    size_t part = 0;
    if (strlen(name) > FIELD_NAME_MAX)
        return false;
    for (const char *p = name; *p; p++) {
        bool dot = *p == '.';
        if ((dot && part == 0) || (!dot && !isalnum((unsigned char)*p) && *p != '_' && *p != '-'))
            return false;
        part = dot ? 0 : part + 1;
    }
    return part > 0;
}

static void check_own_fields(config *c, const config_instance *i)
{
    const tree_item *section = tree_find(i->node, "fields");
    const char *name;
    json_t *type;
    json_object_foreach(json_object_get(i->host, "fields"), name, type)
    {
        const tree_item *entry = section ? tree_find(section->value, name) : NULL;
        if (!good_field_name(name))
            problems_add(&c->problems, entry ? entry->key->at : i->at,
                         "%s.fields: '%.64s' is no name for a field: letters, digits, _ and -, up to %u of "
                         "them, in parts that single dots separate",
                         i->label, name, FIELD_NAME_MAX);
    }
}

void config_check_fields(config *c)
{
    for (size_t n = 0; n < c->count; n++)
        if (c->instances[n].kind == SS_RECEIVER && c->instances[n].plugin)
            check_fields(c, &c->instances[n]);
}

/* ---- modules ---- */

static void check_start(config *c, const config_instance *i)
{
    const char *start = json_string_value(json_object_get(i->host, "start"));
    int64_t seq;
    if (start && strcmp(start, "earliest") != 0 && strcmp(start, "latest") != 0 &&
        !(isdigit((unsigned char)start[0]) && value_int(start, &seq)))
        problems_add(&c->problems, config_key_place(i->node, "start", i->at),
                     "%s.start: must be earliest, latest or a sequence number", i->label);
}

/* The plugin knows what the other end takes in one piece: the file may only ask for less. */
static void check_batch_key(config *c, config_instance *i, const char *key, uint32_t most, int64_t otherwise)
{
    json_t *batch = json_object_get(i->host, "batch");
    const tree_item *section = tree_find(i->node, "batch");
    int64_t wanted = json_integer_value(json_object_get(batch, key));
    if (most > 0 && wanted > (int64_t)most)
        problems_add(&c->problems, config_key_place(section ? section->value : NULL, key, i->at),
                     "%s.batch.%s: %s takes at most %u", i->label, key, i->plugin->name, most);
    if (wanted == 0)
        wanted = most > 0 ? (int64_t)most : otherwise;
    (void)json_object_set_new(batch, key, json_integer(wanted));
}

static void check_retry(config *c, const config_instance *i)
{
    const json_t *retry = json_object_get(i->host, "retry");
    if (json_integer_value(json_object_get(retry, "max_ms")) <
        json_integer_value(json_object_get(retry, "base_ms")))
        problems_add(&c->problems, config_key_place(i->node, "retry", i->at),
                     "%s.retry: max must not be less than base", i->label);
}

static bool has_view(const config_instance *receiver, const char *view, suggest *near)
{
    for (size_t n = 0;; n++) {
        ss_view v = loader_view(receiver->plugin, n);
        if (!v.name)
            return false;
        if (strcmp(v.name, view) == 0)
            return true;
        suggest_offer(near, ss_cstr(v.name));
    }
}

bool config_module_reads(const config_instance *module, const char *receiver)
{
    const json_t *names = json_object_get(module->host, "receivers");
    for (size_t n = 0; n < json_array_size(names); n++)
        if (strcmp(json_string_value(json_array_get(names, n)), receiver) == 0)
            return true;
    return json_array_size(names) == 0;
}

static void check_view(config *c, const config_instance *i)
{
    const char *view = json_string_value(json_object_get(i->host, "view"));
    if (!view || !*view)
        return;
    suggest near;
    suggest_init(&near, ss_cstr(view));
    for (size_t n = 0; n < c->count; n++) {
        const config_instance *r = &c->instances[n];
        if (r->kind != SS_RECEIVER || !r->plugin || !config_module_reads(i, r->name) ||
            has_view(r, view, &near))
            continue;
        char hint[96];
        problems_add(
            &c->problems, config_key_place(i->node, "view", i->at),
            "%s.view: receiver %s has no view '%.64s'%s; name the receivers that have it in 'receivers:'",
            i->label, r->name, view, suggest_text(&near, hint, sizeof hint));
    }
}

/* ---- messages ---- */

static void offer_parsers(const config *c, suggest *near)
{
    for (size_t n = 0; n < c->count; n++) {
        const config_instance *r = &c->instances[n];
        if (r->plugin && loader_takes_messages(r->plugin))
            suggest_offer(near, ss_cstr(r->name));
    }
}

/* Who hands messages over names the receiver that reads them. */
static void check_parser(config *c, const config_instance *i)
{
    const char *name = json_string_value(json_object_get(i->options, "parser"));
    place at = config_key_place(i->node, "parser", i->at);
    if (!name || !*name) {
        if (i->kind == SS_RECEIVER)
            problems_add(
                &c->problems, i->at,
                "%s: it takes messages from a source: 'parser' must name the receiver that reads them",
                i->label);
        return;
    }
    const config_instance *parser = config_instance_find(c, SS_RECEIVER, name);
    suggest near;
    char hint[96];
    suggest_init(&near, ss_cstr(name));
    offer_parsers(c, &near);
    if (!parser)
        problems_add(&c->problems, at, "%s.parser: there is no '%.64s' under 'receivers:'%s", i->label, name,
                     suggest_text(&near, hint, sizeof hint));
    else if (parser->plugin && !loader_takes_messages(parser->plugin))
        problems_add(&c->problems, at,
                     "%s.parser: receiver %s (%s) does not read messages of others: name one that does",
                     i->label, name, parser->plugin->name);
}

static void check_puller(config *c, const config_instance *i)
{
    static const char *const keys[] = {"enrich", "routes", "ack"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        if (tree_find(i->node, keys[k]))
            problems_add(&c->problems, config_key_place(i->node, keys[k], i->at),
                         "%s.%s: it only fetches messages; set that at the receiver which 'parser' names",
                         i->label, keys[k]);
    check_parser(c, i);
}

static void check_module(config *c, config_instance *i)
{
    check_parser(c, i);
    check_names(c, i, "receivers", SS_RECEIVER);
    check_start(c, i);
    check_batch_key(c, i, "records", i->plugin->module->max_records, TABLES_BATCH_RECORDS);
    check_batch_key(c, i, "bytes", i->plugin->module->max_bytes, TABLES_BATCH_BYTES);
    check_retry(c, i);
    check_view(c, i);
    json_t *drain = json_object_get(c->server, "drain_ms");
    (void)json_object_set(i->host, "drain_ms", drain);
}

void config_check_rules(config *c)
{
    for (size_t n = 0; n < c->count; n++) {
        config_instance *i = &c->instances[n];
        size_t before = c->problems.count + c->problems.dropped;
        if (!i->plugin)
            continue;
        if (i->kind == SS_RECEIVER) {
            if (loader_pulls(i->plugin))
                check_puller(c, i);
            check_names(c, i, "enrich", SS_ENRICHER);
            check_routes(c, i);
            if (!json_object_get(i->host, "ack"))
                (void)json_object_set(i->host, "ack", json_object_get(c->server, "ack"));
        } else if (i->kind == SS_ENRICHER) {
            check_own_fields(c, i);
            config_check_field_names(c, i);
        } else {
            check_module(c, i);
        }
        i->good &= c->problems.count + c->problems.dropped == before;
    }
}
