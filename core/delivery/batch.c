/* Reading: from the journal through the filter into the batch. */
#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/delivery/inner.h"

static void batch_free(batch *b)
{
    free(b->records);
    free(b->results);
    free(b->rows);
    free(b->bodies);
    free(b->done);
    b->records = NULL;
    b->results = NULL;
    b->rows = NULL;
    b->bodies = NULL;
    b->done = NULL;
    b->size = 0;
    buf_fini(&b->views);
    arena_fini(&b->texts);
    arena_init(&b->texts, DELIVERY_TEXTS_BYTES_MAX);
}

static bool batch_size(batch *b, uint32_t size)
{
    if (b->size >= size)
        return true;
    batch_free(b);
    b->records = calloc(size, sizeof *b->records);
    b->results = calloc(size, sizeof *b->results);
    b->rows = calloc(size, sizeof *b->rows);
    b->bodies = calloc(size, sizeof *b->bodies);
    b->done = calloc(size, sizeof *b->done);
    b->size = b->records && b->results && b->rows && b->bodies && b->done ? size : 0;
    return b->size != 0;
}

void batch_release(delivery *d, bool idle)
{
    batch *b = &d->batch;
    b->open = false;
    b->count = b->done_count = 0;
    b->partial = false;
    b->bytes = 0;
    buf_reset(&b->views);
    arena_reset(&b->texts);
    if (d->reader)
        journal_reader_release(d->reader);
    if (!idle)
        return;
    journal_reader_close(d->reader);
    d->reader = NULL;
    batch_free(b);
}

/* ---- one thing read
 * ---------------------------------------------------------------------------------------- */

static void trail_put(delivery *d, uint64_t n, uint32_t row, enum outcome what)
{
    if (trail_add(&d->trail, n, row, what))
        return;
    log_error("module %s: out of memory for its ledger; a new instance is started", d->spec.name);
    d->fatal = true; /* before a count is wrong */
}

static void lost_range(delivery *d, const journal_item *item, enum outcome what)
{
    uint64_t from = item->from > d->read_seq ? item->from : d->read_seq + 1;
    if (item->through < from)
        return;
    uint64_t n = item->through - d->read_seq;
    trail_put(d, n, tally_row_of(&d->tally, SS_LIT(""), SS_LIT("")), what);
    if (what == OUTCOME_EXPIRED)
        (void)atomic_fetch_add(&d->slot->expired, n);
    log_error("module %s: records %llu to %llu %s", d->spec.name, (unsigned long long)d->read_seq + 1,
              (unsigned long long)item->through,
              what == OUTCOME_EXPIRED
                  ? "expired before they were delivered: raise its max_bytes, or mend what holds it up"
                  : "are damaged in the journal: `streamsteam journal verify` says where");
    d->read_seq = item->through;
}

/* Done before the last restart, or in quarantine: counted, not delivered. */
static bool skipped(delivery *d, uint64_t seq, enum outcome *what)
{
    while (d->skip_at < d->skip_count && d->skips[d->skip_at] < seq)
        d->skip_at++;
    if (d->skip_at == d->skip_count || d->skips[d->skip_at] != seq)
        return false;
    *what = (enum outcome)d->skip_kinds[d->skip_at];
    return true;
}

static void take_record(delivery *d, const journal_item *item)
{
    batch *b = &d->batch;
    const ss_record *r = &item->record;
    enum outcome what = OUTCOME_DELIVERED;
    if (r->seq != d->read_seq + 1)
        lost_range(d, &(journal_item){.from = d->read_seq + 1, .through = r->seq - 1}, OUTCOME_DAMAGED);
    uint32_t row = tally_row_of(&d->tally, r->receiver, r->app);
    bool passed_over = skipped(d, r->seq, &what);
    bool failed = r->flags & SS_RECORD_FAILED;
    if (!passed_over && ((failed && !(d->plugin->module->flags & SS_MODULE_TAKES_FAILED)) ||
                         !spec_wants(&d->spec.filter, r))) {
        what = OUTCOME_FILTERED;
        passed_over = true;
    }
    if (!passed_over) {
        b->records[b->count] = *r;
        b->records[b->count].body = r->json;
        b->records[b->count].flags = r->flags | (d->setup->replay_id ? SS_RECORD_REPLAY : 0u);
        b->records[b->count].attempt = 1;
        b->rows[b->count++] = row;
        b->bytes += r->json.len + r->app.len + r->type.len + r->id.len + r->key.len + r->aside.len;
    }
    trail_put(d, 1, row, what);
    d->read_seq = r->seq;
}

/* ---- the batch
 * --------------------------------------------------------------------------------------------- */

static bool reader_ready(delivery *d)
{
    if (d->reader)
        return true;
    ss_error err = error_init();
    size_t bytes = d->spec.batch_bytes > JOURNAL_RECORD_MAX ? d->spec.batch_bytes : JOURNAL_RECORD_MAX;
    d->reader = journal_reader_open(d->spec.journal_dir, d->read_seq, bytes, &err);
    if (!d->reader)
        delivery_failed(d, "journal", &err);
    return d->reader != NULL;
}

/* Reads what is there. false: the batch is as full as it may be (or reading failed). */
static bool batch_read(delivery *d, uint64_t limit)
{
    batch *b = &d->batch;
    journal_item item;
    ss_error err = error_init();
    while (b->count < d->spec.batch_records && b->bytes < d->spec.batch_bytes) {
        switch (journal_reader_next(d->reader, limit, &item, &err)) {
        case JOURNAL_READ_RECORD:
            take_record(d, &item);
            continue;
        case JOURNAL_READ_GAP:
            lost_range(d, &item, OUTCOME_EXPIRED);
            continue;
        case JOURNAL_READ_DAMAGED:
            lost_range(d, &item, OUTCOME_DAMAGED);
            continue;
        case JOURNAL_READ_END:
            return true;
        case JOURNAL_READ_FULL:
            if (b->count > 0)
                return false;
            journal_reader_release(d->reader); /* everything in it was filtered */
            continue;
        case JOURNAL_READ_ERROR:
            delivery_failed(d, "journal", &err);
            return false;
        }
    }
    return false;
}

/* A batch that is not full waits for more, but not longer than linger_ms after its first record. */
static void batch_linger(delivery *d)
{
    batch *b = &d->batch;
    int64_t until = clock_mono_us() + d->spec.linger_ms * 1000;
    for (;;) {
        int64_t left_ms = (until - clock_mono_us()) / 1000;
        if (left_ms <= 0 || d->setup->replay_id || d->stopping)
            return;
        uint64_t had = d->read_seq;
        (void)journal_wait(d->journal, d->setup->slot, d->read_seq + (d->spec.batch_records - b->count),
                           left_ms);
        uint64_t limit = batch_limit(d);
        if (!batch_read(d, limit))
            return;
        if (d->read_seq == had) /* nothing new: the time is over, or somebody poked us */
            return;
    }
}

static void batch_opened(delivery *d, uint64_t from)
{
    batch *b = &d->batch;
    b->open = true;
    b->from = from;
    b->through = d->read_seq;
    b->id = b->records[0].seq;
    b->attempt = 0;
    b->partial = false;
    b->done_count = 0;
}

bool batch_ready(delivery *d)
{
    if (batch_size(&d->batch, d->spec.batch_records))
        return true;
    ss_error err = error_init();
    (void)ss_fail(&err, SS_RETRY, "out of memory for a batch of %u records; lower batch.records",
                  d->spec.batch_records);
    delivery_failed(d, "memory", &err);
    return false;
}

bool batch_fill(delivery *d)
{
    uint64_t limit = batch_limit(d), from = d->read_seq;
    if (limit <= d->read_seq || !reader_ready(d) || !batch_ready(d))
        return false;
    bool more = batch_read(d, limit);
    uint64_t suspect_through = state_suspected(d->state).through;
    if (more && d->batch.count > 0 && d->spec.linger_ms > 0 && d->read_seq >= suspect_through)
        batch_linger(d);
    d->last_read_us = clock_mono_us();
    if (d->batch.count > 0) {
        batch_opened(d, from);
        return true;
    }
    d->filtered_us = d->last_read_us;
    batch_release(d, false);
    poison_passed(d);
    position_settle(d);
    return false;
}
