#include "core/server/desk.h"

#include <stdlib.h>

#include "core/server/control.h"
#include "core/server/desk_inside.h"
#include "core/server/setup.h"

#define SETUP_SLACK_MS 5000
#define JSON_TYPE      "application/json"

/* ---- what every answer has ---- */

static const ss_pair cors_any[] = {{{"Access-Control-Allow-Origin", 27}, {"*", 1}}};
static const ss_pair cors_busy[] = {{{"Access-Control-Allow-Origin", 27}, {"*", 1}},
                                    {{"Retry-After", 11}, {"1", 1}}};
#define METHODS "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT"
#define HEADERS "Content-Type,Authorization,X-Amz-Date,X-Api-Key,X-Amz-Security-Token"
static const ss_pair cors_preflight[] = {
    {{"Access-Control-Allow-Origin", 27}, {"*", 1}},
    {{"Access-Control-Allow-Methods", 28}, {METHODS, sizeof METHODS - 1}},
    {{"Access-Control-Allow-Headers", 28}, {HEADERS, sizeof HEADERS - 1}}};

static const char busy[] =
    "{\"error\":\"InternalFailure\",\"error_detail\":\"The server is busy; try again.\"}";
static const char too_large[] = "{\"error\":\"BadRequest\",\"error_detail\":\"request entity too large\"}";

static const char too_many[] = "{\"error\":\"BadRequest\",\"error_detail\":\"too many headers\"}";

static enum http_taken answer_now(ss_response *response, uint32_t status, const char *body,
                                  const ss_pair *headers, uint32_t count)
{
    *response = (ss_response){.struct_size = sizeof *response,
                              .status = status,
                              .content_type = SS_LIT(JSON_TYPE),
                              .body = ss_cstr(body),
                              .headers = headers,
                              .header_count = count};
    return HTTP_ANSWERED;
}

/* ---- answers ---- */

static void give(job *j, uint32_t status, buf *body, const ss_pair *headers, uint32_t count)
{
    http_answer *answer = j->answer;
    j->answer = NULL;
    *answer = (http_answer){.status = status,
                            .content_type = JSON_TYPE,
                            .headers = headers,
                            .header_count = count,
                            .body = body->ptr,
                            .len = body->len};
    *body = (buf){.ptr = NULL};
    http_give(j->ticket, answer);
}

static void give_busy(job *j)
{
    buf body;
    buf_init(&body, sizeof busy);
    buf_adds(&body, busy);
    give(j, 503, &body, cors_busy, 2);
}

static void give_answer(const desk *d, job *j)
{
    admin_reply reply;
    admin_answer(d->api, &j->call, &reply);
    give(j, reply.status, &reply.body, cors_any, 1);
}

/* ---- the workers ---- */

static void *line_run(void *arg)
{
    job_line *line = arg;
    desk *d = line->desk;
    if (line == &d->lines[LINE_CALLS])
        desk_read_keys(d);
    for (job *j; (j = line_take(line)) != NULL; job_free(j)) {
        if (!j->ticket)
            admin_look(d->api);
        else if (atomic_load(&d->stopping))
            give_busy(j);
        else
            give_answer(d, j);
    }
    return NULL;
}

/* ---- on the event loops ---- */

static bool has_credentials(const pipeline_request *r)
{
    ss_str query = r->request.raw_query;
    return r->header(r, "Authorization").len > 0 ||
           (query.len && memmem(query.ptr, query.len, "X-Amz-Signature=", 16));
}

static void count_header(void *arg, ss_str name, ss_str value)
{
    (void)name;
    (void)value;
    *(size_t *)arg += 1;
}

static bool has_too_many_headers(const pipeline_request *r)
{
    size_t count = 0;
    r->each_header(r, count_header, &count);
    return count > DESK_HEADERS_MAX;
}

/* The first who is turned away lets a worker look whether anybody could be let in at all; the log tells. */
static void look_once(desk *d)
{
    if (atomic_load_explicit(&d->looked, memory_order_relaxed) || atomic_exchange(&d->looked, true))
        return;
    job *j = calloc(1, sizeof *j);
    if (j && !line_add(&d->lines[LINE_CALLS], j))
        job_free(j);
}

static enum http_taken take(void *self, const pipeline_lane *lane, const pipeline_request *r,
                            http_ticket *ticket, ss_response *response)
{
    desk *d = self;
    const ss_request *q = &r->request;
    admin_target target;
    if (!admin_route_of(d->stage_str, q->path, q->method, &target))
        return HTTP_NOT_TAKEN;
    if (target.route == ADMIN_UNKNOWN && pipeline_serves(lane, q->path, q->method))
        return HTTP_NOT_TAKEN; /* events */
    if (target.route != ADMIN_UNKNOWN && ss_eq(q->method, SS_LIT("OPTIONS")))
        return answer_now(response, 200, "", cors_preflight, 3);
    if (target.route == ADMIN_UNKNOWN)
        return answer_now(response, 403, admin_denied, cors_any, 1);
    if (!has_credentials(r)) {
        look_once(d);
        return answer_now(response, 403, admin_denied, cors_any, 1);
    }
    if (q->body.len > ADMIN_BODY_MAX || r->wire_body.len > ADMIN_BODY_MAX)
        return answer_now(response, 400, too_large, cors_any, 1);
    if (has_too_many_headers(r))
        return answer_now(response, 400, too_many, cors_any, 1);
    job *j = job_new(r, ticket);
    if (j && line_add(&d->lines[target.route == ADMIN_SETUP ? LINE_SETUPS : LINE_CALLS], j))
        return HTTP_TAKEN;
    if (j)
        job_free(j);
    return answer_now(response, 503, busy, cors_busy, 2);
}

/* A gateway's 4xx are all 400 BadRequest, its 5xx InternalFailure. */
static bool dress(void *self, ss_str path, uint32_t status, const char *json, char *text, size_t size,
                  ss_response *response)
{
    static const char key[] = "\"error_detail\":";
    const desk *d = self;
    admin_target target;
    const char *detail = strstr(json, key);
    bool ours = status >= 500;
    if (!detail || !admin_route_of(d->stage_str, path, SS_LIT("GET"), &target))
        return false;
    detail += sizeof key - 1;
    int len = snprintf(text, size, "{\"error\":\"%s\",\"error_detail\":%.*s",
                       ours ? "InternalFailure" : "BadRequest", (int)strcspn(detail, "\n"), detail);
    if (len < 0 || (size_t)len >= size)
        return false;
    (void)answer_now(response, ours ? status : 400, text, ours ? cors_busy : cors_any, ours ? 2 : 1);
    return true;
}

/* ---- the API's questions ---- */

static int64_t bearer(void *arg, char *out, size_t size, ss_error *err)
{
    const desk *d = arg;
    const ss_config *node = node_get(d->blob, "server.applications.api.bearer_token");
    int64_t len = node ? node_secret(node, "", out, size, err) : 0;
    return len > 0 && (size_t)len > size ? ss_fail(err, -1, "longer than %u bytes", ADMIN_TOKEN_MAX) : len;
}

static int32_t set_up(void *arg, ss_error *err)
{
    const desk *d = arg;
    ss_str name = node_str(d->blob, "warehouse");
    char ask[CONTROL_REQUEST_MAX];
    buf answer;
    if (name.len == 0 || ss_eq(node_str(d->blob, "server.mode"), SS_LIT("data-lake")))
        return SS_DECLINE;
    (void)snprintf(ask, sizeof ask, "module %.64s setup", name.ptr);
    buf_init(&answer, CONTROL_ANSWER_MAX + 1);
    int rc = control_ask_long(node_str(d->blob, "data_dir").ptr, ask,
                              SETUP_DEADLINE_S * 1000 + SETUP_SLACK_MS, &d->stopping, &answer, err);
    if (rc > 0)
        (void)ss_fail(err, SS_RETRY, "module %.64s: %.300s", name.ptr, buf_text(&answer));
    buf_fini(&answer);
    return rc == 0 ? SS_OK : SS_RETRY;
}

/* ---- life ---- */

desk *desk_new(ss_config *blob, store *s, ss_error *err)
{
    desk *d = calloc(1, sizeof *d);
    if (!d) {
        node_free(blob);
        (void)ss_fail(err, SS_LIMIT, "out of memory");
        return NULL;
    }
    const ss_config *api = node_get(blob, "server.applications.api");
    d->blob = blob;
    d->store = s;
    d->http = (http_desk){.self = d, .take = take, .dress = dress};
    (void)snprintf(d->stage, sizeof d->stage, "/%s", node_str(api, "stage").ptr);
    d->stage_str = ss_cstr(d->stage);
    const admin_options options = {.store = s,
                                   .stage = d->stage,
                                   .region = node_str(api, "region").ptr,
                                   .skew_ms = node_int(api, "clock_skew_ms"),
                                   .refuse_replays = node_int(api, "refuse_replays") != 0,
                                   .token = bearer,
                                   .setup = set_up,
                                   .arg = d};
    d->keys = keyring_new();
    d->api = admin_new(&options);
    if (d->keys && d->api && line_start(d, &d->lines[LINE_CALLS], DESK_CALLS_MAX, line_run) &&
        line_start(d, &d->lines[LINE_SETUPS], DESK_SETUPS_MAX, line_run))
        return d;
    (void)ss_fail(err, SS_LIMIT, "the admin API: out of memory, or no thread to be had");
    desk_free(d);
    return NULL;
}

const http_desk *desk_http(desk *d)
{
    return &d->http;
}

void desk_stopping(desk *d)
{
    if (d)
        atomic_store(&d->stopping, true);
}

void desk_end(desk *d)
{
    desk_stopping(d);
    for (size_t i = 0; d && i < LINES; i++)
        line_end(&d->lines[i]);
}

void desk_free(desk *d)
{
    if (!d)
        return;
    desk_end(d);
    admin_free(d->api);
    keyring_free(d->keys);
    node_free(d->blob);
    free(d);
}
