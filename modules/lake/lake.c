/* The lake: records as lines in files, partitioned by event time. What is promised: every record is in
   exactly one file that a manifest names, whatever happened in between. cut.h says how; here is when. */
#include <stdlib.h>

#include "modules/lake/options.h"
#include "modules/lake/plan.h"
#include "modules/lake/query.h"
#include "modules/lake/s3.h"
#include "plugins/common/fault.h"

#define LAKE_BATCH_RECORDS 10000u
#define LAKE_BATCH_BYTES   (2u << 20)
#define LAKE_RETRY_MS      1000
#define LAKE_PAUSE_MS      10000           /* between tries while keys or bucket are wrong       */
#define LAKE_SLICE_US      (5 * 1000000LL) /* so long a timer uploads before others have a turn  */

typedef struct lake {
    const ss_host *host;
    lake_rules rules; /* what the YAML says; a redo has the plan's in cut.settings */
    cut cut;
    s3 *s3; /* NULL: neither the YAML nor a plan names a bucket */
    const ss_config *cfg;
    bool cut_open, sealing, redo, broken, timer_set, again_set, settled;
    uint64_t redo_b;
    uint64_t last_b; /* the end of the last cut */
    uint64_t left_b; /* the last record that was left out, where it is behind the last one taken */
    int64_t opened_us;
    char why[sizeof((ss_error *)0)->text];
    ss_metric *objects, *bytes, *records, *errors, *cuts, *left_out;
} lake;

/* A lake on disk neither has a client nor pays for one. */
static bool open_s3(lake *l, ss_error *err)
{
    if (!l->s3)
        l->s3 = s3_new(l->host, l->host->cfg_get(l->cfg, "s3"), err);
    return l->s3 != NULL;
}

/* "s3://bucket/prefix/" and what it needs. */
static bool read_bucket(lake *l, ss_error *err)
{
    cut_settings *s = &l->rules.settings;
    for (size_t len = strlen(s->path); len > sizeof S3_SCHEME && s->path[len - 1] == '/'; len--)
        s->path[len - 1] = '\0';
    if (l->rules.roll_bytes > (uint64_t)S3_OBJECT_BYTES_MAX)
        return ss_fail(err, 0, "lake: roll.bytes: an object on S3 has up to 5 GB; write 5GB or less");
    return open_s3(l, err) && s3_target(l->s3, s->path, err);
}

/* ---- sealing
 * --------------------------------------------------------------------------------------------------- */

static int32_t lake_failed(lake *l, int32_t rc, ss_error *err)
{
    if (rc == SS_FATAL)
        l->broken = true;
    if (!err->text[0]) /* an upload that goes on: nothing is wrong */
        return rc;
    (void)snprintf(l->why, sizeof l->why, "%s", err->text);
    l->host->alarm(l->host->self, "lake", err->text);
    return rc;
}

/* A replay writes below a prefix of its own: its state directory is .../replay-<id>. */
static void replay_prefix(lake *l)
{
    ss_str dir = l->host->data_dir(l->host->self);
    static const char mark[] = "/replay-";
    for (size_t i = dir.len; i-- > 0;) {
        if (dir.ptr[i] != '/')
            continue;
        if (dir.len - i >= sizeof mark && memcmp(dir.ptr + i, mark, sizeof mark - 1) == 0) {
            size_t at = strlen(l->rules.settings.path), from = i + sizeof mark - 1;
            (void)snprintf(l->rules.settings.path + at, sizeof l->rules.settings.path - at, "/replay/%.*s",
                           (int)(dir.len - from), dir.ptr + from);
        }
        return;
    }
}

static int32_t lake_plan(lake *l, ss_error *err)
{
    char state[PLAN_MAX];
    if (l->redo) /* it stands there already */
        return SS_OK;
    FAULT_POINT("lake.before_plan");
    size_t len = plan_write(&l->cut, state);
    uint64_t cursor = l->last_b; /* the cursor stays; the host takes care of filtered records before a */
    int32_t rc = l->host->commit(l->host->self, l->cut.a > cursor ? l->cut.a : cursor, state, len,
                                 SS_COMMIT_SYNC, err);
    FAULT_POINT("lake.after_plan");
    return rc;
}

static int32_t lake_commit(lake *l, ss_error *err)
{
    uint64_t b = l->redo ? l->redo_b : l->cut.b > l->left_b ? l->cut.b : l->left_b;
    FAULT_POINT("lake.before_commit");
    int32_t rc = l->host->commit(l->host->self, b, NULL, 0, 0, err);
    FAULT_POINT("lake.after_commit");
    if (rc != SS_OK)
        return rc;
    l->last_b = b;
    return SS_OK;
}

/* Ends the open cut. May be called again after SS_RETRY, also much later: each step knows whether it was
 * done. */
static int32_t lake_seal(lake *l, int64_t deadline_us, ss_error *err)
{
    int32_t rc = SS_OK;
    if (!l->sealing)
        rc = lake_plan(l, err);
    if (rc != SS_OK)
        return lake_failed(l, rc, err);
    l->sealing = true;
    rc = cut_publish(&l->cut, deadline_us, err);
    if (rc == SS_OK)
        rc = lake_commit(l, err);
    if (rc != SS_OK)
        return lake_failed(l, rc, err);
    const ss_host *h = l->host;
    h->metric_add(l->objects, (double)l->cut.objects);
    h->metric_add(l->bytes, (double)l->cut.object_bytes);
    h->metric_add(l->records, (double)l->cut.count);
    h->metric_add(l->errors, (double)l->cut.failed);
    h->metric_add(l->cuts, 1);
    h->alarm(h->self, "lake", NULL);
    ss_logf(h, SS_DEBUG, "sealed %llu..%llu: %llu records in %llu objects", (unsigned long long)l->cut.a + 1,
            (unsigned long long)l->cut.b, (unsigned long long)l->cut.count,
            (unsigned long long)l->cut.objects);
    cut_clear(&l->cut);
    l->cut_open = l->sealing = false;
    bool again = l->redo;
    l->redo = false;
    l->settled = !again; /* after a redo the present settings are taken up */
    return SS_OK;
}

/* The cut gets the settings, and where they lead: a directory or a bucket. */
static int32_t settle(lake *l, const cut_settings *settings, ss_error *err)
{
    bool bucket = aws_bucket_is(ss_cstr(settings->path));
    if (bucket && (!open_s3(l, err) || !s3_target(l->s3, settings->path, err)))
        return SS_REJECT;
    const ss_config *cfg = bucket ? l->host->cfg_get(l->cfg, "s3") : NULL;
    ss_str work = cfg ? l->host->cfg_str(cfg, "work_dir") : ss_s("", 0);
    if (work.len == 0)
        work = l->host->data_dir(l->host->self);
    (void)snprintf(l->cut.work_dir, sizeof l->cut.work_dir, "%.*s", (int)work.len, work.ptr);
    l->cut.s3 = bucket ? l->s3 : NULL;
    memcpy(l->cut.library, l->rules.library, sizeof l->cut.library);
    return cut_settle(&l->cut, settings, err);
}

static int32_t lake_settle(lake *l, ss_error *err)
{
    if (l->settled)
        return SS_OK;
    int32_t rc = settle(l, &l->rules.settings, err);
    l->settled = rc == SS_OK;
    return rc == SS_OK ? SS_OK : lake_failed(l, rc, err);
}

/* ---- time
 * ------------------------------------------------------------------------------------------------------ */

static void lake_timer(void *arg);

static void set_timer(lake *l, int64_t ms)
{
    if (!l->timer_set)
        l->timer_set = l->host->once(l->host->self, ms > 1 ? ms : 1, lake_timer, l) != NULL;
}

static void lake_again(void *arg);

/* What could not be sealed goes on by itself: the next records may be hours away. */
static void seal_later(lake *l, int32_t rc, const ss_error *err)
{
    bool flies = rc == SS_RETRY && !err->text[0];
    int64_t asked = rc == SS_THROTTLE && l->s3 ? s3_retry_after_ms(l->s3) : 0;
    int64_t ms = flies ? 1 : rc == SS_PAUSE ? LAKE_PAUSE_MS : asked > LAKE_RETRY_MS ? asked : LAKE_RETRY_MS;
    if (!l->again_set && l->sealing && !l->broken)
        l->again_set = l->host->once(l->host->self, ms, lake_again, l) != NULL;
}

static int32_t timed_seal(lake *l)
{
    ss_error err = {.struct_size = sizeof err};
    int32_t rc = lake_seal(l, l->host->now_us(l->host->self) + LAKE_SLICE_US, &err);
    if (rc != SS_OK)
        seal_later(l, rc, &err);
    return rc;
}

static void lake_again(void *arg)
{
    lake *l = arg;
    l->again_set = false;
    if (l->sealing && !l->broken && timed_seal(l) == SS_OK)
        cut_rest(&l->cut);
}

static void lake_timer(void *arg)
{
    lake *l = arg;
    l->timer_set = false;
    if (!l->cut_open)
        cut_rest(&l->cut);
    if (!l->cut_open || l->broken || (l->redo && !l->sealing))
        return;
    int64_t left_ms = l->rules.roll_age_ms - (l->host->now_us(l->host->self) - l->opened_us) / 1000;
    if (left_ms > l->rules.roll_age_ms)
        left_ms = 0; /* the clock went back */
    if (l->sealing)  /* lake_again() is at it */
        return;
    if (left_ms > 0)
        set_timer(l, left_ms);
    else if (timed_seal(l) == SS_OK)
        cut_rest(&l->cut);              /* sealed by age: no flood that needs its memory again at once */
    else if (!l->broken && !l->sealing) /* the plan could not be stored */
        set_timer(l, LAKE_RETRY_MS);
}

/* ---- the module's calls
 * ---------------------------------------------------------------------------------------- */

static int32_t lake_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    lake *l = calloc(1, sizeof *l);
    if (!l)
        return ss_fail(err, SS_RETRY, "lake: out of memory");
    l->host = host;
    l->cfg = cfg;
    if (!options_read(&l->rules, host, cfg, err) ||
        (aws_bucket_is(ss_cstr(l->rules.settings.path)) && !read_bucket(l, err))) {
        s3_free(l->s3);
        free(l);
        return SS_REJECT;
    }
    l->objects = host->counter(host->self, "lake_objects_total", "Files that were finished.", "");
    l->bytes = host->counter(host->self, "lake_object_bytes_total", "Their bytes, as they are on disk.", "");
    l->records = host->counter(host->self, "lake_records_total", "Records in them.", "");
    l->errors = host->counter(host->self, "lake_errors_total",
                              "Of these: failed inputs and events without a usable time, below errors.", "");
    l->cuts = host->counter(host->self, "lake_cuts_total", "Cuts that were sealed.", "");
    l->left_out = host->counter(host->self, "lake_left_out_total",
                                "Failed inputs that were not written, as errors: off says.", "");
    cut_init(&l->cut, host, 0);
    *inst = l;
    return SS_OK;
}

static int32_t lake_start(void *inst, const ss_resume *resume, ss_error *err)
{
    lake *l = inst;
    cut_settings plan;
    uint64_t a = 0, b = 0;
    replay_prefix(l);
    cut_init(&l->cut, l->host, resume->journal_id);
    l->last_b = resume->seq;
    l->settled = false;
    int32_t rc = settle(l, &l->rules.settings, err); /* leftovers under the present path go, too */
    if (rc != SS_OK || resume->state.len == 0) {
        l->settled = rc == SS_OK;
        return rc;
    }
    if (!plan_read(resume->state, &plan, &a, &b))
        return ss_fail(
            err, SS_REJECT,
            "lake: the stored plan cannot be read: it was written by another version; use that one once");
    if (b <= resume->seq) {
        l->settled = true;
        return SS_OK;
    }
    rc = settle(l, &plan, err);
    l->redo = rc == SS_OK;
    l->redo_b = b;
    l->cut.a = a;
    ss_logf(l->host, SS_INFO, "doing the cut %llu..%llu again, which was begun before the restart",
            (unsigned long long)a + 1, (unsigned long long)b);
    return rc;
}

static void lake_destroy(void *inst)
{
    lake *l = inst;
    cut_fini(&l->cut);
    s3_free(l->s3);
    free(l);
}

/* The record that ended the planned cut is gone (expired): what is there is sealed under the planned name. */
static int32_t redo_without_end(lake *l, int64_t deadline_us, ss_error *err)
{
    ss_logf(l->host, SS_ERROR,
            "records of the cut %llu..%llu are gone from the journal: sealing what is left",
            (unsigned long long)l->cut.a + 1, (unsigned long long)l->redo_b);
    if (l->cut_open) {
        l->cut.b = l->redo_b;
        return lake_seal(l, deadline_us, err);
    }
    l->redo = false;
    l->settled = false;
    return SS_OK;
}

static void begin_cut(lake *l, const ss_batch *batch)
{
    l->cut_open = true;
    l->opened_us = l->host->now_us(l->host->self);
    if (l->redo)
        return;
    l->cut.a = batch->from > l->last_b ? batch->from : l->last_b;
    set_timer(l, l->rules.roll_age_ms);
}

static int32_t take(lake *l, const ss_batch *batch, const ss_record *r, ss_error *err)
{
    int32_t rc = SS_OK;
    if (l->sealing) /* what an earlier call could not finish */
        rc = lake_seal(l, batch->deadline_us, err);
    if (rc == SS_OK && l->redo && r->seq > l->redo_b)
        rc = redo_without_end(l, batch->deadline_us, err);
    if (rc == SS_OK && !l->redo)
        rc = lake_settle(l, err);
    if (rc != SS_OK)
        return rc;
    if (cut_leaves_out(&l->cut, r)) {
        l->left_b = l->redo ? l->left_b : r->seq;
        l->host->metric_add(l->left_out, 1);
        return SS_OK;
    }
    rc = cut_add(&l->cut, r, err);
    if (rc != SS_OK)
        return lake_failed(l, rc, err);
    if (!l->cut_open)
        begin_cut(l, batch);
    return SS_OK;
}

static bool cut_ends(const lake *l, const ss_record *r)
{
    if (l->redo)
        return r->seq == l->redo_b;
    return l->cut.raw_bytes >= l->rules.roll_bytes || cut_is_full(&l->cut);
}

/* Where nothing but records that are left out came, no cut will move the cursor. */
static int32_t pass_left_out(lake *l, ss_error *err)
{
    if (l->cut_open || l->sealing || l->redo || l->left_b <= l->last_b)
        return SS_OK;
    int32_t rc = l->host->commit(l->host->self, l->left_b, NULL, 0, 0, err);
    if (rc != SS_OK)
        return lake_failed(l, rc, err);
    l->last_b = l->left_b;
    return SS_OK;
}

static int32_t lake_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    lake *l = inst;
    int32_t rc = SS_OK;
    for (uint32_t i = 0; i < batch->count && rc == SS_OK && !l->broken; i++) {
        const ss_record *r = ss_record_at(batch, i);
        if (r->flags & SS_RECORD_QUARANTINE) {
            rc = l->redo || l->sealing ? ss_fail(err, SS_RETRY, "lake: after the cut that is being sealed")
                                       : lake_settle(l, err);
            rc = rc == SS_OK ? cut_single(&l->cut, r, batch->deadline_us, err) : rc;
            ss_mark(result, i, rc == SS_OK ? SS_RECORD_OK : SS_RECORD_RETRY);
            continue;
        }
        rc = take(l, batch, r, err);
        if (rc != SS_OK)
            break;
        ss_mark(result, i, SS_RECORD_OK);
        if (l->cut_open && cut_ends(l, r))
            rc = lake_seal(l, batch->deadline_us, err);
    }
    if (rc == SS_OK && !l->broken)
        rc = pass_left_out(l, err);
    if (l->broken)
        return ss_fail(err, SS_FATAL, "%s", l->why);
    if (rc == SS_OK)
        return SS_OK;
    seal_later(l, rc, err);
    if (rc == SS_THROTTLE)
        result->retry_after_ms = s3_retry_after_ms(l->s3);
    if (!err->text[0])
        (void)ss_fail(err, rc, "lake: the upload of a cut goes on");
    return rc == SS_THROTTLE || rc == SS_PAUSE ? rc : SS_RETRY;
}

static int32_t lake_flush(void *inst, int64_t deadline_us, ss_error *err)
{
    lake *l = inst;
    if (l->broken)
        return ss_fail(err, SS_FATAL, "%s", l->why);
    if (!l->cut_open || (l->redo && !l->sealing)) /* a redo ends where its plan says, no earlier */
        return SS_OK;
    int32_t rc = lake_seal(l, deadline_us, err);
    if (rc != SS_OK)
        seal_later(l, rc, err);
    return rc;
}

/* Where it is on disk, create() has said what there is to say. */
static int32_t lake_check(void *inst, ss_error *err)
{
    lake *l = inst;
    return l->s3 ? s3_check(l->s3, err) : SS_OK;
}

static int32_t lake_health(void *inst, ss_error *err)
{
    lake *l = inst;
    if (l->broken)
        return ss_fail(err, SS_FATAL, "%s", l->why);
    return SS_OK;
}

static int32_t lake_howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    static const char text[] =
        "streamsteam query --lake 'SELECT count(*) FROM lake'    SQL over the files, by DuckDB\n";
    const lake_sink *asked = lake_sink_of(out);
    if (asked)
        return lake_query(host, cfg, asked, err);
    return out->write(out->self, text, sizeof text - 1) == 0 ? SS_OK : ss_fail(err, SS_RETRY, "cannot write");
}

static const ss_module lake_ops = {
    .struct_size = sizeof lake_ops,
    .flags = SS_MODULE_COMMITS | SS_MODULE_TAKES_FAILED,
    .max_records = LAKE_BATCH_RECORDS,
    .max_bytes = LAKE_BATCH_BYTES,
    .deliver = lake_deliver,
    .flush = lake_flush,
    .health = lake_health,
};

static const ss_plugin lake_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "lake",
    .version = "1.0.0",
    .summary = "Events as compressed lines or Parquet, in files or on S3, partitioned by time.",
    .license = "MIT",
    .options = lake_options,
    .module = &lake_ops,
    .create = lake_create,
    .check = lake_check,
    .start = lake_start,
    .destroy = lake_destroy,
    .howto = lake_howto,
};

SS_PLUGIN(lake_plugin);
