/* A batch, load by load. What is never done: to load past a record that was refused before the host has it in
   its quarantine. So a call ends with the first refused one, and the rest comes again at once. */
#include <stdlib.h>

#include "modules/redshift/redshift.h"
#include "plugins/common/fault.h"

#define TIME_FOR_A_LOAD_US 8000000 /* with less left until the deadline none is begun */
#define NOTE_HEAD          "redshift1\n"
#define NOTE_MAX           512u
#define REFUSED            1u

/* ---- the note beside the host's cursor ---- */

int32_t redshift_note(redshift *r, ss_error *err)
{
    char text[NOTE_MAX];
    const plan *p = &r->plan;
    int n = snprintf(
        text, sizeof text,
        NOTE_HEAD "through=%llu\na=%llu\nb=%llu\ncrc=%u\ntables=%u\nattempt=%u\ncount=%u\nopen=%d\nid=%s\n",
        (unsigned long long)r->position, (unsigned long long)p->a, (unsigned long long)p->b, p->crc,
        p->tables, p->attempt, p->count, p->open, p->id);
    return r->host->commit(r->host->self, r->cursor, text, (size_t)n, SS_COMMIT_SYNC, err);
}

static uint64_t number_of(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

void redshift_read_note(redshift *r, ss_str state, uint64_t *through)
{
    char text[NOTE_MAX];
    *through = 0;
    if (state.len < sizeof NOTE_HEAD - 1 || state.len >= sizeof text ||
        memcmp(state.ptr, NOTE_HEAD, sizeof NOTE_HEAD - 1) != 0)
        return;
    memcpy(text, state.ptr, state.len);
    text[state.len] = '\0';
    *through = number_of(text, "\nthrough=");
    r->plan = (plan){.a = number_of(text, "\na="),
                     .b = number_of(text, "\nb="),
                     .crc = (uint32_t)number_of(text, "\ncrc="),
                     .tables = (uint32_t)number_of(text, "\ntables="),
                     .attempt = (uint32_t)number_of(text, "\nattempt="),
                     .count = (uint32_t)number_of(text, "\ncount="),
                     .open = number_of(text, "\nopen=") == 1};
    const char *id = strstr(text, "\nid=");
    size_t len = id ? strcspn(id + 4, "\n") : 0;
    if (id && len < sizeof r->plan.id)
        memcpy(r->plan.id, id + 4, len);
}

/* ---- pieces ---- */

static int32_t load_piece(redshift *r, piece *p, ss_error *err)
{
    int64_t began = r->host->now_us(r->host->self);
    int32_t rc = r->mode == MODE_COPY ? copy_load(r, p, err) : insert_load(r, p, err);
    r->host->metric_add(r->metrics.seconds, (double)(r->host->now_us(r->host->self) - began) / 1e6);
    if (rc == SS_OK && p->after == p->b) {
        r->host->metric_add(r->metrics.loads, 1);
        r->host->metric_add(r->metrics.rows, (double)p->rows);
    }
    return rc;
}

typedef struct delivering {
    redshift *r;
    const ss_batch *batch;
    ss_result *result;
    uint32_t refused; /* its place; UINT32_MAX = none */
} delivering;

static void refuse(delivering *d, uint32_t i, const char *why)
{
    d->refused = i;
    d->r->host->result(d->r->host->self, d->result, i, SS_RECORD_REJECT, REFUSED, ss_cstr(why));
}

static uint32_t first_behind(const ss_batch *batch, uint64_t position)
{
    uint32_t i = 0;
    while (i < batch->count && ss_record_at(batch, i)->seq <= position)
        i++;
    return i;
}

/* The rows are known not to fit: said at once, without a load. */
static int32_t refuse_large(delivering *d, ss_error *err)
{
    redshift *r = d->r;
    for (uint32_t i = first_behind(d->batch, r->position); i < d->batch->count; i++) {
        const ss_record *record = ss_record_at(d->batch, i);
        char why[200];
        bool fits = true;
        table *t;
        if (record->json.len <= REDSHIFT_TEXT_MAX / 6) /* most: the load itself looks again */
            continue;
        int32_t rc = tables_find(r, record->receiver, &t, err);
        if (rc == SS_OK)
            rc = table_read(r, t, record, &fits, why, sizeof why, err);
        if (rc != SS_OK)
            return rc;
        if (!fits) {
            refuse(d, i, why);
            return SS_OK;
        }
    }
    return SS_OK;
}

/* Halves, until the guilty row stands alone. */
static int32_t bad_row(delivering *d, const piece *p, uint32_t records, const ss_error *err)
{
    redshift *r = d->r;
    if (records == 1) {
        refuse(d, p->hi - 1, err->text);
        r->piece_max = 0;
        return SS_OK;
    }
    r->suspect_through = r->suspect_through > p->b ? r->suspect_through : p->b;
    r->piece_max = records / 2;
    ss_logf(r->host, SS_WARNING, "a load of %u records was refused: the guilty one is looked for (%s)",
            records, err->text);
    return SS_OK;
}

static int32_t next_piece(delivering *d, ss_error *err)
{
    redshift *r = d->r;
    const ss_batch *b = d->batch;
    uint32_t lo = first_behind(b, r->position);
    if (r->position >= r->suspect_through)
        r->piece_max = 0;
    uint32_t hi = r->piece_max && b->count - lo > r->piece_max ? lo + r->piece_max : b->count;
    piece p = {.batch = b,
               .lo = lo,
               .hi = hi,
               .a = r->position,
               .b = hi == b->count ? b->through : ss_record_at(b, hi - 1)->seq,
               .key = r->key,
               .noted = true,
               .deadline_us = b->deadline_us};
    int32_t rc = load_piece(r, &p, err);
    if (rc == SS_REJECT)
        return bad_row(d, &p, p.hi - p.lo, err);
    if (rc != SS_OK)
        return rc;
    if (p.after < r->position) {
        r->broken = true;
        (void)snprintf(r->why, sizeof r->why,
                       "the database ends at record %llu, it had %llu: it was restored or replaced",
                       (unsigned long long)p.after, (unsigned long long)r->position);
        return ss_fail(err, SS_FATAL, "%s", r->why);
    }
    r->position = p.after;
    return SS_OK;
}

static int32_t load_batch(delivering *d, ss_error *err)
{
    redshift *r = d->r;
    int32_t rc = tables_bookkeeping(r, err);
    if (rc == SS_OK && r->mode == MODE_COPY)
        rc = copy_settle(r, d->batch->deadline_us, err);
    if (rc == SS_OK && !r->known)
        rc = link_position(r, r->key, &r->position, err);
    r->known = r->known || rc == SS_OK;
    if (rc == SS_OK)
        rc = refuse_large(d, err);
    while (rc == SS_OK && d->refused == UINT32_MAX && first_behind(d->batch, r->position) < d->batch->count) {
        if (r->host->now_us(r->host->self) + TIME_FOR_A_LOAD_US > d->batch->deadline_us)
            return ss_fail(err, SS_RETRY, "redshift: the deadline of the call is near; the rest comes next");
        rc = next_piece(d, err);
    }
    return rc;
}

/* ---- out of the quarantine: below the position; each has one of its own ---- */

static int32_t load_quarantined(delivering *d, ss_error *err)
{
    redshift *r = d->r;
    char key[REDSHIFT_KEY_SIZE];
    int32_t rc = tables_bookkeeping(r, err);
    for (uint32_t i = 0; rc == SS_OK && i < d->batch->count; i++) {
        const ss_record *record = ss_record_at(d->batch, i);
        (void)snprintf(key, sizeof key, "%.100s/quarantine-%llu", r->key, (unsigned long long)record->seq);
        piece p = {.batch = d->batch,
                   .lo = i,
                   .hi = i + 1,
                   .b = record->seq,
                   .key = key,
                   .deadline_us = d->batch->deadline_us};
        rc = load_piece(r, &p, err);
        if (rc == SS_OK)
            ss_mark(d->result, i, SS_RECORD_OK);
        if (rc != SS_REJECT)
            continue;
        refuse(d, i, err->text);
        rc = SS_OK;
    }
    return rc;
}

/* ---- the call ---- */

int32_t redshift_settle(redshift *r, ss_error *err)
{
    if (r->owed == 0)
        return SS_OK;
    r->cursor = r->owed;
    int32_t rc = redshift_note(r, err);
    if (rc == SS_OK)
        r->owed = 0;
    return rc;
}

static void settle_later(void *arg)
{
    ss_error err = {.struct_size = sizeof err};
    (void)redshift_settle(arg, &err);
}

int32_t redshift_failed(redshift *r, int32_t rc, ss_error *err)
{
    r->host->alarm(r->host->self, "redshift", err->text);
    r->alarmed = true;
    r->known = false; /* asked again before anything is loaded */
    if (rc != SS_FATAL && rc != SS_REJECT)
        return rc;
    tables_forget(r); /* somebody changed the schema: it is looked at anew */
    return SS_RETRY;
}

static void works(redshift *r)
{
    if (r->alarmed)
        r->host->alarm(r->host->self, "redshift", NULL);
    r->alarmed = false;
}

/* What is behind the position is there; what was refused is; the rest comes again. */
static uint32_t mark(delivering *d)
{
    const redshift *r = d->r;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < d->batch->count; i++) {
        if (i == d->refused)
            continue;
        bool there = r->known && ss_record_at(d->batch, i)->seq <= r->position;
        ss_mark(d->result, i, there ? SS_RECORD_OK : SS_RECORD_RETRY);
        kept += !there;
    }
    return kept;
}

static int32_t finish(delivering *d, ss_error *err)
{
    redshift *r = d->r;
    const ss_record *last = ss_record_at(d->batch, d->batch->count - 1);
    uint32_t kept = mark(d);
    works(r);
    err->text[0] = '\0'; /* of a row that was refused: the host has it already */
    r->host->metric_set(r->metrics.lag, (double)(r->host->now_us(r->host->self) - last->receive_us) / 1e6);
    if (kept > 0) {
        d->result->retry_after_ms = 1;
        return SS_OK;
    }
    r->owed = d->batch->through;
    FAULT_POINT("redshift.loaded");
    if (d->refused == UINT32_MAX)
        return redshift_settle(r, err);
    /* The host writes rejects down against the cursor as it is: that moves after this call. */
    (void)r->host->once(r->host->self, 1, settle_later, r);
    return SS_OK;
}

int32_t redshift_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    redshift *r = inst;
    delivering d = {.r = r, .batch = batch, .result = result, .refused = UINT32_MAX};
    if (r->broken)
        return ss_fail(err, SS_FATAL, "%s", r->why);
    if (r->mode == MODE_STREAMING) { /* Redshift reads the stream itself */
        ss_mark_all(result, SS_RECORD_OK);
        r->owed = batch->through;
        return redshift_settle(r, err);
    }
    r->retry_after_ms = 0;
    bool quarantined = batch->count > 0 && (ss_record_at(batch, 0)->flags & SS_RECORD_QUARANTINE);
    r->cursor = !quarantined && batch->from > r->cursor ? batch->from : r->cursor;
    int32_t rc = quarantined ? load_quarantined(&d, err) : load_batch(&d, err);
    if (quarantined)
        return rc == SS_OK ? SS_OK : redshift_failed(r, rc, err);
    if (rc == SS_OK)
        return finish(&d, err);
    (void)mark(&d);
    result->retry_after_ms = r->retry_after_ms;
    return r->broken ? SS_FATAL : redshift_failed(r, rc, err);
}
