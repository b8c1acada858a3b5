/* Calls: started, tried again, ended. */
#include <stdlib.h>

#include "plugins/common/aws/client.h"

#define TURN_MS 1000 /* a poll looks at the deadlines at least so often */

/* ---- lists ---- */

static void link_call(aws_client *c, aws_call *call)
{
    call->prev = c->last;
    *(c->last ? &c->last->next : &c->calls) = call;
    c->last = call;
    c->open++;
}

static void unqueue(aws_client *c, const aws_call *call)
{
    aws_call *before = NULL;
    for (aws_call *at = c->first_done; at; before = at, at = at->next_done) {
        if (at != call)
            continue;
        *(before ? &before->next_done : &c->first_done) = at->next_done;
        if (c->last_done == at)
            c->last_done = before;
        c->done--;
        return;
    }
}

static void done(aws_call *call)
{
    aws_client *c = call->client;
    *(c->last_done ? &c->last_done->next_done : &c->first_done) = call;
    c->last_done = call;
    c->done++;
    c->open--;
    call->state = CALL_DONE;
}

/* ---- ending ---- */

static void describe(aws_call *call)
{
    const aws_service *service = call->request.service;
    const aws_error *e = &call->error;
    char request[128] = "";
    if (*e->request_id)
        (void)snprintf(request, sizeof request, " (request %s)", e->request_id);
    int path = call->request.path.len < 100 ? (int)call->request.path.len : 100;
    (void)snprintf(call->text, sizeof call->text, "%s %.*s: %s%s%s%s", service->name,
                   *call->operation ? (int)strlen(call->operation) : path,
                   *call->operation ? call->operation : call->request.path.ptr, e->code,
                   *e->code && *e->message ? ": " : "", e->message, request);
}

void aws_call_end(aws_call *call, enum aws_result result)
{
    aws_reply *r = &call->reply;
    r->result = result;
    r->code = call->error.code;
    r->message = call->error.message;
    r->request_id = call->error.request_id;
    r->text = call->text;
    r->user = call->request.user;
    if (result != AWS_OK)
        describe(call);
    done(call);
}

static void end_with(aws_call *call, enum aws_result result, const char *message)
{
    call->error.code[0] = '\0';
    (void)snprintf(call->error.message, sizeof call->error.message, "%.300s", message);
    aws_call_end(call, result);
}

static enum aws_result result_of(int32_t status)
{
    return status == SS_RETRY ? AWS_RETRY : AWS_AUTH;
}

/* ---- sending ---- */

static int64_t attempt_ms(const aws_call *call, int64_t now_ms)
{
    const aws_settings *s = &call->client->settings;
    int64_t ms = call->request.timeout_ms ? call->request.timeout_ms : s->timeout_ms;
    ms = ms > 0 ? ms : 30000;
    if (call->deadline_ms && call->deadline_ms - now_ms < ms)
        ms = call->deadline_ms - now_ms;
    return ms > 0 ? ms : 1;
}

static void send_now(aws_call *call, int64_t now_ms)
{
    aws_client *c = call->client;
    ss_error err = {.struct_size = sizeof err};
    bool is_signed = !(call->request.flags & AWS_UNSIGNED);
    int32_t rc = is_signed ? aws_keys_ready(c, &err) : SS_OK;
    if (rc != SS_OK) {
        end_with(call, result_of(rc), err.text);
        return;
    }
    const aws_request *r = &call->request;
    const aws_message m = {r->service,      r->method,      r->path,    r->query,       r->body,
                           r->payload_hash, r->host_prefix, r->headers, r->header_count};
    const aws_send how = {.http = c->http,
                          .endpoint = call->endpoint,
                          .region = c->place.region,
                          .keys = is_signed ? &c->keys.now.text : NULL,
                          .now_us = aws_now_us(c) + c->skew_us,
                          .connect_timeout_ms = c->settings.connect_timeout_ms,
                          .timeout_ms = attempt_ms(call, now_ms),
                          .max_body = r->max_body ? r->max_body : AWS_BODY_MAX,
                          .user = call};
    http_call_free(call->http);
    call->http = aws_send_message(&m, &how);
    call->keys_generation = c->keys.generation;
    if (!call->http) {
        end_with(call, AWS_POISON,
                 "the request passes a limit of signing (headers, query, path), or memory is short");
        return;
    }
    call->state = CALL_FLYING;
    call->reply.attempts++;
    c->flying++;
    c->counts.attempts++;
}

/* ---- the public side ---- */

/* Headers and small texts in one piece of memory of the call's. */
static bool copy_request(aws_call *call, const aws_request *r)
{
    ss_str *const texts[] = {&call->request.path, &call->request.query, &call->request.host_prefix,
                             &call->request.payload_hash};
    size_t total = 0, count = sizeof texts / sizeof *texts;
    call->request = *r;
    for (size_t i = 0; i < count; i++)
        total += texts[i]->len;
    for (size_t i = 0; i < r->header_count; i++)
        total += r->headers[i].key.len + r->headers[i].value.len;
    call->texts = malloc(total + 1);
    call->headers = r->header_count ? calloc(r->header_count, sizeof *call->headers) : NULL;
    if (!call->texts || (r->header_count && !call->headers) || r->method.len >= sizeof call->method)
        return false;
    (void)snprintf(call->method, sizeof call->method, "%.*s", (int)r->method.len, r->method.ptr);
    call->request.method = ss_cstr(call->method);
    char *at = call->texts;
    for (size_t i = 0; i < count; i++) {
        at = texts[i]->len ? (char *)memcpy(at, texts[i]->ptr, texts[i]->len) : at;
        texts[i]->ptr = at;
        at += texts[i]->len;
    }
    for (size_t i = 0; i < r->header_count; i++) {
        const ss_pair *h = &r->headers[i];
        memcpy(at, h->key.ptr, h->key.len);
        if (h->value.len)
            memcpy(at + h->key.len, h->value.ptr, h->value.len);
        call->headers[i] = (ss_pair){ss_s(at, h->key.len), ss_s(at + h->key.len, h->value.len)};
        at += h->key.len + h->value.len;
    }
    call->request.headers = call->headers;
    return true;
}

static aws_call *start(aws_client *c, const aws_request *r, const char *operation)
{
    ss_error err = {.struct_size = sizeof err};
    aws_call *call = r->header_count <= AWS_HEADERS_MAX ? calloc(1, sizeof *call) : NULL;
    if (!call)
        return NULL;
    call->client = c;
    call->operation = operation;
    link_call(c, call);
    if (!copy_request(call, r)) {
        aws_call_free(call);
        return NULL;
    }
    if (r->deadline_us) {
        int64_t left_us = r->deadline_us - aws_now_us(c);
        call->deadline_ms = http_now_ms() + (left_us > 0 ? left_us / 1000 : 0);
    }
    if (aws_endpoint(c, r->service, call->endpoint, sizeof call->endpoint, &err) != SS_OK)
        end_with(call, AWS_AUTH, err.text);
    return call;
}

aws_call *aws_start(aws_client *c, const aws_request *r)
{
    return start(c, r, "");
}

aws_call *aws_json(aws_client *c, const aws_service *service, const char *operation, ss_str body,
                   int64_t deadline_us, void *user)
{
    char target[160];
    (void)snprintf(target, sizeof target, "%s.%s", service->target ? service->target : "", operation);
    const ss_pair headers[] = {{SS_LIT("content-type"), service->protocol == AWS_JSON_1_0
                                                            ? SS_LIT("application/x-amz-json-1.0")
                                                            : SS_LIT("application/x-amz-json-1.1")},
                               {SS_LIT("x-amz-target"), ss_cstr(target)}};
    const aws_request r = {.service = service,
                           .method = SS_LIT("POST"),
                           .path = SS_LIT("/"),
                           .headers = headers,
                           .header_count = 2,
                           .body = body,
                           .deadline_us = deadline_us,
                           .user = user};
    return start(c, &r, operation);
}

static void judge_answers(aws_client *c)
{
    for (http_call *http; (http = http_done(c->http)) != NULL;) {
        aws_call *call = http_user(http);
        c->flying--;
        aws_judge(call);
    }
}

/* Sends what is due; how long until the next one is. */
static int64_t send_due(aws_client *c, int64_t most_ms)
{
    int64_t now = http_now_ms();
    for (aws_call *call = c->calls, *next; call; call = next) {
        next = call->next;
        if (call->state != CALL_WAITING)
            continue;
        if (call->deadline_ms && now >= call->deadline_ms) {
            if (!*call->error.message)
                (void)snprintf(call->error.message, sizeof call->error.message,
                               "the deadline came before its turn");
            aws_call_end(call, AWS_RETRY);
        } else if (call->due_ms > now) {
            int64_t until =
                call->deadline_ms && call->deadline_ms < call->due_ms ? call->deadline_ms : call->due_ms;
            most_ms = until - now < most_ms ? until - now : most_ms;
        } else if (c->flying < c->max_in_flight) {
            send_now(call, now);
        }
    }
    return most_ms;
}

size_t aws_poll(aws_client *c, int64_t timeout_ms)
{
    int64_t stop_ms = http_now_ms() + (timeout_ms > 0 ? timeout_ms : 0);
    for (;;) {
        int64_t left = stop_ms - http_now_ms();
        int64_t wait = send_due(c, left < TURN_MS ? left : TURN_MS);
        bool idle = c->flying == 0 && c->open == 0;
        http_poll(c->http, c->done || idle || wait < 0 ? 0 : wait);
        judge_answers(c);
        if (c->done || idle || http_now_ms() >= stop_ms)
            return c->done;
    }
}

aws_call *aws_done(aws_client *c)
{
    aws_call *call = c->first_done;
    if (call)
        unqueue(c, call);
    return call;
}

const aws_reply *aws_wait(aws_call *call)
{
    aws_client *c = call->client;
    while (call->state != CALL_DONE) {
        int64_t wait = send_due(c, TURN_MS);
        if (call->state == CALL_DONE)
            break;
        http_poll(c->http, wait);
        judge_answers(c);
    }
    unqueue(c, call);
    return &call->reply;
}

const aws_reply *aws_reply_of(const aws_call *call)
{
    return &call->reply;
}

ss_str aws_header(const aws_call *call, const char *name)
{
    return call->http && call->state == CALL_DONE ? http_header(http_reply_of(call->http), name)
                                                  : ss_s("", 0);
}

int64_t aws_answered_us(const aws_call *call)
{
    return aws_http_date(aws_header(call, "date"));
}

void aws_call_free(aws_call *call)
{
    if (!call)
        return;
    aws_client *c = call->client;
    if (call->state == CALL_DONE)
        unqueue(c, call);
    else
        c->open--;
    if (call->state == CALL_FLYING)
        c->flying--;
    http_call_free(call->http);
    *(call->prev ? &call->prev->next : &c->calls) = call->next;
    *(call->next ? &call->next->prev : &c->last) = call->prev;
    free(call->texts);
    free(call->headers);
    free(call);
}

int32_t aws_status(enum aws_result result)
{
    static const int32_t status[] = {SS_OK, SS_RETRY, SS_THROTTLE, SS_PAUSE, SS_REJECT, SS_RETRY};
    return status[result];
}
