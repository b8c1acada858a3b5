#include "modules/spark/aws_base.h"

static bool take(const ss_host *h, const ss_config *cfg, const char *option, char out[AWS_ID_MAX],
                 ss_error *err)
{
    if (!option)
        return true;
    ss_str text = h->cfg_str(cfg, option);
    if (!text.len || text.len >= AWS_ID_MAX)
        return ss_fail(err, SS_REJECT, "%s is missing: this target needs it", option), false;
    memcpy(out, text.ptr, text.len);
    return true;
}

aws_base *aws_base_new(const spark_target *t, const ss_config *cfg, const char *id_option,
                       const char *role_option, ss_error *err)
{
    aws_base *b = calloc(1, sizeof *b);
    if (!b)
        return ss_fail(err, SS_RETRY, "no memory"), NULL;
    b->body.limit = b->path.limit = BODY_MAX;
    aws_settings settings = aws_settings_of(&b->origin, t->host, cfg);
    if (take(t->host, cfg, id_option, b->id, err) && take(t->host, cfg, role_option, b->role, err) &&
        (b->client = aws_client_new(&settings, err)) != NULL)
        return b;
    free(b);
    return NULL;
}

void aws_base_free(spark_target *t)
{
    aws_base *b = t->self;
    aws_client_free(b->client);
    grow_free(&b->body);
    grow_free(&b->path);
    free(b);
}

int32_t aws_base_check(spark_target *t, ss_error *err)
{
    return aws_connect(((aws_base *)t->self)->client, err);
}

aws_call *aws_base_json(spark_target *t, const aws_service *service, const char *operation)
{
    aws_base *b = t->self;
    if (b->body.full)
        return NULL;
    char target[96];
    (void)snprintf(target, sizeof target, "%s.%s", service->target, operation);
    /* Once: a repeat by the client would be a second run where the first was carried out unseen. */
    const ss_pair headers[] = {{.key = SS_LIT("Content-Type"), .value = SS_LIT("application/x-amz-json-1.1")},
                               {.key = SS_LIT("X-Amz-Target"), .value = ss_cstr(target)}};
    aws_request request = {.service = service,
                           .method = SS_LIT("POST"),
                           .path = SS_LIT("/"),
                           .headers = headers,
                           .header_count = 2,
                           .body = grow_str(&b->body),
                           .timeout_ms = CALL_MS,
                           .flags = AWS_ONCE};
    aws_call *call = aws_start(b->client, &request);
    if (call)
        (void)aws_wait(call);
    return call;
}

enum answer aws_base_refused(spark_run *r, const aws_reply *reply)
{
    if (reply->unknown)
        return run_says(r, RUN_UNKNOWN, "%.300s", reply->text);
    switch (reply->result) {
    case AWS_RETRY:
    case AWS_THROTTLE:
        return run_says(r, RUN_BUSY, "%.300s", reply->text);
    case AWS_AUTH:
        return run_says(r, RUN_PAUSE, "%.300s", reply->text);
    default:
        return run_says(r, RUN_FAILED, "%.300s", reply->text);
    }
}

enum answer aws_base_silent(spark_run *r, const aws_reply *reply)
{
    return run_says(r, reply->result == AWS_POISON ? RUN_LOST : RUN_UNKNOWN, "%.300s", reply->text);
}
