/* Metrics over windows of event time, declared in the configuration. */
#include <stdlib.h>

#include "modules/windows/export.h"
#include "modules/windows/lake.h"
#include "modules/windows/options.h"
#include "modules/windows/windows.h"

#define BATCH_RECORDS   10000u
#define BATCH_BYTES     (4u << 20)
#define TICK_MS         100
#define TELL_US         1000000
#define CLOCK_MARGIN_US 1000000     /* an event may be stored so long after its arrival */
#define FRESH_BYTES_MAX (64u << 20) /* then no more is taken until documents are handed over */
#define DOCUMENT_MAX    (1u << 20)
#define ALARM           "windows"

static void windows_destroy(void *inst)
{
    windows *w = inst;
    engine_fini(&w->engine);
    for (uint32_t i = 0; i < w->metric_count; i++)
        metric_free(&w->metrics[i]);
    paths_fini(&w->paths);
    outbox_clear(&w->plan);
    outbox_clear(&w->fresh);
    buf_fini(&w->body);
    free(w->metrics);
    free(w->states);
    free(w->told);
    free(w->series);
    free(w);
}

static bool read_metrics(windows *w, const ss_config *cfg, ss_error *err)
{
    const ss_config *list = w->host->cfg_get(cfg, "metrics");
    size_t count = list ? w->host->cfg_len(list) : 0;
    w->metrics = calloc(count + 1, sizeof *w->metrics);
    w->states = calloc(count + 1, sizeof *w->states);
    w->told = calloc(count + 1, sizeof *w->told);
    w->series = calloc((count + 1) * WINDOWS_COUNTERS, sizeof(ss_metric *));
    if (!w->metrics || !w->states || !w->told || !w->series)
        return ss_fail(err, SS_LIMIT, "no memory for the metrics") == SS_OK;
    for (size_t i = 0; i < count; i++) {
        w->metric_count++; /* so that half a metric is freed */
        if (!metric_read(&w->metrics[i], &w->paths, w->host, w->host->cfg_at(list, i), cfg, err))
            return false;
        for (size_t k = 0; k < i; k++)
            if (strcmp(w->metrics[k].name, w->metrics[i].name) == 0)
                return ss_fail(err, SS_REJECT,
                               "metrics: '%s' stands there twice; names are in the documents' ids",
                               w->metrics[i].name) == SS_OK;
    }
    return true;
}

static int32_t windows_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    windows *w = calloc(1, sizeof *w);
    if (!w)
        return ss_fail(err, SS_LIMIT, "no memory for the module");
    w->host = host;
    w->parser = host->cfg_str(cfg, "parser");
    w->save_every_us = host->cfg_int(cfg, "save") * 1000;
    w->settings = (engine_settings){.by_stream = ss_eq(host->cfg_str(cfg, "watermark"), SS_LIT("stream")),
                                    .idle_us = host->cfg_int(cfg, "idle") * 1000,
                                    .ahead_us = host->cfg_int(cfg, "ahead") * 1000,
                                    .emit = windows_emit,
                                    .arg = w};
    paths_init(&w->paths);
    buf_init(&w->body, DOCUMENT_MAX);
    err->text[0] = '\0';
    if (!read_metrics(w, cfg, err)) {
        windows_destroy(w);
        return err->text[0] ? SS_REJECT : ss_fail(err, SS_LIMIT, "no memory for the metrics");
    }
    windows_series(w);
    *inst = w;
    return SS_OK;
}

/* A timer cannot fail: health() says what it met. */
static void note(windows *w, int32_t status, const ss_error *err)
{
    bool failed = status != SS_OK && err->text[0];
    if (failed)
        (void)snprintf(w->why, sizeof w->why, "%s", err->text);
    if (status == SS_OK)
        w->why[0] = '\0';
    w->broken |= status == SS_FATAL;
    if (failed || status == SS_OK)
        w->host->alarm(w->host->self, ALARM, failed ? w->why : NULL);
}

static bool has_seen_all(const windows *w)
{
    const ss_host *host = w->host;
    return SS_HAS(ss_host, host, behind) && host->behind && host->behind(host->self) == 0;
}

static void tick(void *arg)
{
    windows *w = arg;
    ss_error err = {.struct_size = sizeof err};
    if (!w->running || w->broken || w->backfills)
        return;
    int32_t status = SS_OK;
    if (!w->refused && has_seen_all(w) &&
        !engine_clock(&w->engine, w->host->now_us(w->host->self) - CLOCK_MARGIN_US))
        status = ss_fail(&err, SS_FATAL, "no memory for the windows");
    if (status == SS_OK)
        status = windows_round(w, false, &err);
    note(w, status, &err);
    int64_t now = windows_now();
    if (now - w->told_us >= TELL_US) {
        if (status == SS_OK && !windows_backfill_take(w))
            note(w, ss_fail(&err, SS_FATAL, "no memory for a backfill"), &err);
        w->told_us = now;
        windows_tell(w);
    }
}

static int32_t windows_start(void *inst, const ss_resume *resume, ss_error *err)
{
    windows *w = inst;
    if (w->running)
        return SS_OK;
    w->journal_id = resume->journal_id;
    w->settings.key = (hash_key){resume->journal_id, 0x73747265616du};
    engine_fini(&w->engine);
    outbox_clear(&w->plan);
    if (windows_is_replay(w)) {
        int32_t rc = windows_backfill_begin(w, resume, err);
        if (rc != SS_OK)
            return rc;
    }
    engine_init(&w->engine, &w->settings, &w->paths, w->metrics, w->metric_count, w->states);
    int32_t status = w->backfills ? SS_OK : windows_restore(w, resume, err);
    if (status != SS_OK)
        return status;
    w->saved_us = windows_now();
    w->running = true;
    (void)w->host->every(w->host->self, TICK_MS, tick, w);
    return SS_OK;
}

static int32_t windows_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    windows *w = inst;
    w->refused = w->fresh.bytes > FRESH_BYTES_MAX;
    if (w->refused) {
        int32_t status = windows_round(w, true, err);
        if (status == SS_FATAL)
            return status;
        if (w->fresh.bytes > FRESH_BYTES_MAX)
            return err->text[0] ? SS_RETRY : ss_fail(err, SS_RETRY, "documents wait to be handed over");
        w->refused = false;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        const ss_record *r = ss_record_at(batch, i);
        if (!ss_eq(r->receiver, w->parser) && !engine_take(&w->engine, r)) /* never what it made itself */
            return ss_fail(err, SS_FATAL, "no memory for the windows");
    }
    ss_mark_all(result, SS_RECORD_OK);
    if (batch->through > w->engine.seq)
        w->engine.seq = batch->through;
    int32_t status = w->backfills ? SS_OK : windows_round(w, false, err);
    note(w, status, err);
    return status == SS_FATAL ? status : SS_OK;
}

static int32_t windows_flush(void *inst, int64_t deadline_us, ss_error *err)
{
    windows *w = inst;
    (void)deadline_us;
    if (w->backfills)
        return windows_backfill_flush(w, err);
    int32_t status = w->running ? windows_round(w, true, err) : SS_OK;
    note(w, status, err);
    windows_tell(w);
    return status;
}

static int32_t windows_health(void *inst, ss_error *err)
{
    const windows *w = inst;
    if (w->broken)
        return ss_fail(err, SS_FATAL, "%s", w->why[0] ? w->why : "a document may or may not be stored");
    return w->why[0] ? ss_fail(err, SS_RETRY, "%s", w->why) : SS_OK;
}

/* ---- `streamsteam windows export`, `backfill --lake` ---- */

static int32_t windows_howto(const ss_host *host, const ss_config *cfg, const ss_sink *out, ss_error *err)
{
    static const char text[] =
        "streamsteam windows export --to flink-sql    the metrics as a job of Apache Flink\n"
        "streamsteam query 'SELECT * FROM metrics'    the documents, where a warehouse takes them\n";
    const windows_sink *asked = windows_sink_of(out);
    const windows_lake_sink *lake = windows_lake_sink_of(out);
    void *inst = NULL;
    if (!asked && !lake)
        return out->write(out->self, text, sizeof text - 1) == 0 ? SS_OK
                                                                 : ss_fail(err, SS_RETRY, "cannot write");
    int32_t status = windows_create(host, cfg, &inst, err);
    if (status != SS_OK)
        return status;
    status = lake ? windows_from_lake(inst, lake->ask, lake->result, err)
                  : export_flink(inst, asked->ask, out, err);
    windows_destroy(inst);
    return status;
}

static const ss_module ops = {.struct_size = sizeof ops,
                              .flags = SS_MODULE_COMMITS,
                              .max_records = BATCH_RECORDS,
                              .max_bytes = BATCH_BYTES,
                              .deliver = windows_deliver,
                              .flush = windows_flush,
                              .health = windows_health};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "windows",
    .version = "1.0.0",
    .build_id = SS_VERSION,
    .summary = "Counts events over windows of event time and emits the counts as events.",
    .license = "MIT",
    .options = windows_options,
    .module = &ops,
    .create = windows_create,
    .start = windows_start,
    .destroy = windows_destroy,
    .howto = windows_howto};

SS_PLUGIN(plugin);
