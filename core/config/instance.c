#include <ctype.h>
#include <stdlib.h>

#include "core/config/config_inside.h"
#include "core/config/suggest.h"
#include "plugins/loader/loader.h"

place config_item_place(const config_instance *i, const char *key, size_t item)
{
    const tree_item *entry = tree_find(i->node, key);
    if (!entry)
        return i->at;
    if (entry->value->kind != TREE_LIST)
        return entry->value->at;
    const tree_item *at = entry->value->first;
    while (at && item-- > 0)
        at = at->next;
    return at ? at->value->at : entry->value->at;
}

const config_instance *config_instance_find(const config *c, uint32_t kind, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->instances[i].kind == kind && strcmp(c->instances[i].name, name) == 0)
            return &c->instances[i];
    return NULL;
}

size_t config_count(const config *c, uint32_t kind)
{
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        n += c->instances[i].kind == kind;
    return n;
}

size_t config_entries(const config *c)
{
    return c->count;
}

config_entry config_entry_at(const config *c, size_t n)
{
    const config_instance *i = &c->instances[n];
    return (config_entry){i->kind, i->name, i->use, i->path, i->plugin, i->at.file, i->at.line};
}

bool config_entry_find(const config *c, uint32_t kind, const char *name, config_entry *out)
{
    for (size_t n = 0; n < c->count; n++) {
        *out = config_entry_at(c, n);
        if (out->kind == kind && strcmp(out->name, name) == 0)
            return true;
    }
    return false;
}

void config_entry_names(const config *c, const config_entry *entry, const char *key,
                        void (*visit)(void *arg, const char *name), void *arg)
{
    const config_instance *i = config_instance_find(c, entry->kind, entry->name);
    const json_t *names = i ? json_object_get(i->host, key) : NULL;
    for (size_t n = 0; n < json_array_size(names); n++)
        visit(arg, json_string_value(json_array_get(names, n)));
}

const char *config_receiver(const config *c, size_t i)
{
    for (size_t n = 0; n < c->count; n++)
        if (c->instances[n].kind == SS_RECEIVER && i-- == 0)
            return c->instances[n].name;
    return NULL;
}

/* A name is a directory below data_dir, a label of metrics and part of a process title. */
static bool good_name(ss_str name)
{
    if (name.len == 0 || name.len > TABLES_NAME_MAX || !isalnum((unsigned char)name.ptr[0]))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.ptr[i]) && name.ptr[i] != '_' && name.ptr[i] != '-')
            return false;
    return true;
}

static const char *label_of(config *c, uint32_t kind, const char *name)
{
    size_t size = strlen(name) + 16;
    char *label = arena_take(&c->arena, size);
    if (label)
        (void)snprintf(label, size, "%s.%s", tables_section(kind), name);
    return label;
}

static const char *keep(config *c, const char *text, size_t len)
{
    char *copy = arena_take(&c->arena, len + 1);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

/* The text of `use:`, or the instance's name. NULL: a problem was added. */
static const char *use_of(config *c, const config_instance *i)
{
    const tree_item *given = tree_find(i->node, "use");
    if (!given || tree_is_null(given->value))
        return i->name;
    if (given->value->kind != TREE_SCALAR) {
        problems_add(&c->problems, given->value->at,
                     "%s.use: the name of a plugin or the path of an .so is wanted here", i->label);
        return NULL;
    }
    reference_rules rules = {c->dir};
    buf out;
    buf_init(&out, PATH_MAX);
    ss_error err = error_init();
    const char *use = NULL;
    if (!reference_expand(&rules, given->value->text, &out, &err))
        problems_add(&c->problems, given->value->at, "%s.use: %s", i->label, err.text);
    else if (out.len == 0)
        problems_add(&c->problems, given->value->at, "%s.use: must not be empty", i->label);
    else
        use = keep(c, out.ptr, out.len);
    buf_fini(&out);
    return use;
}

/* ---- unknown plugins: what was meant? ---- */

typedef struct offer {
    suggest near;
    uint32_t kind, other_kind; /* other_kind: a plugin of exactly that name is of that kind */
    arena *arena;
} offer;

static void offer_one(void *arg, const char *path, uint32_t kind, const char *name)
{
    offer *o = arg;
    (void)path;
    if (kind != o->kind) {
        if (ss_eq(ss_cstr(name), o->near.word))
            o->other_kind = kind;
        return;
    }
    size_t len = strlen(name);
    char *copy = arena_take(o->arena, len + 1); /* the name is gone after this call */
    if (copy) {
        memcpy(copy, name, len + 1);
        suggest_offer(&o->near, ss_s(copy, len));
    }
}

static void report_unknown(config *c, const config_instance *i, place at, const char *text)
{
    offer o = {.kind = i->kind, .arena = &c->arena};
    suggest_init(&o.near, ss_cstr(i->use));
    for (size_t d = 0; d < c->dir_count; d++)
        (void)loader_list(c->dirs[d], offer_one, &o);
    char hint[96];
    if (o.near.best.len == 0 && o.other_kind)
        problems_add(&c->problems, at, "%s: %s; %s %s has that name, which belongs under '%s:'", i->label,
                     text, o.other_kind == SS_ENRICHER ? "an" : "a", tables_kind(o.other_kind),
                     tables_section(o.other_kind));
    else
        problems_add(&c->problems, at, "%s: %s%s", i->label, text, suggest_text(&o.near, hint, sizeof hint));
}

static bool load_plugin(config *c, config_instance *i)
{
    i->use = use_of(c, i);
    if (!i->use)
        return false;
    char wanted[PATH_MAX], path[PATH_MAX];
    bool relative = strchr(i->use, '/') && i->use[0] != '/';
    int n = snprintf(wanted, sizeof wanted, "%s%s%s", relative ? c->dir : "", relative ? "/" : "", i->use);
    place at = config_key_place(i->node, "use", i->at);
    ss_error err = error_init();
    if (n < 0 || (size_t)n >= sizeof wanted) {
        problems_add(&c->problems, at, "%s.use: the path is too long", i->label);
        return false;
    }
    if (!loader_find(c->dirs, c->dir_count, i->kind, wanted, path, &err)) {
        if (err.code == LOADER_UNKNOWN)
            report_unknown(c, i, at, err.text);
        else
            problems_add(&c->problems, at, "%s: %s", i->label, err.text);
        return false;
    }
    i->path = keep(c, path, strlen(path));
    i->plugin = i->path ? loader_open(i->path, i->kind, &err) : NULL;
    if (!i->plugin)
        problems_add(&c->problems, at, "%s: %s", i->label, err.text);
    return i->plugin != NULL;
}

/* The host's keys come first: a plugin that declares one of them would never see it. */
static bool has_host_key(config *c, const config_instance *i)
{
    const ss_option *host = tables_host(i->kind);
    for (size_t k = 0; i->plugin->options; k++) {
        ss_option o = loader_option(i->plugin, i->plugin->options, k);
        if (!o.name)
            break;
        for (const ss_option *h = host; h->name; h++)
            if (strcmp(h->name, o.name) == 0) {
                problems_add(&c->problems, i->at,
                             "%s: %s declares the option '%s', which is the server's own for every "
                             "%s: the plugin has to name it otherwise",
                             i->label, i->path, o.name, tables_kind(i->kind));
                return true;
            }
    }
    return false;
}

static void check_options(config *c, config_instance *i)
{
    if (!load_plugin(c, i) || has_host_key(c, i)) {
        i->host = json_object();
        i->options = json_object();
        return;
    }
    size_t before = c->problems.count + c->problems.dropped;
    schema s = {
        .arena = &c->arena, .problems = &c->problems, .references = {c->dir}, .data_dir = c->data_dir};
    schema_part parts[2] = {{tables_host(i->kind), sizeof(ss_option), NULL, true},
                            {i->plugin->options, i->plugin->option_size, NULL, false}};
    schema_check(&s, i->node, i->at, i->label, parts, 2);
    i->host = parts[0].out;
    i->options = parts[1].out;
    i->good = c->problems.count + c->problems.dropped == before;
}

static size_t most_of(uint32_t kind)
{
    return kind == SS_RECEIVER   ? TABLES_RECEIVERS_MAX
           : kind == SS_ENRICHER ? TABLES_ENRICHERS_MAX
                                 : TABLES_MODULES_MAX;
}

void config_check_section(config *c, enum merge_section section, uint32_t kind)
{
    for (const tree_item *e = c->files.sections[section]->first; e; e = e->next) {
        if (config_count(c, kind) == most_of(kind)) {
            problems_add(&c->problems, e->key->at, "%s: more than %zu", tables_section(kind), most_of(kind));
            return;
        }
        if (!good_name(e->key->text)) {
            problems_add(&c->problems, e->key->at,
                         "%s: a name has 1 to %u letters, digits, _ and -, and begins with a letter or digit",
                         tables_section(kind), TABLES_NAME_MAX);
            continue;
        }
        config_instance *i = &c->instances[c->count++];
        *i = (config_instance){.kind = kind, .name = e->key->text.ptr, .node = e->value, .at = e->key->at};
        i->label = label_of(c, kind, i->name);
        if (!i->label)
            i->label = i->name;
        check_options(c, i);
    }
}
