/* The file to read first: what happens to a request.

     pipeline_handle()
       the route says which receiver may take it          route.c
       receiver->receive(request, response)               a plugin
         host->event_new, fields, host->emit              host.c
           enrichers edit or drop the event               plugins
           one record: head, names, JSON line             core/event, straight into the stage (stage.c)
       SS_OK: the records stay, the request waits for its batch
       anything else: the stage is rolled back to where the request began

     pipeline_lane_submit(), once per pass of the event loop
       the whole stage goes to the journal's committer as one batch

     pipeline_lane_collect()
       batches that are on disk: done() for each request, which lets its response go */
#include <stdlib.h>

#include "core/base/log.h"
#include "core/pipeline/internal.h"

static const ss_pair retry_header[] = {{{"Retry-After", 11}, {"1", 1}}};
static const ss_pair parked_header[] = {{{"Retry-After", 11}, {"60", 2}}};

void pipeline_error(ss_response *response, uint32_t status, const char *json)
{
    *response = (ss_response){.struct_size = sizeof *response,
                              .status = status,
                              .content_type = SS_LIT("application/json"),
                              .body = ss_cstr(json)};
}

static void answer_busy(ss_response *response)
{
    pipeline_error(response, 503,
                   PIPELINE_ERROR_JSON("busy", "The server cannot store events now; try again."));
    response->headers = retry_header;
    response->header_count = 1;
}

static void answer_parked(ss_response *response)
{
    pipeline_error(response, 503,
                   PIPELINE_ERROR_JSON("parked", "This receiver failed too often and rests; try later."));
    response->headers = parked_header;
    response->header_count = 1;
}

static void answer_wrong_method(pipeline_lane *lane, ss_response *response, uint32_t methods)
{
    pipeline_error(response, 405, PIPELINE_ERROR_JSON("method_not_allowed", "See the Allow header."));
    char *text = arena_take(&lane->request_arena, 96);
    ss_pair *header = arena_take(&lane->request_arena, sizeof *header);
    if (!text || !header)
        return;
    *header = (ss_pair){SS_LIT("Allow"), ss_s(text, route_put_methods(methods, text, 96))};
    response->headers = header;
    response->header_count = 1;
}

static void count_request(pipeline_lane *lane, const pipeline_receiver *receiver, uint32_t status)
{
    lane_count *c = &lane->counts[receiver ? receiver->index : lane->set->receiver_count];
    uint32_t k = status / 100;
    c->classes[k < 6 ? k : 5]++;
    lane->counted = true;
}

/* Lets the plugin run: its status, and the response as it left it. */
static int32_t call_receiver(pipeline_lane *lane, const route_walk *walk, const route_entry *entry,
                             pipeline_request *r, ss_response *response)
{
    pipeline_receiver *receiver = entry->owner;
    ss_error err = error_init();
    call_begin_on(lane, receiver, r);
    for (uint32_t i = 0; i < walk->param_count; i++)
        lane->call.params[i] = walk->params[i];
    r->request.call = &lane->call;
    r->request.route = entry->declared;
    r->request.path_params = lane->call.params;
    r->request.path_param_count = walk->param_count;
    *response = (ss_response){.struct_size = sizeof *response, .status = 204};
    pipeline_instance *instance = receiver->instance;
    crumb_enter(&instance->crumb, PIPELINE_RECEIVE);
    int32_t status = instance->plugin->receiver->receive(instance->inst, &r->request, response, &err);
    crumb_leave();
    if (lane->call.open) {
        lane->call.open = false; /* opened, never emitted: not stored */
        arena_reset_small(&lane->event_arena);
    }
    if (status == SS_FATAL) {
        log_error("%s says that it is broken (%s): new instances are made", instance->crumb.instance,
                  err.text);
        atomic_store(&lane->pipeline->renew, 1u);
    } else if (status != SS_OK && err.text[0]) {
        log_debug("%s: %s", instance->crumb.instance, err.text);
    }
    return status;
}

/* The events of a request that went well: they stay in the stage, and the response waits for them. */
static enum pipeline_ack keep_events(pipeline_lane *lane, pipeline_request *r)
{
    ss_call *call = &lane->call;
    const pipeline_receiver *receiver = call->receiver;
    uint32_t events = stage_mark_here(&lane->stage).count - call->mark.count;
    if (events == 0)
        return PIPELINE_ACK_NOW;
    stage_flag(&lane->stage, call->last_record, JOURNAL_REQUEST_END);
    lane->counts[receiver->index].events += events;
    lane->counts[receiver->index].bytes += call->bytes;
    enum pipeline_ack ack = PIPELINE_ACK_NOW;
    if (receiver->level != PIPELINE_MEMORY) {
        stage_wait(&lane->stage, (stage_waiter *)(void *)r->waiter, receiver->level == PIPELINE_WRITTEN);
        ack = PIPELINE_ACK_LATER;
    }
    if (stage_mark_here(&lane->stage).bytes >= STAGE_SUBMIT_BYTES)
        stage_submit(&lane->stage);
    return ack;
}

/* All or none: after anything but SS_OK no record of the request is left in the stage. */
static enum pipeline_ack finish_call(pipeline_lane *lane, pipeline_request *r, int32_t status,
                                     ss_response *response)
{
    ss_call *call = &lane->call;
    enum pipeline_ack ack = PIPELINE_ACK_NOW;
    if (status == SS_DROP)
        status = SS_OK; /* what emit said, passed on: an enricher wanted it so */
    if (status == SS_OK && call->refused)
        status = SS_RETRY; /* the plugin missed that an emit was refused */
    if (status == SS_OK)
        ack = keep_events(lane, r);
    else
        stage_rollback(&lane->stage, call->mark);
    if (status == SS_LIMIT)
        pipeline_error(response, 413,
                       PIPELINE_ERROR_JSON("event_too_large", "An event exceeds the server's limit."));
    else if (status != SS_OK && status != SS_REJECT)
        answer_busy(response);
    count_request(lane, call->receiver, response->status);
    return ack;
}

static void begin_request(pipeline_lane *lane)
{
    arena_reset_small(&lane->request_arena);
}

const pipeline_request *pipeline_request_of(const ss_request *request)
{
    return request->call ? request->call->request : NULL;
}

bool pipeline_serves(const pipeline_lane *lane, ss_str path, ss_str method)
{
    route_walk walk;
    if (!lane->set)
        return false;
    route_walk_start(&walk, lane->set->routes, path, route_method_of(method));
    return route_walk_next(&walk) != NULL;
}

enum pipeline_ack pipeline_handle(pipeline_lane *lane, pipeline_request *r, ss_response *response)
{
    begin_request(lane);
    if (!lane->set) {
        answer_busy(response);
        return PIPELINE_ACK_NOW;
    }
    route_walk walk;
    route_walk_start(&walk, lane->set->routes, r->request.path, route_method_of(r->request.method));
    const route_entry *entry;
    while ((entry = route_walk_next(&walk)) != NULL) {
        pipeline_receiver *receiver = entry->owner;
        if (receiver->parked) {
            answer_parked(response);
            count_request(lane, receiver, response->status);
            return PIPELINE_ACK_NOW;
        }
        int32_t status = call_receiver(lane, &walk, entry, r, response);
        if (status != SS_DECLINE)
            return finish_call(lane, r, status, response);
        stage_rollback(&lane->stage, lane->call.mark);
    }
    if (walk.methods_seen)
        answer_wrong_method(lane, response, walk.methods_seen);
    else
        pipeline_error(response, 404, PIPELINE_ERROR_JSON("not_found", "No receiver serves this path."));
    count_request(lane, NULL, response->status);
    return PIPELINE_ACK_NOW;
}
