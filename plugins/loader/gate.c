#include "plugins/loader/gate.h"

#include "plugins/loader/loader.h"

#define SIZE_THROUGH(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

static const char *kind_name(uint32_t kind)
{
    static const char *const names[] = {"plugin", "receiver", "enricher", "module"};
    return kind <= SS_MODULE ? names[kind] : "unknown kind";
}

static bool check_versions(const ss_plugin *p, const char *path, ss_error *err)
{
    const char *remedy = NULL;
    if (p->abi_major != SS_ABI_MAJOR)
        remedy = "rebuild it with this server's include/streamsteam/plugin.h";
    else if (p->abi_minor > SS_ABI_MINOR)
        remedy = "upgrade the server, or rebuild it with this server's include/streamsteam/plugin.h";
    if (remedy)
        return ss_fail(err, 0,
                       "%.256s: built for plugin contract %u.%u, this server " SS_VERSION " speaks %u.%u: %s",
                       path, p->abi_major, p->abi_minor, SS_ABI_MAJOR, SS_ABI_MINOR, remedy);
    return true;
}

/* Both say the same version, so another size means another header: a development one, or a patched one. */
static bool check_size(const char *path, const char *what, size_t got, size_t least, size_t most,
                       ss_error *err)
{
    if (got >= least && got <= most)
        return true;
    return ss_fail(
        err, 0,
        "%.256s: its %s has %zu bytes, that of plugin contract %u.%u in this server has %zu: it was built "
        "with "
        "another header of the same version; rebuild it with this server's include/streamsteam/plugin.h",
        path, what, got, SS_ABI_MAJOR, SS_ABI_MINOR, most);
}

static bool check_sizes(const ss_plugin *p, const char *path, ss_error *err)
{
    if (!check_size(path, "ss_plugin", p->struct_size, SIZE_THROUGH(ss_plugin, howto), sizeof(ss_plugin),
                    err))
        return false;
    if (p->options && !check_size(path, "ss_option", p->option_size, SIZE_THROUGH(ss_option, children),
                                  sizeof(ss_option), err))
        return false;
    return !p->fields ||
           check_size(path, "ss_field", p->field_size, SIZE_THROUGH(ss_field, source), sizeof(ss_field), err);
}

static bool check_identity(const ss_plugin *p, const char *path, uint32_t kind, ss_error *err)
{
    if (p->kind < SS_RECEIVER || p->kind > SS_MODULE)
        return ss_fail(
            err, 0,
            "%.256s: of kind %u, which this server does not know: set .kind to SS_RECEIVER, SS_ENRICHER "
            "or SS_MODULE",
            path, p->kind);
    if (kind != 0 && p->kind != kind)
        return ss_fail(err, 0,
                       "%.256s: a %s, but a %s is wanted here: name it under '%ss:' in the configuration",
                       path, kind_name(p->kind), kind_name(kind), kind_name(p->kind));
    if (!p->name || !*p->name || !p->version || !*p->version)
        return ss_fail(err, 0, "%.256s: its descriptor has no name or no version: set .name and .version",
                       path);
    if (!p->create || !p->destroy)
        return ss_fail(err, 0, "%.256s: it has no create() or no destroy(): every plugin needs both", path);
    return true;
}

static bool check_option(const ss_plugin *p, const ss_option *o, const char *path, ss_error *err)
{
    if (!o->doc || !*o->doc)
        return ss_fail(err, 0, "%.256s: option '%.64s' has no doc: give it one sentence", path, o->name);
    if (o->type < SS_T_STRING || o->type > SS_T_ANY)
        return ss_fail(err, 0, "%.256s: option '%.64s' has type %u, which contract %u.%u does not have", path,
                       o->name, o->type, SS_ABI_MAJOR, SS_ABI_MINOR);
    if (o->type == SS_T_ENUM && (!o->choices || !*o->choices))
        return ss_fail(err, 0, "%.256s: option '%.64s' has no choices: write them as \"a|b\"", path, o->name);
    if (o->type < SS_T_OBJECT || o->type > SS_T_MAP)
        return true;
    ss_option first = o->children ? loader_option(p, o->children, 0) : (ss_option){0};
    if (!first.name || (o->type != SS_T_OBJECT && strcmp(first.name, "*") != 0))
        return ss_fail(
            err, 0,
            "%.256s: option '%.64s' has no children: an object lists its keys, a list or map has one "
            "named \"*\"",
            path, o->name);
    return true;
}

static bool check_options(const ss_plugin *p, const ss_option *table, const char *path, unsigned depth,
                          ss_error *err)
{
    if (depth > LOADER_DEPTH_MAX)
        return ss_fail(err, 0, "%.256s: options nested deeper than %u", path, LOADER_DEPTH_MAX);
    for (size_t i = 0; table; i++) {
        ss_option o = loader_option(p, table, i);
        if (!o.name)
            return true;
        if (i == LOADER_OPTIONS_MAX)
            return ss_fail(err, 0, "%.256s: more than %u options in one table: end it with {.name = NULL}",
                           path, LOADER_OPTIONS_MAX);
        for (size_t j = 0; j < i; j++)
            if (strcmp(loader_option(p, table, j).name, o.name) == 0)
                return ss_fail(err, 0, "%.256s: option '%.64s' is declared twice", path, o.name);
        if (!check_option(p, &o, path, err))
            return false;
        if (o.type >= SS_T_OBJECT && o.type <= SS_T_MAP &&
            !check_options(p, o.children, path, depth + 1, err))
            return false;
    }
    return true;
}

bool gate_check_fields(const ss_plugin *p, const ss_field *fields, const char *path, ss_error *err)
{
    for (size_t i = 0; fields; i++) {
        ss_field f = loader_field_of(p, fields, i);
        if (!f.name)
            return true;
        if (i == LOADER_FIELDS_MAX)
            return ss_fail(err, 0, "%.256s: more than %u fields: end the table with {.name = NULL}", path,
                           LOADER_FIELDS_MAX);
        if (!f.doc || !*f.doc)
            return ss_fail(err, 0, "%.256s: field '%.64s' has no doc: give it one sentence", path, f.name);
        if (f.type < SS_FIELD_STRING || f.type > SS_FIELD_JSON)
            return ss_fail(err, 0, "%.256s: field '%.64s' has type %u, which contract %u.%u does not have",
                           path, f.name, f.type, SS_ABI_MAJOR, SS_ABI_MINOR);
        for (size_t j = 0; j < i; j++)
            if (strcmp(loader_field_of(p, fields, j).name, f.name) == 0)
                return ss_fail(err, 0, "%.256s: field '%.64s' is declared twice", path, f.name);
    }
    return true;
}

static bool check_routes(const ss_plugin *p, const char *path, ss_error *err)
{
    for (size_t i = 0;; i++) {
        ss_route r = loader_route(p, i);
        if (!r.path)
            return i > 0 || loader_takes_messages(p) || /* it may live on messages alone */
                   ss_fail(err, 0, "%.256s: a receiver without routes: declare at least one path", path);
        if (i == LOADER_ROUTES_MAX)
            return ss_fail(err, 0, "%.256s: more than %u routes: end the table with {.path = NULL}", path,
                           LOADER_ROUTES_MAX);
        if (r.path[0] != '/' || !r.methods || !*r.methods)
            return ss_fail(err, 0,
                           "%.256s: route '%.64s' must begin with / and name its methods: \"GET|POST\"", path,
                           r.path);
    }
}

static bool check_receiver(const ss_plugin *p, const char *path, ss_error *err)
{
    const ss_receiver *r = p->receiver;
    if (!r || p->enricher || p->module)
        return ss_fail(err, 0, "%.256s: a receiver sets .receiver and nothing else of the three", path);
    if (!check_size(path, "ss_receiver", r->struct_size, SIZE_THROUGH(ss_receiver, run), sizeof *r, err))
        return false;
    if (!r->receive && !r->run)
        return ss_fail(err, 0, "%.256s: a receiver without receive() and without run(): it needs one", path);
    if (!r->receive)
        return true;
    if (!check_size(path, "ss_route", r->route_size, SIZE_THROUGH(ss_route, doc), sizeof(ss_route), err))
        return false;
    if (r->views &&
        !check_size(path, "ss_view", r->view_size, SIZE_THROUGH(ss_view, render), sizeof(ss_view), err))
        return false;
    return check_routes(p, path, err);
}

static bool check_enricher(const ss_plugin *p, const char *path, ss_error *err)
{
    if (!p->enricher || p->receiver || p->module)
        return ss_fail(err, 0, "%.256s: an enricher sets .enricher and nothing else of the three", path);
    if (!check_size(path, "ss_enricher", p->enricher->struct_size, SIZE_THROUGH(ss_enricher, enrich),
                    sizeof(ss_enricher), err))
        return false;
    return p->enricher->enrich || ss_fail(err, 0, "%.256s: an enricher without enrich()", path);
}

static bool check_module(const ss_plugin *p, const char *path, ss_error *err)
{
    if (!p->module || p->receiver || p->enricher)
        return ss_fail(err, 0, "%.256s: a module sets .module and nothing else of the three", path);
    if (!check_size(path, "ss_module", p->module->struct_size, SIZE_THROUGH(ss_module, health),
                    sizeof(ss_module), err))
        return false;
    return p->module->deliver || ss_fail(err, 0, "%.256s: a module without deliver()", path);
}

bool gate_check(const ss_plugin *p, const char *path, uint32_t kind, ss_error *err)
{
    if (!check_versions(p, path, err) || !check_sizes(p, path, err) || !check_identity(p, path, kind, err))
        return false;
    bool good = p->kind == SS_RECEIVER   ? check_receiver(p, path, err)
                : p->kind == SS_ENRICHER ? check_enricher(p, path, err)
                                         : check_module(p, path, err);
    return good && check_options(p, p->options, path, 1, err) && gate_check_fields(p, p->fields, path, err);
}
