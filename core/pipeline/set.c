/* A set: the instances of one configuration, wired up. Built and taken down on one thread; read by all lanes
   in between. */
#include <stdlib.h>

#include "core/base/log.h"
#include "core/pipeline/internal.h"
#include "plugins/loader/loader.h"

static bool copy_text(char *out, size_t size, ss_str text)
{
    if (text.len >= size)
        return false;
    if (text.len)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

/* ---- one instance ---------------------------------------------------------------------------- */

static void instance_free(pipeline_instance *i)
{
    if (!i)
        return;
    timers_drop(i->pipeline->timers, i);
    if (i->inst && i->plugin->destroy)
        i->plugin->destroy(i->inst);
    host_base_fini(&i->base);
    for (uint32_t r = 0; r < i->ref_count; r++)
        free(i->ref_names[r]);
    free(i->fields);
    (void)pthread_mutex_destroy(&i->reason_lock);
    free(i);
}

static int32_t instance_adopt(pipeline_instance *i, pipeline_instance *old, ss_error *err)
{
    if (!old || old->plugin != i->plugin || !i->plugin->adopt)
        return SS_OK;
    return i->plugin->adopt(i->inst, old->inst, err);
}

/* The plugin's sentence, with the instance named in front. */
static void name_in_error(const pipeline_instance *i, const char *what, ss_error *err)
{
    char text[sizeof err->text];
    (void)snprintf(text, sizeof text, "%s", err->text[0] ? err->text : "gave no reason");
    (void)snprintf(err->text, sizeof err->text, "%s: %s%.400s", i->crumb.instance, what, text);
}

/* What the event table asks for, with the instance's fields where it has its own. */
static int32_t instance_describe(pipeline_instance *i, ss_error *err)
{
    const ss_plugin *p = i->plugin;
    i->described = (ss_plugin){.name = p->name, .field_size = p->field_size};
    return loader_instance_fields(p, i->inst, &i->described.fields, err) ? SS_OK : SS_REJECT;
}

static pipeline_instance *instance_new(pipeline *p, const ss_config *node, uint32_t kind,
                                       pipeline_instance *old, ss_error *err)
{
    const char *kind_name = kind == SS_RECEIVER ? "receiver" : "enricher";
    char name[sizeof((host_base *)0)->name], path[PATH_MAX];
    if (!copy_text(name, sizeof name, node_str(node, "name")) ||
        !copy_text(path, sizeof path, node_str(node, "path"))) {
        (void)ss_fail(err, SS_REJECT, "%s: its name or its plugin's path is too long", kind_name);
        return NULL;
    }
    const ss_plugin *plugin = loader_open(path, kind, err);
    pipeline_instance *i = plugin ? calloc(1, sizeof *i) : NULL;
    if (!i)
        return NULL;
    if (host_base_init(&i->base, kind_name, name, p->data_dir, err) != 0) {
        free(i);
        return NULL;
    }
    (void)pthread_mutex_init(&i->reason_lock, NULL);
    i->pipeline = p;
    i->plugin = plugin;
    i->options = node_get(node, "options");
    (void)snprintf(i->crumb.instance, sizeof i->crumb.instance, "%s %.50s", kind_name, name);
    pipeline_host_fill(i);
    crumb_enter(&i->crumb, "create\0\0\0\0\0\0\0\0\0");
    int32_t status = plugin->create ? plugin->create(&i->base.table, i->options, &i->inst, err) : SS_OK;
    if (status == SS_OK)
        status = instance_describe(i, err);
    if (status == SS_OK)
        status = instance_adopt(i, old, err);
    crumb_leave();
    if (status != SS_OK) {
        name_in_error(i, "", err);
        instance_free(i);
        return NULL;
    }
    return i;
}

static bool instance_start(pipeline_instance *i, ss_error *err)
{
    if (!i->plugin->start)
        return true;
    char position[1024];
    size_t len = 0;
    journal_writer *journal = atomic_load(&i->pipeline->journal);
    if (journal)
        len = journal_position(journal, ss_cstr(i->base.name), position, sizeof position);
    ss_resume resume = {.struct_size = sizeof resume,
                        .position = ss_s(position, len < sizeof position ? len : 0),
                        .journal_id = atomic_load(&i->pipeline->board->journal.journal_id)};
    crumb_enter(&i->crumb, "start\0\0\0\0\0\0\0\0\0\0");
    int32_t status = i->plugin->start(i->inst, &resume, err);
    crumb_leave();
    if (status != SS_OK) {
        name_in_error(i, "start: ", err);
        return false;
    }
    return true;
}

/* ---- enrichers ------------------------------------------------------------------------------- */

static pipeline_instance *find_enricher(const pipeline_set *set, ss_str name)
{
    for (size_t i = 0; set && i < set->enricher_count; i++)
        if (ss_eq(name, ss_cstr(set->enrichers[i]->base.name)))
            return set->enrichers[i];
    return NULL;
}

static size_t count_fields(const pipeline_instance *e)
{
    size_t n = 0;
    while (loader_field_of(e->plugin, e->described.fields, n).name)
        n++;
    return n;
}

/* own: {name: type}, borrowed like everything of the blob. */
static bool declare_fields(pipeline_instance *e, const ss_config *own)
{
    size_t built_in = count_fields(e), more = node_len(own);
    e->fields = calloc(built_in + more + 1, sizeof *e->fields);
    if (!e->fields)
        return false;
    for (size_t i = 0; i < built_in; i++)
        e->fields[i] = loader_field_of(e->plugin, e->described.fields, i);
    for (size_t i = 0; i < more; i++)
        e->fields[built_in + i] = (ss_field){.name = node_key(own, i).ptr,
                                             .type = (uint32_t)node_int(node_at(own, i), ""),
                                             .doc = "Declared in the configuration."};
    e->described = (ss_plugin){.name = e->plugin->name, .field_size = sizeof(ss_field), .fields = e->fields};
    return true;
}

static bool add_enrichers(pipeline_set *set, pipeline_set *old, ss_error *err)
{
    const ss_config *list = node_get(set->blob, "enrichers");
    size_t count = node_len(list);
    if (count > 4 * PIPELINE_ENRICHERS_MAX) {
        (void)ss_fail(err, SS_LIMIT, "more than %u enrichers", 4 * PIPELINE_ENRICHERS_MAX);
        return false;
    }
    set->enrichers = calloc(count + 1, sizeof(pipeline_instance *));
    if (!set->enrichers) {
        (void)ss_fail(err, SS_LIMIT, "out of memory for enrichers");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const ss_config *node = node_at(list, i);
        pipeline_instance *e =
            instance_new(set->pipeline, node, SS_ENRICHER, find_enricher(old, node_str(node, "name")), err);
        if (!e)
            return false;
        char labels[120];
        (void)snprintf(labels, sizeof labels, "enricher=\"%s\"", e->base.name);
        e->failures = metrics_counter("enricher_failures_total",
                                      "Events an enricher left as they were, by failing.", labels);
        set->enrichers[set->enricher_count++] = e;
        if (!declare_fields(e, node_get(node, "fields"))) {
            (void)ss_fail(err, SS_LIMIT, "%s: out of memory", e->crumb.instance);
            return false;
        }
    }
    return true;
}

/* ---- receivers ------------------------------------------------------------------------------- */

static bool make_steps(pipeline_set *set, pipeline_receiver *r, const ss_config *enrich, ss_error *err)
{
    size_t count = node_len(enrich);
    const ss_plugin *plugins[PIPELINE_ENRICHERS_MAX];
    if (count > PIPELINE_ENRICHERS_MAX) {
        (void)ss_fail(err, SS_LIMIT, "%s: more than %u enrichers", r->instance->crumb.instance,
                      PIPELINE_ENRICHERS_MAX);
        return false;
    }
    r->steps = calloc(count + 1, sizeof *r->steps);
    if (!r->steps)
        return false;
    for (size_t i = 0; i < count; i++) {
        ss_str name = node_str(node_at(enrich, i), "");
        pipeline_instance *e = find_enricher(set, name);
        if (!e) {
            (void)ss_fail(err, SS_REJECT, "%s: no enricher is named %.*s", r->instance->crumb.instance,
                          (int)name.len, name.ptr);
            return false;
        }
        r->steps[r->step_count++].instance = e;
        plugins[i] = &e->described;
    }
    r->table = event_table_new(&r->instance->described, plugins, count, err);
    if (!r->table) {
        name_in_error(r->instance, "", err);
        return false;
    }
    r->field_count = (uint32_t)event_table_count(r->table);
    for (size_t i = 0; i < count; i++) {
        pipeline_step *step = &r->steps[i];
        step->ref_count = step->instance->ref_count;
        step->refs = calloc(step->ref_count + 1u, sizeof *step->refs);
        if (!step->refs)
            return false;
        event_table_refs(r->table, (const char *const *)step->instance->ref_names, step->ref_count,
                         step->refs);
    }
    return true;
}

/* One declared route: as it is, or under the names that `routes:` gives it. */
static bool add_route(pipeline_set *set, pipeline_receiver *r, const ss_route *route,
                      const ss_config *renames, ss_error *err)
{
    const ss_config *names = NULL;
    ss_str declared = ss_cstr(route->path);
    for (size_t i = 0; i < node_len(renames); i++)
        if (ss_eq(node_key(renames, i), declared))
            names = node_at(renames, i);
    if (!names)
        return route_add(set->routes, declared, route->methods, route->flags, declared, r, err);
    if (!node_is_list(names))
        return route_add(set->routes, node_str(names, ""), route->methods, route->flags, declared, r, err);
    for (size_t i = 0; i < node_len(names); i++)
        if (!route_add(set->routes, node_str(node_at(names, i), ""), route->methods, route->flags, declared,
                       r, err))
            return false;
    return true;
}

static bool add_routes(pipeline_set *set, pipeline_receiver *r, const ss_config *renames, ss_error *err)
{
    const ss_plugin *plugin = r->instance->plugin;
    if (!plugin->receiver->receive || !plugin->receiver->routes) {
        (void)ss_fail(err, SS_REJECT, "%s: it has no routes: it does not run in ingest",
                      r->instance->crumb.instance);
        return false;
    }
    for (size_t i = 0;; i++) {
        ss_route route = loader_route(plugin, i);
        if (!route.path)
            return true;
        if (!add_route(set, r, &route, renames, err)) {
            name_in_error(r->instance, "", err);
            return false;
        }
    }
}

static void register_metrics(pipeline_receiver *r)
{
    char labels[120];
    for (uint32_t c = 1; c < 6; c++) {
        (void)snprintf(labels, sizeof labels, "receiver=\"%s\",class=\"%uxx\"", r->instance->base.name, c);
        r->requests[c] = metrics_counter("http_requests_total",
                                         "Requests answered, by receiver and class of status.", labels);
    }
    (void)snprintf(labels, sizeof labels, "receiver=\"%s\"", r->instance->base.name);
    r->events =
        metrics_counter("events_total", "Events taken: of requests that were answered as taken.", labels);
    r->bytes = metrics_counter("event_bytes_total", "Bytes of their JSON lines.", labels);
}

static bool is_parked(const pipeline_set *set, const pipeline_receiver *r)
{
    const ss_config *parked = node_get(set->blob, "parked");
    for (size_t i = 0; i < node_len(parked); i++)
        if (ss_eq(node_str(node_at(parked, i), ""), ss_cstr(r->instance->crumb.instance)))
            return true;
    return false;
}

static enum pipeline_level level_of(ss_str ack)
{
    if (ss_eq(ack, SS_LIT("written")))
        return PIPELINE_WRITTEN;
    return ss_eq(ack, SS_LIT("memory")) ? PIPELINE_MEMORY : PIPELINE_SYNCED;
}

static pipeline_instance *find_receiver(const pipeline_set *set, ss_str name)
{
    for (size_t i = 0; set && i < set->receiver_count; i++)
        if (ss_eq(name, ss_cstr(set->receivers[i].instance->base.name)))
            return set->receivers[i].instance;
    return NULL;
}

static bool add_receiver(pipeline_set *set, const ss_config *node, pipeline_set *old, ss_error *err)
{
    pipeline_receiver *r = &set->receivers[set->receiver_count];
    r->instance =
        instance_new(set->pipeline, node, SS_RECEIVER, find_receiver(old, node_str(node, "name")), err);
    if (!r->instance)
        return false;
    r->index = (uint32_t)set->receiver_count++;
    r->instance->receiver = r;
    ss_str ack = node_str(node, "ack");
    r->level = level_of(ack.len ? ack : node_str(set->blob, "server.ack"));
    r->parked = is_parked(set, r);
    if (r->parked)
        log_warn("%s is parked: it ended ingest too often; its routes answer 503 until it is tried again",
                 r->instance->crumb.instance);
    if (!make_steps(set, r, node_get(node, "enrich"), err) ||
        !add_routes(set, r, node_get(node, "routes"), err)) {
        if (!err->text[0])
            (void)ss_fail(err, SS_LIMIT, "%s: out of memory", r->instance->crumb.instance);
        return false;
    }
    if (r->field_count > set->max_fields)
        set->max_fields = r->field_count;
    register_metrics(r);
    return true;
}

static bool add_receivers(pipeline_set *set, pipeline_set *old, ss_error *err)
{
    const ss_config *list = node_get(set->blob, "receivers");
    size_t count = node_len(list);
    if (count > PIPELINE_RECEIVERS_MAX) {
        (void)ss_fail(err, SS_LIMIT, "more than %u receivers", PIPELINE_RECEIVERS_MAX);
        return false;
    }
    set->receivers = calloc(count + 1, sizeof *set->receivers);
    set->routes = route_table_new();
    if (!set->receivers || !set->routes) {
        (void)ss_fail(err, SS_LIMIT, "out of memory for receivers");
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!add_receiver(set, node_at(list, i), old, err))
            return false;
    return route_table_seal(set->routes, err);
}

/* ---- the set --------------------------------------------------------------------------------- */

static bool register_sources(pipeline_set *set, journal_writer *journal, ss_error *err)
{
    for (size_t i = 0; i < set->receiver_count; i++) {
        pipeline_receiver *r = &set->receivers[i];
        journal_source source = {.name = ss_cstr(r->instance->base.name),
                                 .version = ss_cstr(r->instance->plugin->version),
                                 .schema_rev = r->instance->plugin->schema_rev,
                                 .catalog_hash = event_table_hash(r->table)};
        int id = journal_source_id(journal, &source);
        if (id < 0 || id > UINT16_MAX) {
            (void)ss_fail(err, SS_LIMIT, "%s: the journal has no number left for it",
                          r->instance->crumb.instance);
            return false;
        }
        r->source = (uint16_t)id;
    }
    return true;
}

pipeline_set *pipeline_set_new(pipeline *p, const ss_config *blob, pipeline_set *old, ss_error *err)
{
    pipeline_set *set = calloc(1, sizeof *set);
    if (!set) {
        (void)ss_fail(err, SS_LIMIT, "out of memory for the instances");
        return NULL;
    }
    set->pipeline = p;
    set->blob = blob;
    journal_writer *journal = atomic_load(&p->journal);
    if (!add_enrichers(set, old, err) || !add_receivers(set, old, err) ||
        (journal && !register_sources(set, journal, err))) {
        pipeline_set_free(set);
        return NULL;
    }
    return set;
}

bool pipeline_attach(pipeline *p, journal_writer *journal, pipeline_set *set, ss_error *err)
{
    if (!register_sources(set, journal, err))
        return false;
    atomic_store(&p->journal, journal);
    return true;
}

bool pipeline_set_start(pipeline_set *set, ss_error *err)
{
    for (size_t i = 0; i < set->enricher_count; i++)
        if (!instance_start(set->enrichers[i], err))
            return false;
    for (size_t i = 0; i < set->receiver_count; i++)
        if (!instance_start(set->receivers[i].instance, err))
            return false;
    return true;
}

static void instance_drain(pipeline_instance *i, int64_t deadline_us)
{
    if (!i->plugin->drain)
        return;
    ss_error err = error_init();
    if (i->plugin->drain(i->inst, deadline_us, &err) != SS_OK)
        log_warn("%s: drain: %s", i->crumb.instance, err.text);
}

void pipeline_set_drain(pipeline_set *set, int64_t deadline_us)
{
    for (size_t i = 0; i < set->receiver_count; i++)
        instance_drain(set->receivers[i].instance, deadline_us);
    for (size_t i = 0; i < set->enricher_count; i++)
        instance_drain(set->enrichers[i], deadline_us);
}

void pipeline_set_free(pipeline_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->receiver_count; i++) {
        pipeline_receiver *r = &set->receivers[i];
        instance_free(r->instance);
        event_table_free(r->table);
        for (size_t s = 0; s < r->step_count; s++)
            free(r->steps[s].refs);
        free(r->steps);
    }
    for (size_t i = 0; i < set->enricher_count; i++)
        instance_free(set->enrichers[i]);
    free(set->receivers);
    free(set->enrichers);
    route_table_free(set->routes);
    free(set);
}
