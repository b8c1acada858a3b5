#include "receivers/game/receiver.h"

#include <strings.h>

#include "receivers/game/answer.h"
#include "receivers/game/store.h"

#define LARGE_BODY (64u * 1024) /* it is worth asking about the key first */
#define KEPT_LEAST 1024u        /* bytes of an event that is too large to be kept as failed as a whole */

typedef struct intake { /* one request */
    const game *g;
    const ss_request *request;
    ss_response *response;
    ss_str app;
    game_batch batch;
    ss_app found;
    bool tolerate;
} intake;

static ss_str parameter(const ss_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->path_param_count; i++) {
        const ss_pair *p = ss_pair_at(request, request->path_params, i);
        if (ss_eq(p->key, ss_cstr(name)))
            return p->value;
    }
    return ss_s(NULL, 0);
}

static bool is_json(ss_str type)
{
    static const char json[] = "application/json";
    size_t len = sizeof json - 1;
    while (type.len > 0 && *type.ptr == ' ')
        type = ss_s(type.ptr + 1, type.len - 1);
    if (type.len < len || strncasecmp(type.ptr, json, len) != 0)
        return false;
    return type.len == len || type.ptr[len] == ';' || type.ptr[len] == ' ';
}

/* Who proves nothing has no body read, and who has a wrong key no large one. */
static bool proves_something(const game *g, const ss_request *request, ss_str app)
{
    static const char signature[] = "X-Amz-Signature=";
    ss_str header = g->host->header(request, "Authorization");
    bool stranger = request->body.len > LARGE_BODY && g->proofs == SS_PROOF_KEY &&
                    g->host->app_auth(g->host->self, header, app) == SS_REJECT;
    if (header.len > 0)
        return !stranger;
    return g->proofs & SS_PROOF_SIGV4 && request->raw_query.len > 0 &&
           memmem(request->raw_query.ptr, request->raw_query.len, signature, sizeof signature - 1) != NULL;
}

static int32_t deny(const intake *in, const char *why)
{
    in->g->host->rejected(in->request->call, "access-denied", ss_cstr(why));
    answer_denied(in->response);
    return SS_REJECT;
}

static int32_t refuse(const intake *in, ss_str detail)
{
    in->g->host->rejected(in->request->call, "bad-request", detail);
    in->g->host->metric_add(in->g->invalid, 1);
    return answer_bad(in->g, in->request->call, in->response, detail) ? SS_REJECT : SS_RETRY;
}

/* http_status: what `status: http` answers instead. Nothing of the request stays: what an emit() refused is
   lost for the whole group. */
static int32_t busy(const intake *in, uint32_t http_status, int64_t retry_after_ms, int32_t status)
{
    in->g->host->metric_add(in->g->throttled, in->batch.count);
    bool done =
        answer_busy(in->g, in->request->call, in->response, in->batch.count, http_status, retry_after_ms);
    return !done ? SS_RETRY : in->g->http_status ? SS_REJECT : status;
}

static int32_t broken(const intake *in, const char *code, const char *why)
{
    in->g->host->rejected(in->request->call, code, ss_cstr(why));
    if (in->g->http_status)
        return SS_RETRY;
    answer_broken(in->response);
    return SS_REJECT;
}

/* SS_OK: go on; else the request is answered. */
static int32_t authorise(intake *in)
{
    ss_error why = {.struct_size = sizeof why};
    in->found = (ss_app){.struct_size = sizeof in->found};
    switch (in->g->host->app_check(in->request, in->app, in->g->proofs, in->batch.count, &in->found, &why)) {
    case SS_OK:
        return SS_OK;
    case SS_REJECT:
        return deny(in, why.text);
    case SS_THROTTLE:
        if (in->batch.fault != FAULT_NONE)
            return SS_OK; /* there is nothing to throttle: it is told what is wrong */
        in->g->host->rejected(in->request->call, "throttled", ss_cstr(why.text));
        return busy(in, 429, in->found.retry_after_ms, SS_DROP);
    case SS_DECLINE:
        return broken(in, "no-store", "no store of applications is configured: nobody can be let in");
    default:
        return broken(in, "store", why.text);
    }
}

/* Tolerant: an event that does not fit is kept with the reason. */
static int32_t keep_failed(const intake *in, uint32_t index)
{
    const game *g = in->g;
    ss_str reason, raw = in->batch.items[index].event.raw;
    if (!game_item_reason(&in->batch, g, in->request->call, index, &reason))
        return SS_RETRY;
    g->host->rejected(in->request->call, "invalid", reason);
    g->host->metric_add(g->invalid, 1);
    int32_t status = g->host->failed(in->request->call, in->app, "validation-failed", reason, raw);
    while (status == SS_LIMIT && raw.len > KEPT_LEAST) { /* as much of it as goes */
        raw.len /= 2;
        status = g->host->failed(in->request->call, in->app, "validation-failed", reason, raw);
    }
    return status;
}

/* The server does not take a line of this size. */
static int32_t too_large(intake *in, uint32_t index)
{
    ss_str reason;
    in->batch.items[index].large = true;
    in->batch.bad++;
    if (in->tolerate)
        return keep_failed(in, index);
    if (!game_item_reason(&in->batch, in->g, in->request->call, index, &reason))
        return SS_RETRY;
    return refuse(in, reason);
}

static int32_t store_all(intake *in)
{
    uint32_t bad = in->batch.bad;
    game_store s = {
        .g = in->g, .call = in->request->call, .app_id = in->found.id, .app_name = in->found.name};
    if (!game_metadata(&s, in->request))
        return SS_RETRY;
    for (uint32_t i = 0; i < in->batch.count; i++) {
        const game_item *item = &in->batch.items[i];
        bool good = item->error.rule == RULE_NONE && !item->large;
        int32_t status = good ? game_store_event(&s, &item->event) : keep_failed(in, i);
        if (status == GAME_NO_MEMORY)
            return SS_RETRY;
        if (status == SS_LIMIT && good)
            status = too_large(in, i);
        if (status == SS_REJECT)
            return status; /* it is answered */
        if (status != SS_OK && status != SS_DROP && status != SS_LIMIT)
            return busy(in, 503, 0, SS_REJECT);
    }
    bool told = in->batch.bad == bad || answer_results(in->g, in->request->call, in->response, &in->batch);
    return told ? SS_OK : SS_RETRY;
}

static int32_t take(intake *in)
{
    const game *g = in->g;
    ss_call *call = in->request->call;
    bool json = is_json(in->request->content_type);
    ss_str reason;
    if (json)
        game_batch_read(&in->batch, g, call, in->request->body);
    if (in->batch.fault == FAULT_MEMORY)
        return SS_RETRY;
    int32_t status = authorise(in);
    if (status != SS_OK)
        return status == SS_DROP ? SS_OK : status; /* answered, and nothing was emitted */
    if (!json)
        return refuse(in, SS_LIT("Content-Type must be application/json"));
    in->tolerate = g->tolerate || in->found.flags & SS_APP_TOLERANT;
    if (in->batch.fault != FAULT_NONE || (in->batch.bad && !in->tolerate))
        return game_batch_reason(&in->batch, g, call, &reason) ? refuse(in, reason) : SS_RETRY;
    /* The answer first: its memory has to outlive the events. */
    if (!answer_results(g, call, in->response, &in->batch))
        return SS_RETRY;
    return store_all(in);
}

int32_t receiver_receive(void *instance, const ss_request *request, ss_response *response, ss_error *err)
{
    intake in = {.g = instance, .request = request, .response = response, .app = parameter(request, "id")};
    ss_str stage = parameter(request, "stage");
    (void)err;
    if (stage.ptr && !ss_eq(stage, in.g->stage))
        return SS_DECLINE;
    if (ss_eq(request->method, SS_LIT("OPTIONS"))) {
        answer_preflight(response);
        return SS_OK;
    }
    if (!ss_eq(request->method, SS_LIT("POST")))
        return deny(&in, "events are sent with POST");
    if (!proves_something(in.g, request, in.app))
        return deny(&in, "no Authorization header, or no key of this application");
    return take(&in);
}
