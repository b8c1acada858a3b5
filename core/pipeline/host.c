/* What the host lends receivers and enrichers beyond the base table: events, request data, timers. */
#include "core/pipeline/internal.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- events ---------------------------------------------------------------------------------- */

static void *call_mem(ss_call *call, size_t len)
{
    return arena_take(call->open ? &call->lane->event_arena : &call->lane->request_arena, len);
}

void call_close_event(ss_call *call)
{
    call->open = false;
    arena_reset_small(&call->lane->event_arena);
}

static ss_event *event_new(ss_call *call)
{
    pipeline_lane *lane = call->lane;
    if (call->open)
        call_close_event(call);
    size_t words = event_table_words(call->receiver->table);
    memset(lane->present, 0, words * sizeof *lane->present);
    call->event = (ss_event){.struct_size = sizeof(ss_event),
                             .value_size = sizeof(ss_value),
                             .field_count = call->receiver->field_count,
                             .values = lane->values,
                             .present = lane->present,
                             .call = call,
                             .receive_us = lane->now_us,
                             .event_us = lane->now_us};
    call->open = true;
    return &call->event;
}

static int32_t enrich_event(ss_call *call, ss_event *event)
{
    const pipeline_receiver *receiver = call->receiver;
    int32_t verdict = SS_OK;
    for (size_t i = 0; i < receiver->step_count && verdict == SS_OK; i++) {
        const pipeline_step *step = &receiver->steps[i];
        pipeline_instance *enricher = step->instance;
        ss_error err = error_init();
        event->refs = step->refs;
        event->ref_count = step->ref_count;
        crumb_enter(&enricher->crumb, "enrich\0\0\0\0\0\0\0\0\0");
        int32_t status = enricher->plugin->enricher->enrich(enricher->inst, event, &err);
        crumb_enter(&receiver->instance->crumb, call->callback);
        if (status == SS_DROP) {
            reason_count(enricher, err.text);
            verdict = SS_DROP;
        } else if (status != SS_OK) {
            metrics_add(enricher->failures, 1);
        }
    }
    return verdict;
}

/* At most JOURNAL_NAME_MAX bytes, not in the middle of a UTF-8 sequence. */
ss_str pipeline_cut_name(ss_str name)
{
    if (name.len <= JOURNAL_NAME_MAX)
        return name;
    name.len = JOURNAL_NAME_MAX;
    while (name.len > 0 && ((unsigned char)name.ptr[name.len] & 0xC0u) == 0x80u)
        name.len--;
    return name;
}

static char *put(char *at, ss_str text)
{
    if (text.len)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

/* Writes the record straight into the stage: head, names, line. */
static int32_t write_record(ss_call *call, ss_event *event)
{
    pipeline_lane *lane = call->lane;
    const event_table *table = call->receiver->table;
    char made[EVENT_UUID_SIZE];
    if (event->id.len == 0) {
        event_uuid7(made, event->receive_us);
        event->id = ss_s(made, sizeof made);
    }
    ss_str app = pipeline_cut_name(event->app), type = pipeline_cut_name(event->type);
    ss_str id = pipeline_cut_name(event->id), key = event->key.len ? pipeline_cut_name(event->key) : id;
    size_t names = app.len + type.len + id.len + key.len;
    size_t at_offset = stage_mark_here(&lane->stage).bytes;
    char *at = stage_reserve(&lane->stage, sizeof(journal_record_head) + names +
                                               event_line_bound(table, event) + event->aside.len + 8);
    if (!at)
        return SS_LIMIT;
    char *line = put(put(put(put(at + sizeof(journal_record_head), app), type), id), key);
    size_t line_len = event_line_write(table, event, line);
    if (line_len > lane->pipeline->max_event_bytes)
        return SS_LIMIT;
    size_t length = (size_t)(put(line + line_len, event->aside) - at);
    if (length > JOURNAL_RECORD_MAX)
        return SS_LIMIT;
    journal_record_head head = {.length = (uint32_t)length,
                                .receive_us = event->receive_us,
                                .event_us = event->event_us,
                                .source = call->receiver->source,
                                .app_len = (uint16_t)app.len,
                                .type_len = (uint16_t)type.len,
                                .id_len = (uint16_t)id.len,
                                .key_len = (uint16_t)key.len,
                                .json_len = (uint32_t)line_len};
    memcpy(at, &head, sizeof head);
    stage_add(&lane->stage, length);
    call->last_record = at_offset;
    call->bytes += line_len;
    return SS_OK;
}

static int32_t failed(ss_call *call, ss_str app, const char *code, ss_str text, ss_str raw)
{
    int32_t status = pipeline_failed(call, app, code, text, raw);
    if (call->open)
        call_close_event(call);
    return status;
}

static int32_t emit(ss_call *call, ss_event *event)
{
    if (!call->open || event != &call->event)
        return SS_DECLINE; /* not an event of this call, or emitted already */
    int32_t status = SS_RETRY;
    if (!call->refused && pipeline_ready(call->lane->pipeline)) {
        status = enrich_event(call, event);
        if (status == SS_OK)
            status = write_record(call, event);
    } else {
        call->refused = true;
    }
    call_close_event(call);
    return status;
}

static uint32_t field_ref(void *self, const char *name)
{
    pipeline_instance *instance = self;
    for (uint32_t i = 0; i < instance->ref_count; i++)
        if (strcmp(instance->ref_names[i], name) == 0)
            return i;
    if (instance->ref_count == PIPELINE_REFS_MAX)
        return SS_NO_FIELD;
    char *copy = strdup(name);
    if (!copy)
        return SS_NO_FIELD;
    instance->ref_names[instance->ref_count] = copy;
    return instance->ref_count++;
}

/* ---- request data ---------------------------------------------------------------------------- */

ss_str pipeline_header(const ss_request *request, const char *name)
{
    const ss_call *call = request->call;
    return call->request && call->request->header ? call->request->header(call->request, name) : ss_s("", 0);
}

static void rejected(ss_call *call, const char *code, ss_str text)
{
    ss_str ip = call->request ? call->request->request.client_ip : ss_s("", 0);
    rejects_add(call->lane->pipeline->board, call->receiver->instance->base.name, code, text, ip,
                call->lane->now_us);
}

static bool stopping(void *self)
{
    const pipeline_instance *instance = self;
    return atomic_load_explicit(&instance->pipeline->stopping, memory_order_relaxed) != 0;
}

/* ---- timers ---------------------------------------------------------------------------------- */

static ss_timer *every(void *self, int64_t period_ms, void (*callback)(void *), void *arg)
{
    pipeline_instance *instance = self;
    return timers_add(instance->pipeline->timers, instance, period_ms, period_ms, callback, arg);
}

static ss_timer *once(void *self, int64_t delay_ms, void (*callback)(void *), void *arg)
{
    pipeline_instance *instance = self;
    return timers_add(instance->pipeline->timers, instance, delay_ms, 0, callback, arg);
}

/* ---- groups of events outside of a request --------------------------------------------------- */

void call_begin_on(pipeline_lane *lane, pipeline_receiver *receiver, pipeline_request *request)
{
    ss_call *call = &lane->call;
    call->lane = lane;
    call->receiver = receiver;
    call->request = request;
    call->open = call->refused = call->decoded = false;
    call->mark = stage_mark_here(&lane->stage);
    call->bytes = 0;
    call->callback = PIPELINE_RECEIVE;
    call->pairs = NULL;
    call->pair_count = 0;
}

static void call_release(pipeline_lane *lane)
{
    pipeline *p = lane->pipeline;
    arena_reset_small(&lane->request_arena);
    arena_reset_small(&lane->event_arena);
    (void)pthread_mutex_lock(&p->lock);
    lane->next = p->calls_spare;
    p->calls_spare = lane;
    p->calls_open--;
    (void)pthread_mutex_unlock(&p->lock);
}

static pipeline_lane *call_take_lane(pipeline *p)
{
    (void)pthread_mutex_lock(&p->lock);
    bool room = p->calls_open < PIPELINE_CALLS_MAX;
    pipeline_lane *lane = room ? p->calls_spare : NULL;
    if (lane)
        p->calls_spare = lane->next;
    p->calls_open += room;
    (void)pthread_mutex_unlock(&p->lock);
    if (!room || lane)
        return lane;
    ss_error err = error_init();
    lane = lane_make(p, &err);
    if (!lane) {
        (void)pthread_mutex_lock(&p->lock);
        p->calls_open--;
        (void)pthread_mutex_unlock(&p->lock);
    }
    return lane;
}

static ss_call *call_begin(void *self)
{
    pipeline_instance *instance = self;
    pipeline *p = instance->pipeline;
    if (!instance->receiver || !pipeline_ready(p))
        return NULL;
    pipeline_lane *lane = call_take_lane(p);
    if (!lane)
        return NULL;
    lane->stage.journal = atomic_load(&p->journal);
    lane->now_us = clock_now_us();
    if (!lane_fit_fields(lane, instance->receiver->field_count)) {
        call_release(lane);
        return NULL;
    }
    call_begin_on(lane, instance->receiver, NULL);
    return &lane->call;
}

static void note_result(void *arg, stage_waiter *w, bool stored)
{
    (void)w;
    *(int *)arg = stored ? 1 : 0;
}

bool lane_wait_stored(pipeline_lane *lane)
{
    int result = -1;
    stage_waiter waiter;
    stage_wait(&lane->stage, &waiter, false);
    stage_submit(&lane->stage);
    while (result < 0) {
        if (stage_collect(&lane->stage, note_result, &result) && result >= 0)
            break;
        if (!stage_sleep(&lane->stage))
            continue;
        struct pollfd wake = {.fd = lane->stage.wake_fd, .events = POLLIN};
        (void)poll(&wake, 1, 1000);
        uint64_t drained;
        ssize_t n = read(lane->stage.wake_fd, &drained, sizeof drained);
        (void)n;
        stage_awake(&lane->stage);
    }
    return result == 1;
}

static int32_t call_commit(void *self, ss_call *call, ss_str position, ss_error *err)
{
    pipeline_instance *instance = self;
    pipeline_lane *lane = call->lane;
    int32_t status = SS_OK;
    if (call->open)
        call_close_event(call);
    uint32_t count = stage_mark_here(&lane->stage).count;
    journal_place place = {ss_cstr(instance->base.name), position};
    if (call->refused) {
        stage_rollback(&lane->stage, call->mark);
        status = ss_fail(err, SS_RETRY, "the journal takes no events now: try again");
    } else if (count) {
        (void)stage_places(&lane->stage, &place,
                           position.len ? 1 : 0); /* the batch is open: it has records */
        stage_flag(&lane->stage, call->last_record, JOURNAL_REQUEST_END);
        if (!lane_wait_stored(lane))
            status = ss_fail(err, SS_RETRY, "the journal could not store the events: try again");
        else
            metrics_add(call->receiver->events, count);
    }
    call_release(lane);
    return status;
}

void pipeline_host_fill(pipeline_instance *instance)
{
    ss_host *t = &instance->base.table;
    t->mem = call_mem;
    t->event_new = event_new;
    t->emit = emit;
    t->failed = failed;
    t->field_ref = field_ref;
    t->query = query_pairs;
    t->header = pipeline_header;
    t->rejected = rejected;
    t->stopping = stopping;
    t->every = every;
    t->once = once;
    t->call_begin = call_begin;
    t->call_commit = call_commit;
    pipeline_apps_fill(t);
}
