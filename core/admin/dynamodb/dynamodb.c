#include "core/admin/dynamodb/dynamodb.h"

#include <stdlib.h>
#include <time.h>

#define ATTEMPTS   5u
#define ATTEMPT_MS 3000

enum store_status dynamodb_no_memory(ss_error *err)
{
    (void)ss_fail(err, 0, "DynamoDB: out of memory");
    err->code = STORE_FAILED;
    return STORE_FAILED;
}

/* ---- calls ---- */

static enum store_status status_of(enum aws_result result)
{
    static const enum store_status statuses[] = {STORE_OK,   STORE_AWAY,   STORE_BUSY,
                                                 STORE_AWAY, STORE_FAILED, STORE_CONFLICT};
    return statuses[result];
}

static const char *remedy_of(const aws_reply *reply)
{
    if (strcmp(reply->code, "ResourceNotFoundException") == 0)
        return "; server.applications.dynamodb names the tables and the region: `streamsteam app setup` "
               "makes "
               "tables that are missing";
    return reply->result == AWS_AUTH ? "; check the credentials and what they may do with both tables" : "";
}

static enum store_status judge(const aws_reply *reply, json_t **answer, char code[DYNAMODB_CODE_MAX],
                               ss_error *err)
{
    json_error_t why;
    if (code)
        (void)snprintf(code, DYNAMODB_CODE_MAX, "%s", reply->code);
    json_t *tree = json_loadb(reply->body.ptr ? reply->body.ptr : "", reply->body.len, 0, &why);
    if (answer)
        *answer = json_is_object(tree) ? json_incref(tree) : NULL;
    bool good = json_is_object(tree);
    json_decref(tree);
    if (reply->result != AWS_OK) {
        (void)ss_fail(err, 0, "%.400s%s", reply->text, remedy_of(reply));
        err->code = status_of(reply->result);
        return status_of(reply->result);
    }
    if (good)
        return STORE_OK;
    (void)ss_fail(err, 0, "DynamoDB: an answer that is no JSON object");
    err->code = STORE_AWAY;
    return STORE_AWAY;
}

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

enum store_status dynamodb_call(dynamodb *d, const char *operation, json_t *body, json_t **answer,
                                char code[DYNAMODB_CODE_MAX], ss_error *err)
{
    if (answer)
        *answer = NULL;
    if (code)
        *code = '\0';
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    aws_call *call = text ? aws_json(d->aws, AWS_DYNAMODB, operation, ss_cstr(text),
                                     now_us() + REMOTE_CALL_MS * 1000LL, NULL)
                          : NULL;
    enum store_status status = call ? judge(aws_wait(call), answer, code, err) : dynamodb_no_memory(err);
    aws_call_free(call); /* it borrows the text */
    if (text)
        explicit_bzero(text, strlen(text)); /* keys */
    free(text);
    if (status != STORE_OK && answer && *answer && !code) {
        json_decref(*answer);
        *answer = NULL;
    }
    return status;
}

/* ---- life ---- */

static void *open_dynamodb(const remote_options *options, ss_error *err)
{
    dynamodb *d = calloc(1, sizeof *d);
    if (!d) {
        (void)dynamodb_no_memory(err);
        return NULL;
    }
    d->options = *options;
    aws_settings settings = {.region = ss_cstr(options->region),
                             .endpoint = ss_cstr(options->endpoint),
                             .profile = ss_cstr(options->profile),
                             .max_attempts = ATTEMPTS,
                             .timeout_ms = ATTEMPT_MS};
    d->aws = aws_client_new(&settings, err);
    if (d->aws)
        return d;
    free(d);
    return NULL;
}

static void close_dynamodb(void *self)
{
    dynamodb *d = self;
    aws_client_free(d->aws);
    free(d);
}

extern const remote_ops store_remote_ops;
__attribute__((visibility("default"))) const remote_ops store_remote_ops = {
    .version = SS_VERSION,
    .open = open_dynamodb,
    .close = close_dynamodb,
    .put_app = dynamodb_put_app,
    .set_app = dynamodb_set_app,
    .drop_app = dynamodb_drop_app,
    .put_key = dynamodb_put_key,
    .set_key = dynamodb_set_key,
    .drop_key = dynamodb_drop_key,
    .each_app = dynamodb_each_app,
    .each_key = dynamodb_each_key,
    .check = dynamodb_check,
    .setup = dynamodb_setup,
};
