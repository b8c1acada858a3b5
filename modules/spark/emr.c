/* Amazon EMR on EC2: a step of a running cluster. AddJobFlowSteps has no token: the run's name is the step's,
   and ListSteps is asked before anything is sent again. */
#include "modules/spark/aws_base.h"
#include "plugins/common/fault.h"

static void put_id(aws_base *b, const char *member)
{
    grow_clear(&b->body);
    (void)grow_puts(&b->body, "{");
    json_pair(&b->body, member, ss_cstr(b->id));
}

static enum answer emr_submit(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    size_t count;
    put_id(b, "JobFlowId");
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

typedef struct look {
    const char *name;
    char id[AWS_ID_MAX];
} look;

static bool is_step(void *arg, ss_str item)
{
    look *l = arg;
    char name[AWS_ID_MAX];
    if (json_member_text(item, "Name", name, sizeof name) && strcmp(name, l->name) == 0)
        return !json_member_text(item, "Id", l->id, sizeof l->id);
    return true;
}

static enum answer emr_find(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    look l = {.name = r->name};
    char marker[1024] = "";
    for (size_t page = 0; page < PAGES_MAX; page++) {
        put_id(b, "ClusterId");
        if (*marker) {
            (void)grow_puts(&b->body, ",");
            json_pair(&b->body, "Marker", ss_cstr(marker));
        }
        (void)grow_puts(&b->body, "}");
        aws_call *call = aws_base_json(t, AWS_EMR, "ListSteps");
        if (!call)
            return run_says(r, RUN_UNKNOWN, "no memory");
        const aws_reply *reply = aws_reply_of(call);
        if (reply->result != AWS_OK) {
            enum answer a = aws_base_silent(r, reply);
            aws_call_free(call);
            return a;
        }
        bool read = json_each(reply->body, "Steps", is_step, &l);
        if (!json_member_text(reply->body, "Marker", marker, sizeof marker))
            marker[0] = '\0';
        aws_call_free(call);
        if (!read)
            return run_says(r, RUN_UNKNOWN, "ListSteps gave no steps");
        if (l.id[0]) {
            (void)snprintf(r->ext, sizeof r->ext, "%s", l.id);
            return RUN_STARTED;
        }
        if (!*marker)
            return RUN_ABSENT;
    }
    return run_says(r, RUN_UNKNOWN, "the cluster has more than %u pages of steps", PAGES_MAX);
}

static enum answer emr_poll(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    char state[64] = "", why[200] = "";
    put_id(b, "ClusterId");
    (void)grow_puts(&b->body, ",");
    json_pair(&b->body, "StepId", ss_cstr(r->ext));
    (void)grow_puts(&b->body, "}");
    aws_call *call = aws_base_json(t, AWS_EMR, "DescribeStep");
    if (!call)
        return run_says(r, RUN_UNKNOWN, "no memory");
    const aws_reply *reply = aws_reply_of(call);
    enum answer a = RUN_GOING;
    if (reply->result != AWS_OK)
        a = aws_base_silent(r, reply);
    else if (!json_member_text(reply->body, "Step.Status.State", state, sizeof state))
        a = run_says(r, RUN_UNKNOWN, "DescribeStep gave no state");
    else if (strcmp(state, "COMPLETED") == 0)
        a = RUN_DONE;
    else if (strcmp(state, "FAILED") == 0 || strcmp(state, "CANCELLED") == 0 ||
             strcmp(state, "INTERRUPTED") == 0) {
        if (!json_member_text(reply->body, "Step.Status.FailureDetails.Message", why, sizeof why))
            (void)json_member_text(reply->body, "Step.Status.FailureDetails.Reason", why, sizeof why);
        a = run_says(r, RUN_FAILED, "step %s: %s%s%s", r->ext, state, *why ? ": " : "", why);
    }
    aws_call_free(call);
    return a;
}

static void emr_end(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    put_id(b, "ClusterId");
    (void)grow_puts(&b->body, ",\"StepIds\":[");
    json_text(&b->body, ss_cstr(r->ext));
    (void)grow_puts(&b->body, "],\"StepCancellationOption\":\"TERMINATE_PROCESS\"}");
    aws_call_free(aws_base_json(t, AWS_EMR, "CancelSteps"));
}

bool target_emr(spark_target *t, const ss_config *cfg, ss_error *err)
{
    t->self = aws_base_new(t, cfg, "emr.cluster", NULL, err);
    t->poll_ms = AWS_POLL_MS;
    t->settle_ms = AWS_SETTLE;
    t->submit = emr_submit;
    t->find = emr_find;
    t->poll = emr_poll;
    t->end = emr_end;
    t->check = aws_base_check;
    t->free = aws_base_free;
    return t->self != NULL;
}
