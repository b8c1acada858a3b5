/* Amazon EMR Serverless: a job run of an application. StartJobRun has a token, which is the run's name:
   sending it again gives the same run back. */
#include <ctype.h>

#include "modules/spark/aws_base.h"
#include "plugins/common/fault.h"

static aws_call *call_it(spark_target *t, const char *method, const char *run)
{
    aws_base *b = t->self;
    grow_clear(&b->path);
    (void)grow_puts(&b->path, "/applications/");
    (void)grow_puts(&b->path, b->id);
    (void)grow_puts(&b->path, "/jobruns");
    if (*run) {
        (void)grow_puts(&b->path, "/");
        (void)grow_puts(&b->path, run);
    }
    const ss_pair header = {.key = SS_LIT("Content-Type"), .value = SS_LIT("application/json")};
    aws_request request = {.service = AWS_EMR_SERVERLESS,
                           .method = ss_cstr(method),
                           .path = grow_str(&b->path),
                           .headers = &header,
                           .header_count = 1,
                           .body = grow_str(&b->body),
                           .timeout_ms = CALL_MS,
                           .flags = AWS_ONCE};
    aws_call *call = b->body.full || b->path.full ? NULL : aws_start(b->client, &request);
    if (call)
        (void)aws_wait(call);
    return call;
}

/* sparkSubmitParameters is one text that is split at white space; what has some is put into quotes. */
static bool put_parameters(spark_target *t, const spark_run *r, grow *out)
{
    grow words = {.limit = JOB_ARGS_BYTES}, text = {.limit = JOB_ARGS_BYTES};
    size_t count;
    spark_job options = *r->job;
    spark_run only_options = *r;
    options.args = NULL;
    only_options.job = &options;
    bool good = run_command(t, &only_options, false, &words, &count);
    const char *word = words.at;
    /* Without --name RUN in front and the file behind. */
    for (size_t i = 0; good && i + 1 < count; i++, word += strlen(word) + 1) {
        bool spaced = word[strcspn(word, " \t\n")] != '\0';
        if (i < 2)
            continue;
        (void)grow_puts(&text, text.len ? " " : "");
        (void)grow_puts(&text, spaced ? "\"" : "");
        (void)grow_puts(&text, word);
        (void)grow_puts(&text, spaced ? "\"" : "");
    }
    if (text.len) {
        (void)grow_puts(out, ",");
        json_pair(out, "sparkSubmitParameters", grow_str(&text));
    }
    good = good && !text.full && !out->full;
    grow_free(&words);
    grow_free(&text);
    return good;
}

static bool put_body(spark_target *t, const spark_run *r)
{
    aws_base *b = t->self;
    grow *out = &b->body;
    char minutes[48];
    grow_clear(out);
    (void)grow_puts(out, "{");
    json_pair(out, "clientToken", ss_cstr(r->name));
    (void)grow_puts(out, ",");
    json_pair(out, "name", ss_cstr(r->name));
    (void)grow_puts(out, ",");
    json_pair(out, "executionRoleArn", ss_cstr(b->role));
    (void)snprintf(minutes, sizeof minutes, ",\"executionTimeoutMinutes\":%lld",
                   (long long)((r->job->timeout_ms + 59999) / 60000));
    (void)grow_puts(out, minutes);
    (void)grow_puts(out, ",\"jobDriver\":{\"sparkSubmit\":{");
    json_pair(out, "entryPoint", r->job->file);
    (void)grow_puts(out, ",\"entryPointArguments\":[");
    bool good = run_arguments(t, r, r->job->args, out);
    (void)grow_puts(out, "]");
    good = good && put_parameters(t, r, out);
    (void)grow_puts(out, "}}}");
    return good && !out->full;
}

static enum answer serverless_submit(spark_target *t, spark_run *r)
{
    if (!put_body(t, r))
        return run_says(r, RUN_FAILED, "its arguments are too many or too long");
    aws_call *call = call_it(t, "POST", "");
    if (!call)
        return run_says(r, RUN_BUSY, "no memory");
    FAULT_POINT("spark.answered_serverless");
    const aws_reply *reply = aws_reply_of(call);
    enum answer a = RUN_STARTED;
    if (reply->result == AWS_CONFLICT) /* it is there, from before the configuration changed */
        a = run_says(r, RUN_LOST, "its token was used with other arguments: %.250s", reply->text);
    else if (reply->result != AWS_OK)
        a = aws_base_refused(r, reply);
    else if (!json_member_text(reply->body, "jobRunId", r->ext, sizeof r->ext))
        a = run_says(r, RUN_UNKNOWN, "the answer names no job run");
    aws_call_free(call);
    return a;
}

/* The token is the look-up. */
static enum answer serverless_find(spark_target *t, spark_run *r)
{
    enum answer a = serverless_submit(t, r);
    return a == RUN_BUSY || a == RUN_PAUSE ? RUN_UNKNOWN : a;
}

static aws_call *serverless_ask(spark_target *t, const spark_run *r)
{
    grow_clear(&((aws_base *)t->self)->body);
    return call_it(t, "GET", r->ext);
}

static void serverless_end(spark_target *t, spark_run *r)
{
    grow_clear(&((aws_base *)t->self)->body);
    aws_call_free(call_it(t, "DELETE", r->ext));
}

static bool id_is_plain(const char *id)
{
    while (isalnum((unsigned char)*id))
        id++;
    return !*id;
}

static const aws_kind serverless = {
    .service = AWS_EMR_SERVERLESS,
    .what = "job run",
    .ask = serverless_ask,
    .asked = "GetJobRun",
    .state = "jobRun.state",
    .done = "SUCCESS",
    .bad = {"FAILED", "CANCELLED"},
    .why = {"jobRun.stateDetails"},
};

bool target_serverless(spark_target *t, const ss_config *cfg, ss_error *err)
{
    t->submit = serverless_submit;
    t->end = serverless_end;
    if (!aws_base_make(t, &serverless, cfg, "emr_serverless.application", "emr_serverless.role", err))
        return false;
    t->find = serverless_find;
    t->settle_ms = 0; /* the token is the proof */
    if (id_is_plain(((aws_base *)t->self)->id))
        return true;
    aws_base_free(t);
    return ss_fail(err, SS_REJECT, "emr_serverless.application: an id has letters and digits only"), false;
}
