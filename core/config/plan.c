#include "core/config/plan.h"

#include <sched.h>
#include <stdlib.h>

#include "core/config/config_inside.h"
#include "plugins/loader/loader.h"

#define PLAN_LOOPS_MAX 15u

struct plan {
    json_t *root;
};

/* ---- making it ---- */

static int64_t loops_of(const config *c)
{
    int64_t loops = json_integer_value(json_object_get(c->server, "loops"));
    cpu_set_t set;
    if (loops == 0 && sched_getaffinity(0, sizeof set, &set) == 0)
        loops = CPU_COUNT(&set) - 1; /* one processor is left for the committer and the modules */
    return loops < 1 ? 1 : loops > PLAN_LOOPS_MAX ? PLAN_LOOPS_MAX : loops;
}

static json_t *listener(const char *name, const char *address, bool admin)
{
    return json_pack("{s:s, s:s, s:b}", "name", name, "address", address, "admin", (int)admin);
}

static json_t *listeners_of(const config *c)
{
    json_t *list = json_array();
    const json_t *listen = json_object_get(c->server, "listen");
    const char *admin = json_string_value(json_object_get(c->server, "admin"));
    for (size_t i = 0; i < json_array_size(listen); i++)
        (void)json_array_append_new(list,
                                    listener("public", json_string_value(json_array_get(listen, i)), false));
    if (admin && *admin)
        (void)json_array_append_new(list, listener("admin", admin, true));
    return list;
}

/* {name: enum ss_field_type} */
static json_t *own_fields(const config_instance *i)
{
    json_t *out = json_object(), *type;
    const char *name;
    json_object_foreach(json_object_get(i->host, "fields"), name, type)(void)
        json_object_set_new(out, name, json_integer(config_field_type(json_string_value(type))));
    return out;
}

static json_t *instance_json(const config_instance *i)
{
    json_t *out = json_pack("{s:s, s:s, s:s}", "name", i->name, "use", i->use, "path", i->path);
    if (i->kind == SS_RECEIVER) {
        static const char *const keys[] = {"ack", "enrich", "routes"};
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
            (void)json_object_set(out, keys[k], json_object_get(i->host, keys[k]));
    }
    if (i->kind == SS_ENRICHER)
        (void)json_object_set_new(out, "fields", own_fields(i));
    (void)json_object_set(out, "options", i->options);
    return out;
}

/* Receivers that pull run in a process of their own, not in ingest. */
static json_t *instances_json(const config *c, uint32_t kind)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->count; i++)
        if (c->instances[i].kind == kind && !loader_pulls(c->instances[i].plugin))
            (void)json_array_append_new(list, instance_json(&c->instances[i]));
    return list;
}

/* The blob's text as a JSON string; the object is given up. */
static json_t *text_of(json_t *blob)
{
    char *text = json_dumps(blob, JSON_COMPACT);
    json_t *string = text ? json_string(text) : NULL;
    free(text);
    json_decref(blob);
    return string;
}

/* The module that POST redshift/setup sets up: "" where there is none. */
static const char *warehouse_of(const config *c)
{
    static const char *const plugins[] = {"redshift", "warehouse"};
    for (size_t p = 0; p < sizeof plugins / sizeof *plugins; p++)
        for (size_t i = 0; i < c->count; i++)
            if (c->instances[i].kind == SS_MODULE && strcmp(c->instances[i].plugin->name, plugins[p]) == 0)
                return c->instances[i].name;
    return "";
}

static json_t *ingest_blob(const config *c, json_t *listeners)
{
    json_t *server = json_copy(c->server);
    (void)json_object_set_new(server, "loops", json_integer(loops_of(c)));
    return json_pack("{s:s, s:s, s:s, s:o, s:O, s:o, s:o}", "role", "ingest", "data_dir", c->data_dir,
                     "warehouse", warehouse_of(c), "server", server, "listeners", listeners, "receivers",
                     instances_json(c, SS_RECEIVER), "enrichers", instances_json(c, SS_ENRICHER));
}

static void add_field(void *arg, const ss_field *field, const config_instance *from)
{
    (void)from;
    (void)json_array_append_new(arg, json_pack("{s:s, s:i, s:i, s:s, s:s}", "name", field->name, "type",
                                               (int)field->type, "flags", (int)field->flags, "doc",
                                               field->doc, "source", field->source ? field->source : ""));
}

static json_t *module_blob(const config *c, const config_instance *m)
{
    json_t *catalog = json_object(), *views = json_array();
    const char *view = json_string_value(json_object_get(m->host, "view"));
    for (size_t i = 0; i < c->count; i++) {
        const config_instance *r = &c->instances[i];
        if (r->kind != SS_RECEIVER)
            continue;
        json_t *fields = json_array();
        config_each_field(c, r, add_field, fields);
        (void)json_object_set_new(catalog, r->name, fields);
        if (view && *view && config_module_reads(m, r->name))
            (void)json_array_append_new(views, json_pack("{s:s, s:s}", "receiver", r->name, "path", r->path));
    }
    char journal[PATH_MAX + 16];
    (void)snprintf(journal, sizeof journal, "%s/journal", c->data_dir);
    return json_pack("{s:s, s:s, s:s, s:s, s:n, s:O, s:s, s:s, s:O, s:O, s:o, s:o}", "role", "module", "name",
                     m->name, "use", m->use, "path", m->path, "slot", "log_level",
                     json_object_get(c->server, "log_level"), "data_dir", c->data_dir, "journal_dir", journal,
                     "options", m->options, "host", m->host, "views", views, "catalog", catalog);
}

static json_t *modules_of(const config *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->count; i++) {
        const config_instance *m = &c->instances[i];
        if (m->kind == SS_MODULE)
            (void)json_array_append_new(list, json_pack("{s:s, s:O, s:o}", "name", m->name, "max_bytes",
                                                        json_object_get(m->host, "max_bytes"), "blob",
                                                        text_of(module_blob(c, m))));
    }
    return list;
}

static json_t *pullers_of(const config *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->count; i++) {
        const config_instance *r = &c->instances[i];
        if (r->kind != SS_RECEIVER || !loader_pulls(r->plugin))
            continue;
        json_t *blob = json_pack("{s:s, s:s, s:s, s:s, s:O, s:s, s:O, s:O}", "role", "receiver", "name",
                                 r->name, "use", r->use, "path", r->path, "log_level",
                                 json_object_get(c->server, "log_level"), "data_dir", c->data_dir, "memory",
                                 json_object_get(c->server, "memory"), "options", r->options);
        (void)json_array_append_new(list, json_pack("{s:s, s:o}", "name", r->name, "blob", text_of(blob)));
    }
    return list;
}

static plan *plan_of(json_t *root)
{
    plan *p = root ? malloc(sizeof *p) : NULL;
    if (p)
        p->root = root;
    else
        json_decref(root);
    return p;
}

plan *plan_from_config(const config *c)
{
    json_t *listeners = listeners_of(c);
    return plan_of(json_pack("{s:s, s:O, s:O, s:I, s:o, s:o, s:o, s:o}", "data_dir", c->data_dir, "log_level",
                             json_object_get(c->server, "log_level"), "drain_ms",
                             json_object_get(c->server, "drain_ms"), "loops", (json_int_t)loops_of(c),
                             "ingest", text_of(ingest_blob(c, listeners)), "listeners", listeners, "modules",
                             modules_of(c), "pullers", pullers_of(c)));
}

plan *plan_load(const char *path, buf *errors)
{
    config *c = config_load(path, errors);
    if (!c)
        return NULL;
    plan *p = plan_from_config(c);
    config_free(c);
    if (!p)
        buf_addf(errors, "%s: out of memory\n", path);
    return p;
}

/* ---- across the fork ---- */

static bool complete(const json_t *root)
{
    if (!json_is_string(json_object_get(root, "data_dir")) ||
        !json_is_string(json_object_get(root, "log_level")) ||
        !json_is_string(json_object_get(root, "ingest")) || !json_is_integer(json_object_get(root, "loops")))
        return false;
    const json_t *pullers = json_object_get(root, "pullers");
    for (size_t i = 0; i < json_array_size(pullers); i++) {
        const json_t *r = json_array_get(pullers, i);
        if (!json_is_string(json_object_get(r, "name")) || !json_is_string(json_object_get(r, "blob")))
            return false;
    }
    const json_t *modules = json_object_get(root, "modules"), *listeners = json_object_get(root, "listeners");
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const json_t *m = json_array_get(modules, i);
        if (!json_is_string(json_object_get(m, "name")) || !json_is_string(json_object_get(m, "blob")))
            return false;
    }
    for (size_t i = 0; i < json_array_size(listeners); i++)
        if (!json_is_string(json_object_get(json_array_get(listeners, i), "address")))
            return false;
    return json_is_array(pullers) && json_is_array(modules) && json_is_array(listeners);
}

plan *plan_from_json(const char *text, size_t len, ss_error *err)
{
    json_error_t why;
    json_t *root = json_loadb(text, len, 0, &why);
    if (root && complete(root))
        return plan_of(root);
    json_decref(root);
    (void)ss_fail(err, 0, "the plan handed over is not complete: %s",
                  root ? "members are missing" : why.text);
    return NULL;
}

char *plan_to_json(const plan *p)
{
    return json_dumps(p->root, JSON_COMPACT);
}

void plan_free(plan *p)
{
    if (!p)
        return;
    json_decref(p->root);
    free(p);
}

/* ---- reading it ---- */

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const char *plan_data_dir(const plan *p)
{
    return text_at(p->root, "data_dir");
}

const char *plan_log_level(const plan *p)
{
    return text_at(p->root, "log_level");
}

int64_t plan_drain_ms(const plan *p)
{
    return json_integer_value(json_object_get(p->root, "drain_ms"));
}

size_t plan_loops(const plan *p)
{
    return (size_t)json_integer_value(json_object_get(p->root, "loops"));
}

size_t plan_listener_count(const plan *p)
{
    return json_array_size(json_object_get(p->root, "listeners"));
}

plan_listener plan_listener_at(const plan *p, size_t i)
{
    const json_t *l = json_array_get(json_object_get(p->root, "listeners"), i);
    return (plan_listener){text_at(l, "name"), text_at(l, "address"),
                           json_is_true(json_object_get(l, "admin"))};
}

const char *plan_ingest_blob(const plan *p)
{
    return text_at(p->root, "ingest");
}

size_t plan_module_count(const plan *p)
{
    return json_array_size(json_object_get(p->root, "modules"));
}

plan_module plan_module_at(const plan *p, size_t i)
{
    const json_t *m = json_array_get(json_object_get(p->root, "modules"), i);
    return (plan_module){text_at(m, "name"), text_at(m, "blob"),
                         (uint64_t)json_integer_value(json_object_get(m, "max_bytes"))};
}

size_t plan_puller_count(const plan *p)
{
    return json_array_size(json_object_get(p->root, "pullers"));
}

plan_puller plan_puller_at(const plan *p, size_t i)
{
    const json_t *r = json_array_get(json_object_get(p->root, "pullers"), i);
    return (plan_puller){text_at(r, "name"), text_at(r, "blob")};
}
