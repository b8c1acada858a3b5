#include "receivers/matomo/receiver.h"

#include "receivers/matomo/answer.h"
#include "receivers/matomo/api.h"
#include "receivers/matomo/bulk.h"
#include "receivers/matomo/form.h"
#include "receivers/matomo/hit.h"

/* record_statistics: false. */
static int32_t refuse_closed(const matomo *m, const ss_request *r, ss_response *response, bool image)
{
    m->host->rejected(r->call, "closed", SS_LIT("record_statistics is off: nothing is stored"));
    answer_closed(m, response, image);
    return SS_REJECT;
}

static int32_t receive_bulk(const matomo *m, const ss_request *r, browser *seen, ss_response *response)
{
    if (m->record_statistics)
        return bulk_receive(m, r, seen, response);
    (void)refuse_closed(m, r, response, true);
    answer_json(response, 200, SS_LIT("{\"status\":\"success\",\"tracked\":0,\"invalid\":0}"));
    return SS_REJECT;
}

static int32_t receive_single(const matomo *m, const ss_request *r, browser *seen, ss_response *response)
{
    const ss_host *host = m->host;
    ss_event *event = host->event_new(r->call);
    if (!event)
        return SS_RETRY;
    char *scratch = host->mem(r->call, r->raw_query.len + r->body.len + 1);
    params p;
    if (!scratch)
        return SS_RETRY;
    params_clear(&p);
    bool form = r->body.len > 0 && form_is(r);
    if (form)
        form_read(&p, m, r, scratch + r->raw_query.len);
    params_read(&p, &m->params, r->raw_query, scratch); /* second: the query beats the body */
    bool get = ss_eq(r->method, SS_LIT("GET"));
    bool image = !ss_eq(params_get(&p, PARAM_SEND_IMAGE), SS_LIT("0"));
    if (!m->record_statistics)
        return refuse_closed(m, r, response, image);
    if (p.count == 0) {
        answer_info(response, get ? 200 : 400);
        return get ? SS_OK : SS_REJECT;
    }
    hit_source source = {.m = m,
                         .request = r,
                         .browser = seen,
                         .transport = get ? SS_LIT("get") : SS_LIT("post"),
                         .token = {"", 0},
                         .bulk_index = -1};
    switch (hit_take(&source, &p, event)) {
    case HIT_STORED:
    case HIT_EXCLUDED:
        answer_tracked(m, response, image);
        return SS_OK;
    case HIT_INVALID:
        answer_invalid(m, response, image);
        return SS_REJECT;
    default:
        return SS_RETRY;
    }
}

/* matomo.js in any case; /js/ is the script where nothing is asked of it, else the tracker. */
static bool is_script(const ss_request *r)
{
    static const char end[] = ".js";
    if (r->route.len > 3 && memcmp(r->route.ptr + r->route.len - 3, end, 3) == 0)
        return true;
    return r->route.len >= 3 && memcmp(r->route.ptr, "/js", 3) == 0 && r->raw_query.len == 0 &&
           (ss_eq(r->method, SS_LIT("GET")) || ss_eq(r->method, SS_LIT("HEAD")));
}

int32_t receiver_receive(void *instance, const ss_request *request, ss_response *response, ss_error *err)
{
    const matomo *m = instance;
    (void)err;
    if (is_script(request))
        return script_answer(m->script, m->host, request, response);
    if (api_is(request))
        return api_receive(m, request, response);
    if (ss_eq(request->method, SS_LIT("OPTIONS")) && answer_preflight(m, request, response))
        return SS_OK;
    browser seen = {0};
    int32_t status = bulk_is(request->body) ? receive_bulk(m, request, &seen, response)
                                            : receive_single(m, request, &seen, response);
    if (status == SS_RETRY)
        return status;
    return answer_headers(m, request, &seen, response) ? status : SS_RETRY;
}

/* A message of a stream: a tracking query with or without its "?" or what stands before that, or a bulk body.
 */
int32_t receiver_parse(void *instance, ss_call *call, const ss_message *message, ss_error *err)
{
    const matomo *m = instance;
    ss_str text = message->body;
    while (text.len > 0 && (unsigned char)text.ptr[text.len - 1] <= ' ')
        text.len--;
    const char *mark = text.len ? memchr(text.ptr, '?', text.len) : NULL;
    bool bulk = bulk_is(text);
    ss_str query = text;
    if (mark)
        query = ss_s(mark + 1, text.len - (size_t)(mark + 1 - text.ptr));
    if (!bulk && (query.len == 0 || !memchr(query.ptr, '=', query.len)))
        return ss_fail(err, SS_REJECT, "the message is no tracking query: idsite=1&rec=1&... is wanted");
    const ss_request request = {.struct_size = sizeof request,
                                .pair_size = sizeof(ss_pair),
                                .call = call,
                                .method = bulk ? SS_LIT("POST") : SS_LIT("GET"),
                                .raw_query = bulk ? ss_s("", 0) : query,
                                .body = bulk ? text : ss_s("", 0),
                                .received_us = m->host->now_us(m->host->self)};
    ss_response response = {.struct_size = sizeof response, .status = 204};
    browser seen = {0};
    int32_t status =
        bulk ? receive_bulk(m, &request, &seen, &response) : receive_single(m, &request, &seen, &response);
    if (status == SS_REJECT)
        return ss_fail(err, SS_REJECT, "the tracking query is not valid; `tail --rejected` says why");
    return status;
}
