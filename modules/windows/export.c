#include "modules/windows/export.h"

#include <stdlib.h>

#include "modules/windows/export_inside.h"

/* What is said in front: what the job does otherwise than the module, as far as this configuration has it. */
static void put_differences(export *e, buf *out)
{
    bool late = false, rough = false, top = false, quantile = false, by_time = false;
    const windows *w = e->w;
    for (uint32_t i = 0; i < w->metric_count; i++) {
        const metric *m = &w->metrics[i];
        late |= m->lateness_us > 0;
        rough |= m->aggregate.kind == AGGREGATE_APPROXIMATE;
        top |= m->aggregate.kind == AGGREGATE_TOP;
        quantile |= m->aggregate.kind == AGGREGATE_QUANTILE;
        by_time |= m->dedupe != PATHS_NONE && m->aggregate.kind != AGGREGATE_COUNT;
    }
    if (export_batch(e))
        buf_adds(out, "-- * The input ends: no event is late, each window is written once.\n");
    else {
        buf_adds(out, "-- * One watermark, that of the slowest partition; windows after the newest event "
                      "stay open until one\n"
                      "--   comes that is later: no clock takes its place.\n");
        if (!w->settings.by_stream)
            buf_adds(out, "-- * watermark: application is not there: an application whose events come later "
                          "than those of others by\n"
                          "--   more than `delay` loses them. Dimensions and `dedupe` still keep "
                          "applications apart.\n");
        if (late)
            buf_addf(out, "-- * lateness: %s\n",
                     strcmp(e->sets[SET_LATE], "wait") == 0 ? "documents come once, when it is over"
                                                            : "late events are not counted and nothing is "
                                                              "corrected (--set late=wait waits for them)");
    }
    if (!export_arrival(e))
        buf_adds(
            out,
            "-- * The lines do not say when they arrived: nothing protects from wrong clocks (`ahead`).\n");
    buf_adds(out, "-- * No `__other__`: max_groups and memory are no limits. No METRIC_ID, no "
                  "METRIC_VERSION: after a failure\n"
                  "--   documents may come twice.\n");
    if (rough)
        buf_adds(out, "-- * approximate_distinct is counted exactly.\n");
    if (top)
        buf_adds(out, "-- * top is exact, and its values are not cut at 200 bytes.\n");
    if (quantile)
        buf_adds(out, "-- * quantile has as many buckets as there are: no 2,048 of them, and none shared.\n");
    if (by_time)
        buf_adds(out, "-- * dedupe takes the first by event time, where ours takes the first to come when "
                      "the value is no count.\n");
}

static void put_head(export *e, buf *out)
{
    buf_adds(out, "-- The metrics of the module ");
    export_note(ss_cstr(e->ask->module), out);
    buf_adds(out, " as a job of Apache Flink (SQL, 1.20 or later), written by `streamsteam windows export`.\n"
                  "-- The input must hold the events of ");
    for (size_t i = 0; i < e->receiver_count; i++) {
        buf_adds(out, i ? ", " : "");
        export_note(ss_cstr(e->receivers[i]), out);
    }
    buf_adds(out, " and nothing else. What is otherwise than here (docs/windows.md):\n");
    put_differences(e, out);
    buf_adds(out, "SET 'pipeline.name' = ");
    char name[160];
    (void)snprintf(name, sizeof name, "streamsteam-%.128s", e->ask->module);
    export_text(ss_cstr(name), out);
    buf_addf(out, ";\nSET 'execution.runtime-mode' = '%s';\nSET 'table.local-time-zone' = 'UTC';\n",
             export_batch(e) ? "batch" : "streaming");
    if (!export_batch(e))
        buf_addf(out, "SET 'execution.checkpointing.interval' = '%lld ms';\n",
                 (long long)(e->w->save_every_us / 1000));
}

/* Metrics that wait equally long share a table of events, as a table has one watermark. */
static bool is_first_of_its_wait(const export *e, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (export_wait_us(e, &e->w->metrics[i]) == export_wait_us(e, &e->w->metrics[at]))
            return false;
    return true;
}

typedef struct parts {
    buf sources, views, sinks, inserts;
} parts;

static void put_metrics(export *e, int64_t wait_us, parts *p)
{
    for (size_t i = 0; i < e->field_count; i++)
        e->fields[i].used = false;
    for (uint32_t i = 0; i < e->w->metric_count && !e->failed; i++) {
        e->metric = &e->w->metrics[i];
        e->number = i + 1;
        if (export_wait_us(e, e->metric) != wait_us)
            continue;
        export_view(e, &p->views);
        uint32_t shape = export_shape(e, &p->sinks);
        export_insert(e, shape, &p->inserts);
    }
    e->metric = NULL;
    buf_adds(&p->sources, "\n");
    if (!e->failed)
        export_source(e, wait_us, &p->sources);
}

static bool put_all(export *e, buf *out)
{
    parts p;
    buf *each[] = {&p.sources, &p.views, &p.sinks, &p.inserts};
    for (size_t i = 0; i < 4; i++)
        buf_init(each[i], EXPORT_BYTES_MAX);
    for (uint32_t i = 0; i < e->w->metric_count && !e->failed; i++)
        if (is_first_of_its_wait(e, i)) {
            e->table++;
            put_metrics(e, export_wait_us(e, &e->w->metrics[i]), &p);
        }
    put_head(e, out);
    for (size_t i = 0; i < 4; i++) {
        buf_adds(out, i == 3 ? "\nEXECUTE STATEMENT SET\nBEGIN\n" : "");
        buf_add(out, each[i]->ptr, each[i]->len);
        out->failed |= each[i]->failed;
        buf_fini(each[i]);
    }
    buf_adds(out, "END;\n");
    if (out->failed)
        (void)export_refuse(e, "the text is larger than %u MiB, or there is no memory",
                            EXPORT_BYTES_MAX >> 20);
    return !e->failed;
}

int32_t export_flink(const windows *w, const windows_ask *ask, const ss_sink *out, ss_error *err)
{
    export *e = calloc(1, sizeof *e);
    buf text;
    if (!e)
        return ss_fail(err, SS_LIMIT, "no memory");
    *e = (export){.w = w, .ask = ask, .err = err};
    buf_init(&text, EXPORT_BYTES_MAX);
    bool good = export_sets(e) && export_catalog(e) && put_all(e, &text);
    if (good && out->write(out->self, text.ptr, text.len) != 0)
        good = ss_fail(err, SS_RETRY, "cannot write") == SS_OK;
    for (uint32_t i = 0; i < e->shape_count; i++)
        free(e->shapes[i]);
    free(e->fields);
    free(e);
    buf_fini(&text);
    return good ? SS_OK : SS_REJECT;
}
