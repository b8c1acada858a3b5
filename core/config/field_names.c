/* Options of enrichers that name fields: is there such a field in the events of a receiver that uses it? Only
   what stands in the file is looked at: defaults may name fields that only some receivers have. */
#include <stdlib.h>

#include "core/config/config_inside.h"
#include "core/config/suggest.h"
#include "plugins/loader/loader.h"

typedef struct known_fields {
    config *config;
    const config_instance *enricher;
    const char *names[4 * LOADER_FIELDS_MAX]; /* of all its receivers; the rest is not known */
    size_t count, receivers;
} known_fields;

static void know(void *arg, const ss_field *field, const config_instance *from)
{
    known_fields *k = arg;
    (void)from;
    if (k->count < sizeof k->names / sizeof k->names[0])
        k->names[k->count++] = field->name;
}

static bool uses(const config_instance *receiver, const char *enricher)
{
    const json_t *names = json_object_get(receiver->host, "enrich");
    for (size_t n = 0; n < json_array_size(names); n++)
        if (strcmp(json_string_value(json_array_get(names, n)), enricher) == 0)
            return true;
    return false;
}

static void check_name(const known_fields *k, const char *option, const tree *given)
{
    suggest near;
    char hint[96];
    suggest_init(&near, given->text);
    for (size_t n = 0; n < k->count; n++) {
        if (ss_eq(given->text, ss_cstr(k->names[n])))
            return;
        suggest_offer(&near, ss_cstr(k->names[n]));
    }
    problems_add(&k->config->problems, given->at, "%s: %s: no receiver that uses it has a field '%.64s'%s",
                 k->enricher->label, option, given->text.ptr, suggest_text(&near, hint, sizeof hint));
}

static void walk(const known_fields *k, const ss_option *o, const char *option, const tree *node);

static void walk_object(const known_fields *k, const ss_option *table, const tree *node)
{
    size_t stride = k->enricher->plugin->option_size;
    for (size_t n = 0; table; n++) {
        ss_option o = schema_option(table, stride, n);
        if (!o.name)
            return;
        const tree_item *given = tree_find(node, o.name);
        if (given)
            walk(k, &o, o.name, given->value);
    }
}

static void walk(const known_fields *k, const ss_option *o, const char *option, const tree *node)
{
    bool names = (o->flags & SS_OPT_FIELD) != 0;
    if (o->type == SS_T_OBJECT && node->kind == TREE_MAP) {
        walk_object(k, o->children, node);
    } else if (o->type == SS_T_LIST || o->type == SS_T_MAP) {
        ss_option child = schema_option(o->children, k->enricher->plugin->option_size, 0);
        for (const tree_item *i = node->first; i; i = i->next) {
            if (names && i->key)
                check_name(k, option, i->key);
            walk(k, &child, option, i->value);
        }
    } else if (names && node->kind == TREE_SCALAR && !strstr(node->text.ptr, "${")) {
        check_name(k, option, node);
    }
}

void config_check_field_names(config *c, const config_instance *i)
{
    known_fields *k = calloc(1, sizeof *k);
    if (!k) {
        problems_add(&c->problems, i->at, "%s: out of memory", i->label);
        return;
    }
    k->config = c;
    k->enricher = i;
    for (size_t n = 0; n < c->count; n++) {
        const config_instance *r = &c->instances[n];
        if (r->kind != SS_RECEIVER || !r->plugin || !uses(r, i->name))
            continue;
        k->receivers++;
        config_each_field(c, r, know, k);
    }
    if (k->receivers > 0 && i->node)
        walk_object(k, i->plugin->options, i->node);
    free(k);
}
