#include "modules/spark/runner.h"

#include <inttypes.h>
#include <limits.h>
#include <unistd.h>

#include "plugins/common/fault.h"

#define ROUND_MAX    256 /* batches that one round looks at */
#define BUSY_WAIT_US 5000000ll
#define PAUSE_US     30000000ll
#define ENDING_MS    300000 /* so long a run past its timeout may take to end; no longer than the timeout */
#define DOUBLINGS    10

static bool keep(runner *r, spark_batch *b, const char *state)
{
    (void)snprintf(b->state, sizeof b->state, "%s", state);
    bool good = spark_batch_put(r->store, b);
    if (!good)
        r->broken = r->stop = true;
    return good;
}

static void explain(spark_batch *b, const char *why)
{
    (void)snprintf(b->reason, sizeof b->reason, "%s", why);
}

static void told(runner *r, int32_t level, const spark_batch *b, const char *what)
{
    char name[SPARK_NAME_MAX + 1];
    spark_run_name(r->store, b, name);
    ss_logf(r->host, level, "spark: %s (job %s, %s%s%s): %s%s%s", name, b->job, b->kind, b->key[0] ? " " : "",
            b->key, what, b->reason[0] ? ": " : "", b->reason);
}

/* ---- the end of a run ---- */

/* Each job that waits for this one gets a batch of the same files, in the same transaction. */
static bool start_followers(runner *r, const spark_batch *b)
{
    for (size_t i = 0; i < r->jobs->count; i++) {
        const spark_job *j = &r->jobs->at[i];
        if (j->on == ON_AFTER && ss_eq(j->after, ss_cstr(b->job)) &&
            !spark_batch_copy(r->store, b, j->name, b->late ? "late" : "after", r->now_us))
            return false;
    }
    return true;
}

static void succeed(runner *r, spark_batch *b)
{
    b->ended_us = r->now_us;
    explain(b, "");
    if (!spark_store_begin(r->store)) {
        r->broken = r->stop = true;
        return;
    }
    if (!start_followers(r, b) || !keep(r, b, "done")) {
        spark_store_undo(r->store);
        r->broken = r->stop = true;
    } else if (spark_store_commit(r->store)) {
        r->done++;
        told(r, SS_INFO, b, "done");
    }
}

static void give_up(runner *r, spark_batch *b, const char *why)
{
    b->ended_us = r->now_us;
    explain(b, why);
    if (!keep(r, b, "failed"))
        return;
    r->failed++;
    char name[SPARK_NAME_MAX + 1];
    spark_run_name(r->store, b, name);
    (void)snprintf(r->last_failed, sizeof r->last_failed, "%s: %s", name, why);
    told(r, SS_ERROR, b, "failed");
}

/* A run is over and did not succeed: its batch gets another one, with a name of its own. */
static void fail_run(runner *r, const spark_job *j, spark_batch *b, const char *why)
{
    if (b->attempt > j->retries) {
        give_up(r, b, why);
        return;
    }
    int64_t doublings = b->attempt - 1 < DOUBLINGS ? b->attempt - 1 : DOUBLINGS;
    b->due_us = r->now_us + (j->backoff_ms * 1000 << doublings);
    b->ext[0] = '\0';
    explain(b, why);
    if (keep(r, b, "waiting")) {
        r->retried++;
        told(r, SS_WARNING, b, "will be run again");
    }
}

/* ---- one run ---- */

typedef struct prepared {
    spark_run run;
    char list[PATH_MAX], seen[PATH_MAX]; /* the list here, and as Spark sees it */
} prepared;

static const spark_job *prepare(runner *r, const spark_batch *b, prepared *p)
{
    memset(p, 0, sizeof *p);
    p->run.batch = b;
    p->run.job = jobs_find(r->jobs, ss_cstr(b->job));
    p->run.list = p->seen;
    spark_batch_name(r->store, b->named, p->run.batch_name);
    spark_run_name(r->store, b, p->run.name);
    (void)snprintf(p->run.ext, sizeof p->run.ext, "%s", b->ext);
    (void)snprintf(p->list, sizeof p->list, "%s/%s.json", r->lists, p->run.batch_name);
    (void)snprintf(p->seen, sizeof p->seen, "%s/%s.json",
                   r->shelf ? r->shelf->base(r->shelf->self) : r->lists, p->run.batch_name);
    return p->run.job;
}

static void started(runner *r, spark_batch *b, const spark_run *run)
{
    (void)snprintf(b->ext, sizeof b->ext, "%s", run->ext);
    explain(b, "");
    if (keep(r, b, "running"))
        told(r, SS_INFO, b, "started");
}

/* Nothing was started: the attempt does not count. */
static void put_back(runner *r, spark_batch *b, const spark_run *run, int64_t wait_us)
{
    b->attempt--;
    b->due_us = r->now_us + wait_us;
    explain(b, run->why);
    (void)keep(r, b, "waiting");
    r->submit_at_us = r->now_us + wait_us;
    r->stop = true;
}

static void take_answer(runner *r, const spark_job *j, spark_batch *b, spark_run *run, enum answer a)
{
    if (a != RUN_PAUSE)
        r->paused[0] = '\0';
    switch (a) {
    case RUN_STARTED:
        started(r, b, run);
        break;
    case RUN_BUSY:
        put_back(r, b, run, BUSY_WAIT_US);
        break;
    case RUN_PAUSE:
        (void)snprintf(r->paused, sizeof r->paused, "%s", run->why);
        put_back(r, b, run, PAUSE_US);
        break;
    case RUN_FAILED:
        fail_run(r, j, b, run->why);
        break;
    default: /* it stays "sending", and is looked up */
        r->unknown++;
        explain(b, run->why);
        if (keep(r, b, "sending"))
            told(r, SS_WARNING, b, "it is not known whether it was started");
    }
}

/* The intent is on the disk before anything leaves. */
static void submit(runner *r, const spark_job *j, spark_batch *b)
{
    prepared p;
    ss_error err = {.struct_size = sizeof err};
    b->attempt++;
    b->sent_us = r->now_us;
    b->ext[0] = '\0';
    (void)prepare(r, b, &p);
    if (!list_write(r, b, p.run.batch_name, p.list, &err)) {
        if (err.code == LIST_HOPELESS) {
            give_up(r, b, err.text);
            return;
        }
        (void)run_says(&p.run, RUN_BUSY, "%s", err.text);
        put_back(r, b, &p.run, BUSY_WAIT_US);
        return;
    }
    FAULT_POINT("spark.before_intent");
    if (!keep(r, b, "sending"))
        return;
    FAULT_POINT("spark.after_intent");
    r->sent++;
    enum answer a = r->target.submit(&r->target, &p.run);
    FAULT_POINT("spark.after_submit");
    take_answer(r, j, b, &p.run, a);
    FAULT_POINT("spark.after_answer");
}

static bool submit_one(void *arg, const spark_batch *found)
{
    runner *r = arg;
    spark_batch b = *found;
    const spark_job *j = jobs_find(r->jobs, ss_cstr(b.job));
    if (j && !r->stop && !r->host->stopping(r->host->self))
        submit(r, j, &b);
    return !r->stop;
}

static int64_t under_way(const runner *r, ss_str job)
{
    return spark_count(r->store, "running", job) + spark_count(r->store, "sending", job);
}

/* Batches of jobs that the configuration no longer has wait until it has them again. */
static void submit_waiting(runner *r)
{
    for (size_t i = 0; i < r->jobs->count && !r->stop && !r->broken; i++) {
        const spark_job *j = &r->jobs->at[i];
        int64_t room = r->concurrency - under_way(r, ss_s("", 0)),
                own = j->concurrency - under_way(r, j->name);
        room = own < room ? own : room;
        if (room > 0)
            r->broken |= !spark_batches(r->store, "waiting", j->name, r->now_us, room, submit_one, r);
    }
}

/* ---- what was under way when somebody was killed, or an answer was lost ---- */

static bool find_one(void *arg, const spark_batch *found)
{
    runner *r = arg;
    spark_batch b = *found;
    prepared p;
    const spark_job *j = prepare(r, &b, &p);
    if (r->broken || r->host->stopping(r->host->self))
        return false;
    if (!j) {
        give_up(r, &b, "the configuration has no such job any more; it is not known whether it ran");
        return true;
    }
    bool settled = r->now_us >= b.sent_us + r->target.settle_ms * 1000;
    enum answer a = r->target.find(&r->target, &p.run);
    FAULT_POINT("spark.after_find");
    if (a == RUN_STARTED)
        started(r, &b, &p.run);
    else if (a == RUN_LOST || (a == RUN_ABSENT && settled && r->target.unsure))
        give_up(
            r, &b,
            p.run.why[0]
                ? p.run.why
                : "the answer to its submission was lost, and it cannot be proved that nothing was started");
    else if (a == RUN_ABSENT && settled) {
        b.attempt--; /* nothing was started under this name: the name may be used again */
        b.due_us = 0;
        (void)keep(r, &b, "waiting");
    } else if (a == RUN_FAILED)
        fail_run(r, j, &b, p.run.why);
    else if (r->now_us >= b.sent_us + j->timeout_ms * 1000)
        give_up(r, &b, "nobody could say for the whole timeout whether it was started");
    return true;
}

static void past(const spark_job *j, const char *what, char out[SPARK_REASON_MAX])
{
    (void)snprintf(out, SPARK_REASON_MAX, "it took longer than its timeout of %" PRId64 " s and %s",
                   j->timeout_ms / 1000, what);
}

static void end_it(runner *r, const spark_job *j, spark_batch *b, spark_run *run)
{
    r->target.end(&r->target, run);
    if (b->reason[0]) /* not for the first time */
        return;
    r->timeouts++;
    past(j, "is being ended", b->reason);
    (void)keep(r, b, "running");
}

/* It is asked to end until the target says that it has: two runs of one batch never go on at a time. What
 * cannot be ended is a person's. */
static void past_timeout(runner *r, const spark_job *j, spark_batch *b, spark_run *run, enum answer a)
{
    int64_t spare_ms = j->timeout_ms < ENDING_MS ? j->timeout_ms : ENDING_MS;
    bool hopeless = r->now_us >= b->sent_us + (j->timeout_ms + spare_ms) * 1000;
    char why[SPARK_REASON_MAX];
    if (b->reason[0] && (a == RUN_FAILED || a == RUN_LOST)) {
        past(j, "was ended", why);
        fail_run(r, j, b, why);
    } else if (a == RUN_FAILED) {
        fail_run(r, j, b, run->why);
    } else if (a == RUN_LOST) {
        give_up(r, b, run->why);
    } else if (hopeless) {
        past(j, a == RUN_GOING ? "could not be ended" : "the target does not answer", why);
        give_up(r, b, why);
    } else if (a == RUN_GOING) {
        end_it(r, j, b, run);
    }
}

static bool poll_one(void *arg, const spark_batch *found)
{
    runner *r = arg;
    spark_batch b = *found;
    prepared p;
    const spark_job *j = prepare(r, &b, &p);
    if (r->broken || r->host->stopping(r->host->self))
        return false;
    enum answer a = r->target.poll(&r->target, &p.run);
    FAULT_POINT("spark.after_poll");
    if (a == RUN_DONE)
        succeed(r, &b);
    else if (j && r->now_us >= b.sent_us + j->timeout_ms * 1000)
        past_timeout(r, j, &b, &p.run, a);
    else if (a == RUN_FAILED && j)
        fail_run(r, j, &b, p.run.why);
    else if (a == RUN_FAILED || a == RUN_LOST)
        give_up(r, &b, p.run.why);
    return true;
}

/* ---- */

void runner_forget(runner *r, const spark_batch *b)
{
    char name[SPARK_NAME_MAX + 1], path[PATH_MAX];
    spark_batch old = *b;
    for (old.attempt = 1; r->target.forget && old.attempt <= b->attempt; old.attempt++) {
        spark_run_name(r->store, &old, name);
        r->target.forget(&r->target, name);
    }
    spark_batch_name(r->store, b->id, name);
    (void)snprintf(path, sizeof path, "%s/%s.json", r->lists, name);
    (void)unlink(path);
}

void runner_step(runner *r, int64_t now_us)
{
    r->now_us = now_us;
    r->stop = r->broken = false;
    if (now_us >= r->poll_at_us) {
        bool read = spark_batches(r->store, "running", ss_s("", 0), INT64_MAX, ROUND_MAX, poll_one, r) &&
                    spark_batches(r->store, "sending", ss_s("", 0), INT64_MAX, ROUND_MAX, find_one, r);
        r->broken = r->broken || !read;
        r->poll_at_us = now_us + r->target.poll_ms * 1000;
    }
    if (now_us >= r->submit_at_us && !r->broken)
        submit_waiting(r);
}
