/* Where the module stands: first position, commits, syncs. */
#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/fault.h"
#include "core/base/log.h"
#include "core/delivery/inner.h"
#include "core/delivery/ledger.h"
#include "core/observe/metrics.h"

/* ---- the first position
 * ------------------------------------------------------------------------------------ */

static uint64_t first_position(const delivery *d)
{
    uint64_t end = atomic_load(&d->journal->durable_seq), first = atomic_load(&d->journal->first_seq);
    if (d->setup->replay_id)
        return d->setup->replay_from - 1;
    if (d->spec.start == SPEC_LATEST)
        return end;
    uint64_t earliest = first ? first - 1 : 0;
    if (d->spec.start == SPEC_SEQ && d->spec.start_seq > 0)
        return d->spec.start_seq - 1 > end        ? end
               : d->spec.start_seq - 1 < earliest ? earliest
                                                  : d->spec.start_seq - 1;
    return earliest;
}

static int position_begin(delivery *d, ss_error *err)
{
    state_start start = {.journal_id = atomic_load(&d->journal->journal_id), .start_seq = first_position(d)};
    tally baseline = {0};
    if (!d->setup->replay_id &&
        ledger_accepted(d->spec.data_dir, d->spec.journal_dir, start.start_seq, &baseline, err) != 0) {
        tally_fini(&baseline);
        return DELIVERY_FAILED;
    }
    int rc = state_begin(d->state, &start, &baseline, err);
    tally_fini(&baseline);
    if (rc == 0)
        log_info("module %s: new here: it begins after record %llu", d->spec.name,
                 (unsigned long long)start.start_seq);
    return rc == 0 ? DELIVERY_CLEAN : DELIVERY_FAILED;
}

/* Is this still the journal that the position belongs to? */
static int position_check(delivery *d, ss_error *err)
{
    state_start start = state_started(d->state);
    uint64_t id = atomic_load(&d->journal->journal_id), end = atomic_load(&d->journal->durable_seq);
    uint64_t first = atomic_load(&d->journal->first_seq);
    if (state_cursor(d->state) <= end) {
        if (start.journal_id != id)
            log_warn("module %s: the journal has a new id (%016llx, was %016llx); going on after record %llu",
                     d->spec.name, (unsigned long long)id, (unsigned long long)start.journal_id,
                     (unsigned long long)state_cursor(d->state));
        return DELIVERY_CLEAN;
    }
    if (start.journal_id == id) {
        (void)ss_fail(err, SS_FATAL,
                      "it stands at record %llu, but the journal ends at %llu: an older copy of the journal "
                      "was put back; give it "
                      "a new id with `streamsteam journal new-id` and move %s/modules/%s/%s away",
                      (unsigned long long)state_cursor(d->state), (unsigned long long)end, d->spec.data_dir,
                      d->spec.name, STATE_FILE);
        return DELIVERY_FAILED;
    }
    log_error("module %s: its position %llu is of another journal (%016llx); it begins anew with the first "
              "record of this one",
              d->spec.name, (unsigned long long)state_cursor(d->state), (unsigned long long)start.journal_id);
    start = (state_start){.journal_id = id, .start_seq = first ? first - 1 : 0};
    return state_restart(d->state, &start, NULL, err) == 0 ? DELIVERY_CLEAN : DELIVERY_FAILED;
}

/* What must be passed over, where reading begins. */
static int position_load(delivery *d, ss_error *err)
{
    free(d->skips);
    free(d->skip_kinds);
    d->skip_at = 0;
    d->done_through = 0;
    if (state_skips(d->state, &d->skips, &d->skip_kinds, &d->skip_count, err) != 0)
        return DELIVERY_FAILED;
    for (size_t i = 0; i < d->skip_count; i++)
        if (d->skip_kinds[i] == OUTCOME_DELIVERED)
            d->done_through = d->skips[i];
    d->read_seq = d->done_seq = state_cursor(d->state);
    trail_init(&d->trail, d->read_seq);
    atomic_store(&d->slot->cursor, d->read_seq);
    return position_sync(d, err) == 0 ? DELIVERY_CLEAN : DELIVERY_FAILED;
}

/* The module's other end has lost what came after *seq. */
int32_t position_rewind(delivery *d, uint64_t *seq, ss_error *err)
{
    uint64_t first = atomic_load(&d->journal->first_seq), earliest = first ? first - 1 : 0;
    if (*seq < earliest)
        *seq = earliest;
    if (*seq >= state_cursor(d->state))
        return SS_OK;
    state_start start = {.journal_id = atomic_load(&d->journal->journal_id), .start_seq = *seq};
    tally baseline = {0};
    int rc = ledger_accepted(d->spec.data_dir, d->spec.journal_dir, *seq, &baseline, err);
    if (rc == 0)
        rc = state_restart(d->state, &start, &baseline, err);
    tally_fini(&baseline);
    if (rc != 0)
        return SS_RETRY;
    trail_fini(&d->trail);
    log_warn("module %s: goes back to record %llu, because it asks for that", d->spec.name,
             (unsigned long long)*seq);
    return position_load(d, err) == DELIVERY_CLEAN ? SS_OK : SS_RETRY;
}

/* The filter and view that were in force when the module's own state was made stay so until its next commit:
   what a stored plan covers must come again as it came the first time. */
static int position_host(delivery *d, ss_error *err)
{
    buf stored;
    buf_init(&stored, STATE_BLOB_MAX);
    ss_str now = ss_cstr(d->spec.host_json);
    int rc = 0;
    bool known = state_get(d->state, "host", &stored);
    if (!known || (!ss_eq(buf_str(&stored), now) && !(d->commits && state_blob(d->state).len > 0)))
        rc = state_put(d->state, "host", now, err);
    else if (!ss_eq(buf_str(&stored), now))
        rc = spec_hold(&d->spec, buf_str(&stored), err);
    buf_fini(&stored);
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)d->spec.max_bytes);
    if (rc == 0)
        rc = state_put(d->state, "max_bytes", ss_cstr(text), err);
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)d->spec.fingerprint);
    if (rc == 0)
        rc = state_put(d->state, "fingerprint", ss_cstr(text), err);
    return rc;
}

int position_open(delivery *d, ss_error *err)
{
    int rc = state_is_new(d->state) ? position_begin(d, err) : position_check(d, err);
    if (rc != DELIVERY_CLEAN)
        return rc;
    FAULT_POINT("delivery.positioned");
    if (poison_learn(d, err) != 0 || position_host(d, err) != 0)
        return DELIVERY_FAILED;
    return position_load(d, err);
}

/* ---- commit and sync
 * --------------------------------------------------------------------------------------- */

static void count_outcomes(delivery *d)
{
    for (uint32_t i = d->tally.first_changed; i; i = d->tally.rows[i - 1].next_changed) {
        for (int k = 0; k < OUTCOME_COUNT; k++) {
            metrics_add(d->metrics.outcomes[k], (double)d->tally.rows[i - 1].counts[k]);
            if (d->setup->outcomes)
                d->setup->outcomes[k] += (uint64_t)d->tally.rows[i - 1].counts[k];
        }
    }
}

int position_commit(delivery *d, state_change *c, ss_error *err)
{
    trail_sum(&d->trail, c->cursor, &d->tally);
    c->counts = &d->tally;
    if (!c->done_set && d->done_through && c->cursor >= d->done_through)
        c->done_set = true; /* the cursor passed what was noted as done before its time */
    int rc = state_commit(d->state, c, err);
    if (rc == 0) {
        trail_drop(&d->trail, c->cursor);
        count_outcomes(d);
        atomic_store(&d->slot->cursor, c->cursor);
        metrics_add(d->metrics.commits, 1);
        metrics_set(d->metrics.quarantined, (double)state_quarantine_count(d->state));
        d->unsynced = true;
        d->commit_now = false;
        if (c->done_set)
            d->done_through = 0;
        for (size_t i = 0; c->done_set && i < c->done_count; i++)
            d->done_through = c->done[i] > d->done_through ? c->done[i] : d->done_through;
        d->last_commit_us = clock_mono_us();
        if (d->done_seq < c->cursor)
            d->done_seq = c->cursor;
    }
    tally_clear(&d->tally);
    return rc;
}

int position_sync(delivery *d, ss_error *err)
{
    if (state_sync(d->state, err) != 0)
        return -1;
    atomic_store(&d->slot->synced_cursor, state_cursor(d->state)); /* only now may the journal let go of it */
    metrics_add(d->metrics.syncs, 1);
    d->unsynced = false;
    d->last_sync_us = clock_mono_us();
    return 0;
}

void position_settle(delivery *d)
{
    if (d->batch.open)
        return;
    if (!d->commits ||
        d->taken_seq <= state_cursor(d->state)) /* the module holds nothing: only filtered ones */
        d->done_seq = d->read_seq;
}

static int64_t commit_due(const delivery *d)
{
    uint64_t waiting = d->done_seq - state_cursor(d->state);
    if (waiting == 0)
        return INT64_MAX;
    return waiting >= DELIVERY_COMMIT_RECORDS || d->commit_now ? 0 : d->last_commit_us + DELIVERY_COMMIT_US;
}

int64_t position_service(delivery *d)
{
    ss_error err = error_init();
    int64_t now = clock_mono_us();
    if (now < d->blocked_until_us)
        return d->blocked_until_us;
    if (commit_due(d) <= now) {
        state_change change = {.cursor = d->done_seq};
        FAULT_POINT("delivery.before_commit");
        if (position_commit(d, &change, &err) != 0) {
            delivery_failed(d, "state", &err);
            return d->blocked_until_us;
        }
        FAULT_POINT("delivery.after_commit");
        delivery_works(d, "state");
    }
    if (d->unsynced && d->last_sync_us + DELIVERY_SYNC_US <= now) {
        if (position_sync(d, &err) != 0) {
            delivery_failed(d, "state", &err);
            return d->blocked_until_us;
        }
        delivery_works(d, "state");
    }
    int64_t due = commit_due(d), sync_due = d->unsynced ? d->last_sync_us + DELIVERY_SYNC_US : INT64_MAX;
    return due < sync_due ? due : sync_due;
}
