#include "core/server/desk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/admin/api.h"
#include "core/admin/keyring.h"
#include "core/base/arena.h"
#include "core/base/log.h"
#include "core/server/control.h"
#include "core/server/setup.h"

#define CALLS_MAX      64u /* that wait; one more is 503 */
#define SETUPS_MAX     4u
#define JOB_BYTES_MAX  (2u * ADMIN_BODY_MAX + 512u * 1024) /* head and body of one request, copied */
#define HEADERS_MAX    SIGV4_HEADERS_MAX
#define STAGE_MAX      66u
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

/* ---- jobs ---- */

typedef struct job {
    struct job *next;
    http_ticket *ticket;
    http_answer *answer; /* made first: a ticket must be given back, memory or not */
    arena memory;
    admin_call call;
    ss_pair headers[HEADERS_MAX];
    bool failed; /* no memory, or more headers than can be signed */
} job;

typedef struct job_line { /* a queue and its thread */
    desk *desk;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    job *first, **last;
    uint32_t count, max;
    bool started, end;
} job_line;

enum { LINE_CALLS = 0, LINE_SETUPS = 1, LINES = 2 };

struct desk {
    ss_config *blob; /* owned */
    admin_api *api;
    store *store;
    keyring *keys;
    http_desk http;
    char stage[STAGE_MAX]; /* "/live" */
    ss_str stage_str;
    job_line lines[LINES];
    _Atomic bool stopping, looked;
};

static ss_str copy(job *j, ss_str text)
{
    char *bytes = text.len ? arena_take(&j->memory, text.len) : NULL;
    j->failed |= text.len && !bytes;
    if (bytes)
        memcpy(bytes, text.ptr, text.len);
    return ss_s(bytes ? bytes : "", bytes ? text.len : 0);
}

static void copy_header(void *arg, ss_str name, ss_str value)
{
    job *j = arg;
    signed_request *w = &j->call.wire;
    if (w->header_count == HEADERS_MAX) {
        j->failed = true;
        return;
    }
    j->headers[w->header_count++] = (ss_pair){copy(j, name), copy(j, value)};
}

static void job_free(job *j)
{
    free(j->answer);
    arena_fini(&j->memory);
    free(j);
}

static job *job_new(const pipeline_request *r, http_ticket *ticket)
{
    const ss_request *q = &r->request;
    job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->ticket = ticket;
    j->answer = calloc(1, sizeof *j->answer);
    j->failed = !j->answer;
    arena_init(&j->memory, JOB_BYTES_MAX);
    j->call =
        (admin_call){.path = copy(j, q->path), .body = copy(j, q->body), .client = copy(j, q->client_ip)};
    j->call.now_us = q->received_us;
    j->call.authorization = copy(j, r->header(r, "Authorization"));
    j->call.wire = (signed_request){.method = copy(j, q->method),
                                    .path = copy(j, r->wire_path),
                                    .query = copy(j, q->raw_query),
                                    .headers = j->headers};
    j->call.wire.body = r->wire_body.ptr ? copy(j, r->wire_body) : j->call.body;
    r->each_header(r, copy_header, j);
    if (!j->failed)
        return j;
    job_free(j);
    return NULL;
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

/* ---- the queues ---- */

static bool line_add(job_line *line, job *j)
{
    (void)pthread_mutex_lock(&line->lock);
    bool room = line->count < line->max;
    if (room) {
        *line->last = j;
        line->last = &j->next;
        line->count++;
        (void)pthread_cond_signal(&line->news);
    }
    (void)pthread_mutex_unlock(&line->lock);
    return room;
}

/* NULL: the end. */
static job *line_take(job_line *line)
{
    (void)pthread_mutex_lock(&line->lock);
    while (!line->first && !line->end)
        (void)pthread_cond_wait(&line->news, &line->lock);
    job *j = line->first;
    if (j) {
        line->first = j->next;
        line->count--;
        if (!line->first)
            line->last = &line->first;
    }
    (void)pthread_mutex_unlock(&line->lock);
    return j;
}

static void read_keys(desk *d)
{
    ss_error err = error_init();
    if (admin_has_store(d->store) && keyring_load(d->keys, store_database(d->store), &err) != STORE_OK)
        log_error("the access keys cannot be read, those known before go on to count: %s", err.text);
}

static void *line_run(void *arg)
{
    job_line *line = arg;
    desk *d = line->desk;
    if (line == &d->lines[LINE_CALLS])
        read_keys(d);
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

static bool line_start(desk *d, size_t i, uint32_t max)
{
    job_line *line = &d->lines[i];
    line->desk = d;
    line->max = max;
    line->last = &line->first;
    (void)pthread_mutex_init(&line->lock, NULL);
    (void)pthread_cond_init(&line->news, NULL);
    line->started = pthread_create(&line->thread, NULL, line_run, line) == 0;
    return line->started;
}

static void line_end(job_line *line)
{
    if (!line->desk)
        return;
    line->desk = NULL;
    (void)pthread_mutex_lock(&line->lock);
    line->end = true;
    (void)pthread_cond_signal(&line->news);
    (void)pthread_mutex_unlock(&line->lock);
    if (line->started)
        (void)pthread_join(line->thread, NULL);
    (void)pthread_cond_destroy(&line->news);
    (void)pthread_mutex_destroy(&line->lock);
}

/* ---- on the event loops ---- */

static bool has_credentials(const pipeline_request *r)
{
    ss_str query = r->request.raw_query;
    return r->header(r, "Authorization").len > 0 ||
           (query.len && memmem(query.ptr, query.len, "X-Amz-Signature=", 16));
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
    if (q->body.len > ADMIN_BODY_MAX)
        return answer_now(response, 400, too_large, cors_any, 1);
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

/* ---- events that are signed ---- */

typedef struct header_list {
    ss_pair pairs[HEADERS_MAX];
    size_t count;
    bool failed;
} header_list;

static void list_header(void *arg, ss_str name, ss_str value)
{
    header_list *l = arg;
    if (l->count < HEADERS_MAX)
        l->pairs[l->count++] = (ss_pair){name, value};
    else
        l->failed = true;
}

static int32_t judge(const desk *d, const signed_request *wire, int64_t now_us, ss_str app, ss_error *err)
{
    sigv4_claim claim;
    iam_key key;
    bool known;
    const char *reason;
    const signature_policy policy = {.region = node_str(d->blob, "server.applications.api.region"),
                                     .now_us = now_us,
                                     .skew_s =
                                         node_int(d->blob, "server.applications.api.clock_skew_ms") / 1000};
    enum signature_result result = signature_read(wire, &claim, &reason);
    if (result != SIGNATURE_GOOD)
        return ss_fail(err, SS_REJECT, "%s", reason);
    bool found = keyring_find(d->keys, claim.access_key, &key, &known);
    if (!known)
        return ss_fail(err, SS_RETRY, "the access keys were not read yet");
    result = signature_check(wire, &claim, found ? &key : NULL, &policy, &reason);
    bool allowed = result == SIGNATURE_GOOD && iam_allows(&key, IAM_EVENTS, app);
    iam_forget(&key);
    if (result != SIGNATURE_GOOD)
        return ss_fail(err, SS_REJECT, "access key %.*s: %s", (int)claim.access_key.len, claim.access_key.ptr,
                       reason);
    return allowed ? SS_OK
                   : ss_fail(err, SS_REJECT, "access key %.*s has no policy events:%.*s",
                             (int)claim.access_key.len, claim.access_key.ptr, (int)app.len, app.ptr);
}

/* request is the first member of the front end's: only requests come here, never messages of pull receivers.
 */
static int32_t verify(void *arg, const ss_request *request,
                      ss_str (*header)(const ss_request *request, const char *name), ss_str app,
                      ss_error *err)
{
    (void)header;
    const pipeline_request *r = pipeline_request_of(request);
    header_list list = {.count = 0};
    if (!r)
        return ss_fail(err, SS_REJECT, "only requests can be signed");
    r->each_header(r, list_header, &list);
    if (list.failed)
        return ss_fail(err, SS_REJECT, "more than %u headers", HEADERS_MAX);
    const signed_request wire = {.method = request->method,
                                 .path = r->wire_path,
                                 .query = request->raw_query,
                                 .body = r->wire_body.ptr ? r->wire_body : request->body,
                                 .headers = list.pairs,
                                 .header_count = list.count};
    return judge(arg, &wire, request->received_us, app, err);
}

authorizer_signature desk_signature(desk *d)
{
    return (authorizer_signature){.arg = d, .verify = verify};
}

void desk_changed(void *arg, const database_change *change)
{
    if (change->kind.len == 0 || ss_eq(change->kind, SS_LIT("iam")))
        read_keys(arg);
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
    if (d->keys && d->api && line_start(d, LINE_CALLS, CALLS_MAX) && line_start(d, LINE_SETUPS, SETUPS_MAX))
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
