/* AWS Glue: a run of a job that exists. StartJobRun has no token: the run's name is its argument
   --streamsteam_run, and GetJobRuns is asked before anything is sent again. */
#include "modules/spark/aws_base.h"
#include "plugins/common/fault.h"

#define RUN_ARGUMENT "--streamsteam_run"

static void glue_open(aws_base *b, const spark_run *r)
{
    grow_clear(&b->body);
    (void)grow_puts(&b->body, "{");
    json_pair(&b->body, "JobName", r->job->file);
}

typedef struct pairs {
    grow *out;
    size_t count;
} pairs;

static bool put_word(void *arg, ss_str item)
{
    pairs *p = arg;
    (void)grow_puts(p->out, p->count++ % 2 ? ":" : ",");
    return grow_put(p->out, item);
}

/* ["--key","value",...] as the members of an object. */
static bool put_arguments(spark_target *t, const spark_run *r, grow *out)
{
    grow list = {.limit = JOB_ARGS_BYTES};
    pairs p = {.out = out};
    (void)grow_puts(&list, "[");
    bool good = run_arguments(t, r, r->job->args, &list) && grow_puts(&list, "]") &&
                json_each(grow_str(&list), "", put_word, &p);
    grow_free(&list);
    return good && p.count % 2 == 0 && !out->full;
}

static enum answer glue_submit(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    glue_open(b, r);
    (void)grow_puts(&b->body, ",\"Arguments\":{");
    json_pair(&b->body, RUN_ARGUMENT, ss_cstr(r->name));
    if (!put_arguments(t, r, &b->body))
        return run_says(r, RUN_FAILED, "args: Glue takes pairs: [\"--list\", \"{list}\", ...]");
    char minutes[32];
    (void)snprintf(minutes, sizeof minutes, "},\"Timeout\":%lld}",
                   (long long)((r->job->timeout_ms + 59999) / 60000));
    (void)grow_puts(&b->body, minutes);
    aws_call *call = aws_base_json(t, AWS_GLUE, "StartJobRun");
    if (!call)
        return run_says(r, RUN_BUSY, "no memory");
    FAULT_POINT("spark.answered_glue");
    const aws_reply *reply = aws_reply_of(call);
    enum answer a = RUN_STARTED;
    if (strcmp(reply->code, "ConcurrentRunsExceededException") == 0)
        a = run_says(r, RUN_BUSY, "%.300s", reply->text);
    else if (reply->result != AWS_OK)
        a = aws_base_refused(r, reply);
    else if (!json_member_text(reply->body, "JobRunId", r->ext, sizeof r->ext))
        a = run_says(r, RUN_UNKNOWN, "Glue's answer names no run");
    aws_call_free(call);
    return a;
}

static aws_call *glue_ask(spark_target *t, const spark_run *r)
{
    aws_base *b = t->self;
    glue_open(b, r);
    (void)grow_puts(&b->body, ",");
    json_pair(&b->body, "RunId", ss_cstr(r->ext));
    (void)grow_puts(&b->body, "}");
    return aws_base_json(t, AWS_GLUE, "GetJobRun");
}

static void glue_end(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    glue_open(b, r);
    (void)grow_puts(&b->body, ",\"JobRunIds\":[");
    json_text(&b->body, ss_cstr(r->ext));
    (void)grow_puts(&b->body, "]}");
    aws_call_free(aws_base_json(t, AWS_GLUE, "BatchStopJobRun"));
}

static const aws_kind glue = {
    .service = AWS_GLUE,
    .what = "run",
    .by_job = true,
    .open = glue_open,
    .ask = glue_ask,
    .asked = "GetJobRun",
    .state = "JobRun.JobRunState",
    .done = "SUCCEEDED",
    .bad = {"FAILED", "TIMEOUT", "ERROR", "EXPIRED", "STOPPED"},
    .why = {"JobRun.ErrorMessage"},
    .list = "GetJobRuns",
    .items = "JobRuns",
    .name = "Arguments." RUN_ARGUMENT,
    .id = "Id",
    .token = "NextToken",
    .page = ",\"MaxResults\":200",
};

bool target_glue(spark_target *t, const ss_config *cfg, ss_error *err)
{
    t->submit = glue_submit;
    t->end = glue_end;
    return aws_base_make(t, &glue, cfg, NULL, NULL, err);
}
