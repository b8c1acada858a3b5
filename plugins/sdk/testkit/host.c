/* The host table: events, logs, metrics, timers, state. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "plugins/common/json.h"
#include "plugins/sdk/testkit/inside.h"

/* What an instance may call from several threads (twins): logs, metrics, alarms, timers, state. */
static pthread_mutex_t shared = PTHREAD_MUTEX_INITIALIZER;
#define LOCKED(statement)                                                                                    \
    do {                                                                                                     \
        (void)pthread_mutex_lock(&shared);                                                                   \
        statement;                                                                                           \
        (void)pthread_mutex_unlock(&shared);                                                                 \
    } while (0)

void *kit_alloc(size_t len)
{
    testkit *outer = kit_enter(NULL); /* not the plugin's allocation, even within a call of its */
    void *p = calloc(1, len ? len : 1);
    (void)kit_enter(outer);
    if (!p)
        abort();
    return p;
}

void *kit_realloc(void *p, size_t len)
{
    testkit *outer = kit_enter(NULL);
    p = realloc(p, len);
    (void)kit_enter(outer);
    if (!p)
        abort();
    return p;
}

char *kit_copy(ss_str text)
{
    char *copy = kit_alloc(text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

kit_text *kit_add(kit_list *list, ss_str text)
{
    kit_text *items = kit_realloc(list->items, (list->count + 1) * sizeof *items);
    list->items = items;
    kit_text *t = &items[list->count++];
    *t = (kit_text){.text = kit_copy(text), .len = text.len};
    return t;
}

void kit_clear(kit_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].text);
        free(list->items[i].more);
    }
    free(list->items);
    *list = (kit_list){0};
}

const char *kit_at(const kit_list *list, size_t i)
{
    return i < list->count ? list->items[i].text : NULL;
}

void kit_problem(testkit *k, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t i = 0; i < k->problems.count; i++)
        if (strcmp(k->problems.items[i].text, text) == 0)
            return; /* once is enough */
    (void)kit_add(&k->problems, ss_cstr(text));
}

bool kit_fault(testkit *k, enum testkit_fault what)
{
    k->calls[what]++;
    return k->fail_at[what] > 0 && --k->fail_at[what] == 0;
}

void testkit_fail(testkit *k, enum testkit_fault what, uint32_t nth)
{
    k->fail_at[what] = nth;
}

uint32_t testkit_calls(testkit *k, enum testkit_fault what)
{
    return k->calls[what];
}

/* ---- events ---- */

static void memory_free(testkit *k, kit_memory **list)
{
    while (*list) {
        kit_memory *next = (*list)->next;
        kit_take_back(k, *list, (*list)->bytes, (*list)->len);
        *list = next;
    }
}

void *kit_lend(ss_call *call, size_t len)
{
    kit_memory *m = kit_alloc(sizeof *m + len);
    m->len = len;
    memset(m->bytes, 0xA5, len); /* not zeroed: a plugin must not count on it */
    kit_memory **list = call->open ? &call->event_memory : &call->request_memory;
    m->next = *list;
    *list = m;
    return m->bytes;
}

static void *host_mem(ss_call *call, size_t len)
{
    return kit_fault(call->kit, TESTKIT_MEM) || len > (size_t)1 << 30 ? NULL : kit_lend(call, len);
}

void kit_event_close(ss_call *call)
{
    memory_free(call->kit, &call->event_memory);
    free(call->values);
    free(call->present);
    call->values = NULL;
    call->present = NULL;
    call->open = false;
}

static ss_event *host_event_new(ss_call *call)
{
    testkit *k = call->kit;
    kit_event_close(call);
    if (kit_fault(k, TESTKIT_EVENT_NEW))
        return NULL;
    size_t count = event_table_count(k->table);
    call->values = kit_alloc((count + 1) * sizeof *call->values);
    memset(call->values, 0xA5, (count + 1) * sizeof *call->values);
    call->present = kit_alloc((event_table_words(k->table) + 1) * sizeof *call->present);
    call->open = true;
    call->event = (ss_event){.struct_size = sizeof call->event,
                             .value_size = sizeof *call->values,
                             .field_count = (uint32_t)count,
                             .ref_count = call->ref_count,
                             .values = call->values,
                             .present = call->present,
                             .refs = call->refs,
                             .call = call,
                             .receive_us = k->now_us,
                             .event_us = k->now_us};
    return &call->event;
}

static void event_judge(testkit *k, const ss_event *e)
{
    static const uint32_t kind_of[] = {
        [SS_FIELD_STRING] = SS_V_STR, [SS_FIELD_INT] = SS_V_INT,        [SS_FIELD_DOUBLE] = SS_V_DOUBLE,
        [SS_FIELD_BOOL] = SS_V_BOOL,  [SS_FIELD_TIMESTAMP] = SS_V_TIME, [SS_FIELD_DATETIME] = SS_V_TIME,
        [SS_FIELD_JSON] = SS_V_JSON};
    for (uint32_t i = 0; i < e->field_count; i++) {
        const ss_field *f = event_table_at(k->table, i);
        if (!ss_has(e, i))
            continue;
        const ss_value *v = &e->values[i];
        bool as_written = v->kind == SS_V_JSON && (f->type == SS_FIELD_INT || f->type == SS_FIELD_DOUBLE);
        if (v->kind != SS_V_NULL && v->kind != kind_of[f->type] && !as_written)
            kit_problem(k, "field %s is of type %u, its value of kind %u", f->name, f->type, v->kind);
        else if ((v->kind == SS_V_JSON || v->kind == SS_V_STR) && kit_is_gone(k, ss_s(v->as.ptr, v->len)))
            kit_problem(k,
                        "field %s points to memory after its time: of a former request, or on the stack of a "
                        "call that "
                        "has returned; take it from mem()",
                        f->name);
        else if (v->kind == SS_V_JSON && !json_valid(ss_s(v->as.ptr, v->len)))
            kit_problem(k, "field %s is not valid JSON: %.*s", f->name, (int)v->len, v->as.ptr);
    }
    uint32_t rest = e->field_count & 63u;
    if (rest && e->present[e->field_count >> 6] >> rest)
        kit_problem(k, "a field beyond the %u declared ones was set", e->field_count);
}

static void event_store(ss_call *call, ss_event *e)
{
    testkit *k = call->kit;
    char id[EVENT_UUID_SIZE + 1];
    if (e->id.len == 0) {
        (void)snprintf(id, sizeof id, "00000000-0000-7000-8000-%012llx",
                       (unsigned long long)++k->next_id & 0xFFFFFFFFFFFFu);
        e->id = ss_cstr(id);
    }
    kit_stored *items = kit_realloc(call->events.items, (call->events.count + 1) * sizeof *items);
    call->events.items = items;
    kit_stored *s = &items[call->events.count++];
    size_t bound = event_line_bound(k->table, e);
    char *line = kit_alloc(bound);
    size_t len = event_line_write(k->table, e, line);
    if (len > bound)
        kit_problem(k, "a line is longer than its bound");
    *s = (kit_stored){.line = kit_copy(ss_s(line, len)),
                      .app = kit_copy(e->app),
                      .type = kit_copy(e->type),
                      .id = kit_copy(e->id),
                      .key = kit_copy(e->key.len ? e->key : e->id),
                      .aside = kit_copy(e->aside),
                      .aside_len = e->aside.len,
                      .receive_us = e->receive_us,
                      .event_us = e->event_us};
    free(line);
}

static int32_t host_emit(ss_call *call, ss_event *e)
{
    testkit *k = call->kit;
    int32_t status = SS_OK;
    if (!call->open || e != &call->event) {
        kit_problem(k, "emit() of an event that event_new() did not open");
        return SS_REJECT;
    }
    if (kit_fault(k, TESTKIT_EMIT))
        status = SS_RETRY;
    else {
        event_judge(k, e);
        event_store(call, e);
    }
    kit_event_close(call);
    return status;
}

void kit_call_begin(testkit *k, ss_call *call, bool pulled)
{
    const kit_list *refs = k->owner ? &k->owner->refs : &k->refs;
    *call = (ss_call){.kit = k, .pulled = pulled, .ref_count = (uint32_t)refs->count};
    call->refs = kit_alloc((refs->count + 1) * sizeof *call->refs);
    for (size_t i = 0; i < refs->count; i++) {
        const char *name = refs->items[i].text;
        event_table_refs(k->table, &name, 1, &call->refs[i]);
    }
}

void kit_events_clear(kit_events *events)
{
    for (size_t i = 0; i < events->count; i++) {
        kit_stored *s = &events->items[i];
        free(s->line);
        free(s->app);
        free(s->type);
        free(s->id);
        free(s->key);
        free(s->value);
        free(s->aside);
    }
    free(events->items);
    *events = (kit_events){0};
}

void kit_call_end(ss_call *call, bool keep)
{
    testkit *k = call->kit;
    kit_event_close(call);
    memory_free(k, &call->request_memory);
    free(call->refs);
    kit_inputs_keep(&k->failed, &call->failed, keep);
    kit_inputs_keep(&k->passed, &call->passed, keep);
    if (!keep || call->events.count == 0) {
        kit_events_clear(&call->events);
        return;
    }
    kit_stored *items = kit_realloc(k->events.items, (k->events.count + call->events.count) * sizeof *items);
    memcpy(items + k->events.count, call->events.items, call->events.count * sizeof *items);
    k->events.items = items;
    k->events.count += call->events.count;
    free(call->events.items);
}

static void host_rejected(ss_call *call, const char *code, ss_str text)
{
    kit_text *t = kit_add(&call->kit->rejects, ss_cstr(code));
    t->more = kit_copy(text);
}

static uint32_t host_field_ref(void *self, const char *name)
{
    testkit *k = self;
    for (size_t i = 0; i < k->refs.count; i++)
        if (strcmp(k->refs.items[i].text, name) == 0)
            return (uint32_t)i;
    (void)kit_add(&k->refs, ss_cstr(name));
    return (uint32_t)(k->refs.count - 1);
}

static ss_call *host_call_begin(void *self)
{
    if (kit_fault(self, TESTKIT_CALL_BEGIN))
        return NULL;
    ss_call *call = kit_alloc(sizeof *call);
    kit_call_begin(self, call, true);
    return call;
}

static int32_t host_call_commit(void *self, ss_call *call, ss_str position, ss_error *err)
{
    testkit *k = self;
    bool failed = kit_fault(k, TESTKIT_COMMIT);
    if (!call->pulled)
        kit_problem(k, "call_commit() of a call that call_begin() did not make");
    if (!failed)
        (void)kit_add(&k->positions, position);
    kit_call_end(call, !failed);
    free(call);
    return failed ? ss_fail(err, SS_RETRY, "the testkit was told to fail this commit") : SS_OK;
}

/* ---- modules ---- */

/* Records that were added and not yet delivered. */
static uint64_t host_behind(void *self)
{
    const testkit *k = self;
    return k->record_count > k->result_count ? k->record_count - k->result_count : 0;
}

static int32_t host_commit(void *self, uint64_t seq, const void *state, size_t len, uint32_t flags,
                           ss_error *err)
{
    testkit *k = self;
    (void)flags;
    if (kit_fault(k, TESTKIT_COMMIT))
        return ss_fail(err, SS_RETRY, "the testkit was told to fail this commit");
    uint64_t last = testkit_commit_count(k) ? testkit_commit_seq(k, testkit_commit_count(k) - 1) : 0;
    if (seq < last)
        kit_problem(k, "commit() went back from %llu to %llu", (unsigned long long)last,
                    (unsigned long long)seq);
    kit_add(&k->commits, ss_s(state, len))->number = (int64_t)seq;
    return SS_OK;
}

static void host_result(void *self, ss_result *result, uint32_t i, uint32_t status, uint32_t code,
                        ss_str text)
{
    testkit *k = self;
    if (result != &k->result || i >= k->result_count) {
        kit_problem(k, "result() for record %u of %u", i, k->result_count);
        return;
    }
    free((void *)(uintptr_t)k->results[i].of_header.text.ptr);
    k->results[i].of_header =
        (ss_record_result){.status = status, .code = code, .text = ss_s(kit_copy(text), text.len)};
}

/* ---- what is said ---- */

static void host_log(void *self, int32_t level, const char *text)
{
    testkit *k = self;
    LOCKED(kit_add(&k->logs, ss_cstr(text))->number = level);
}

static void alarm_set(testkit *k, const char *name, const char *text)
{
    kit_text *found = NULL;
    for (size_t i = 0; i < k->alarms.count; i++)
        if (strcmp(k->alarms.items[i].text, name) == 0)
            found = &k->alarms.items[i];
    if (!found)
        found = kit_add(&k->alarms, ss_cstr(name));
    free(found->more);
    found->more = text ? kit_copy(ss_cstr(text)) : NULL;
}

static void host_alarm(void *self, const char *name, const char *text)
{
    LOCKED(alarm_set(self, name, text));
}

static ss_metric *metric_get(testkit *k, const char *name, const char *help, const char *labels)
{
    if (!help || !*help)
        kit_problem(k, "metric %s has no help text", name);
    if (kit_fault(k, TESTKIT_METRIC))
        return NULL;
    labels = labels ? labels : "";
    for (size_t i = 0; i < k->metric_count; i++)
        if (strcmp(k->metrics[i].name, name) == 0 && strcmp(k->metrics[i].labels, labels) == 0)
            return &k->metrics[i];
    if (k->metric_count == KIT_METRICS_MAX)
        return NULL;
    ss_metric *m = &k->metrics[k->metric_count++];
    *m = (ss_metric){.name = kit_copy(ss_cstr(name)), .labels = kit_copy(ss_cstr(labels))};
    return m;
}

static ss_metric *host_metric(void *self, const char *name, const char *help, const char *labels)
{
    ss_metric *metric;
    LOCKED(metric = metric_get(self, name, help, labels));
    return metric;
}

static void host_metric_add(ss_metric *metric, double value)
{
    if (metric)
        LOCKED(metric->value += value);
}

static void host_metric_set(ss_metric *metric, double value)
{
    if (metric)
        LOCKED(metric->value = value);
}

/* ---- time, state ---- */

static int64_t mono_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t kit_now_us(const testkit *k)
{
    return k->runs_since_us ? k->now_us + mono_us() - k->runs_since_us : k->now_us;
}

void testkit_run_clock(testkit *k)
{
    k->runs_since_us = mono_us();
}

static int64_t host_now_us(void *self)
{
    return kit_now_us(self);
}

static bool host_stopping(void *self)
{
    return ((testkit *)self)->stopping;
}

/* The same numbers in every run: a failing test fails again. */
static void host_random(void *self, void *out, size_t len)
{
    static uint64_t state = 0x9E3779B97F4A7C15u;
    (void)self;
    for (size_t i = 0; i < len; i++)
        LOCKED(state = state * 6364136223846793005u + 1442695040888963407u;
               ((unsigned char *)out)[i] = (unsigned char)(state >> 56));
}

static ss_timer *timer_add(testkit *k, int64_t ms, bool again, void (*callback)(void *), void *arg)
{
    for (size_t i = 0; i < KIT_TIMERS_MAX; i++)
        if (!k->timers[i].used) {
            k->timers[i] = (ss_timer){.at_us = k->now_us + ms * 1000,
                                      .period_us = again ? (ms > 0 ? ms : 1) * 1000 : 0,
                                      .callback = callback,
                                      .arg = arg,
                                      .used = true};
            return &k->timers[i];
        }
    return NULL;
}

static ss_timer *host_every(void *self, int64_t period_ms, void (*callback)(void *arg), void *arg)
{
    return timer_add(self, period_ms, true, callback, arg);
}

static ss_timer *host_once(void *self, int64_t delay_ms, void (*callback)(void *arg), void *arg)
{
    return timer_add(self, delay_ms, false, callback, arg);
}

void testkit_advance(testkit *k, int64_t ms)
{
    int64_t until = k->now_us + ms * 1000;
    for (;;) {
        ss_timer *due = NULL;
        for (size_t i = 0; i < KIT_TIMERS_MAX; i++)
            if (k->timers[i].used && k->timers[i].at_us <= until && (!due || k->timers[i].at_us < due->at_us))
                due = &k->timers[i];
        if (!due)
            break;
        k->now_us = due->at_us > k->now_us ? due->at_us : k->now_us;
        due->used = due->period_us > 0;
        due->at_us += due->period_us;
        testkit *outer = kit_enter(k);
        due->callback(due->arg);
        (void)kit_enter(outer);
    }
    k->now_us = until;
}

static ss_str host_data_dir(void *self)
{
    testkit *k = self;
    if (!k->dir) {
        char path[4096];
        const char *top = getenv("TMPDIR");
        (void)snprintf(path, sizeof path, "%s/testkit-XXXXXX", top ? top : "/tmp");
        if (!mkdtemp(path))
            return ss_s("", 0);
        k->dir = kit_copy(ss_cstr(path));
    }
    return ss_cstr(k->dir);
}

static void *host_state_file(void *self, const char *name, size_t size, ss_error *err)
{
    testkit *k = self;
    if (kit_fault(k, TESTKIT_STATE_FILE)) {
        (void)ss_fail(err, SS_RETRY, "the testkit was told to fail state_file()");
        return NULL;
    }
    for (size_t i = 0; i < k->states.count; i++)
        if (strcmp(k->states.items[i].text, name) == 0) {
            kit_text *t = &k->states.items[i];
            if ((size_t)t->number != size) {
                free(t->more);
                t->more = kit_alloc(size);
                t->number = (int64_t)size;
            }
            return t->more;
        }
    kit_text *t = kit_add(&k->states, ss_cstr(name));
    t->more = kit_alloc(size);
    t->number = (int64_t)size;
    return t->more;
}

static int32_t host_catalog(void *self, ss_str receiver, void (*visit)(void *arg, const ss_field *field),
                            void *arg)
{
    const testkit *k = self;
    (void)receiver;
    for (size_t i = 0; i < event_table_count(k->table); i++)
        visit(arg, event_table_at(k->table, i));
    return SS_OK;
}

void kit_host_lend(testkit *k)
{
    k->host = (ss_host){.struct_size = sizeof k->host,
                        .abi_major = SS_ABI_MAJOR,
                        .abi_minor = SS_ABI_MINOR,
                        .self = k,
                        .instance = ss_cstr(k->plugin->name),
                        .server_version = SS_LIT("testkit"),
                        .log = host_log,
                        .now_us = host_now_us,
                        .stopping = host_stopping,
                        .random = host_random,
                        .mem = host_mem,
                        .event_new = host_event_new,
                        .emit = host_emit,
                        .field_ref = host_field_ref,
                        .query = kit_query,
                        .header = kit_header,
                        .rejected = host_rejected,
                        .call_begin = host_call_begin,
                        .call_commit = host_call_commit,
                        .commit = host_commit,
                        .behind = host_behind,
                        .result = host_result,
                        .counter = host_metric,
                        .gauge = host_metric,
                        .metric_add = host_metric_add,
                        .metric_set = host_metric_set,
                        .every = host_every,
                        .once = host_once,
                        .data_dir = host_data_dir,
                        .state_file = host_state_file,
                        .catalog = host_catalog,
                        .alarm = host_alarm};
    kit_apps_lend(&k->host);
    kit_config_lend(&k->host);
}
