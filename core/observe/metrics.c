#include "core/observe/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

static board *page;
static board_metrics *own; /* this process's part of the page; NULL before metrics_init() */
static pthread_mutex_t registering = PTHREAD_MUTEX_INITIALIZER;

static void store_double(_Atomic uint64_t *bits, double value)
{
    uint64_t raw;
    memcpy(&raw, &value, sizeof raw);
    atomic_store_explicit(bits, raw, memory_order_relaxed);
}

static double load_double(const _Atomic uint64_t *bits)
{
    uint64_t raw = atomic_load_explicit(bits, memory_order_relaxed);
    double value;
    memcpy(&value, &raw, sizeof value);
    return value;
}

/* A process may have died while it filled a series: count is raised last, so what lies behind it is free. */
static uint32_t series_count(const board_metrics *m)
{
    uint32_t count = atomic_load_explicit(&m->count, memory_order_acquire);
    return count < BOARD_METRICS_MAX ? count : BOARD_METRICS_MAX;
}

void metrics_init(board *b, uint32_t process_index)
{
    if (!b || process_index >= BOARD_PROCESSES_MAX)
        return;
    page = b;
    own = &b->metrics[process_index];
    uint32_t count = series_count(own);
    for (uint32_t i = 0; i < count; i++) {
        if (own->series[i].is_gauge)
            store_double(&own->series[i].bits, 0);
    }
}

void metrics_forget(board *b, uint32_t process_index)
{
    if (process_index < BOARD_PROCESSES_MAX)
        atomic_store_explicit(&b->metrics[process_index].count, 0, memory_order_release);
}

static bool fits(const char *text, size_t size)
{
    return strnlen(text, size) < size;
}

static board_metric *find_or_add(const char *name, const char *help, const char *labels, uint32_t is_gauge)
{
    uint32_t count = series_count(own);
    for (uint32_t i = 0; i < count; i++) {
        board_metric *m = &own->series[i];
        if (strcmp(m->name, name) == 0 && strcmp(m->labels, labels) == 0)
            return m->is_gauge == is_gauge ? m : NULL;
    }
    if (count == BOARD_METRICS_MAX)
        return NULL;
    board_metric *m = &own->series[count];
    m->is_gauge = is_gauge;
    store_double(&m->bits, 0);
    (void)snprintf(m->name, sizeof m->name, "%s", name);
    (void)snprintf(m->help, sizeof m->help, "%s", help);
    (void)snprintf(m->labels, sizeof m->labels, "%s", labels);
    atomic_store_explicit(&m->used, 1, memory_order_release);
    atomic_store_explicit(&own->count, count + 1, memory_order_release);
    return m;
}

static ss_metric *series(const char *name, const char *help, const char *labels, uint32_t is_gauge)
{
    const board_metric *shape = NULL;
    help = help ? help : "";
    labels = labels ? labels : "";
    if (!name || !*name || !fits(name, sizeof shape->name) || !fits(labels, sizeof shape->labels))
        return NULL;
    pthread_mutex_lock(&registering);
    board_metric *m = own ? find_or_add(name, help, labels, is_gauge) : NULL;
    pthread_mutex_unlock(&registering);
    return (ss_metric *)m;
}

ss_metric *metrics_counter(const char *name, const char *help, const char *labels)
{
    return series(name, help, labels, 0);
}

ss_metric *metrics_gauge(const char *name, const char *help, const char *labels)
{
    return series(name, help, labels, 1);
}

void metrics_add(ss_metric *metric, double value)
{
    board_metric *m = (board_metric *)(void *)metric;
    if (!m || (!m->is_gauge && !(value >= 0))) /* a counter never falls */
        return;
    uint64_t raw = atomic_load_explicit(&m->bits, memory_order_relaxed), next;
    do {
        double sum;
        memcpy(&sum, &raw, sizeof sum);
        sum += value;
        memcpy(&next, &sum, sizeof next);
    } while (!atomic_compare_exchange_weak_explicit(&m->bits, &raw, next, memory_order_relaxed,
                                                    memory_order_relaxed));
}

void metrics_set(ss_metric *metric, double value)
{
    if (metric)
        store_double(&((board_metric *)(void *)metric)->bits, value);
}

double metrics_value(const ss_metric *metric)
{
    return metric ? load_double(&((const board_metric *)(const void *)metric)->bits) : 0;
}

/* ---- rendering ------------------------------------------------------------------------------------------
 */

typedef struct row {
    const board_metric *metric;
    const char *process;
    size_t order; /* keeps the sort stable */
} row;

static int compare_rows(const void *a, const void *b)
{
    const row *x = a, *y = b;
    int by_name = strcmp(x->metric->name, y->metric->name);
    if (by_name != 0)
        return by_name;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void put_number(buf *out, double value)
{
    if (isnan(value))
        buf_adds(out, "NaN");
    else if (isinf(value))
        buf_adds(out, value > 0 ? "+Inf" : "-Inf");
    else if (fabs(value) < 9007199254740992.0 && value == floor(value)) /* exact as an integer */
        buf_addf(out, "%lld", (long long)value);
    else
        buf_addf(out, "%.17g", value);
}

static void put_help(buf *out, const char *name, const char *help, bool is_gauge)
{
    buf_addf(out, "# HELP streamsteam_%s ", name);
    for (const char *p = help; *p; p++) {
        if (*p == '\\' || *p == '\n')
            buf_adds(out, *p == '\\' ? "\\\\" : "\\n");
        else
            buf_add(out, p, 1);
    }
    buf_addf(out, "\n# TYPE streamsteam_%s %s\n", name, is_gauge ? "gauge" : "counter");
}

static void put_row(buf *out, const row *r)
{
    const board_metric *m = r->metric;
    buf_addf(out, "streamsteam_%s{process=\"%s\"%s%s} ", m->name, r->process, m->labels[0] ? "," : "",
             m->labels);
    put_number(out, load_double(&m->bits));
    buf_adds(out, "\n");
}

static size_t collect(board *b, row *rows, size_t max)
{
    size_t count = 0;
    for (uint32_t p = 0; p < BOARD_PROCESSES_MAX; p++) {
        uint32_t n = series_count(&b->metrics[p]);
        for (uint32_t i = 0; i < n && count < max; i++) {
            if (atomic_load_explicit(&b->metrics[p].series[i].used, memory_order_acquire)) {
                rows[count] = (row){&b->metrics[p].series[i], b->processes[p].name, count};
                count++;
            }
        }
    }
    return count;
}

static void render_series(board *b, buf *out)
{
    size_t max = 0;
    for (uint32_t p = 0; p < BOARD_PROCESSES_MAX; p++)
        max += series_count(&b->metrics[p]);
    row *rows = max ? malloc(max * sizeof *rows) : NULL;
    if (!rows)
        return;
    size_t count = collect(b, rows, max);
    qsort(rows, count, sizeof *rows, compare_rows);
    for (size_t i = 0; i < count; i++) {
        const board_metric *m = rows[i].metric;
        if (i == 0 || strcmp(rows[i - 1].metric->name, m->name) != 0)
            put_help(out, m->name, m->help, m->is_gauge);
        put_row(out, &rows[i]);
    }
    free(rows);
}

static void render_processes(board *b, buf *out)
{
    put_help(out, "process_up", "1 while the process runs and is ready", true);
    for (uint32_t p = 0; p < BOARD_PROCESSES_MAX; p++) {
        board_process *process = &b->processes[p];
        if (process->name[0])
            buf_addf(out, "streamsteam_process_up{process=\"%s\"} %d\n", process->name,
                     atomic_load(&process->pid) != 0 && atomic_load(&process->ready) != 0);
    }
    put_help(out, "process_restarts_total", "How often the supervisor had to start the process again", false);
    for (uint32_t p = 0; p < BOARD_PROCESSES_MAX; p++) {
        if (b->processes[p].name[0])
            buf_addf(out, "streamsteam_process_restarts_total{process=\"%s\"} %llu\n", b->processes[p].name,
                     (unsigned long long)atomic_load(&b->processes[p].restarts));
    }
}

static void put_single(buf *out, const char *name, const char *help, bool is_gauge, uint64_t value)
{
    put_help(out, name, help, is_gauge);
    buf_addf(out, "streamsteam_%s %llu\n", name, (unsigned long long)value);
}

static void render_journal(board *b, buf *out)
{
    journal_board *j = &b->journal;
    put_single(out, "journal_durable_seq", "Sequence number of the last record on disk", true,
               atomic_load(&j->durable_seq));
    put_single(out, "journal_first_seq", "Sequence number of the oldest record kept", true,
               atomic_load(&j->first_seq));
    put_single(out, "journal_bytes", "Bytes of all segments", true, atomic_load(&j->bytes));
    put_single(out, "journal_state", "0 closed, 1 open, 2 full, 3 failed", true, atomic_load(&j->state));
}

enum module_figure { MODULE_CURSOR, MODULE_LAG, MODULE_EXPIRED, MODULE_PAUSED, MODULE_FIGURES };

static uint64_t module_figure(board *b, uint32_t slot, enum module_figure which)
{
    const journal_slot *s = &b->journal.slots[slot];
    uint64_t durable = atomic_load(&b->journal.durable_seq), cursor = atomic_load(&s->cursor);
    switch (which) {
    case MODULE_CURSOR:
        return cursor;
    case MODULE_LAG:
        return durable > cursor ? durable - cursor : 0;
    case MODULE_EXPIRED:
        return atomic_load(&s->expired);
    default:
        return atomic_load(&b->processes[2 + slot].paused);
    }
}

static void render_modules(board *b, buf *out)
{
    static const struct {
        const char *name, *help;
        bool is_gauge;
    } figures[MODULE_FIGURES] = {
        {"module_cursor", "Everything up to this record is delivered", true},
        {"module_lag_records", "Records on disk that the module has not delivered yet", true},
        {"module_expired_total", "Records that retention removed before the module read them", false},
        {"module_paused", "1: credentials or target are wrong, the module waits", true},
    };
    for (int f = 0; f < MODULE_FIGURES; f++) {
        put_help(out, figures[f].name, figures[f].help, figures[f].is_gauge);
        for (uint32_t slot = 0; slot < JOURNAL_READERS_MAX; slot++) {
            if (atomic_load(&b->journal.slots[slot].used))
                buf_addf(out, "streamsteam_%s{process=\"%s\"} %llu\n", figures[f].name,
                         b->processes[2 + slot].name,
                         (unsigned long long)module_figure(b, slot, (enum module_figure)f));
        }
    }
}

void metrics_render(board *b, buf *out)
{
    render_processes(b, out);
    render_journal(b, out);
    render_modules(b, out);
    render_series(b, out);
}
