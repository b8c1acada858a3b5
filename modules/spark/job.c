#include "modules/spark/job.h"

#include <inttypes.h>
#include <time.h>

/* ---- options ---- */

static const ss_option text_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "A text; a template over the batch."}, {.name = NULL}};

const ss_option spark_job_options[] = {
    {.name = "file",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc =
         "The application: a .py or .jar as the target sees it; with target glue the name of the Glue job."},
    {.name = "class", .type = SS_T_STRING, .doc = "The main class of a .jar."},
    {.name = "args",
     .type = SS_T_LIST,
     .children = text_item,
     .min = 0,
     .max = 256,
     .doc = "Arguments of the application, templates over the batch: {list} is the file that names the "
            "batch's files, {batch} its id; docs/spark.md has all."},
    {.name = "conf",
     .type = SS_T_MAP,
     .children = text_item,
     .min = 0,
     .max = 256,
     .doc = "Spark's properties, as spark.executor.memory: 2g; values are templates, too."},
    {.name = "submit_args",
     .type = SS_T_LIST,
     .children = text_item,
     .min = 0,
     .max = 64,
     .doc = "More options of spark-submit, ahead of the application; targets local, emr, emr_serverless and "
            "standalone (Python)."},
    {.name = "on",
     .type = SS_T_ENUM,
     .dflt = "closed",
     .choices = "closed|amount|cron|manual",
     .doc = "What starts it: a closed partition, an amount of new data, a time, or `streamsteam spark run` "
            "alone."},
    {.name = "after",
     .type = SS_T_STRING,
     .doc = "A job's name: each of its batches that succeeded starts this job with the same files; `on` does "
            "not count then."},
    {.name = "unit",
     .type = SS_T_ENUM,
     .dflt = "day",
     .choices = "hour|day",
     .doc = "on closed: how long a partition is open, by its events' times in UTC."},
    {.name = "folders",
     .type = SS_T_ENUM,
     .dflt = "apart",
     .choices = "apart|together",
     .doc =
         "on closed: whether files of one unit in several folders are several partitions or one; a job that "
         "counts a whole day wants together."},
    {.name = "grace",
     .type = SS_T_DURATION,
     .dflt = "15m",
     .min = 0,
     .max = 7LL * 86400000,
     .doc =
         "How long after its end a partition closes, and how long late files are gathered for one re-run."},
    {.name = "late",
     .type = SS_T_ENUM,
     .dflt = "rerun",
     .choices = "rerun|ignore",
     .doc = "What files do that come after their partition closed: one marked batch more, or nothing until a "
            "manual run."},
    {.name = "files",
     .type = SS_T_INT,
     .dflt = "0",
     .min = 0,
     .max = 1000000,
     .doc = "on amount: so many new files start it; 0 = not by files."},
    {.name = "bytes",
     .type = SS_T_SIZE,
     .dflt = "0",
     .min = 0,
     .max = 1LL << 50,
     .doc = "on amount: so many bytes of new files, as they lie in the lake, start it; 0 = not by bytes."},
    {.name = "events",
     .type = SS_T_INT,
     .dflt = "0",
     .min = 0,
     .max = 1LL << 50,
     .doc = "on amount: so many new events start it; 0 = not by events."},
    {.name = "cron",
     .type = SS_T_STRING,
     .doc = "on cron: minute hour day month day-of-week in UTC, or @hourly, @daily, @weekly, @monthly; "
            "nothing new in the lake: nothing is run."},
    {.name = "prefix",
     .type = SS_T_STRING,
     .doc = "Only files of the lake whose path begins so, as raw_events/."},
    {.name = "timeout",
     .type = SS_T_DURATION,
     .dflt = "2h",
     .min = 1000,
     .max = 7LL * 86400000,
     .doc = "A run that takes longer is ended and counts as failed."},
    {.name = "retries",
     .type = SS_T_INT,
     .dflt = "2",
     .min = 0,
     .max = 20,
     .doc = "How often a batch is run again after a run that failed; never where it is not known whether one "
            "ran."},
    {.name = "backoff",
     .type = SS_T_DURATION,
     .dflt = "1m",
     .min = 0,
     .max = 86400000,
     .doc = "The wait before the first of these; it doubles each time."},
    {.name = "concurrency",
     .type = SS_T_INT,
     .dflt = "1",
     .min = 1,
     .max = 256,
     .doc = "How many batches of this job run at a time."},
    {.name = NULL},
};

/* ---- templates ---- */

static void put_number(grow *out, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    (void)grow_puts(out, text);
}

static void put_time(grow *out, int64_t us)
{
    char text[32];
    struct tm t;
    time_t s = (time_t)(us / 1000000);
    if (gmtime_r(&s, &t) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t))
        (void)grow_puts(out, text);
}

static bool put_named(ss_str name, const run_facts *f, grow *out)
{
    static const char *const names[] = {"batch",   "run",   "job",   "list",   "partition", "kind",   "late",
                                        "attempt", "files", "bytes", "events", "from",      "through"};
    size_t i = 0;
    while (i < sizeof names / sizeof *names && !ss_eq(name, ss_cstr(names[i])))
        i++;
    if (!f || i == sizeof names / sizeof *names)
        return i < sizeof names / sizeof *names;
    const spark_batch *b = f->batch;
    const char *const texts[] = {
        f->batch_name, f->run, b->job, f->list, b->key, b->kind, b->late ? "true" : "false"};
    const int64_t numbers[] = {b->attempt, b->files, b->bytes, b->events};
    if (i < sizeof texts / sizeof *texts)
        (void)grow_puts(out, texts[i]);
    else if (i < sizeof texts / sizeof *texts + sizeof numbers / sizeof *numbers)
        put_number(out, numbers[i - sizeof texts / sizeof *texts]);
    else
        put_time(out, ss_eq(name, SS_LIT("from")) ? b->min_us : b->max_us);
    return true;
}

bool job_expand(ss_str text, const run_facts *facts, grow *out, ss_error *err)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool twice = i + 1 < text.len && text.ptr[i + 1] == c;
        if ((c == '{' || c == '}') && twice) {
            i++;
        } else if (c == '{') {
            const char *end = memchr(text.ptr + i, '}', text.len - i);
            ss_str name = ss_s(text.ptr + i + 1, end ? (size_t)(end - text.ptr) - i - 1 : text.len - i - 1);
            if (!end || !put_named(name, facts, out))
                return ss_fail(
                           err, SS_REJECT,
                           "\"%.*s\": {%.*s} is unknown: there are batch, run, job, list, partition, kind, "
                           "late, attempt, files, bytes, events, from, through; {{ is a brace",
                           (int)(text.len < 100 ? text.len : 100), text.ptr,
                           (int)(name.len < 40 ? name.len : 40), name.ptr),
                       false;
            i += name.len + 1;
            continue;
        }
        (void)grow_put(out, ss_s(&c, 1));
    }
    return !out->full ||
           (ss_fail(err, SS_REJECT, "the arguments have more than %u bytes", JOB_ARGS_BYTES), false);
}

/* ---- reading ---- */

static bool texts_are_good(const ss_host *h, const ss_config *list, ss_error *err)
{
    grow out = {.limit = JOB_ARGS_BYTES};
    bool good = true;
    for (size_t i = 0; good && list && i < h->cfg_len(list); i++)
        good = job_expand(h->cfg_str(h->cfg_at(list, i), ""), NULL, &out, err);
    grow_free(&out);
    return good;
}

static bool read_trigger(spark_job *j, const ss_host *h, const ss_config *c, ss_error *err)
{
    ss_str on = h->cfg_str(c, "on"), text = h->cfg_str(c, "cron");
    j->on = j->after.len                  ? ON_AFTER
            : ss_eq(on, SS_LIT("closed")) ? ON_CLOSED
            : ss_eq(on, SS_LIT("amount")) ? ON_AMOUNT
            : ss_eq(on, SS_LIT("cron"))   ? ON_CRON
                                          : ON_MANUAL;
    if (j->on == ON_AMOUNT && j->files + j->bytes + j->events == 0)
        return ss_fail(err, SS_REJECT, "jobs.%.*s: on: amount wants files, bytes or events", (int)j->name.len,
                       j->name.ptr),
               false;
    if (j->on == ON_CRON && !text.len)
        return ss_fail(err, SS_REJECT, "jobs.%.*s: on: cron wants cron: \"15 * * * *\"", (int)j->name.len,
                       j->name.ptr),
               false;
    return j->on != ON_CRON || cron_parse(&j->cron, text, err);
}

static bool read_job(spark_job *j, const ss_host *h, const ss_config *c, ss_error *err)
{
    j->after = h->cfg_str(c, "after");
    j->prefix = h->cfg_str(c, "prefix");
    j->file = h->cfg_str(c, "file");
    j->class_name = h->cfg_str(c, "class");
    j->args = h->cfg_get(c, "args");
    j->conf = h->cfg_get(c, "conf");
    j->submit_args = h->cfg_get(c, "submit_args");
    j->unit_us = ss_eq(h->cfg_str(c, "unit"), SS_LIT("hour")) ? HOUR_US : DAY_US;
    j->together = ss_eq(h->cfg_str(c, "folders"), SS_LIT("together"));
    j->grace_us = h->cfg_int(c, "grace") * 1000;
    j->files = h->cfg_int(c, "files");
    j->bytes = h->cfg_int(c, "bytes");
    j->events = h->cfg_int(c, "events");
    j->late = ss_eq(h->cfg_str(c, "late"), SS_LIT("rerun"));
    j->timeout_ms = h->cfg_int(c, "timeout");
    j->retries = h->cfg_int(c, "retries");
    j->backoff_ms = h->cfg_int(c, "backoff");
    j->concurrency = h->cfg_int(c, "concurrency");
    return read_trigger(j, h, c, err) && texts_are_good(h, j->args, err) && texts_are_good(h, j->conf, err) &&
           texts_are_good(h, j->submit_args, err);
}

const spark_job *jobs_find(const spark_jobs *jobs, ss_str name)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (ss_eq(jobs->at[i].name, name))
            return &jobs->at[i];
    return NULL;
}

/* A chain of `after` ends at a job with a trigger. */
static bool chains_end(const spark_jobs *jobs, ss_error *err)
{
    for (size_t i = 0; i < jobs->count; i++) {
        const spark_job *j = &jobs->at[i];
        for (size_t steps = 0; j && j->after.len; steps++) {
            ss_str wanted = j->after;
            j = steps < jobs->count ? jobs_find(jobs, wanted) : NULL;
            if (!j)
                return ss_fail(err, SS_REJECT,
                               "jobs.%.*s: after: %.*s is no other job, or they wait for each other",
                               (int)jobs->at[i].name.len, jobs->at[i].name.ptr, (int)wanted.len, wanted.ptr),
                       false;
        }
    }
    return true;
}

bool jobs_read(spark_jobs *jobs, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    const ss_config *map = host->cfg_get(cfg, "jobs");
    for (size_t i = 0; map && i < host->cfg_len(map); i++) {
        spark_job *j = &jobs->at[jobs->count++];
        j->name = host->cfg_key(map, i);
        if (j->name.len == 0 || j->name.len >= SPARK_JOB_MAX)
            return ss_fail(err, SS_REJECT, "jobs: a name has 1 to %u characters", SPARK_JOB_MAX - 1), false;
        if (!read_job(j, host, host->cfg_at(map, i), err))
            return false;
    }
    return chains_end(jobs, err);
}
