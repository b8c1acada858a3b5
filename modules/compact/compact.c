/* Makes few large files out of the many small ones of a lake's closed partitions. work.h says what it does;
   here is when: a thread of its own looks every now and then, since copying takes longer than a call may. The
   journal's records only pass by. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "modules/compact/work.h"
#include "plugins/common/compact_ask.h"

#define SHOW_MS   1000
#define US_PER_MS 1000
#define HOUR_US   3600000000LL
#define DAY_US    (24 * HOUR_US)
#define S3_SCHEME "s3://"

typedef struct compact {
    const ss_host *host;
    const ss_config *cfg;
    work work; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock; /* of what is below, and of waking */
    pthread_cond_t wake;
    bool has_work, has_thread;
    atomic_bool stop;
    int64_t every_ms;
    char problem[sizeof((ss_error *)0)->text];
    struct {
        ss_metric *made, *replaced, *lines, *bytes, *published, *again, *damaged;
    } m;
} compact;

static const ss_option receiver_item[] = {{.name = "*", .type = SS_T_STRING, .doc = "A receiver's name."},
                                          {.name = NULL}};

static const ss_option parquet_members[] = {
    PARQUET_OPTIONS,
    {.name = "receivers",
     .type = SS_T_LIST,
     .min = 0,
     .max = CONVERT_RECEIVERS_MAX,
     .children = receiver_item,
     .doc = "Whose fields are the columns; none: of the receivers that a folder's path names."},
    {.name = NULL}};

static const ss_option compact_options[] = {
    {.name = "lake",
     .type = SS_T_PATH,
     .dflt = "lake",
     .doc = "The lake: the `path` of a module lake; a directory, for now not s3://."},
    {.name = "unit",
     .type = SS_T_ENUM,
     .dflt = "day",
     .choices = "hour|day",
     .doc = "How long a partition is, in UTC: files of one folder whose first events lie in the same one "
            "become one."},
    {.name = "grace",
     .type = SS_T_DURATION,
     .dflt = "1h",
     .min = 0,
     .max = 30LL * 86400000,
     .doc = "How long after its end a partition closes, and for how long late files are gathered; longer "
            "than the "
            "lake's roll.age, and than the grace of jobs of the module spark."},
    {.name = "keep",
     .type = SS_T_DURATION,
     .dflt = "1d",
     .min = 0,
     .max = 365LL * 86400000,
     .doc = "How long replaced files stay for those who have their names already."},
    {.name = "size",
     .type = SS_T_SIZE,
     .dflt = "128MiB",
     .min = 64LL << 10,
     .max = 4LL << 30,
     .doc = "What a file should have; files of half of it and more are left as they are."},
    {.name = "format",
     .type = SS_T_ENUM,
     .dflt = "same",
     .choices = "same|parquet",
     .doc = "same: what files are made of stays as it is, and Parquet files are left alone. parquet: events "
            "become Parquet, and small Parquet files few; needs DuckDB's library."},
    {.name = "parquet", .type = SS_T_OBJECT, .children = parquet_members, .doc = "Of format: parquet."},
    {.name = "every",
     .type = SS_T_DURATION,
     .dflt = "60s",
     .min = 100,
     .max = 86400000,
     .doc = "How often it looks for what has to be done."},
    {.name = NULL},
};

/* ---- configuration ---- */

static bool read_parquet(work_rules *r, const ss_host *h, const ss_config *cfg, ss_error *err)
{
    convert_rules *c = &r->convert;
    ss_error why = {.struct_size = sizeof why};
    const ss_config *list = h->cfg_get(cfg, "parquet.receivers");
    r->parquet = ss_eq(h->cfg_str(cfg, "format"), SS_LIT("parquet"));
    for (size_t i = 0; list && i < h->cfg_len(list) && i < CONVERT_RECEIVERS_MAX; i++)
        c->receivers[c->receiver_count++] = h->cfg_str(h->cfg_at(list, i), "");
    return parquet_options(h, cfg, r->parquet, &c->settings, c->library, &why) ||
           (ss_fail(err, SS_REJECT, "compact: %.480s", why.text), false);
}

static bool read_rules(work_rules *r, const ss_host *h, const ss_config *cfg, ss_error *err)
{
    ss_str lake = h->cfg_str(cfg, "lake");
    if (lake.len >= sizeof S3_SCHEME - 1 && memcmp(lake.ptr, S3_SCHEME, sizeof S3_SCHEME - 1) == 0)
        return ss_fail(err, SS_REJECT,
                       "compact: lake: a lake on S3 cannot be compacted yet; take this module out, and give "
                       "the lake a "
                       "larger roll.bytes and roll.age"),
               false;
    *r = (work_rules){.unit_us = ss_eq(h->cfg_str(cfg, "unit"), SS_LIT("hour")) ? HOUR_US : DAY_US,
                      .grace_us = h->cfg_int(cfg, "grace") * US_PER_MS,
                      .keep_us = h->cfg_int(cfg, "keep") * US_PER_MS,
                      .size = h->cfg_int(cfg, "size")};
    return read_parquet(r, h, cfg, err);
}

static bool is_stopping(void *arg)
{
    return atomic_load(&((compact *)arg)->stop);
}

static void compact_destroy(void *inst)
{
    compact *c = inst;
    atomic_store(&c->stop, true);
    if (c->has_thread) {
        (void)pthread_mutex_lock(&c->lock);
        (void)pthread_cond_signal(&c->wake);
        (void)pthread_mutex_unlock(&c->lock);
        (void)pthread_join(c->thread, NULL);
    }
    if (c->has_work)
        work_free(&c->work);
    (void)pthread_cond_destroy(&c->wake);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

static void make_metrics(compact *c)
{
    const ss_host *h = c->host;
    c->m.made = h->counter(h->self, "compact_files_total", "Files that were made of others.", "");
    c->m.replaced = h->counter(h->self, "compact_replaced_total", "Files that were replaced by them.", "");
    c->m.lines = h->counter(h->self, "compact_records_total", "Lines that were copied.", "");
    c->m.bytes =
        h->counter(h->self, "compact_bytes_total", "Bytes that were copied, as they are on disk.", "");
    c->m.published =
        h->counter(h->self, "compact_published_total", "Files whose predecessors were removed.", "");
    c->m.again = h->counter(h->self, "compact_again_total",
                            "Replaced files that a cut made anew after a crash, removed again.", "");
    c->m.damaged = h->counter(h->self, "compact_damaged_total",
                              "Files that are not what their manifest says, left as they are.", "");
}

static int32_t compact_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    compact *c = calloc(1, sizeof *c);
    if (!c)
        return ss_fail(err, SS_RETRY, "compact: no memory");
    c->host = host;
    c->cfg = cfg;
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->wake, NULL);
    work_rules rules;
    c->has_work = read_rules(&rules, host, cfg, err);
    if (!c->has_work || !work_init(&c->work, host, host->cfg_str(cfg, "lake"), is_stopping, c, err)) {
        compact_destroy(c);
        return SS_REJECT;
    }
    c->work.rules = rules;
    c->every_ms = host->cfg_int(cfg, "every");
    make_metrics(c);
    *inst = c;
    return SS_OK;
}

/* ---- the thread ---- */

static void add(const ss_host *h, ss_metric *metric, uint64_t *told, uint64_t now)
{
    h->metric_add(metric, (double)(now - *told));
    *told = now;
}

static void tell_log(void *arg, const char *line)
{
    compact *c = arg;
    ss_logf(c->host, SS_INFO, "%s", line);
}

/* The first thing that is wrong, as a sentence; empty: nothing. */
static void look(compact *c, char problem[sizeof c->problem])
{
    ss_error err = {.struct_size = sizeof err};
    enum work_result rc = work_pass(&c->work, &err);
    problem[0] = '\0';
    if (rc == WORK_FAILED)
        (void)snprintf(problem, sizeof c->problem, "%s", err.text);
    else if (c->work.damaged)
        (void)snprintf(problem, sizeof c->problem, "%.480s", c->work.damage.text);
    else if (c->work.index.damaged)
        (void)snprintf(problem, sizeof c->problem,
                       "%llu manifests are damaged, their files are left alone, the last %s",
                       (unsigned long long)c->work.index.damaged, c->work.index.damaged_name);
}

static void wait_for_next(compact *c)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += c->every_ms / 1000;
    until.tv_nsec += c->every_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!atomic_load(&c->stop) && pthread_cond_timedwait(&c->wake, &c->lock, &until) == 0)
        ;
}

static void *run(void *arg)
{
    compact *c = arg;
    const work *w = &c->work;
    uint64_t told[7] = {0};
    char problem[sizeof c->problem];
    while (!atomic_load(&c->stop)) {
        look(c, problem);
        add(c->host, c->m.made, &told[0], w->made);
        add(c->host, c->m.replaced, &told[1], w->replaced);
        add(c->host, c->m.lines, &told[2], w->lines);
        add(c->host, c->m.bytes, &told[3], w->bytes);
        add(c->host, c->m.published, &told[4], w->published);
        add(c->host, c->m.again, &told[5], w->again);
        add(c->host, c->m.damaged, &told[6], w->damaged);
        (void)pthread_mutex_lock(&c->lock);
        memcpy(c->problem, problem, sizeof problem);
        wait_for_next(c);
        (void)pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

/* ---- the module's calls ---- */

static void get_problem(compact *c, char out[sizeof c->problem])
{
    (void)pthread_mutex_lock(&c->lock);
    memcpy(out, c->problem, sizeof c->problem);
    (void)pthread_mutex_unlock(&c->lock);
}

static void show(void *arg)
{
    compact *c = arg;
    char problem[sizeof c->problem];
    get_problem(c, problem);
    c->host->alarm(c->host->self, "compact", problem[0] ? problem : NULL);
}

static int32_t compact_start(void *inst, const ss_resume *resume, ss_error *err)
{
    compact *c = inst;
    (void)resume;
    c->work.tell = tell_log;
    c->work.arg = c;
    if (!c->host->every(c->host->self, SHOW_MS, show, c))
        return ss_fail(err, SS_RETRY, "compact: no timer");
    c->has_thread = pthread_create(&c->thread, NULL, run, c) == 0;
    return c->has_thread ? SS_OK : ss_fail(err, SS_RETRY, "compact: no thread");
}

static int32_t compact_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    (void)inst;
    (void)batch;
    (void)err;
    ss_mark_all(result, SS_RECORD_OK);
    return SS_OK;
}

static int32_t compact_health(void *inst, ss_error *err)
{
    char problem[sizeof((compact *)0)->problem];
    get_problem(inst, problem);
    return problem[0] ? ss_fail(err, SS_RETRY, "%s", problem) : SS_OK;
}

/* ---- `streamsteam compact` ---- */

typedef struct asked {
    const compact_sink *sink;
} asked;

static bool ask_stopping(void *arg)
{
    return ((asked *)arg)->sink->ask->stopping();
}

static void tell_sink(void *arg, const char *line)
{
    const ss_sink *out = &((asked *)arg)->sink->sink;
    (void)(out->write(out->self, line, strlen(line)) == 0 && out->write(out->self, "\n", 1) == 0);
}

static int32_t answer(const ss_host *host, const ss_config *cfg, const compact_sink *sink, ss_error *err)
{
    asked a = {.sink = sink};
    work w;
    work_rules rules;
    char line[200];
    if (!read_rules(&rules, host, cfg, err) ||
        !work_init(&w, host, host->cfg_str(cfg, "lake"), ask_stopping, &a, err))
        return SS_REJECT;
    rules.partition = sink->ask->partition;
    rules.dry_run = sink->ask->dry_run;
    w.rules = rules;
    w.tell = tell_sink;
    w.arg = &a;
    enum work_result rc = work_pass(&w, err);
    if (rc == WORK_BUSY)
        (void)ss_fail(err, SS_RETRY, "the lake is being compacted by another process just now; try again");
    else if (rc == WORK_STOPPED)
        (void)ss_fail(err, SS_RETRY, "it was stopped; what is done is done");
    else if (rc == WORK_DONE && w.damaged)
        (void)ss_fail(err, SS_REJECT,
                      "%llu files are not what their manifests say; they were left as they are",
                      (unsigned long long)w.damaged);
    (void)snprintf(line, sizeof line, "%llu files of %llu; %llu whose predecessors were removed",
                   (unsigned long long)w.made, (unsigned long long)w.replaced,
                   (unsigned long long)w.published);
    if (!rules.dry_run)
        tell_sink(&a, line);
    int32_t status = rc == WORK_DONE && !w.damaged ? SS_OK : SS_RETRY;
    work_free(&w);
    return status;
}

static int32_t compact_howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    static const char text[] = "streamsteam compact --dry-run              what would become one file\n"
                               "streamsteam compact                        what is closed, now\n"
                               "streamsteam compact --partition FOLDER     that folder, closed or not\n";
    const compact_sink *sink = compact_sink_of(out);
    if (sink)
        return answer(host, cfg, sink, err);
    return out->write(out->self, text, sizeof text - 1) == 0 ? SS_OK : ss_fail(err, SS_RETRY, "cannot write");
}

static const ss_module compact_ops = {
    .struct_size = sizeof compact_ops, .deliver = compact_deliver, .health = compact_health};

static const ss_plugin compact_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "compact",
    .version = "1.0.0",
    .summary = "Makes few large files out of the small ones of a lake's closed partitions.",
    .license = "MIT",
    .options = compact_options,
    .module = &compact_ops,
    .create = compact_create,
    .start = compact_start,
    .destroy = compact_destroy,
    .howto = compact_howto,
};

SS_PLUGIN(compact_plugin);
