/* One call of deliver() and what follows from it: per record done, again, or quarantine. */
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/log.h"
#include "core/delivery/inner.h"
#include "core/observe/metrics.h"

/* ---- the call
 * ---------------------------------------------------------------------------------------------- */

static ss_result result_for(batch *b)
{
    memset(b->results, 0, b->count * sizeof *b->results);
    arena_reset(&b->texts);
    return (ss_result){.struct_size = sizeof(ss_result),
                       .record_size = sizeof *b->results,
                       .count = b->count,
                       .records = b->results};
}

static int32_t call_deliver(delivery *d, ss_result *result, ss_error *err)
{
    batch *b = &d->batch;
    ss_batch given = {.struct_size = sizeof given,
                      .record_size = sizeof *b->records,
                      .count = b->count,
                      .records = b->records,
                      .batch_id = b->id,
                      .from = b->from,
                      .through = b->through,
                      .deadline_us = clock_now_us() + d->spec.deadline_ms * 1000};
    *result = result_for(b);
    d->in_deliver = true;
    deadline_arm(d, b->records[0].seq - 1, b->records[b->count - 1].seq);
    FAULT_POINT("delivery.before_deliver");
    int32_t rc = d->plugin->module->deliver(d->inst, &given, result, err);
    FAULT_POINT("delivery.after_deliver");
    /* Nothing of this process can be trusted then, its log included: end while still inside deliver(). */
    if (d->setup->intact && !d->setup->intact(d->setup->arg))
        _exit(DELIVERY_BROKEN);
    deadline_disarm(d);
    d->in_deliver = false;
    metrics_add(d->metrics.batches, 1);
    return rc;
}

/* ---- verdicts
 * ---------------------------------------------------------------------------------------------- */

typedef struct verdict {
    uint32_t kept, done, reject_count, bugs;
    state_reject *rejects; /* records: copies, since the batch is packed while these are stored */
    ss_record *copies;
    ss_str why; /* of the first that has to come again */
} verdict;

static bool verdict_reject(delivery *d, verdict *v, uint32_t i)
{
    batch *b = &d->batch;
    if (!v->rejects) {
        v->rejects = calloc(b->count, sizeof *v->rejects);
        v->copies = calloc(b->count, sizeof *v->copies);
    }
    if (!v->rejects || !v->copies || !trail_reject(&d->trail, b->records[i].seq, b->rows[i]))
        return false;
    v->copies[v->reject_count] = b->records[i];
    v->rejects[v->reject_count] = (state_reject){.record = &v->copies[v->reject_count],
                                                 .code = b->results[i].code,
                                                 .attempts = b->records[i].attempt,
                                                 .reason = b->results[i].text};
    v->reject_count++;
    return true;
}

static void keep_record(batch *b, uint32_t from, uint32_t to)
{
    if (from != to) {
        b->records[to] = b->records[from];
        b->rows[to] = b->rows[from];
    }
    b->records[to].attempt++;
    b->records[to].flags |= SS_RECORD_RETRIED;
}

/* Walks the results, packs what has to come again to the front. asked: deliver() said SS_OK, so each record
   must have a verdict. */
static void judge(delivery *d, verdict *v, bool asked)
{
    batch *b = &d->batch;
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t status = b->results[i].status;
        bool committed = d->commits && b->records[i].seq <= state_cursor(d->state);
        if (status == SS_RECORD_REJECT && verdict_reject(d, v, i))
            continue;
        bool bug = status != SS_RECORD_OK && status != SS_RECORD_RETRY && status != SS_RECORD_REJECT &&
                   (asked || status);
        v->bugs += bug || (committed && status != SS_RECORD_OK);
        if (status == SS_RECORD_OK || committed) {
            if (d->commits)
                d->taken_seq = b->records[i].seq > d->taken_seq ? b->records[i].seq : d->taken_seq;
            else
                b->done[b->done_count++] = b->records[i].seq;
            v->done++;
            continue;
        }
        if (v->kept == 0)
            v->why = b->results[i].text;
        keep_record(b, i, v->kept++);
    }
    b->count = v->kept;
}

static void verdict_fini(verdict *v)
{
    free(v->rejects);
    free(v->copies);
}

/* Those done before the cursor passes them: what a former life noted, and what this batch has so far. */
static uint64_t *done_list(const delivery *d, size_t *count)
{
    uint64_t *list = malloc((d->skip_count + d->batch.done_count + 1) * sizeof *list);
    *count = 0;
    for (size_t i = 0; list && i < d->skip_count; i++)
        if (d->skip_kinds[i] == OUTCOME_DELIVERED && d->skips[i] > state_cursor(d->state))
            list[(*count)++] = d->skips[i];
    for (size_t i = 0; list && i < d->batch.done_count; i++)
        list[(*count)++] = d->batch.done[i];
    return list;
}

/* Writes down what must not be lost or come twice, before anything else goes on. false: stopping. */
static bool verdict_store(delivery *d, const verdict *v)
{
    bool partial = v->kept > 0 && v->done > 0 && !d->commits;
    if (v->reject_count == 0 && !partial)
        return true;
    state_change change = {.rejects = v->rejects, .reject_count = v->reject_count};
    change.cursor = v->kept == 0 && !d->commits ? d->read_seq : state_cursor(d->state);
    uint64_t *list = partial ? done_list(d, &change.done_count) : NULL;
    change.done = list;
    change.done_set = list != NULL;
    d->batch.partial |= partial;
    ss_error err = error_init();
    int rc;
    while ((rc = position_commit(d, &change, &err)) != 0 && !d->stopping) {
        delivery_failed(d, "state", &err);
        delivery_rest(d, UINT64_MAX, d->blocked_until_us);
    }
    if (rc == 0)
        delivery_works(d, "state");
    free(list);
    return rc == 0;
}

static void log_rejects(const delivery *d, const verdict *v)
{
    if (v->reject_count > 0)
        log_warn("module %s: %u record%s in quarantine, the first is %llu: %.*s (`streamsteam quarantine "
                 "list %s`)",
                 d->spec.name, v->reject_count, v->reject_count == 1 ? " is" : "s are",
                 (unsigned long long)v->copies[0].seq, (int)v->rejects[0].reason.len,
                 v->rejects[0].reason.ptr, d->spec.name);
    if (v->bugs > 0)
        log_error("module %s: a bug in the plugin: %u records were left without a verdict (or with an "
                  "unknown one); they come again",
                  d->spec.name, v->bugs);
}

/* ---- what the module said of the batch
 * ----------------------------------------------------------------------- */

static void pause_delivery(delivery *d, const char *text)
{
    const char *why = text[0] ? text : "the module gives no reason";
    if (!d->paused)
        log_error("module %s: paused, everything is kept: %s", d->spec.name, why);
    d->paused = true;
    atomic_store(&d->process->paused, 1);
    d->base.table.alarm(&d->base, "paused", why);
    delivery_say(d, "state paused: %s", why);
}

static void resume_delivery(delivery *d)
{
    if (d->paused) {
        log_info("module %s: delivering again", d->spec.name);
        d->paused = false;
        atomic_store(&d->process->paused, 0);
        d->base.table.alarm(&d->base, "paused", NULL);
    }
    delivery_say(d, "state ");
}

/* How long until the next call, in ms; 0 = at once. */
static int64_t pause_ms(delivery *d, int32_t rc, const ss_result *result, const verdict *v)
{
    if (rc == SS_PAUSE)
        return d->spec.retry_max_ms;
    bool asked = rc == SS_THROTTLE || rc == SS_RETRY;
    if (v->kept == 0 && rc != SS_THROTTLE)
        return 0;
    if ((asked || v->kept > 0) && result->retry_after_ms > 0)
        return result->retry_after_ms < DELIVERY_RETRY_AFTER_MAX_MS ? result->retry_after_ms
                                                                    : DELIVERY_RETRY_AFTER_MAX_MS;
    return delivery_backoff_ms(d, d->batch.attempt);
}

static void batch_again(delivery *d, int32_t rc, const verdict *v, const ss_error *err, int64_t ms)
{
    d->batch.attempt++;
    metrics_add(d->metrics.retried, v->kept);
    ss_str why = err->text[0] ? ss_cstr(err->text) : v->why;
    if (rc != SS_PAUSE && v->kept > 0) {
        log_warn("module %s: %u of records %llu to %llu come again in %lld ms%s%.*s", d->spec.name, v->kept,
                 (unsigned long long)d->batch.from + 1, (unsigned long long)d->batch.through, (long long)ms,
                 why.len ? ": " : "", (int)why.len, why.ptr);
        delivery_say(d, "state retrying %u records: %.*s", v->kept, (int)why.len, why.ptr);
    }
}

static void batch_done(delivery *d)
{
    if (d->batch.partial)
        d->commit_now = true;
    batch_release(d, false);
    position_settle(d);
    poison_passed(d);
}

/* Before the first call: what the view refuses goes into quarantine and is not delivered. */
static bool render(delivery *d)
{
    batch *b = &d->batch;
    if (!d->spec.view[0] || b->attempt > 0)
        return true;
    verdict v = {0};
    (void)result_for(b);
    deadline_arm(d, b->records[0].seq - 1, b->records[b->count - 1].seq);
    view_render(d);
    deadline_disarm(d);
    uint32_t before = b->count;
    for (uint32_t i = 0; i < before && v.reject_count == 0; i++)
        if (b->results[i].status == SS_RECORD_REJECT)
            v.reject_count = 1;
    if (v.reject_count == 0)
        return true;
    v.reject_count = 0;
    judge(d, &v, false);
    for (uint32_t i = 0; i < b->count; i++) { /* they were not delivered yet */
        b->records[i].attempt = 1;
        b->records[i].flags &= ~(uint32_t)SS_RECORD_RETRIED;
    }
    log_rejects(d, &v);
    bool stored = verdict_store(d, &v);
    verdict_fini(&v);
    if (b->count == 0 && stored)
        batch_done(d);
    return b->count > 0 && stored;
}

void deliver_batch(delivery *d)
{
    if (!render(d))
        return;
    ss_error err = error_init();
    ss_result result;
    int32_t rc = call_deliver(d, &result, &err);
    if (rc == SS_FATAL) {
        log_error("module %s: %s; a new instance is started", d->spec.name,
                  err.text[0] ? err.text : "it says that it is broken");
        d->fatal = true;
        return;
    }
    bool known = rc == SS_OK || rc == SS_RETRY || rc == SS_THROTTLE || rc == SS_PAUSE;
    verdict v = {0};
    judge(d, &v, rc == SS_OK);
    v.bugs += !known;
    log_rejects(d, &v);
    bool stored = verdict_store(d, &v);
    if (rc == SS_PAUSE)
        pause_delivery(d, err.text);
    else if (v.kept == 0)
        resume_delivery(d);
    int64_t ms = pause_ms(d, rc, &result, &v);
    if (v.kept > 0)
        batch_again(d, rc, &v, &err, ms);
    else if (stored)
        batch_done(d);
    d->hold_until_us = ms > 0 ? clock_mono_us() + ms * 1000 : 0;
    verdict_fini(&v);
}

/* ---- quarantine, once more
 * ----------------------------------------------------------------------------------- */

typedef struct held_row {
    buf bytes;
    state_row row;
    bool found;
} held_row;

static ss_str keep_str(buf *b, ss_str s)
{
    size_t at = b->len;
    buf_add(b, s.ptr, s.len);
    return ss_s((const char *)(uintptr_t)at, s.len); /* an offset until the buffer stands still */
}

static void settle_str(const buf *b, ss_str *s)
{
    s->ptr = s->len ? b->ptr + (uintptr_t)s->ptr : "";
}

static bool hold_row(void *arg, const state_row *row)
{
    held_row *h = arg;
    h->row = *row;
    h->found = true;
    ss_record *r = &h->row.record;
    ss_str *parts[] = {&r->receiver, &r->app, &r->type, &r->id, &r->key, &r->json, &r->aside};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        *parts[i] = keep_str(&h->bytes, *parts[i]);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        settle_str(&h->bytes, parts[i]);
    r->body = r->json;
    return false; /* one at a time */
}

static int release_row(delivery *d, uint64_t seq, ss_error *err)
{
    const ss_module *ops = d->plugin->module;
    if (d->commits && ops->flush &&
        ops->flush(d->inst, clock_now_us() + d->spec.deadline_ms * 1000, err) != SS_OK)
        return -1; /* taken, but not passed on: it stays in quarantine and comes again */
    state_change change = {.cursor = state_cursor(d->state), .released = &seq, .released_count = 1};
    if (position_commit(d, &change, err) != 0)
        return -1;
    log_info("module %s: record %llu was delivered out of quarantine", d->spec.name, (unsigned long long)seq);
    return 0;
}

/* 0: go on with the next; -1: later. */
static int deliver_row(delivery *d, const state_row *row, ss_error *err)
{
    batch *b = &d->batch;
    b->records[0] = row->record;
    b->rows[0] = UINT32_MAX;
    b->count = 1;
    b->from = row->record.seq - 1;
    b->through = b->id = row->record.seq;
    ss_result result;
    if (d->spec.view[0]) {
        (void)result_for(b);
        view_render(d);
    }
    bool refused = d->spec.view[0] && b->results[0].status == SS_RECORD_REJECT;
    int32_t rc = refused ? SS_OK : call_deliver(d, &result, err);
    uint32_t status = b->results[0].status;
    b->count = 0;
    if (rc == SS_FATAL)
        d->fatal = true;
    if (rc == SS_OK && status == SS_RECORD_OK)
        return release_row(d, row->record.seq, err);
    if (status == SS_RECORD_REJECT)
        return state_refuse(d->state, row->record.seq, b->results[0].code, b->results[0].text, err);
    return -1;
}

void deliver_quarantined(delivery *d)
{
    uint64_t after = 0;
    ss_error err = error_init();
    d->ask_quarantine = false;
    d->quarantine_due_us = 0;
    while (!d->stopping && !d->fatal) {
        held_row held = {0};
        buf_init(&held.bytes, 2 * JOURNAL_RECORD_MAX);
        int rc = state_rows(d->state, after, true, hold_row, &held, &err);
        bool usable =
            rc == 0 && held.found && !held.bytes.failed && held.row.record.seq <= state_cursor(d->state);
        if (usable) {
            after = held.row.record.seq;
            rc = deliver_row(d, &held.row, &err);
        }
        buf_fini(&held.bytes);
        batch_release(d, false);
        if (rc != 0) {
            log_warn("module %s: retrying from quarantine goes on in %lld ms%s%s", d->spec.name,
                     (long long)d->spec.retry_max_ms, err.text[0] ? ": " : "", err.text);
            d->quarantine_due_us = clock_mono_us() + d->spec.retry_max_ms * 1000;
        }
        if (rc != 0 || !usable)
            return;
    }
}
