/* What the server answers itself: /healthz and /readyz everywhere, /metrics on the admin listener. */
#include "core/http/internal.h"
#include "core/observe/health.h"

#define METRICS_MAX_BYTES (8u * 1024 * 1024)

static const char journal_busy[] = PIPELINE_ERROR_JSON("not_ready", "The journal takes no events now.");
static const char stopping[] = PIPELINE_ERROR_JSON("not_ready", "The server is stopping.");

static void answer_ready(const http_loop *l, ss_response *response)
{
    if (l->draining)
        pipeline_error(response, 503, stopping);
    else if (!pipeline_ready(l->server->pipeline))
        pipeline_error(response, 503, journal_busy);
    else
        pipeline_error(response, 200, "{\"status\":\"ready\"}\n");
}

static bool answer_metrics(http_loop *l, http_reply **reply)
{
    pipeline_lane_flush_counts(l->lane);
    loop_flush_counts(l);
    buf text;
    buf_init(&text, METRICS_MAX_BYTES);
    metrics_render(pipeline_board(l->server->pipeline), &text);
    ss_response response = {.struct_size = sizeof response,
                            .status = 200,
                            .content_type = SS_LIT("text/plain; version=0.0.4; charset=utf-8"),
                            .body = buf_str(&text)};
    *reply = replies_make(&l->replies, &response, l->draining);
    buf_fini(&text);
    return true;
}

static bool is_read(ss_str method)
{
    return ss_eq(method, SS_LIT("GET")) || ss_eq(method, SS_LIT("HEAD"));
}

bool endpoint_answer(http_request *r, http_reply **reply)
{
    http_loop *l = r->daemon->loop;
    const ss_request *q = &r->p.request;
    ss_response response;
    bool ours = true;
    if (ss_eq(q->path, SS_LIT("/healthz")))
        pipeline_error(&response, 200, "{\"status\":\"ok\"}\n");
    else if (ss_eq(q->path, SS_LIT("/readyz")))
        answer_ready(l, &response);
    else if (r->daemon->admin && ss_eq(q->path, SS_LIT("/metrics")) && is_read(q->method))
        return answer_metrics(l, reply);
    else if (r->daemon->admin)
        pipeline_error(&response, 404,
                       PIPELINE_ERROR_JSON("not_found", "The admin listener has /healthz, /readyz and"
                                                        " /metrics."));
    else
        ours = false;
    if (ours && response.status != 404 && !is_read(q->method))
        pipeline_error(&response, 405, PIPELINE_ERROR_JSON("method_not_allowed", "Use GET or HEAD."));
    if (ours)
        *reply = replies_make(&l->replies, &response, l->draining);
    return ours;
}
