/* Lanes: what one thread needs to run requests, and how a new configuration reaches them. */
#include <stdlib.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/pipeline/internal.h"

#define EVENT_BYTES_ROOM 4096u /* names and head beside the line, within JOURNAL_RECORD_MAX */

/* ---- the process ------------------------------------------------------------------------------ */

pipeline *pipeline_new(board *b, const char *data_dir, size_t max_event_bytes, ss_error *err)
{
    pipeline *p = calloc(1, sizeof *p);
    if (!p) {
        (void)ss_fail(err, SS_LIMIT, "out of memory");
        return NULL;
    }
    p->board = b;
    (void)snprintf(p->data_dir, sizeof p->data_dir, "%s", data_dir);
    size_t most = JOURNAL_RECORD_MAX - EVENT_BYTES_ROOM;
    p->max_event_bytes = max_event_bytes && max_event_bytes < most ? max_event_bytes : most;
    (void)pthread_mutex_init(&p->lock, NULL);
    for (uint32_t c = 1; c < 6; c++) {
        char labels[64];
        (void)snprintf(labels, sizeof labels, "receiver=\"\",class=\"%uxx\"", c);
        p->unrouted[c] = metrics_counter("http_requests_total",
                                         "Requests answered, by receiver and class of status.", labels);
    }
    p->timers = timers_new(err);
    if (!p->timers) {
        pipeline_free(p);
        return NULL;
    }
    return p;
}

static void free_lanes(pipeline_lane *lane)
{
    while (lane) {
        pipeline_lane *next = lane->next;
        lane_destroy(lane);
        lane = next;
    }
}

void pipeline_free(pipeline *p)
{
    if (!p)
        return;
    free_lanes(p->lanes);
    free_lanes(p->calls_spare);
    timers_free(p->timers);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

bool pipeline_ready(const pipeline *p)
{
    journal_writer *journal = atomic_load_explicit(&p->journal, memory_order_relaxed);
    return journal && journal_ready(journal);
}

board *pipeline_board(const pipeline *p)
{
    return p->board;
}

journal_writer *pipeline_journal(const pipeline *p)
{
    return atomic_load(&p->journal);
}

void pipeline_stopping(pipeline *p)
{
    atomic_store(&p->stopping, 1u);
}

bool pipeline_wants_renewal(pipeline *p)
{
    return atomic_exchange(&p->renew, 0u) != 0;
}

pipeline_set *pipeline_swap(pipeline *p, pipeline_set *set)
{
    pipeline_set *old = atomic_exchange(&p->set, set);
    (void)atomic_fetch_add(&p->generation, 1u);
    return old;
}

bool pipeline_swapped(pipeline *p)
{
    uint64_t now = atomic_load(&p->generation);
    bool all = true;
    (void)pthread_mutex_lock(&p->lock);
    for (pipeline_lane *lane = p->lanes; lane; lane = lane->next) {
        if (!atomic_load(&lane->active) || atomic_load(&lane->generation) == now)
            continue;
        all = false;
        stage_wake(&lane->stage);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return all;
}

/* ---- lanes ------------------------------------------------------------------------------------ */

pipeline_lane *lane_make(pipeline *p, ss_error *err)
{
    pipeline_lane *lane = calloc(1, sizeof *lane);
    if (!lane) {
        (void)ss_fail(err, SS_LIMIT, "out of memory");
        return NULL;
    }
    lane->pipeline = p;
    if (!stage_init(&lane->stage, err)) {
        free(lane);
        return NULL;
    }
    arena_init(&lane->request_arena, PIPELINE_CALL_BYTES);
    arena_init(&lane->event_arena, PIPELINE_CALL_BYTES);
    return lane;
}

void lane_destroy(pipeline_lane *lane)
{
    stage_fini(&lane->stage);
    arena_fini(&lane->request_arena);
    arena_fini(&lane->event_arena);
    free(lane->values);
    free(lane->present);
    free(lane->counts);
    free(lane);
}

pipeline_lane *pipeline_lane_new(pipeline *p, pipeline_done done, void *arg, ss_error *err)
{
    pipeline_lane *lane = lane_make(p, err);
    if (!lane)
        return NULL;
    lane->done = done;
    lane->arg = arg;
    (void)pthread_mutex_lock(&p->lock);
    lane->next = p->lanes;
    p->lanes = lane;
    (void)pthread_mutex_unlock(&p->lock);
    return lane;
}

bool lane_fit_fields(pipeline_lane *lane, uint32_t fields)
{
    if (fields <= lane->fields_size)
        return true;
    size_t words = (fields + 63u) / 64u;
    ss_value *values = realloc(lane->values, fields * sizeof *values);
    if (values)
        lane->values = values;
    uint64_t *present = realloc(lane->present, words * sizeof *present);
    if (present)
        lane->present = present;
    if (!values || !present)
        return false;
    lane->fields_size = fields;
    return true;
}

void pipeline_lane_enter(pipeline_lane *lane)
{
    crumb_bind(lane->pipeline->board, true);
    lane->stage.journal = atomic_load(&lane->pipeline->journal);
    atomic_store(&lane->active, 1u);
}

void pipeline_lane_leave(pipeline_lane *lane)
{
    pipeline_lane_flush_counts(lane);
    lane->set = NULL;
    free(lane->counts);
    lane->counts = NULL;
    atomic_store(&lane->active, 0u);
    atomic_store(&lane->generation, 0u); /* who enters again takes over a set first */
    crumb_unbind();
}

/* Counts first: they belong to the receivers of the set that goes. */
static void take_set(pipeline_lane *lane, uint64_t generation)
{
    pipeline_lane_flush_counts(lane);
    pipeline_set *set = atomic_load(&lane->pipeline->set);
    free(lane->counts);
    lane->counts = set ? calloc(set->receiver_count + 1, sizeof *lane->counts) : NULL;
    if (set && (!lane->counts || !lane_fit_fields(lane, set->max_fields))) {
        log_error("out of memory while taking over the configuration");
        _exit(1); /* the supervisor starts ingest again; nothing acknowledged is lost */
    }
    lane->set = set;
    atomic_store(&lane->generation, generation);
}

void pipeline_lane_pass(pipeline_lane *lane, int64_t now_us, int64_t mono_us)
{
    lane->now_us = now_us;
    crumb_tick(mono_us);
    if (mono_us >= lane->next_trim_us) {
        lane->next_trim_us = mono_us + PIPELINE_TRIM_US;
        stage_trim(&lane->stage);
    }
    uint64_t generation = atomic_load_explicit(&lane->pipeline->generation, memory_order_acquire);
    if (generation != atomic_load_explicit(&lane->generation, memory_order_relaxed))
        take_set(lane, generation);
}

static void flush_one(lane_count *c, ss_metric *const requests[6], ss_metric *events, ss_metric *bytes)
{
    for (size_t k = 1; k < 6; k++)
        if (c->classes[k])
            metrics_add(requests[k], (double)c->classes[k]);
    if (c->events)
        metrics_add(events, (double)c->events);
    if (c->bytes)
        metrics_add(bytes, (double)c->bytes);
    *c = (lane_count){0};
}

void pipeline_lane_flush_counts(pipeline_lane *lane)
{
    if (!lane->counted || !lane->set)
        return;
    lane->counted = false;
    for (size_t i = 0; i < lane->set->receiver_count; i++) {
        const pipeline_receiver *r = &lane->set->receivers[i];
        flush_one(&lane->counts[i], r->requests, r->events, r->bytes);
    }
    flush_one(&lane->counts[lane->set->receiver_count], lane->pipeline->unrouted, NULL, NULL);
}

bool pipeline_lane_counted(const pipeline_lane *lane)
{
    return lane->counted;
}

int pipeline_lane_fd(const pipeline_lane *lane)
{
    return lane->stage.wake_fd;
}

static void tell_front(void *arg, stage_waiter *w, bool stored)
{
    const pipeline_lane *lane = arg;
    lane->done(lane->arg, (pipeline_request *)(void *)((char *)w - offsetof(pipeline_request, waiter)),
               stored);
}

bool pipeline_lane_collect(pipeline_lane *lane)
{
    return stage_collect(&lane->stage, tell_front, lane);
}

void pipeline_lane_submit(pipeline_lane *lane)
{
    stage_submit(&lane->stage);
}

bool pipeline_lane_sleep(pipeline_lane *lane)
{
    return stage_sleep(&lane->stage);
}

void pipeline_lane_awake(pipeline_lane *lane)
{
    stage_awake(&lane->stage);
}

bool pipeline_lane_idle(const pipeline_lane *lane)
{
    return stage_is_idle(&lane->stage);
}

void pipeline_lane_wake(pipeline_lane *lane)
{
    stage_wake(&lane->stage);
}
