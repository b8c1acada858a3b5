/* A trial of each instance: create() and destroy() on a host that touches nothing of the server's. Only this
   finds what a plugin itself demands of its options. */
#include <stdlib.h>

#include "core/config/config_inside.h"
#include "core/config/node.h"
#include "plugins/loader/host_base.h"
#include "plugins/loader/loader.h"

typedef struct trial_host {
    host_base base; /* first: table.self points here */
    const config *config;
} trial_host;

typedef struct visitor {
    void (*visit)(void *arg, const ss_field *field);
    void *arg;
} visitor;

static void visit_field(void *arg, const ss_field *field, const config_instance *from)
{
    (void)from;
    visitor *v = arg;
    v->visit(v->arg, field);
}

static int32_t trial_catalog(void *self, ss_str receiver, void (*visit)(void *arg, const ss_field *field),
                             void *arg)
{
    const trial_host *h = self;
    visitor v = {visit, arg};
    for (size_t i = 0; i < h->config->count; i++) {
        const config_instance *r = &h->config->instances[i];
        if (r->kind != SS_RECEIVER || !ss_eq(receiver, ss_cstr(r->name)))
            continue;
        config_each_field(h->config, r, visit_field, &v);
        return SS_OK;
    }
    return SS_REJECT;
}

/* ---- what a plugin says may hold a secret ---- */

static void redact_one(char *text, const char *secret)
{
    size_t len = strlen(secret);
    if (len < 4) /* as in the log: shorter ones would blank out ordinary words */
        return;
    for (char *hit = strstr(text, secret); hit; hit = strstr(hit + 3, secret)) {
        memmove(hit + 3, hit + len, strlen(hit + len) + 1);
        memcpy(hit, "***", 3);
    }
}

static void redact(char *text, const json_t *options)
{
    const char *secret = json_string_value(json_object_get(options, "$secret"));
    const char *file = json_string_value(json_object_get(options, "$file"));
    const char *key;
    json_t *value;
    size_t i;
    if (secret)
        redact_one(text, secret);
    if (file) {
        buf content;
        buf_init(&content, REFERENCE_VALUE_MAX);
        ss_error err = error_init();
        if (reference_read_file(file, &content, &err))
            redact_one(text, buf_text(&content));
        buf_fini(&content);
    }
    json_object_foreach((json_t *)(uintptr_t)options, key, value)
    {
        redact(text, value);
    }
    json_array_foreach((json_t *)(uintptr_t)options, i, value)
    {
        redact(text, value);
    }
}

static void report(config *c, const config_instance *i, const char *what, ss_error *err)
{
    err->text[sizeof err->text - 1] = '\0';
    redact(err->text, i->options);
    for (char *p = err->text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    problems_add(&c->problems, i->at, "%s: %s%s", i->label, what,
                 err->text[0] ? err->text : "the plugin refused its options and gave no reason");
}

static void host_init(trial_host *host, const config *c, uint32_t kind, const char *name)
{
    *host = (trial_host){.config = c};
    host_base_init_dry(&host->base, tables_kind(kind), name);
    host->base.table.catalog = trial_catalog;
}

/* What the plugin is given; NULL: out of memory. */
static ss_config *options_node(const config_instance *i)
{
    char *text = json_dumps(i->options, JSON_COMPACT);
    ss_error err = error_init();
    ss_config *options = text ? node_parse(text, strlen(text), &err) : NULL;
    free(text);
    return options;
}

/* ---- fields of an instance's own: copied, they go with it ---- */

static const char *keep_text(config *c, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    char *copy = text ? arena_take(&c->arena, len + 1) : NULL;
    return copy ? memcpy(copy, text, len + 1) : NULL;
}

static bool keep_fields(config *c, config_instance *i, const ss_field *fields)
{
    size_t count = 0;
    while (loader_field_of(i->plugin, fields, count).name)
        count++;
    ss_field *kept = arena_take(&c->arena, (count + 1) * sizeof *kept);
    for (size_t k = 0; kept && k <= count; k++) {
        ss_field f = loader_field_of(i->plugin, fields, k);
        kept[k] =
            (ss_field){keep_text(c, f.name), f.type, f.flags, keep_text(c, f.doc), keep_text(c, f.source)};
        if (k < count && (!kept[k].name || !kept[k].doc))
            return false;
    }
    i->fields = kept;
    return kept != NULL;
}

static void note_fields(config *c, config_instance *i, void *inst)
{
    const ss_field *fields;
    ss_error err = error_init();
    if (!loader_instance_fields(i->plugin, inst, &fields, &err))
        report(c, i, "", &err);
    else if (fields != i->plugin->fields && !i->fields && !keep_fields(c, i, fields))
        problems_add(&c->problems, i->at, "%s: out of memory", i->label);
}

static void try_one(config *c, config_instance *i, const ss_config *options, bool connect)
{
    trial_host host;
    host_init(&host, c, i->kind, i->name);
    ss_error err = error_init();
    void *inst = NULL;
    if (i->plugin->create(&host.base.table, options, &inst, &err) != SS_OK) {
        report(c, i, "", &err);
    } else {
        note_fields(c, i, inst);
        err = error_init();
        if (connect && i->plugin->check && i->plugin->check(inst, &err) != SS_OK)
            report(c, i, "cannot reach what it needs: ", &err);
        i->plugin->destroy(inst);
    }
    host_base_fini(&host.base);
}

void config_try(config *c, bool connect)
{
    for (size_t n = 0; n < c->count; n++) {
        config_instance *i = &c->instances[n];
        if (!i->good)
            continue;
        ss_config *options = options_node(i);
        if (options)
            try_one(c, i, options, connect);
        else
            problems_add(&c->problems, i->at, "%s: out of memory", i->label);
        node_free(options);
    }
}

/* ---- lifecycle verbs: the same dry host, no instance ---- */

typedef int32_t verb_call(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err);

static verb_call *verb_of(const ss_plugin *p, enum config_verb verb)
{
    return verb == CONFIG_SETUP ? p->setup : verb == CONFIG_TEARDOWN ? p->teardown : p->howto;
}

int32_t config_run(const config *c, const config_entry *entry, enum config_verb verb, const ss_sink *out,
                   ss_error *err)
{
    const config_instance *i = config_instance_find(c, entry->kind, entry->name);
    verb_call *call = verb_of(i->plugin, verb);
    if (!call)
        return SS_DECLINE;
    ss_config *options = options_node(i);
    if (!options)
        return ss_fail(err, SS_LIMIT, "out of memory");
    trial_host host;
    host_init(&host, c, i->kind, i->name);
    int32_t status = call(&host.base.table, options, out, err);
    err->text[sizeof err->text - 1] = '\0';
    redact(err->text, i->options);
    host_base_fini(&host.base);
    node_free(options);
    return status;
}
