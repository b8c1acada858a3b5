/* After an attempt: what it means, and whether it is tried again. */
#include <stdlib.h>

#include "plugins/common/aws/client.h"

#define SKEW_LEAST_US       (60 * 1000000LL) /* a smaller difference is the way, not the clock */
#define RETRY_AFTER_MOST_MS 60000

/* The clock of the service, where it says that ours is wrong and its Date agrees. */
static bool set_clock(aws_call *call, const http_reply *reply)
{
    aws_client *c = call->client;
    int64_t theirs = aws_http_date(http_header(reply, "date"));
    if (call->clock_set || !theirs)
        return false;
    int64_t skew = theirs - aws_now_us(c), change = skew - c->skew_us;
    if (change < SKEW_LEAST_US && change > -SKEW_LEAST_US)
        return false;
    c->skew_us = skew;
    call->clock_set = true;
    aws_log(
        c, SS_WARNING,
        "the clock of this machine is %lld s %s AWS's: requests are signed with AWS's time; set the clock",
        (long long)((skew < 0 ? -skew : skew) / 1000000), skew < 0 ? "ahead of" : "behind");
    return true;
}

static int64_t asked_wait(const http_reply *reply)
{
    ss_str ms = http_header(reply, "x-amz-retry-after"), s = http_header(reply, "retry-after");
    char text[16];
    ss_str from = ms.len ? ms : s;
    if (!from.len || from.len >= sizeof text)
        return 0;
    memcpy(text, from.ptr, from.len);
    text[from.len] = '\0';
    char *rest = text;
    long long value = strtoll(text, &rest, 10);
    if (*rest || value < 0 || value > RETRY_AFTER_MOST_MS)
        return *rest || value < 0 ? 0 : RETRY_AFTER_MOST_MS;
    value = ms.len ? value : value * 1000;
    return value < RETRY_AFTER_MOST_MS ? value : RETRY_AFTER_MOST_MS;
}

static enum aws_result classify_failure(aws_call *call, const http_reply *reply)
{
    const char *what = reply->failure == HTTP_TIMEOUT && reply->sent ? "no answer in time: " : "";
    call->error = (aws_error){.code = ""};
    (void)snprintf(call->error.message, sizeof call->error.message, "%s%s (%.150s)", what, reply->problem,
                   call->endpoint);
    if (reply->sent && reply->failure != HTTP_TOO_LARGE)
        call->reply.unknown = true;
    if (reply->failure == HTTP_TOO_LARGE)
        return AWS_POISON;
    return reply->failure == HTTP_TLS || reply->failure == HTTP_BROKEN ? AWS_AUTH : AWS_RETRY;
}

static enum aws_result classify_answer(aws_call *call, const http_reply *reply)
{
    const aws_service *service = call->request.service;
    bool good = reply->status >= 200 && reply->status < 300;
    call->error = (aws_error){.code = ""};
    call->reply.status = reply->status;
    call->reply.body = reply->body;
    call->reply.retry_after_ms = asked_wait(reply);
    if (good && !aws_error_inside(service, reply))
        return AWS_OK;
    aws_error_read(&call->error, service, reply);
    enum aws_result result = aws_classify(reply->status, ss_cstr(call->error.code));
    if (good) { /* an error after "200", or a body that ends too early */
        call->reply.unknown = true;
        result = *call->error.code ? aws_classify(500, ss_cstr(call->error.code)) : AWS_RETRY;
        if (!*call->error.code)
            (void)snprintf(call->error.message, sizeof call->error.message, "the answer is not whole");
    } else if (reply->status >= 500 && result == AWS_RETRY) {
        call->reply.unknown = true;
    }
    if (!*call->error.code && !*call->error.message)
        (void)snprintf(call->error.message, sizeof call->error.message, "status %u from %.150s",
                       reply->status, call->endpoint);
    return result;
}

static void again(aws_call *call, int64_t wait_ms)
{
    call->state = CALL_WAITING;
    call->due_ms = http_now_ms() + wait_ms;
    call->client->counts.retries++;
}

static bool time_left(const aws_call *call, int64_t wait_ms)
{
    return !call->deadline_ms || http_now_ms() + wait_ms < call->deadline_ms;
}

static bool try_again(aws_call *call, enum aws_result result, bool timeout)
{
    aws_client *c = call->client;
    int64_t wait = aws_backoff_ms(call->reply.attempts, result == AWS_THROTTLE);
    if (call->reply.retry_after_ms > wait)
        wait = call->reply.retry_after_ms;
    if ((call->request.flags & AWS_ONCE) || call->reply.attempts >= c->max_attempts || !time_left(call, wait))
        return false;
    uint32_t taken = aws_quota_take(&c->quota, timeout);
    if (!taken)
        return false;
    call->quota = taken;
    again(call, wait);
    return true;
}

void aws_judge(aws_call *call)
{
    aws_client *c = call->client;
    const http_reply *reply = http_reply_of(call->http);
    bool answered = reply->failure == HTTP_FINE;
    enum aws_result result = answered ? classify_answer(call, reply) : classify_failure(call, reply);
    c->counts.throttled += result == AWS_THROTTLE;
    c->counts.timeouts += reply->failure == HTTP_TIMEOUT;
    if (result == AWS_OK) {
        c->counts.unknown += call->reply.unknown;
        aws_quota_give(&c->quota, call->quota);
        aws_call_end(call, result);
        return;
    }
    /* These two are not the service's load: no quota, no wait, once a call. Even for AWS_ONCE: it was
     * refused. */
    if (answered && aws_code_is_about_clock(call->error.code, call->error.message) &&
        set_clock(call, reply)) {
        again(call, 0);
        return;
    }
    if (answered && aws_code_is_about_keys(call->error.code) && !call->keys_renewed) {
        call->keys_renewed = true;
        if (aws_keys_again(c, call->keys_generation)) {
            again(call, 0);
            return;
        }
    }
    bool retry = result == AWS_RETRY || result == AWS_THROTTLE;
    if (retry && try_again(call, result, reply->failure == HTTP_TIMEOUT))
        return;
    c->counts.unknown += call->reply.unknown;
    aws_call_end(call, result);
}
