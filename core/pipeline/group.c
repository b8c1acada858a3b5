/* Groups of messages that another process took from its source: each message runs through parse() of one
   receiver, all that is emitted goes into one frame together with how far the source is taken over. */
#include "core/base/log.h"
#include "core/pipeline/internal.h"
#include "plugins/loader/loader.h"

/* What fits into one record as base64, with room for names and the reason. */
#define RAW_MAX ((JOURNAL_RECORD_MAX - 16384u) / 4u * 3u)

#define FAILED_CODE "processing-failed"

static pipeline_receiver *find_parser(const pipeline_set *set, ss_str name)
{
    for (size_t i = 0; set && i < set->receiver_count; i++)
        if (ss_eq(name, ss_cstr(set->receivers[i].instance->base.name)))
            return &set->receivers[i];
    return NULL;
}

int32_t pipeline_group_begin(pipeline_lane *lane, pipeline_group *g, ss_error *err)
{
    g->events = g->failed = g->number = 0;
    pipeline_receiver *parser = find_parser(lane->set, g->parser);
    if (!parser || !loader_takes_messages(parser->instance->plugin))
        return ss_fail(err, SS_RETRY, "ingest has no receiver '%.*s' that takes messages (yet)",
                       (int)g->parser.len, g->parser.ptr);
    if (parser->parked)
        return ss_fail(err, SS_RETRY, "receiver %.*s failed too often and rests: its messages wait",
                       (int)g->parser.len, g->parser.ptr);
    if (!pipeline_ready(lane->pipeline))
        return ss_fail(err, SS_RETRY, "the journal takes no events now");
    call_begin_on(lane, parser, NULL);
    lane->call.callback = PIPELINE_PARSE;
    return SS_OK;
}

static int32_t keep_failed(pipeline_lane *lane, pipeline_group *g, ss_str reason, ss_str raw, ss_error *err)
{
    char text[640];
    ss_call *call = &lane->call;
    const char *name = call->receiver->instance->base.name;
    if (raw.len > RAW_MAX) {
        int n = snprintf(text, sizeof text, "%.*s (kept: the first %u of %zu bytes)",
                         (int)(reason.len < 512 ? reason.len : 512), reason.ptr, RAW_MAX, raw.len);
        reason = ss_s(text, (size_t)n);
        raw.len = RAW_MAX;
    }
    rejects_add(lane->pipeline->board, name, FAILED_CODE, reason, ss_s("", 0), lane->now_us);
    g->failed++;
    if (pipeline_failed(call, ss_s("", 0), FAILED_CODE, reason, raw) == SS_OK)
        return SS_OK;
    return ss_fail(err, SS_RETRY, "a message that receiver %s refused cannot be kept now", name);
}

static int32_t call_parse(pipeline_lane *lane, pipeline_group *g, const ss_message *m, ss_error *why)
{
    pipeline_instance *instance = lane->call.receiver->instance;
    if (g->parsing)
        atomic_store(g->parsing, g->number);
    crumb_tick(clock_mono_us());
    crumb_enter(&instance->crumb, lane->call.callback);
    int32_t status = instance->plugin->receiver->parse(instance->inst, &lane->call, m, why);
    crumb_leave();
    if (g->parsing)
        atomic_store(g->parsing, 0u);
    if (lane->call.open)
        call_close_event(&lane->call); /* opened, never emitted: not stored */
    why->text[sizeof why->text - 1] = '\0';
    return status;
}

int32_t pipeline_group_message(pipeline_lane *lane, pipeline_group *g, const ss_message *m,
                               const char *do_not_parse, ss_error *err)
{
    ss_call *call = &lane->call;
    const char *name = call->receiver->instance->base.name;
    stage_mark mark = stage_mark_here(&lane->stage);
    size_t last_record = call->last_record;
    uint64_t bytes = call->bytes;
    ss_error why = error_init();
    arena_reset_small(&lane->request_arena); /* what parse() took for the message before */
    g->number++;
    if (do_not_parse)
        return keep_failed(lane, g, ss_cstr(do_not_parse), m->body, err);
    int32_t status = call_parse(lane, g, m, &why);
    if (call->refused)
        return ss_fail(err, SS_RETRY, "the journal takes no events now");
    if (status == SS_OK || status == SS_DROP) {
        g->events += stage_mark_here(&lane->stage).count - mark.count;
        return SS_OK;
    }
    if (status == SS_FATAL) {
        log_error("receiver %s says that it is broken (%s): new instances are made", name, why.text);
        atomic_store(&lane->pipeline->renew, 1u);
    }
    if (status != SS_REJECT && status != SS_DECLINE && status != SS_LIMIT)
        return ss_fail(err, SS_RETRY, "receiver %s: %s", name,
                       why.text[0] ? why.text : "it cannot take the message now");
    stage_rollback(&lane->stage, mark);
    call->last_record = last_record;
    call->bytes = bytes;
    const char *text = why.text[0]          ? why.text
                       : status == SS_LIMIT ? "larger than the server takes"
                                            : "refused without a reason";
    return keep_failed(lane, g, ss_cstr(text), m->body, err);
}

void pipeline_group_abort(pipeline_lane *lane)
{
    stage_rollback(&lane->stage, lane->call.mark);
    arena_reset_small(&lane->request_arena);
}

int32_t pipeline_group_commit(pipeline_lane *lane, pipeline_group *g, const journal_place *places,
                              uint32_t place_count, ss_error *err)
{
    ss_call *call = &lane->call;
    journal_writer *journal = lane->stage.journal;
    uint32_t records = stage_mark_here(&lane->stage).count;
    int32_t status = SS_OK;
    if (!journal_places_fit(journal, places, place_count)) {
        status = ss_fail(err, SS_RETRY,
                         "the journal has no room for the position of another source or part of one");
        pipeline_group_abort(lane);
    } else if (records || place_count) {
        if (records)
            stage_flag(&lane->stage, call->last_record, JOURNAL_REQUEST_END);
        if (!stage_places(&lane->stage, places, place_count) || !lane_wait_stored(lane))
            status = ss_fail(err, SS_RETRY, "the journal could not store the events");
    }
    arena_reset_small(&lane->request_arena);
    if (status == SS_OK && g->events) {
        lane_count *c = &lane->counts[call->receiver->index];
        c->events += g->events;
        c->bytes += call->bytes;
        lane->counted = true;
        pipeline_lane_flush_counts(lane);
    }
    return status;
}
