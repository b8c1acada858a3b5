/* Making and ending a testkit; enrichers and batches. */
#include "plugins/sdk/testkit/testkit.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/common/json.h"
#include "plugins/sdk/testkit/inside.h"

/* The instance's own fields, where it has such and is made. */
static const ss_field *fields_of(const testkit *k)
{
    bool own = k->instance && SS_HAS(ss_plugin, k->plugin, instance_fields) && k->plugin->instance_fields;
    return own ? k->plugin->instance_fields(k->instance) : k->plugin->fields;
}

bool kit_table_make(testkit *k, const ss_field *receiver_fields)
{
    bool enricher = k->plugin->kind == SS_ENRICHER;
    ss_plugin fake = {SS_PLUGIN_HEADER, .kind = SS_RECEIVER, .name = "testkit", .fields = receiver_fields};
    ss_plugin own = {.name = k->plugin->name, .field_size = k->plugin->field_size, .fields = fields_of(k)};
    const ss_plugin *enrichers[] = {&own};
    event_table_free(k->table);
    k->table = event_table_new(enricher ? &fake : &own, enrichers, enricher ? 1 : 0, &k->error);
    return k->table != NULL;
}

static void fields_judge(testkit *k, const ss_field *f)
{
    for (; f && f->name; f = (const ss_field *)(const void *)((const char *)f + k->plugin->field_size))
        if (!f->doc || !*f->doc)
            kit_problem(k, "field %s has no doc", f->name);
}

static bool descriptor_ok(testkit *k)
{
    const ss_plugin *p = k->plugin;
    bool kind = (p->kind == SS_RECEIVER && p->receiver) || (p->kind == SS_ENRICHER && p->enricher) ||
                (p->kind == SS_MODULE && p->module);
    if (p->abi_major != SS_ABI_MAJOR || p->abi_minor > SS_ABI_MINOR || p->struct_size > sizeof *p || !kind ||
        !p->create || !p->destroy) {
        (void)ss_fail(&k->error, SS_REJECT,
                      "the descriptor of %s is not complete: ABI %u.%u (the testkit has %u.%u), its kind's "
                      "part, create and destroy",
                      p->name, p->abi_major, p->abi_minor, SS_ABI_MAJOR, SS_ABI_MINOR);
        return false;
    }
    for (const ss_option *o = p->options; o && o->name;
         o = (const ss_option *)(const void *)((const char *)o + p->option_size))
        if (!o->doc || !*o->doc)
            kit_problem(k, "option %s has no doc", o->name);
    fields_judge(k, p->fields);
    return true;
}

static void *instance_make(testkit *k)
{
    void *instance = NULL;
    k->error = (ss_error){.struct_size = sizeof k->error};
    testkit *outer = kit_enter(k);
    int32_t status = k->plugin->create(&k->host, &k->config, &instance, &k->error);
    (void)kit_enter(outer);
    if (status != SS_OK && !k->error.text[0])
        kit_problem(k, "create() failed without a reason");
    if (status == SS_OK && !instance)
        kit_problem(k, "create() said SS_OK and made no instance");
    return status == SS_OK ? instance : NULL;
}

testkit *testkit_new_failing(const ss_plugin *plugin, const char *options_json, enum testkit_fault what,
                             uint32_t nth)
{
    testkit *k = kit_alloc(sizeof *k);
    k->fail_at[what] = nth;
    char why[256] = "";
    k->plugin = plugin;
    k->now_us = TESTKIT_EPOCH_US;
    k->error = (ss_error){.struct_size = sizeof k->error};
    kit_host_lend(k);
    if (!descriptor_ok(k))
        return k;
    if (!kit_config_read(&k->config, options_json ? options_json : "{}", plugin->options, plugin->option_size,
                         why, sizeof why)) {
        (void)ss_fail(&k->error, SS_REJECT, "%s", why);
        return k;
    }
    if (kit_table_make(k, NULL))
        k->instance = instance_make(k);
    if (k->instance && fields_of(k) != plugin->fields) {
        fields_judge(k, fields_of(k));
        (void)kit_table_make(k, NULL);
    }
    return k;
}

testkit *testkit_new(const ss_plugin *plugin, const char *options_json)
{
    return testkit_new_failing(plugin, options_json, TESTKIT_MEM, 0);
}

int32_t testkit_start(testkit *k, uint64_t seq, const char *state)
{
    ss_resume resume = {
        .struct_size = sizeof resume, .seq = seq, .state = ss_cstr(state ? state : ""), .journal_id = 1};
    k->next_seq = seq;
    if (!k->instance)
        return SS_FATAL;
    if (!k->plugin->start)
        return SS_OK;
    testkit *outer = kit_enter(k);
    int32_t status = k->plugin->start(k->instance, &resume, &k->error);
    (void)kit_enter(outer);
    return status;
}

testkit *testkit_twin(testkit *k)
{
    testkit *twin = kit_alloc(sizeof *twin);
    twin->owner = k;
    twin->plugin = k->plugin;
    twin->instance = k->instance;
    twin->now_us = k->now_us;
    twin->error = (ss_error){.struct_size = sizeof twin->error};
    kit_host_lend(twin);
    (void)kit_table_make(twin, NULL);
    return twin;
}

static void instance_end(testkit *k)
{
    if (k->instance && !k->owner)
        k->plugin->destroy(k->instance);
    k->instance = NULL;
}

static void adopt_call(testkit *k, void *new, void *old)
{
    testkit *outer = kit_enter(k);
    (void)k->plugin->adopt(new, old, &k->error);
    (void)kit_enter(outer);
}

bool testkit_restart(testkit *k, bool adopt)
{
    void *old = k->instance;
    memset(k->timers, 0, sizeof k->timers);
    if (!adopt)
        instance_end(k);
    void *new = instance_make(k);
    if (adopt && new &&old && k->plugin->adopt)
        adopt_call(k, new, old);
    if (adopt)
        instance_end(k);
    k->instance = new;
    if (new &&fields_of(k) != k->plugin->fields)
        (void)kit_table_make(k, NULL);
    return new != NULL;
}

void kit_remove_dir(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
        char name[8192];
        struct stat st;
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, d->d_name);
        if (lstat(name, &st) == 0 && S_ISDIR(st.st_mode))
            kit_remove_dir(name);
        else
            (void)unlink(name);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(path);
}

void testkit_forget(testkit *k)
{
    kit_clear(&k->logs);
    kit_clear(&k->positions);
    kit_clear(&k->commits);
}

void testkit_free(testkit *k)
{
    if (!k)
        return;
    instance_end(k);
    kit_list *lists[] = {&k->logs,   &k->rejects, &k->commits,  &k->positions, &k->alarms,
                         &k->states, &k->refs,    &k->problems, &k->headers,   &k->request_headers};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        kit_clear(lists[i]);
    kit_events_clear(&k->events);
    kit_inputs_clear(&k->failed);
    kit_inputs_clear(&k->passed);
    kit_apps_free(k);
    for (size_t i = 0; i < KIT_GONE_COUNT; i++)
        free(k->gone[i]);
    kit_records_clear(k);
    for (size_t i = 0; i < k->metric_count; i++) {
        free(k->metrics[i].name);
        free(k->metrics[i].labels);
    }
    if (k->dir)
        kit_remove_dir(k->dir);
    free(k->dir);
    free(k->body);
    free(k->content_type);
    free(k->enriched);
    free(k->said);
    free(k->problem_text);
    event_table_free(k->table);
    kit_config_free(&k->config);
    free(k);
}

void *testkit_instance(testkit *k)
{
    return k->instance;
}

const ss_host *testkit_host(testkit *k)
{
    return &k->host;
}

const ss_config *testkit_config(testkit *k)
{
    return &k->config;
}

const char *testkit_error(testkit *k)
{
    return k->error.text;
}

const char *testkit_problems(testkit *k)
{
    size_t len = 0;
    for (size_t i = 0; i < k->problems.count; i++)
        len += k->problems.items[i].len + 1;
    free(k->problem_text);
    k->problem_text = kit_alloc(len + 1);
    for (size_t i = 0, at = 0; i < k->problems.count; i++)
        at += (size_t)snprintf(k->problem_text + at, len + 1 - at, "%s%s", at ? "\n" : "",
                               k->problems.items[i].text);
    return k->problem_text;
}

void testkit_set_time(testkit *k, int64_t us)
{
    k->now_us = us;
}

void testkit_set_stopping(testkit *k, bool stopping)
{
    k->stopping = stopping;
}

double testkit_metric(testkit *k, const char *name, const char *labels)
{
    for (size_t i = 0; i < k->metric_count; i++)
        if (strcmp(k->metrics[i].name, name) == 0 && strcmp(k->metrics[i].labels, labels ? labels : "") == 0)
            return k->metrics[i].value;
    return 0;
}

size_t testkit_log_count(testkit *k)
{
    return k->logs.count;
}

const char *testkit_log(testkit *k, size_t i, int32_t *level)
{
    if (level && i < k->logs.count)
        *level = (int32_t)k->logs.items[i].number;
    return kit_at(&k->logs, i);
}

const char *testkit_alarm(testkit *k, const char *name)
{
    for (size_t i = 0; i < k->alarms.count; i++)
        if (strcmp(k->alarms.items[i].text, name) == 0)
            return k->alarms.items[i].more;
    return NULL;
}

size_t testkit_position_count(testkit *k)
{
    return k->positions.count;
}

const char *testkit_position(testkit *k, size_t i)
{
    return kit_at(&k->positions, i);
}

/* ---- enrichers ---- */

static void value_set(testkit *k, ss_event *e, uint32_t i, const json_value *v, ss_str raw)
{
    const ss_field *f = event_table_at(k->table, i);
    int64_t whole = 0;
    double number = 0;
    char *copy;
    if (v->kind == JSON_NUMBER)
        (void)(json_i64(v->text, &whole), json_double(v->text, &number));
    if (v->kind == JSON_NULL) {
        ss_set_null(e, i);
    } else if (f->type == SS_FIELD_JSON || v->kind == JSON_NONE) {
        copy = kit_lend(e->call, raw.len);
        memcpy(copy, raw.ptr, raw.len);
        ss_set_json(e, i, ss_s(copy, raw.len));
    } else if (v->kind == JSON_STRING) {
        copy = kit_lend(e->call, v->text.len);
        ss_set_str(e, i, ss_s(copy, json_unescape(copy, v->text)));
    } else if (f->type == SS_FIELD_DOUBLE) {
        ss_set_double(e, i, number);
    } else if (f->type == SS_FIELD_TIMESTAMP || f->type == SS_FIELD_DATETIME) {
        ss_set_time(e, i, whole);
    } else if (v->kind == JSON_NUMBER) {
        ss_set_int(e, i, whole);
    } else {
        ss_set_bool(e, i, v->kind == JSON_TRUE);
    }
}

/* "@key" and its like: what goes into the record's header. */
static bool head_set(testkit *k, ss_event *e, ss_str name, const json_value *v)
{
    ss_str *const places[] = {&e->app, &e->type, &e->id, &e->key};
    static const char *const names[] = {"@app", "@type", "@id", "@key"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!ss_eq(name, ss_cstr(names[i])) || v->kind != JSON_STRING)
            continue;
        char *copy = k->host.mem(e->call, v->text.len);
        *places[i] = ss_s(copy, json_unescape(copy, v->text));
        return true;
    }
    return false;
}

static void values_read(testkit *k, ss_event *e, const char *json)
{
    json_scan s, inner;
    json_value v, key;
    ss_str raw;
    json_start(&s, ss_cstr(json));
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT) {
        kit_problem(k, "testkit_enrich: the values are not a JSON object");
        return;
    }
    while (json_member(&s, &key) && json_skip(&s, &raw)) {
        char name[EVENT_FIELD_NAME_MAX + 1];
        const char *names[] = {name};
        uint16_t ref;
        (void)snprintf(name, sizeof name, "%.*s", (int)key.text.len, key.text.ptr);
        event_table_refs(k->table, names, 1, &ref);
        json_start(&inner, raw);
        (void)json_read(&inner, &v);
        if (v.kind == JSON_OBJECT || v.kind == JSON_ARRAY)
            v.kind = JSON_NONE;
        if (head_set(k, e, key.text, &v))
            continue;
        if (ref == SS_NO_FIELD)
            kit_problem(k, "testkit_enrich: no field %s is declared", name);
        else
            value_set(k, e, ref, &v, raw);
    }
}

const char *testkit_field_ref(testkit *k, size_t i)
{
    return kit_at(&k->refs, i);
}

const char *testkit_enrich(testkit *k, const ss_field *receiver_fields, const char *values_json)
{
    free(k->enriched);
    k->enriched = NULL;
    kit_events_clear(&k->events);
    if (!k->instance || !k->plugin->enricher || !kit_table_make(k, receiver_fields))
        return NULL;
    ss_call call;
    kit_call_begin(k, &call, false);
    ss_event *e = k->host.event_new(&call);
    int32_t status = SS_DROP;
    if (e) {
        values_read(k, e, values_json);
        k->error = (ss_error){.struct_size = sizeof k->error};
        testkit *outer = kit_enter(k);
        status = k->plugin->enricher->enrich(k->instance, e, &k->error);
        (void)kit_enter(outer);
        k->call_frame = __builtin_frame_address(0);
        if (status != SS_DROP)
            (void)k->host.emit(&call, e);
        k->call_frame = NULL;
    }
    kit_call_end(&call, true);
    if (status != SS_DROP && k->events.count)
        k->enriched = kit_copy(ss_cstr(k->events.items[0].line));
    return k->enriched;
}
