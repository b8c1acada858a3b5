/* Amazon EMR on EC2: a step of a running cluster. AddJobFlowSteps has no token: the run's name is the step's,
   and ListSteps is asked before anything is sent again. */
#include "modules/spark/aws_base.h"
#include "plugins/common/fault.h"

static void put_cluster(aws_base *b, const char *member)
{
    grow_clear(&b->body);
    (void)grow_puts(&b->body, "{");
    json_pair(&b->body, member, ss_cstr(b->id));
}

static void emr_open(aws_base *b, const spark_run *r)
{
    (void)r;
    put_cluster(b, "ClusterId");
}

static enum answer emr_submit(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    size_t count;
    put_cluster(b, "JobFlowId");
    (void)grow_puts(&b->body, ",\"Steps\":[{");
    json_pair(&b->body, "Name", ss_cstr(r->name));
    (void)grow_puts(&b->body,
                    ",\"ActionOnFailure\":\"CONTINUE\",\"HadoopJarStep\":{\"Jar\":\"command-runner.jar\","
                    "\"Args\":[\"spark-submit\",\"--deploy-mode\",\"cluster\",");
    if (!run_command(t, r, true, &b->body, &count))
        return run_says(r, RUN_FAILED, "its arguments are too many or too long");
    (void)grow_puts(&b->body, "]}}]}");
    aws_call *call = aws_base_json(t, AWS_EMR, "AddJobFlowSteps");
    if (!call)
        return run_says(r, RUN_BUSY, "no memory");
    FAULT_POINT("spark.answered");
    const aws_reply *reply = aws_reply_of(call);
    enum answer a = RUN_STARTED;
    if (strcmp(reply->code, "InvalidRequestException") == 0) /* no such cluster, or it takes no steps now */
        a = run_says(r, RUN_PAUSE, "%.300s", reply->text);
    else if (reply->result != AWS_OK)
        a = aws_base_refused(r, reply);
    else {
        const char *at = memmem(reply->body.ptr, reply->body.len, "\"s-", 3);
        const char *end =
            at ? memchr(at + 1, '"', reply->body.len - (size_t)(at + 1 - reply->body.ptr)) : NULL;
        if (end && (size_t)(end - at) < sizeof r->ext)
            (void)snprintf(r->ext, sizeof r->ext, "%.*s", (int)(end - at - 1), at + 1);
        else
            a = run_says(r, RUN_UNKNOWN, "EMR's answer names no step");
    }
    aws_call_free(call);
    return a;
}

static aws_call *emr_ask(spark_target *t, const spark_run *r)
{
    aws_base *b = t->self;
    emr_open(b, r);
    (void)grow_puts(&b->body, ",");
    json_pair(&b->body, "StepId", ss_cstr(r->ext));
    (void)grow_puts(&b->body, "}");
    return aws_base_json(t, AWS_EMR, "DescribeStep");
}

static void emr_end(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    emr_open(b, r);
    (void)grow_puts(&b->body, ",\"StepIds\":[");
    json_text(&b->body, ss_cstr(r->ext));
    (void)grow_puts(&b->body, "],\"StepCancellationOption\":\"TERMINATE_PROCESS\"}");
    aws_call_free(aws_base_json(t, AWS_EMR, "CancelSteps"));
}

static const aws_kind emr = {
    .service = AWS_EMR,
    .what = "step",
    .open = emr_open,
    .ask = emr_ask,
    .asked = "DescribeStep",
    .state = "Step.Status.State",
    .done = "COMPLETED",
    .bad = {"FAILED", "CANCELLED", "INTERRUPTED"},
    .why = {"Step.Status.FailureDetails.Message", "Step.Status.FailureDetails.Reason"},
    .list = "ListSteps",
    .items = "Steps",
    .name = "Name",
    .id = "Id",
    .token = "Marker",
    .page = "",
};

bool target_emr(spark_target *t, const ss_config *cfg, ss_error *err)
{
    t->submit = emr_submit;
    t->end = emr_end;
    return aws_base_make(t, &emr, cfg, "emr.cluster", NULL, err);
}
