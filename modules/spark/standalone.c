/* The REST submission server of a standalone Spark master. It has neither tokens nor names; what is known of
   a submission whose answer was lost is on the master's page (/json/): an application of the run's name is
   ours. Without that page such a run is lost, and a person decides. */
#include "modules/spark/http.h"
#include "plugins/common/fault.h"

#define STANDALONE_POLL   3000
#define STANDALONE_SETTLE 60000
#define PYTHON_MAIN       "org.apache.spark.deploy.SparkSubmit"
#define BY_NAME           "application" /* ext of a run that is known by its name alone */

static bool is_python(ss_str file)
{
    return file.len > 3 && memcmp(file.ptr + file.len - 3, ".py", 3) == 0;
}

/* A Python application: the driver is spark-submit itself. */
static bool put_application(spark_target *t, const spark_run *r, grow *out)
{
    http_base *b = t->self;
    bool python = is_python(r->job->file), good;
    size_t count;
    json_pair(out, "appResource", r->job->file);
    (void)grow_puts(out, ",");
    json_pair(out, "mainClass", python ? SS_LIT(PYTHON_MAIN) : r->job->class_name);
    (void)grow_puts(out, ",\"appArgs\":[");
    if (python) {
        (void)grow_puts(out, "\"--master\",");
        json_text(out, ss_cstr(b->master));
        (void)grow_puts(out, ",");
        good = run_command(t, r, true, out, &count);
    } else {
        good = run_arguments(t, r, r->job->args, out);
    }
    return grow_puts(out, "],") && good;
}

static bool put_standalone(spark_target *t, const spark_run *r)
{
    http_base *b = t->self;
    grow *out = &b->body;
    grow_clear(out);
    (void)grow_puts(out, "{\"action\":\"CreateSubmissionRequest\",");
    json_pair(out, "clientSparkVersion", ss_cstr(b->version));
    (void)grow_puts(out, ",");
    bool good = put_application(t, r, out);
    (void)grow_puts(out, "\"environmentVariables\":{\"SPARK_ENV_LOADED\":\"1\"},\"sparkProperties\":");
    good = good && run_properties(t, r, out);
    if (!good || out->full)
        return false;
    out->len--; /* the brace: more properties */
    (void)grow_puts(out, ",");
    json_pair(out, "spark.master", ss_cstr(b->master));
    (void)grow_puts(out, ",\"spark.submit.deployMode\":\"cluster\",\"spark.driver.supervise\":\"false\"");
    if (!is_python(r->job->file)) {
        (void)grow_puts(out, ",");
        json_pair(out, "spark.jars", r->job->file);
    }
    return grow_puts(out, "}}");
}

static enum answer standalone_submit(spark_target *t, spark_run *r)
{
    http_base *b = t->self;
    char success[8];
    if (!put_standalone(t, r))
        return run_says(r, RUN_FAILED, "its arguments are too many or too long");
    http_call *call = http_ask(t, "POST", b->url, "/v1/submissions/create", &b->body);
    if (!call)
        return run_says(r, RUN_BUSY, "no memory");
    FAULT_POINT("spark.answered_standalone");
    const http_reply *reply = http_reply_of(call);
    enum answer a = RUN_STARTED;
    if (!http_good(reply))
        a = http_refused(r, "the master", reply);
    else if (json_member_text(reply->body, "success", success, sizeof success) &&
             strcmp(success, "false") == 0) {
        char why[200] = "";
        (void)json_member_text(reply->body, "message", why, sizeof why);
        a = run_says(r, RUN_BUSY, "the master takes nothing now: %s", why);
    } else if (!json_member_text(reply->body, "submissionId", r->ext, sizeof r->ext) ||
               strpbrk(r->ext, "/?#% "))
        a = run_says(r, RUN_UNKNOWN, "the master's answer names no submission");
    http_call_free(call);
    return a;
}

/* ---- the master's page ---- */

typedef struct look {
    const char *name;
    char state[32];
} look;

static bool is_application(void *arg, ss_str item)
{
    look *l = arg;
    char name[128];
    if (json_member_text(item, "name", name, sizeof name) && strcmp(name, l->name) == 0)
        return !json_member_text(item, "state", l->state, sizeof l->state);
    return true;
}

static enum answer by_name(spark_target *t, spark_run *r, char state[32])
{
    http_base *b = t->self;
    look l = {.name = r->name};
    if (!b->ui[0])
        return run_says(r, RUN_LOST,
                        "the answer to its submission was lost, and standalone.ui, where it could be looked "
                        "up, is not set");
    http_call *call = http_ask(t, "GET", b->ui, "/json/", NULL);
    if (!call)
        return run_says(r, RUN_UNKNOWN, "no memory");
    const http_reply *reply = http_reply_of(call);
    enum answer a = RUN_ABSENT;
    if (!http_good(reply) || !json_each(reply->body, "activeapps", is_application, &l) ||
        (!l.state[0] && !json_each(reply->body, "completedapps", is_application, &l)))
        a = run_says(r, RUN_UNKNOWN, "the master's page does not answer (%u)", reply->status);
    http_call_free(call);
    (void)snprintf(state, 32, "%s", l.state);
    return l.state[0] ? RUN_STARTED : a;
}

static enum answer standalone_find(spark_target *t, spark_run *r)
{
    char state[32];
    enum answer a = by_name(t, r, state);
    if (a == RUN_STARTED)
        (void)snprintf(r->ext, sizeof r->ext, BY_NAME);
    return a;
}

static enum answer judge(spark_run *r, const char *state, const char *why)
{
    static const char *const bad[] = {"FAILED", "KILLED", "ERROR"};
    if (strcmp(state, "FINISHED") == 0)
        return RUN_DONE;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(state, bad[i]) == 0)
            return run_says(r, RUN_FAILED, "%.100s: %s%s%.150s", r->ext, state, *why ? ": " : "", why);
    return RUN_GOING;
}

static enum answer standalone_poll(spark_target *t, spark_run *r)
{
    http_base *b = t->self;
    char path[SPARK_EXT_MAX + 32], state[32] = "", why[200] = "";
    if (strcmp(r->ext, BY_NAME) == 0) {
        enum answer a = by_name(t, r, state);
        return a == RUN_STARTED  ? judge(r, state, why)
               : a == RUN_ABSENT ? run_says(r, RUN_LOST, "the master has forgotten it")
                                 : a;
    }
    (void)snprintf(path, sizeof path, "/v1/submissions/status/%s", r->ext);
    http_call *call = http_ask(t, "GET", b->url, path, NULL);
    if (!call)
        return run_says(r, RUN_UNKNOWN, "no memory");
    const http_reply *reply = http_reply_of(call);
    enum answer a;
    if (!http_good(reply))
        a = http_silent(r, "the master", reply);
    else if (!json_member_text(reply->body, "driverState", state, sizeof state) ||
             strcmp(state, "NOT_FOUND") == 0)
        a = run_says(r, RUN_LOST, "the master does not know %.100s any more: it was started anew", r->ext);
    else {
        (void)json_member_text(reply->body, "message", why, sizeof why);
        a = judge(r, state, why);
    }
    http_call_free(call);
    return a;
}

static void standalone_end(spark_target *t, spark_run *r)
{
    http_base *b = t->self;
    char path[SPARK_EXT_MAX + 32];
    if (strcmp(r->ext, BY_NAME) == 0)
        return;
    (void)snprintf(path, sizeof path, "/v1/submissions/kill/%s", r->ext);
    http_call *call = http_ask(t, "POST", b->url, path, NULL);
    if (call)
        http_call_free(call);
}

static int32_t standalone_check(spark_target *t, ss_error *err)
{
    http_call *call = http_ask(t, "GET", ((http_base *)t->self)->url, "/v1/submissions/status/none", NULL);
    bool good = call && http_reply_of(call)->failure == HTTP_FINE;
    if (call)
        http_call_free(call);
    return good ? SS_OK
                : ss_fail(err, SS_PAUSE, "no REST submission server at %.200s: spark.master.rest.enabled",
                          ((http_base *)t->self)->url);
}

bool target_standalone(spark_target *t, const ss_config *cfg, ss_error *err)
{
    http_base *b = http_base_new(t, cfg, "standalone.url", err);
    t->self = b;
    if (!b)
        return false;
    bool good = http_copy(t->host, cfg, "standalone.ui", b->ui, sizeof b->ui) &&
                http_copy(t->host, cfg, "standalone.master", b->master, sizeof b->master) &&
                http_copy(t->host, cfg, "standalone.version", b->version, sizeof b->version);
    if (!good || !b->master[0]) {
        http_base_free(t);
        return ss_fail(err, SS_REJECT,
                       "standalone.master is missing (spark://host:7077), or a text is too long"),
               false;
    }
    t->poll_ms = STANDALONE_POLL;
    t->settle_ms = STANDALONE_SETTLE;
    t->unsure = true; /* a driver may still wait for a place */
    t->submit = standalone_submit;
    t->find = standalone_find;
    t->poll = standalone_poll;
    t->end = standalone_end;
    t->check = standalone_check;
    t->free = http_base_free;
    return true;
}
