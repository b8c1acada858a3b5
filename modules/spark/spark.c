/* Starts Spark jobs over what the lake has: triggers make batches (trigger.c), batches become runs
   (runner.c), runs go to one of six targets. It reads the lake's manifests; the journal's records only pass
   by. */
#include <limits.h>

#include "modules/spark/runner.h"
#include "modules/spark/trigger.h"
#include "plugins/common/aws/bucket.h"

#define STEP_MS  500
#define PRUNE_US 3600000000ll /* between two looks for what can be forgotten */

typedef struct spark {
    const ss_host *host;
    const ss_config *cfg;
    spark_store *store;
    spark_jobs jobs;
    trigger trigger;
    runner runner;
    ss_timer *timer;
    lake_source shelf;
    char lists[PATH_MAX], files_base[PATH_MAX], problem[SPARK_REASON_MAX];
    struct {
        ss_metric *pruned, *batches, *sent, *done, *failed, *retried, *unknown, *timeouts, *waiting, *running,
            *failures;
    } m;
    uint64_t counted[8];
    spark_pruner pruner;
    int64_t keep_us, prune_us; /* prune_us: when the next look is */
} spark;

static const ss_option item[] = {{.name = "*",
                                  .type = SS_T_OBJECT,
                                  .children = spark_job_options,
                                  .doc = "When a job is started, and what it is started with."},
                                 {.name = NULL}};
static const ss_option local_options[] = {
    {.name = "spark_submit",
     .type = SS_T_STRING,
     .dflt = "spark-submit",
     .doc = "The program, as a path or found in PATH."},
    {.name = "log_bytes",
     .type = SS_T_SIZE,
     .dflt = "1MiB",
     .min = 4096,
     .max = 1LL << 30,
     .doc = "What is kept of a run's output: half from its beginning, half from its end."},
    {.name = NULL}};
static const ss_option emr_options[] = {
    {.name = "cluster", .type = SS_T_STRING, .doc = "The cluster's id, as j-2AXXXXXXGAPLF."}, {.name = NULL}};
static const ss_option serverless_options[] = {
    {.name = "application", .type = SS_T_STRING, .doc = "The application's id."},
    {.name = "role", .type = SS_T_STRING, .doc = "The ARN of the role that runs have."},
    {.name = NULL}};
static const ss_option livy_options[] = {
    {.name = "url", .type = SS_T_URL, .doc = "Livy's address, as http://livy:8998."},
    {.name = "user", .type = SS_T_STRING, .doc = "A user for basic authentication; without it none is sent."},
    {.name = "password", .type = SS_T_STRING, .flags = SS_OPT_SECRET, .doc = "The user's password."},
    {.name = NULL}};
static const ss_option standalone_options[] = {
    {.name = "url",
     .type = SS_T_URL,
     .doc = "The REST submission server, as http://master:6066 (spark.master.rest.enabled)."},
    {.name = "master", .type = SS_T_STRING, .doc = "The master for applications, as spark://master:7077."},
    {.name = "ui",
     .type = SS_T_URL,
     .doc = "The master's page, as http://master:8080, where a run whose answer was lost is looked up; "
            "without it such a run is marked failed."},
    {.name = "version",
     .type = SS_T_STRING,
     .dflt = "4.0.1",
     .doc = "The version that submissions name; the server only compares it."},
    {.name = NULL}};

static const ss_option spark_options[] = {
    {.name = "lake",
     .type = SS_T_PATH,
     .dflt = "lake",
     .doc = "The lake: the `path` of a module lake, a folder or s3://bucket/prefix."},
    {.name = "s3",
     .type = SS_T_OBJECT,
     .children = lake_bucket_options,
     .doc = "How the bucket of `lake` or `lists` is reached."},
    {.name = "files_base",
     .type = SS_T_STRING,
     .doc = "What stands before a file's path in lists where Spark sees the lake elsewhere, as "
            "s3://bucket/prefix; without it the lake's path."},
    {.name = "lists",
     .type = SS_T_PATH,
     .doc = "The folder for the files that name a batch's input, which Spark must see, too, or "
            "s3://bucket/prefix; without it lists/ in the module's own folder."},
    {.name = "target",
     .type = SS_T_ENUM,
     .dflt = "local",
     .choices = "local|emr|emr_serverless|glue|livy|standalone",
     .doc = "Where jobs run."},
    {.name = "jobs",
     .type = SS_T_MAP,
     .flags = SS_OPT_REQUIRED,
     .children = item,
     .min = 1,
     .max = JOBS_MAX,
     .doc = "The jobs by name."},
    {.name = "concurrency",
     .type = SS_T_INT,
     .dflt = "4",
     .min = 1,
     .max = 256,
     .doc = "How many runs are under way at a time, over all jobs."},
    {.name = "poll",
     .type = SS_T_DURATION,
     .dflt = "0s",
     .min = 0,
     .max = 3600000,
     .doc = "How often runs are asked how they fare; 0: as fits the target, 0.5 s to 15 s."},
    {.name = "settle",
     .type = SS_T_DURATION,
     .dflt = "0s",
     .min = 0,
     .max = 3600000,
     .doc = "How long a submission whose answer was lost may still turn up before it counts as not made; 0: "
            "as fits the target, up to 60 s."},
    {.name = "keep",
     .type = SS_T_DURATION,
     .dflt = "400d",
     .min = 0,
     .max = 20LL * 366 * 86400000,
     .doc = "How long ended batches are known, with their files, lists and local logs; what waits or failed "
            "stays. 0: "
            "for ever."},
    {.name = "local", .type = SS_T_OBJECT, .children = local_options, .doc = "spark-submit on this machine."},
    {.name = "emr", .type = SS_T_OBJECT, .children = emr_options, .doc = "Steps of an Amazon EMR cluster."},
    {.name = "emr_serverless",
     .type = SS_T_OBJECT,
     .children = serverless_options,
     .doc = "Job runs of an Amazon EMR Serverless application."},
    {.name = "livy", .type = SS_T_OBJECT, .children = livy_options, .doc = "Batches of Apache Livy."},
    {.name = "standalone",
     .type = SS_T_OBJECT,
     .children = standalone_options,
     .doc = "Spark's own cluster manager, through its REST submission server."},
    AWS_OPTIONS,
    {.name = NULL},
};

/* ---- create ---- */

static bool make_target(spark *s, ss_error *err)
{
    static const struct {
        const char *name;
        bool (*make)(spark_target *t, const ss_config *cfg, ss_error *err);
    } kinds[] = {{"local", target_local}, {"emr", target_emr},   {"emr_serverless", target_serverless},
                 {"glue", target_glue},   {"livy", target_livy}, {"standalone", target_standalone}};
    spark_target *t = &s->runner.target;
    ss_str wanted = s->host->cfg_str(s->cfg, "target");
    t->host = s->host;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (ss_eq(wanted, ss_cstr(kinds[i].name)) && !kinds[i].make(t, s->cfg, err)) {
            t->free = NULL;
            return false;
        }
    int64_t poll_ms = s->host->cfg_int(s->cfg, "poll"), settle_ms = s->host->cfg_int(s->cfg, "settle");
    t->poll_ms = poll_ms ? poll_ms : t->poll_ms;
    t->settle_ms = settle_ms ? settle_ms : t->settle_ms;
    return true;
}

/* Lists are written here, and where they are to be in a bucket, sent there, too. */
static bool take_lists(spark *s, ss_error *err)
{
    const ss_host *h = s->host;
    ss_str lists = h->cfg_str(s->cfg, "lists"), own = h->data_dir(h->self);
    if (lists.len + own.len + 8 >= sizeof s->lists)
        return ss_fail(err, SS_REJECT, "lists is too long"), false;
    bool away = aws_bucket_is(lists);
    if (lists.len && !away)
        (void)snprintf(s->lists, sizeof s->lists, "%.*s", (int)lists.len, lists.ptr);
    else
        (void)snprintf(s->lists, sizeof s->lists, "%.*s/lists", (int)own.len, own.ptr);
    s->runner.shelf = away ? &s->shelf : NULL;
    return !away || lake_bucket(&s->shelf, h, h->cfg_get(s->cfg, "s3"), lists, err);
}

static bool take_paths(spark *s, ss_error *err)
{
    const ss_host *h = s->host;
    ss_str base = h->cfg_str(s->cfg, "files_base"), lake = h->cfg_str(s->cfg, "lake");
    if (base.len >= sizeof s->files_base)
        return ss_fail(err, SS_REJECT, "files_base is too long"), false;
    (void)snprintf(s->files_base, sizeof s->files_base, "%.*s", (int)base.len, base.ptr);
    while (*s->files_base && s->files_base[strlen(s->files_base) - 1] == '/')
        s->files_base[strlen(s->files_base) - 1] = '\0';
    return take_lists(s, err) &&
           (aws_bucket_is(lake) ? lake_bucket(&s->trigger.lake, h, h->cfg_get(s->cfg, "s3"), lake, err)
                                : lake_directory(&s->trigger.lake, lake, err));
}

static void make_metrics(spark *s)
{
    const ss_host *h = s->host;
    s->m.batches = h->counter(h->self, "spark_batches_total", "Batches that triggers made.", "");
    s->m.sent = h->counter(h->self, "spark_runs_total", "Runs sent to the target.", "");
    s->m.done = h->counter(h->self, "spark_done_total", "Batches that were done.", "");
    s->m.failed = h->counter(h->self, "spark_failed_total", "Batches that were given up.", "");
    s->m.retried = h->counter(h->self, "spark_retried_total", "Runs that failed and are made again.", "");
    s->m.unknown = h->counter(h->self, "spark_unknown_total", "Submissions whose answer was lost.", "");
    s->m.timeouts = h->counter(h->self, "spark_timeouts_total", "Runs that were ended at their timeout.", "");
    s->m.pruned = h->counter(h->self, "spark_pruned_total", "Batches that were forgotten (keep).", "");
    s->m.waiting = h->gauge(h->self, "spark_waiting", "Batches that wait for their run.", "");
    s->m.running = h->gauge(h->self, "spark_running", "Runs that are under way.", "");
    s->m.failures =
        h->gauge(h->self, "spark_failures", "Batches that were given up and wait for a person.", "");
}

static void spark_destroy(void *inst)
{
    spark *s = inst;
    if (s->runner.target.free)
        s->runner.target.free(&s->runner.target);
    trigger_stop(&s->trigger);
    if (s->shelf.free)
        s->shelf.free(s->shelf.self);
    spark_store_close(s->store);
    free(s);
}

static int32_t spark_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    spark *s = calloc(1, sizeof *s);
    if (!s)
        return ss_fail(err, SS_RETRY, "spark: no memory");
    s->host = host;
    s->cfg = cfg;
    if (!jobs_read(&s->jobs, host, cfg, err) || !take_paths(s, err) || !make_target(s, err)) {
        spark_destroy(s);
        return SS_REJECT;
    }
    make_metrics(s);
    *inst = s;
    return SS_OK;
}

static int32_t spark_check(void *inst, ss_error *err)
{
    spark *s = inst;
    const lake_source *lake = &s->trigger.lake;
    int32_t rc = lake->check ? lake->check(lake->self, err) : SS_OK;
    return rc == SS_OK ? s->runner.target.check(&s->runner.target, err) : rc;
}

/* ---- work ---- */

static void count(spark *s, size_t i, ss_metric *metric, uint64_t now)
{
    s->host->metric_add(metric, (double)(now - s->counted[i]));
    s->counted[i] = now;
}

static void show(spark *s, const char *problem)
{
    const runner *r = &s->runner;
    const ss_host *h = s->host;
    count(s, 0, s->m.batches, (uint64_t)s->trigger.made);
    count(s, 1, s->m.sent, r->sent);
    count(s, 2, s->m.done, r->done);
    count(s, 3, s->m.failed, r->failed);
    count(s, 4, s->m.retried, r->retried);
    count(s, 5, s->m.unknown, r->unknown);
    count(s, 6, s->m.timeouts, r->timeouts);
    count(s, 7, s->m.pruned, (uint64_t)s->pruner.batches);
    int64_t failures = spark_count(s->store, "failed", ss_s("", 0));
    h->metric_set(s->m.waiting, (double)spark_count(s->store, "waiting", ss_s("", 0)));
    h->metric_set(s->m.running, (double)(spark_count(s->store, "running", ss_s("", 0)) +
                                         spark_count(s->store, "sending", ss_s("", 0))));
    h->metric_set(s->m.failures, (double)failures);
    char text[SPARK_REASON_MAX + 200];
    (void)snprintf(
        text, sizeof text,
        "%lld batches failed; `streamsteam spark list` shows them, rerun or drop them. The last: %.250s",
        (long long)failures, r->last_failed);
    h->alarm(h->self, "spark_failed", failures ? text : NULL);
    h->alarm(h->self, "spark", *problem ? problem : NULL);
}

static void forget(void *arg, const spark_batch *b)
{
    runner_forget(&((spark *)arg)->runner, b);
}

/* A slice at a time; what fails is tried again in the next look. */
static void prune(spark *s, int64_t now_us)
{
    bool more = false;
    if (!s->keep_us || now_us < s->prune_us)
        return;
    s->pruner.cut_us = now_us - s->keep_us;
    s->pruner.gone = forget;
    s->pruner.arg = s;
    if (!spark_store_begin(s->store))
        return;
    if (!spark_prune(s->store, &s->pruner, &more))
        spark_store_undo(s->store);
    else
        (void)spark_store_commit(s->store);
    s->prune_us = more ? now_us : now_us + (s->keep_us < PRUNE_US ? s->keep_us : PRUNE_US);
}

/* The first thing that is wrong, as a sentence; empty = nothing. */
static void step(void *arg)
{
    spark *s = arg;
    ss_error err = {.struct_size = sizeof err};
    int64_t now_us = s->host->now_us(s->host->self);
    char problem[sizeof s->problem] = "";
    if (!trigger_look(&s->trigger, now_us, &err))
        (void)snprintf(problem, sizeof problem, "%.390s", err.text);
    runner_step(&s->runner, now_us);
    prune(s, now_us);
    if (s->runner.paused[0])
        (void)snprintf(problem, sizeof problem, "nothing is sent: %.370s", s->runner.paused);
    else if (s->runner.broken)
        (void)snprintf(problem, sizeof problem, "its own state cannot be used: %.340s",
                       spark_store_problem(s->store));
    else if (s->trigger.damaged && !*problem)
        (void)snprintf(problem, sizeof problem, "%lld manifests are damaged and left out, the last %.250s",
                       (long long)s->trigger.damaged, s->trigger.damaged_name);
    show(s, problem);
    memcpy(s->problem, problem, sizeof problem);
}

static int32_t spark_start(void *inst, const ss_resume *resume, ss_error *err)
{
    spark *s = inst;
    const ss_host *h = s->host;
    char path[PATH_MAX];
    ss_str own = h->data_dir(h->self);
    (void)resume;
    (void)snprintf(path, sizeof path, "%.*s/" SPARK_STORE_FILE, (int)own.len, own.ptr);
    s->store = spark_store_open(path, h->instance, true, err);
    if (!s->store)
        return SS_RETRY;
    s->trigger.store = s->runner.store = s->store;
    s->trigger.jobs = s->runner.jobs = &s->jobs;
    s->runner.host = h;
    s->runner.lists = s->lists;
    s->runner.local = s->trigger.lake.slow ? NULL : s->trigger.lake.base(s->trigger.lake.self);
    s->runner.lake = *s->files_base ? s->files_base : s->trigger.lake.base(s->trigger.lake.self);
    s->runner.concurrency = h->cfg_int(s->cfg, "concurrency");
    s->keep_us = h->cfg_int(s->cfg, "keep") * 1000;
    if (!trigger_start(&s->trigger, h->now_us(h->self), err))
        return SS_RETRY;
    s->timer = h->every(h->self, STEP_MS, step, s);
    return s->timer ? SS_OK : ss_fail(err, SS_RETRY, "spark: no timer");
}

static int32_t spark_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    (void)inst;
    (void)batch;
    (void)err;
    ss_mark_all(result, SS_RECORD_OK);
    return SS_OK;
}

static int32_t spark_health(void *inst, ss_error *err)
{
    spark *s = inst;
    return s->problem[0] ? ss_fail(err, SS_RETRY, "%s", s->problem) : SS_OK;
}

static int32_t spark_howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    static const char text[] = "streamsteam spark list            the batches, newest first\n"
                               "streamsteam spark show BATCH      one of them, with its files\n"
                               "streamsteam spark run JOB         what is new for the job, now\n"
                               "streamsteam spark rerun BATCH     the same files again\n"
                               "streamsteam spark drop BATCH      a failed one is of no interest any more\n";
    (void)host;
    (void)cfg;
    return out->write(out->self, text, sizeof text - 1) == 0 ? SS_OK : ss_fail(err, SS_RETRY, "cannot write");
}

static const ss_module spark_ops = {
    .struct_size = sizeof spark_ops, .deliver = spark_deliver, .health = spark_health};

static const ss_plugin spark_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "spark",
    .version = "1.0.0",
    .summary = "Starts Spark jobs when partitions of the lake close, by amount, by time, or when asked.",
    .license = "MIT",
    .options = spark_options,
    .module = &spark_ops,
    .create = spark_create,
    .check = spark_check,
    .start = spark_start,
    .destroy = spark_destroy,
    .howto = spark_howto,
    .warning = "It starts jobs on Spark; AWS bills what runs there.",
};

SS_PLUGIN(spark_plugin);
