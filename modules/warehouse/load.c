/* One batch into the database: all of it in one transaction with the position. */
#include <time.h>

#include "modules/warehouse/warehouse.h"
#include "plugins/common/fault.h"

#define REST_RECORDS 500u /* a batch below that is no flood */

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

typedef struct loading {
    warehouse *w;
    const ss_batch *batch;
    ss_result *result;
    uint64_t after; /* what is up to here is there already */
    uint64_t rows, extras;
    uint32_t rejected;
    int64_t newest_us;
} loading;

/* ---- rows ---- */

static int32_t put_record(loading *l, uint32_t i, bool bare, ss_error *err)
{
    warehouse *w = l->w;
    const ss_record *r = ss_record_at(l->batch, i);
    table *t;
    int32_t rc = tables_of(&w->tables, r->receiver, &t, err); /* made before, see want_tables() */
    if (rc != SS_OK)
        return rc;
    if (!(bare ? row_bare : row_read)(&w->row, &t->shape, r->json))
        return ss_fail(err, SS_RETRY, "warehouse: out of memory for a row");
    const db_row own = {
        .seq = r->seq, .load = w->loads.next_id, .receive_us = r->receive_us, .event_us = r->event_us};
    rc = w->db->ops->put(w->db, t, &w->row, &own, err);
    if (rc != SS_OK)
        return rc;
    l->rows++;
    l->extras += w->row.extra.len > 0;
    l->newest_us = r->receive_us > l->newest_us ? r->receive_us : l->newest_us;
    return SS_OK;
}

static int32_t flush_all(warehouse *w, ss_error *err)
{
    int32_t rc = SS_OK;
    for (table *t = w->tables.first; rc == SS_OK && t; t = t->next)
        rc = w->db->ops->flush(w->db, t, err);
    return rc;
}

static void drop_pending(warehouse *w)
{
    for (table *t = w->tables.first; t; t = t->next)
        buf_reset(&t->pending);
}

/* Is this record not in the database yet? */
static int32_t wanted(const loading *l, const ss_record *r, bool *yes, ss_error *err)
{
    *yes = r->seq > l->after;
    if (!(r->flags & SS_RECORD_REPLAY))
        return SS_OK;
    int32_t rc = loads_covers(&l->w->loads, r->seq, yes, err);
    *yes = !*yes;
    return rc;
}

static int32_t put_range(loading *l, uint32_t from, uint32_t to, ss_error *err)
{
    int32_t rc = SS_OK;
    for (uint32_t i = from; rc == SS_OK && i < to; i++) {
        bool yes = false;
        rc = wanted(l, ss_record_at(l->batch, i), &yes, err);
        if (rc == SS_OK && yes)
            rc = put_record(l, i, false, err);
    }
    return rc == SS_OK ? flush_all(l->w, err) : rc;
}

/* A row that the database does not take even without its values: the host's quarantine has it then. */
static void reject(loading *l, uint32_t i, const ss_error *err)
{
    l->rejected++;
    l->w->host->result(l->w->host->self, l->result, i, SS_RECORD_REJECT, 1, ss_cstr(err->text));
}

/* Values that were not taken: halves, until the one row is found; that one goes in with its line in ss_extra.
 */
static int32_t put_carefully(loading *l, uint32_t from, uint32_t to, bool bare, ss_error *err)
{
    db *d = l->w->db;
    loading before = *l;
    int32_t rc = d->ops->run(d, "SAVEPOINT ss_rows", err);
    if (rc == SS_OK)
        rc = bare ? put_record(l, from, true, err) : put_range(l, from, to, err);
    if (rc == SS_OK && bare)
        rc = flush_all(l->w, err);
    if (rc == SS_OK)
        return d->ops->run(d, "RELEASE SAVEPOINT ss_rows", err);
    drop_pending(l->w);
    if (rc != SS_REJECT)
        return rc;
    ss_error why = *err;
    *l = before;
    rc = d->ops->run(d, "ROLLBACK TO SAVEPOINT ss_rows; RELEASE SAVEPOINT ss_rows", err);
    if (rc != SS_OK)
        return rc;
    if (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        rc = put_carefully(l, from, middle, false, err);
        return rc == SS_OK ? put_carefully(l, middle, to, false, err) : rc;
    }
    if (!bare)
        return put_carefully(l, from, to, true, err);
    reject(l, from, &why);
    return SS_OK;
}

/* ---- the transaction ---- */

/* Tables are made outside of it. */
static int32_t want_tables(warehouse *w, const ss_batch *batch, ss_error *err)
{
    int32_t rc = SS_OK;
    table *t;
    for (uint32_t i = 0; rc == SS_OK && i < batch->count; i++)
        rc = tables_of(&w->tables, ss_record_at(batch, i)->receiver, &t, err);
    return rc;
}

static int32_t went_back(warehouse *w, uint64_t position, ss_error *err)
{
    w->broken = true; /* a new instance starts from what the database says */
    (void)snprintf(w->why, sizeof w->why,
                   "the database ends at record %llu, it had %llu: it was deleted, restored or replaced",
                   (unsigned long long)position, (unsigned long long)w->position);
    return ss_fail(err, SS_FATAL, "%s", w->why);
}

static int32_t in_transaction(loading *l, bool careful, ss_error *err)
{
    warehouse *w = l->w;
    const ss_batch *b = l->batch;
    int64_t now_us = w->host->now_us(w->host->self);
    uint64_t position = 0;
    int32_t rc = loads_lock(&w->loads, &position, err);
    if (rc != SS_OK)
        return rc;
    if (position < w->position)
        return went_back(w, position, err);
    if (!w->replay)
        w->position = position;
    l->after = !w->replay && position > b->from ? position : b->from;
    if (l->after >= b->through)
        return SS_OK; /* committed before the host could note it */
    rc = loads_begin(&w->loads, l->after, now_us, err);
    if (rc == SS_OK)
        rc = careful ? put_carefully(l, 0, b->count, false, err) : put_range(l, 0, b->count, err);
    if (rc == SS_OK && l->rejected > 0)
        return SS_OK; /* the quarantine has them first, see mark(): after a kill nobody would look for them */
    if (rc == SS_OK)
        rc = loads_end(&w->loads, l->after, b->through, l->rows, now_us, !w->replay, err);
    FAULT_POINT("warehouse.before_commit");
    if (rc == SS_OK)
        rc = w->db->ops->commit(w->db, err);
    FAULT_POINT("warehouse.after_commit");
    if (rc == SS_OK) {
        loads_committed(&w->loads, b->through);
        w->position = w->replay ? position : b->through;
    }
    return rc;
}

static int32_t load_once(loading *l, bool careful, ss_error *err)
{
    warehouse *w = l->w;
    int32_t rc = w->db->ops->begin(w->db, err);
    if (rc == SS_OK)
        rc = in_transaction(l, careful, err);
    if (w->db->in_transaction) {
        drop_pending(w);
        loads_rolled_back(&w->loads);
        w->db->ops->rollback(w->db);
        l->rows = l->extras = 0;
    }
    return rc;
}

static int32_t load_batch(loading *l, ss_error *err)
{
    warehouse *w = l->w;
    loading fresh = *l;
    int32_t rc = warehouse_open(w, err);
    if (rc == SS_OK)
        rc = want_tables(w, l->batch, err);
    if (rc == SS_OK)
        rc = load_once(l, false, err);
    if (rc != SS_REJECT || !w->db->ops->is_open(w->db))
        return rc;
    *l = fresh;
    return load_once(l, true, err);
}

/* ---- out of the quarantine ---- */

/* Its number is below the position; load_single says whether it came before. */
static int32_t one_more(loading *l, uint32_t i, bool bare, ss_error *err)
{
    warehouse *w = l->w;
    const ss_record *r = ss_record_at(l->batch, i);
    int64_t now_us = w->host->now_us(w->host->self);
    bool known = false;
    w->loads.id = 0; /* a row of its own in the log */
    int32_t rc = w->db->ops->begin(w->db, err);
    if (rc == SS_OK)
        rc = loads_single(&w->loads, r->seq, &known, err);
    if (rc == SS_OK && !known)
        rc = loads_begin(&w->loads, r->seq - 1, now_us, err);
    if (rc == SS_OK && !known)
        rc = put_record(l, i, bare, err);
    if (rc == SS_OK && !known)
        rc = flush_all(w, err);
    if (rc == SS_OK && !known)
        rc = loads_end(&w->loads, r->seq - 1, r->seq, 1, now_us, false, err);
    if (rc == SS_OK)
        rc = w->db->ops->commit(w->db, err);
    if (rc != SS_OK) {
        drop_pending(w);
        w->db->ops->rollback(w->db);
    }
    loads_rolled_back(&w->loads);
    return rc;
}

static int32_t load_quarantined(loading *l, ss_error *err)
{
    int32_t rc = warehouse_open(l->w, err);
    if (rc == SS_OK)
        rc = want_tables(l->w, l->batch, err);
    for (uint32_t i = 0; rc == SS_OK && i < l->batch->count; i++) {
        rc = one_more(l, i, false, err);
        if (rc == SS_REJECT)
            rc = one_more(l, i, true, err);
        if (rc == SS_OK) {
            ss_mark(l->result, i, SS_RECORD_OK);
        } else if (rc == SS_REJECT) {
            reject(l, i, err);
            rc = SS_OK;
        }
    }
    return rc;
}

/* ---- the call ---- */

static void count(const loading *l, double seconds)
{
    warehouse *w = l->w;
    const ss_host *h = w->host;
    h->metric_add(w->metrics.seconds, seconds);
    if (l->rows == 0)
        return;
    h->metric_add(w->metrics.rows, (double)l->rows);
    h->metric_add(w->metrics.extras, (double)l->extras);
    h->metric_add(w->metrics.transactions, 1);
    h->metric_set(w->metrics.lag, (double)(h->now_us(h->self) - l->newest_us) / 1e6);
}

int32_t warehouse_settle(warehouse *w, ss_error *err)
{
    char state[64];
    if (w->owed == 0)
        return SS_OK;
    int n = snprintf(state, sizeof state, "warehouse1 through=%llu", (unsigned long long)w->owed);
    int32_t rc = w->host->commit(w->host->self, w->owed, state, (size_t)n, 0, err);
    if (rc == SS_OK)
        w->owed = 0;
    return rc;
}

/* A batch of which every record was refused: now that the quarantine has them, the database may pass them. */
static void pass_later(void *arg)
{
    warehouse *w = arg;
    ss_error err = {.struct_size = sizeof err};
    const ss_batch none = {.struct_size = sizeof none, .from = w->refused_from, .through = w->owed};
    loading l = {.w = w, .batch = &none};
    int32_t rc = warehouse_open(w, &err);
    if (rc == SS_OK)
        rc = load_once(&l, false, &err);
    if (rc == SS_OK)
        (void)warehouse_settle(w, &err);
    else if (!w->broken) /* the next batch passes them as well */
        (void)warehouse_failed(w, rc, &err);
}

/* What was refused goes into the quarantine first; the rest comes again and is loaded without it. */
static void mark(const loading *l)
{
    warehouse *w = l->w;
    const ss_batch *b = l->batch;
    for (uint32_t i = 0; i < b->count; i++)
        if (l->rejected == 0 || l->result->records[i].status != SS_RECORD_REJECT)
            ss_mark(l->result, i, l->rejected ? SS_RECORD_RETRY : SS_RECORD_OK);
    if (l->rejected == b->count) {
        w->refused_from = b->from;
        (void)w->host->once(w->host->self, 1, pass_later, w);
    }
    l->result->retry_after_ms = 1;
}

int32_t warehouse_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    warehouse *w = inst;
    loading l = {.w = w, .batch = batch, .result = result};
    double began = now_s();
    if (w->broken)
        return ss_fail(err, SS_FATAL, "%s", w->why);
    bool quarantined = batch->count > 0 && (ss_record_at(batch, 0)->flags & SS_RECORD_QUARANTINE);
    int32_t rc = quarantined ? load_quarantined(&l, err) : load_batch(&l, err);
    count(&l, now_s() - began);
    if (rc != SS_OK)
        return w->broken ? SS_FATAL : warehouse_failed(w, rc, err);
    warehouse_works(w);
    if (batch->count < REST_RECORDS)
        w->db->ops->rest(w->db);
    if (quarantined)
        return SS_OK;
    mark(&l);
    if (l.rejected > 0 && l.rejected < batch->count)
        return SS_OK;
    w->owed = batch->through;
    return l.rejected == 0 ? warehouse_settle(w, err) : SS_OK;
}
