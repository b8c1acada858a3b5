#include "core/delivery/delivery.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/delivery/inner.h"
#include "core/observe/metrics.h"
#include "plugins/loader/loader.h"

#define FAILURE_BASE_MS 100
#define FAILURE_MAX_MS  10000
#define OPEN_POLL_MS    20 /* while ingest recovers the journal: nobody wakes us for that */
#define FLUSH_PAUSE_US  100000
/* Of the server's drain budget, which ingest needed a part of before us. */
#define DRAIN_SHARE_PERCENT 80
#define CATCH_UP_PERCENT    50 /* then flush and drain */

/* ---- signals
 * ----------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t stop_asked, look_asked;
static journal_board *volatile poke_board;
static volatile uint32_t poke_slot;

static void poke(void)
{
    journal_board *page = poke_board;
    if (page)
        journal_poke(page, poke_slot);
}

void delivery_ask_stop(void)
{
    stop_asked = 1;
    poke();
}

void delivery_ask_look(void)
{
    look_asked = 1;
    poke();
}

/* ---- small things
 * ------------------------------------------------------------------------------------------ */

void delivery_say(delivery *d, const char *format, ...)
{
    char text[sizeof d->said];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!d->setup->say || strcmp(text, d->said) == 0)
        return;
    memcpy(d->said, text, sizeof text);
    d->setup->say(d->setup->arg, text);
}

int64_t delivery_backoff_ms(delivery *d, uint32_t attempt)
{
    int64_t most = d->spec.retry_base_ms;
    for (uint32_t i = 0; i < attempt && most < d->spec.retry_max_ms; i++)
        most *= 2;
    if (most > d->spec.retry_max_ms)
        most = d->spec.retry_max_ms;
    uint64_t random = 0;
    d->base.table.random(&d->base, &random, sizeof random);
    return (int64_t)(random % (uint64_t)most) + 1; /* full jitter */
}

void delivery_failed(delivery *d, const char *alarm, const ss_error *err)
{
    int64_t ms = FAILURE_BASE_MS;
    for (uint32_t i = 0; i < d->failures && ms < FAILURE_MAX_MS; i++)
        ms *= 2;
    d->failures++;
    d->blocked_until_us = clock_mono_us() + (ms < FAILURE_MAX_MS ? ms : FAILURE_MAX_MS) * 1000;
    d->base.table.alarm(&d->base, alarm, err->text);
    delivery_say(d, "state %s", err->text);
    if (err->code == SS_FATAL)
        d->fatal = true;
}

void delivery_works(delivery *d, const char *alarm)
{
    if (d->failures == 0)
        return;
    d->failures = 0;
    d->base.table.alarm(&d->base, alarm, NULL);
    delivery_say(d, "state ");
}

void delivery_rest(delivery *d, uint64_t wake_seq, int64_t until_us)
{
    int64_t ms = -1;
    if (until_us != INT64_MAX) {
        ms = (until_us - clock_mono_us() + 999) / 1000;
        if (ms <= 0)
            return;
    }
    (void)journal_wait(d->journal, d->setup->slot, wake_seq, ms);
    if (stop_asked)
        d->stopping = true;
}

/* ---- start
 * ------------------------------------------------------------------------------------------------- */

static void register_metrics(delivery *d)
{
    static const char *const names[OUTCOME_COUNT] = {"module_delivered_total", "module_rejected_total",
                                                     "module_gaps_total", "module_filtered_total",
                                                     "module_damaged_total"};
    static const char *const helps[OUTCOME_COUNT] = {
        "Records delivered, as far as the position is stored.", "Records put into quarantine.",
        "Records that expired before they were read.", "Records that the module's filter passes over.",
        "Records that could not be read from the journal."};
    for (int k = 0; k < OUTCOME_COUNT; k++)
        d->metrics.outcomes[k] = metrics_counter(names[k], helps[k], "");
    d->metrics.retried =
        metrics_counter("module_retried_total", "Records that were delivered again after a failure.", "");
    d->metrics.batches = metrics_counter("module_batches_total", "Calls of deliver().", "");
    d->metrics.commits = metrics_counter("module_commits_total", "Transactions on the module's state.", "");
    d->metrics.syncs = metrics_counter("module_syncs_total", "Syncs of the module's state.", "");
    d->metrics.quarantined = metrics_gauge("module_quarantined", "Records in quarantine now.", "");
}

/* Of a create() or start() that failed. Refused: with these options it never works, and the supervisor waits
   long; anything else (a disk that fails, no memory) may be over soon. */
static int exit_code_of(int32_t rc)
{
    return rc == SS_RETRY || rc == SS_FATAL || rc == SS_LIMIT || rc == SS_THROTTLE ? DELIVERY_FAILED
                                                                                   : DELIVERY_REFUSED;
}

static int prepare(delivery *d, ss_error *err)
{
    if (spec_read(&d->spec, d->setup->blob, err) != 0)
        return DELIVERY_REFUSED;
    d->plugin = loader_open(d->spec.plugin_path, SS_MODULE, err);
    if (!d->plugin || view_load(d, err) != 0)
        return DELIVERY_REFUSED;
    d->commits = (d->plugin->module->flags & SS_MODULE_COMMITS) != 0;
    if (host_base_init(&d->base, "module", d->spec.name, d->spec.data_dir, err) != 0)
        return DELIVERY_FAILED;
    host_fill(d);
    register_metrics(d);
    char path[PATH_MAX];
    if (d->setup->replay_id) {
        int n = snprintf(path, sizeof path, "%s/replay-%s", d->base.dir, d->setup->replay_id);
        if (n < 0 || (size_t)n >= sizeof path)
            return ss_fail(err, DELIVERY_FAILED, "module %s: the path of data_dir is too long", d->spec.name);
        memcpy(d->base.dir, path, sizeof path);
    }
    int n = snprintf(path, sizeof path, "%s/%s", d->base.dir, STATE_FILE);
    if (n < 0 || (size_t)n >= sizeof path)
        return ss_fail(err, DELIVERY_FAILED, "module %s: the path of data_dir is too long", d->spec.name);
    d->state = state_open(path, err);
    if (!d->state)
        return DELIVERY_FAILED;
    if (!deadline_init(d))
        return ss_fail(err, DELIVERY_FAILED, "module %s: no timer for the deadline: %m", d->spec.name);
    int32_t rc = d->plugin->create(&d->base.table, d->spec.options, &d->inst, err);
    return rc == SS_OK ? DELIVERY_CLEAN : exit_code_of(rc);
}

static bool journal_is_open(const delivery *d)
{
    return atomic_load(&d->journal->journal_id) != 0 && atomic_load(&d->journal->state) != JOURNAL_CLOSED;
}

/* Ingest publishes nothing before it has recovered the journal. false: the server stops before it did. Once
   it has, a module that is told to stop while it starts still passes on what waits for it. */
static bool await_journal(delivery *d)
{
    while (!journal_is_open(d) && !d->stopping)
        delivery_rest(d, UINT64_MAX, clock_mono_us() + OPEN_POLL_MS * 1000);
    return atomic_load(&d->journal->journal_id) != 0;
}

static int start_instance(delivery *d, ss_error *err)
{
    ss_resume resume = {.struct_size = sizeof resume,
                        .seq = state_cursor(d->state),
                        .state = state_blob(d->state),
                        .journal_id = atomic_load(&d->journal->journal_id)};
    for (uint32_t attempt = 0; d->plugin->start; attempt++) {
        d->in_start = true;
        int32_t rc = d->plugin->start(d->inst, &resume, err);
        d->in_start = false;
        if (rc == SS_OK)
            break;
        if (d->stopping)
            return DELIVERY_FAILED; /* the journal keeps what waits */
        if (rc != SS_RETRY && rc != SS_PAUSE && rc != SS_THROTTLE)
            return exit_code_of(rc);
        int64_t ms = delivery_backoff_ms(d, attempt);
        log_warn("module %s: cannot start, trying again in %lld ms: %s", d->spec.name, (long long)ms,
                 err->text);
        delivery_say(d, "state cannot start: %s", err->text);
        delivery_rest(d, UINT64_MAX, clock_mono_us() + ms * 1000);
    }
    return DELIVERY_CLEAN;
}

/* ---- the loop
 * ---------------------------------------------------------------------------------------------- */

static void look_around(delivery *d)
{
    if (look_asked && d->setup->look) {
        look_asked = 0;
        uint32_t asked = d->setup->look(d->setup->arg);
        d->ask_quarantine |= (asked & DELIVERY_ASK_QUARANTINE) != 0;
        d->ask_flush |= (asked & DELIVERY_ASK_FLUSH) != 0;
        if (asked & DELIVERY_ASK_STOP)
            stop_asked = 1;
    }
    if (!stop_asked || d->stop_by_us)
        return;
    d->stopping = true;
    d->stop_by_us = clock_mono_us() + d->spec.drain_ms * DRAIN_SHARE_PERCENT * 10;
    d->stop_seq = atomic_load(&d->journal->durable_seq);
}

static bool finished(const delivery *d, int64_t now)
{
    if (d->fatal)
        return true;
    if (d->setup->replay_id && d->read_seq >= d->limit_seq && !d->batch.open)
        return true;
    if (!d->stopping)
        return false;
    /* A retry that comes in time is waited for. */
    int64_t catch_up_by_us = d->stop_by_us - d->spec.drain_ms * (DRAIN_SHARE_PERCENT - CATCH_UP_PERCENT) * 10;
    bool stuck =
        d->hold_until_us > catch_up_by_us || d->blocked_until_us > catch_up_by_us || d->setup->replay_id;
    return stuck || now > catch_up_by_us || (d->read_seq >= d->stop_seq && !d->batch.open);
}

static void flush_asked(delivery *d)
{
    ss_error err = error_init();
    const ss_module *ops = d->plugin->module;
    d->ask_flush = false;
    if (ops->flush && ops->flush(d->inst, clock_now_us() + d->spec.deadline_ms * 1000, &err) == SS_FATAL)
        d->fatal = true;
    if (err.text[0])
        log_warn("module %s: flush: %s", d->spec.name, err.text);
}

/* Buffers go back when nothing came for a while; one wake-up for that, then none. */
static int64_t idle_due(delivery *d, int64_t now)
{
    if (!d->reader || d->batch.open)
        return INT64_MAX;
    if (now - d->last_read_us < DELIVERY_IDLE_US)
        return d->last_read_us + DELIVERY_IDLE_US;
    batch_release(d, true);
    return INT64_MAX;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A module whose filter passes everything over is not woken for each commit either: it lingers, too. */
static void await_records(delivery *d, int64_t due, int64_t now)
{
    int64_t linger_until = d->filtered_us + d->spec.linger_ms * 1000;
    if (linger_until > now)
        delivery_rest(d, d->read_seq + d->spec.batch_records, least(due, linger_until));
    else
        delivery_rest(d, d->read_seq + 1, due);
}

/* Looked at once a second at the most: it costs a few system calls. */
static void look_at_memory(delivery *d, int64_t now)
{
    if (now < d->memory_due_us)
        return;
    d->memory_due_us = now + DELIVERY_MEMORY_US;
    d->anew = memory_is_short();
    if (d->anew)
        log_error(
            "module %s uses three quarters of its `memory` and is started anew: it leaks, or the limit is "
            "too low",
            d->spec.name);
}

static void loop_once(delivery *d)
{
    int64_t due = host_run_timers(d);
    position_settle(d);
    due = least(due, position_service(d));
    int64_t now = clock_mono_us();
    look_at_memory(d, now);
    if (d->quarantine_due_us && d->quarantine_due_us <= now)
        d->ask_quarantine = true;
    else if (d->quarantine_due_us)
        due = least(due, d->quarantine_due_us);
    int64_t hold = d->hold_until_us > d->blocked_until_us ? d->hold_until_us : d->blocked_until_us;
    if (d->fatal || finished(d, now))
        return;
    if (hold > now) {
        delivery_rest(d, UINT64_MAX, least(due, hold));
        return;
    }
    if (d->ask_flush || d->trail.count - d->trail.first > TRAIL_RUNS_MAX)
        flush_asked(d);
    if (!d->batch.open && state_quarantine_count(d->state) >= STATE_QUARANTINE_MAX) {
        ss_error err = error_init();
        (void)ss_fail(&err, SS_RETRY,
                      "the quarantine is full (%u records): `streamsteam quarantine retry|drop %s`",
                      STATE_QUARANTINE_MAX, d->spec.name);
        delivery_failed(d, "quarantine", &err);
        return;
    }
    if (!d->batch.open && d->ask_quarantine && batch_ready(d))
        deliver_quarantined(d);
    if (d->batch.open || batch_fill(d))
        deliver_batch(d);
    else if (!d->setup->replay_id && batch_limit(d) <= d->read_seq && !d->stopping && !d->ask_quarantine)
        await_records(d, least(due, idle_due(d, now)), now);
}

/* ---- the end
 * ----------------------------------------------------------------------------------------------- */

static int finish(delivery *d)
{
    ss_error err = error_init();
    const ss_module *ops = d->plugin->module;
    int64_t left_us = d->stop_by_us ? d->stop_by_us - clock_mono_us() : d->spec.drain_ms * 1000;
    int64_t deadline_us = clock_now_us() + (left_us > 0 ? left_us : 0);
    int32_t rc = SS_OK;
    FAULT_POINT("delivery.before_flush");
    while (ops->flush && (rc = ops->flush(d->inst, deadline_us, &err)) == SS_RETRY &&
           clock_now_us() + FLUSH_PAUSE_US < deadline_us)
        delivery_rest(d, UINT64_MAX, clock_mono_us() + FLUSH_PAUSE_US);
    if (rc != SS_OK)
        log_warn("module %s: what it holds was not passed on in time (%s); the journal keeps it",
                 d->spec.name, err.text);
    if (d->plugin->drain && d->plugin->drain(d->inst, deadline_us, &err) != SS_OK)
        log_warn("module %s: drain: %s", d->spec.name, err.text);
    position_settle(d);
    state_change change = {.cursor = d->done_seq};
    int stored = d->done_seq > state_cursor(d->state) ? position_commit(d, &change, &err) : 0;
    if (stored == 0)
        stored = position_sync(d, &err);
    if (stored != 0)
        log_error("module %s: %s", d->spec.name, err.text);
    return rc == SS_OK && stored == 0 ? DELIVERY_CLEAN : DELIVERY_FAILED;
}

static void release_all(delivery *d)
{
    if (d->inst)
        d->plugin->destroy(d->inst);
    batch_release(d, true);
    if (d->deadline)
        deadline_fini(d);
    state_close(d->state);
    tally_fini(&d->tally);
    trail_fini(&d->trail);
    free(d->skips);
    free(d->skip_kinds);
    if (d->base.table.self)
        host_base_fini(&d->base);
    spec_fini(&d->spec);
    poke_board = NULL;
    free(d);
}

static int run(delivery *d)
{
    ss_error err = error_init();
    int rc = prepare(d, &err);
    if (rc == DELIVERY_CLEAN && !await_journal(d))
        return DELIVERY_CLEAN; /* stopped before there was anything to do */
    if (rc == DELIVERY_CLEAN)
        rc = position_open(d, &err);
    if (rc == DELIVERY_CLEAN)
        rc = start_instance(d, &err);
    if (rc != DELIVERY_CLEAN) {
        log_error("module %s: %s", d->spec.name, err.text);
        delivery_say(d, "state %s", err.text);
        return rc;
    }
    delivery_say(d, "ready");
    d->ask_quarantine = state_quarantine_count(d->state) > 0;
    look_asked = 1; /* what was sent before the handlers were there */
    for (look_around(d); !d->anew && !finished(d, clock_mono_us()); look_around(d))
        loop_once(d);
    int rc_end = d->fatal ? DELIVERY_FAILED : finish(d);
    return d->anew ? DELIVERY_FAILED : rc_end;
}

int delivery_run(const delivery_setup *setup)
{
    delivery *d = calloc(1, sizeof *d);
    if (!d)
        return DELIVERY_FAILED;
    d->setup = setup;
    d->process = &setup->board->processes[setup->process_index];
    d->journal = &setup->board->journal;
    d->slot = &setup->board->journal.slots[setup->slot];
    d->limit_seq = setup->replay_id ? setup->replay_through : UINT64_MAX;
    arena_init(&d->batch.texts, DELIVERY_TEXTS_BYTES_MAX);
    buf_init(&d->batch.views, 0);
    poke_slot = setup->slot;
    poke_board = d->journal;
    if (stop_asked)
        d->stopping = true;
    int rc = run(d);
    release_all(d);
    return rc;
}
