/* AWS Glue: a run of a job that exists. StartJobRun has no token: the run's name is its argument
   --streamsteam_run, and GetJobRuns is asked before anything is sent again. */
#include "modules/spark/aws_base.h"
#include "plugins/common/fault.h"

#define RUN_ARGUMENT "--streamsteam_run"

static void put_job(aws_base *b, const spark_run *r)
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
    put_job(b, r);
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

typedef struct look {
    const char *name;
    char id[AWS_ID_MAX];
} look;

static bool is_run(void *arg, ss_str item)
{
    look *l = arg;
    char name[AWS_ID_MAX];
    if (json_member_text(item, "Arguments." RUN_ARGUMENT, name, sizeof name) && strcmp(name, l->name) == 0)
        return !json_member_text(item, "Id", l->id, sizeof l->id);
    return true;
}

static enum answer glue_find(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    look l = {.name = r->name};
    char token[4096] = "";
    for (size_t page = 0; page < PAGES_MAX; page++) {
        put_job(b, r);
        if (*token) {
            (void)grow_puts(&b->body, ",");
            json_pair(&b->body, "NextToken", ss_cstr(token));
        }
        (void)grow_puts(&b->body, ",\"MaxResults\":200}");
        aws_call *call = aws_base_json(t, AWS_GLUE, "GetJobRuns");
        if (!call)
            return run_says(r, RUN_UNKNOWN, "no memory");
        const aws_reply *reply = aws_reply_of(call);
        if (reply->result != AWS_OK) {
            enum answer a = aws_base_silent(r, reply);
            aws_call_free(call);
            return a;
        }
        bool read = json_each(reply->body, "JobRuns", is_run, &l);
        if (!json_member_text(reply->body, "NextToken", token, sizeof token))
            token[0] = '\0';
        aws_call_free(call);
        if (!read)
            return run_says(r, RUN_UNKNOWN, "GetJobRuns gave no runs");
        if (l.id[0]) {
            (void)snprintf(r->ext, sizeof r->ext, "%s", l.id);
            return RUN_STARTED;
        }
        if (!*token)
            return RUN_ABSENT;
    }
    return run_says(r, RUN_UNKNOWN, "the job has more than %u pages of runs", PAGES_MAX);
}

static enum answer state_of(spark_run *r, ss_str body)
{
    static const char *const bad[] = {"FAILED", "TIMEOUT", "ERROR", "EXPIRED", "STOPPED"};
    char state[64], why[200] = "";
    if (!json_member_text(body, "JobRun.JobRunState", state, sizeof state))
        return run_says(r, RUN_UNKNOWN, "GetJobRun gave no state");
    if (strcmp(state, "SUCCEEDED") == 0)
        return RUN_DONE;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(state, bad[i]) == 0) {
            (void)json_member_text(body, "JobRun.ErrorMessage", why, sizeof why);
            return run_says(r, RUN_FAILED, "run %.100s: %s%s%s", r->ext, state, *why ? ": " : "", why);
        }
    return RUN_GOING;
}

static enum answer glue_poll(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    put_job(b, r);
    (void)grow_puts(&b->body, ",");
    json_pair(&b->body, "RunId", ss_cstr(r->ext));
    (void)grow_puts(&b->body, "}");
    aws_call *call = aws_base_json(t, AWS_GLUE, "GetJobRun");
    if (!call)
        return run_says(r, RUN_UNKNOWN, "no memory");
    const aws_reply *reply = aws_reply_of(call);
    enum answer a = reply->result == AWS_OK ? state_of(r, reply->body) : aws_base_silent(r, reply);
    aws_call_free(call);
    return a;
}

static void glue_end(spark_target *t, spark_run *r)
{
    aws_base *b = t->self;
    put_job(b, r);
    (void)grow_puts(&b->body, ",\"JobRunIds\":[");
    json_text(&b->body, ss_cstr(r->ext));
    (void)grow_puts(&b->body, "]}");
    aws_call_free(aws_base_json(t, AWS_GLUE, "BatchStopJobRun"));
}

bool target_glue(spark_target *t, const ss_config *cfg, ss_error *err)
{
    t->self = aws_base_new(t, cfg, NULL, NULL, err);
    t->poll_ms = AWS_POLL_MS;
    t->settle_ms = AWS_SETTLE;
    t->submit = glue_submit;
    t->find = glue_find;
    t->poll = glue_poll;
    t->end = glue_end;
    t->check = aws_base_check;
    t->free = aws_base_free;
    return t->self != NULL;
}
