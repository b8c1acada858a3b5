#include "receivers/events/receiver.h"

#include "receivers/events/access.h"
#include "receivers/events/body.h"
#include "receivers/events/event.h"

#define PATTERN_US 500000 /* of one request: a call that takes 2 s would end the process */

static int32_t refuse(const events *e, const ss_request *request, ss_response *response, uint32_t status,
                      const char *code, const char *json)
{
    e->host->rejected(request->call, code, request->path);
    answer_error(response, status, json);
    return SS_REJECT;
}

/* A GET carries its event in the parameter `data`. */
static ss_str text_of(const events *e, const ss_request *request)
{
    uint32_t count = 0;
    if (!ss_eq(request->method, SS_LIT("GET")))
        return request->body;
    const ss_pair *pairs = e->host->query(request, &count);
    for (uint32_t i = 0; i < count; i++) {
        const ss_pair *p =
            (const ss_pair *)(const void *)((const char *)pairs + (size_t)i * request->pair_size);
        if (ss_eq(p->key, SS_LIT("data")))
            return p->value;
    }
    return ss_s("", 0);
}

static int32_t take_all(const events *e, const ss_request *request, const event_key *key,
                        ss_response *response)
{
    intake in = {.e = e, .request = request, .key = key, .type = ss_s("", 0), .pattern_us = PATTERN_US};
    event_body b;
    ss_str input;
    if (request->path_param_count > 0)
        in.type = request->path_params[0].value;
    answer_start(&in.answer, e, request->call);
    body_start(&b, text_of(e, request), request->content_type);
    while (body_next(&b, &input)) {
        if (in.answer.index == e->max_events)
            return refuse(
                e, request, response, 413, "too_many_events",
                ANSWER_ERROR("too_many_events", "More events in one request than max_events allows."));
        if (event_take(&in, input) == EVENT_RETRY)
            return SS_RETRY;
    }
    if (in.answer.index == 0)
        return refuse(
            e, request, response, 400, "no_events",
            ANSWER_ERROR("no_events",
                         "The request holds no event: send a JSON object, an array or lines of them."));
    return answer_end(&in.answer, response) ? SS_OK : SS_REJECT;
}

static int32_t answer_request(const events *e, const ss_request *request, ss_response *response)
{
    const event_key *key = NULL;
    ss_str origin = e->origin_count ? e->host->header(request, "Origin") : ss_s("", 0);
    if (!access_method(e, request->method))
        return refuse(e, request, response, 405, "method",
                      ANSWER_ERROR("method_not_allowed", "See the Allow header."));
    if (origin.len > 0 && !access_origin(e, origin))
        return refuse(e, request, response, 403, "origin",
                      ANSWER_ERROR("origin", "Pages of this origin may not send events."));
    if (e->key_count > 0 && !(key = access_key(e, request)))
        return refuse(e, request, response, 401, "key",
                      ANSWER_ERROR("key", "The API key is missing or wrong."));
    return take_all(e, request, key, response);
}

int32_t receiver_receive(void *instance, const ss_request *request, ss_response *response, ss_error *err)
{
    const events *e = instance;
    (void)err;
    if (ss_eq(request->method, SS_LIT("OPTIONS")))
        return access_preflight(e, request, response) ? SS_OK : SS_RETRY;
    int32_t status = answer_request(e, request, response);
    if (status == SS_RETRY)
        return status;
    if (response->status == 405) {
        ss_pair *allow = e->host->mem(request->call, sizeof *allow);
        if (!allow)
            return SS_RETRY;
        *allow = (ss_pair){SS_LIT("Allow"), ss_cstr(e->allow)};
        response->headers = allow;
        response->header_count = 1;
    }
    return access_headers(e, request, response) ? status : SS_RETRY;
}

/* A message of a stream: what a request's body may be, too. It is taken whole or, where something in it is
   refused, kept whole as failed. */
int32_t receiver_parse(void *instance, ss_call *call, const ss_message *message, ss_error *err)
{
    const events *e = instance;
    const ss_request request = {.struct_size = sizeof request, .pair_size = sizeof(ss_pair), .call = call};
    intake in = {.e = e, .request = &request, .type = ss_s("", 0), .pattern_us = PATTERN_US};
    event_body b;
    ss_str input;
    answer_start(&in.answer, e, call);
    body_start(&b, message->body, ss_s("", 0));
    while (body_next(&b, &input)) {
        if (in.answer.index == e->max_events)
            return ss_fail(err, SS_REJECT, "more events in one message than max_events (%u) allows",
                           e->max_events);
        if (event_take(&in, input) == EVENT_RETRY)
            return ss_fail(err, SS_RETRY, "the server takes no events now");
    }
    if (in.answer.index == 0)
        return ss_fail(err, SS_REJECT, "the message is empty: a JSON object or an array of them is wanted");
    if (in.answer.counts[EVENT_REJECTED] > 0)
        return ss_fail(err, SS_REJECT, "%u of its %u events do not fit their types",
                       in.answer.counts[EVENT_REJECTED], in.answer.index);
    return SS_OK;
}
