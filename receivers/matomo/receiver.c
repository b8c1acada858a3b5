#include "receivers/matomo/receiver.h"

#include "receivers/matomo/answer.h"
#include "receivers/matomo/api.h"
#include "receivers/matomo/bulk.h"
#include "receivers/matomo/form.h"
#include "receivers/matomo/hit.h"

static int32_t receive_single(const matomo *m, const ss_request *r, ss_response *response)
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
    if (p.count == 0) {
        answer_info(response, get ? 200 : 400);
        return get ? SS_OK : SS_REJECT;
    }
    bool image = !ss_eq(params_get(&p, PARAM_SEND_IMAGE), SS_LIT("0"));
    hit_source source = {.m = m,
                         .request = r,
                         .transport = get ? SS_LIT("get") : SS_LIT("post"),
                         .token = {"", 0},
                         .bulk_index = -1};
    switch (hit_take(&source, &p, event)) {
    case HIT_STORED:
    case HIT_EXCLUDED:
        answer_tracked(response, image);
        return SS_OK;
    case HIT_INVALID:
        answer_invalid(response, image);
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
    int32_t status =
        bulk_is(request->body) ? bulk_receive(m, request, response) : receive_single(m, request, response);
    if (status == SS_RETRY)
        return status;
    return answer_headers(m, request, response) ? status : SS_RETRY;
}
