/* Old rows go, a few at a time, so that neither loading nor readers wait for it. */
#include <inttypes.h>

#include "modules/warehouse/warehouse.h"

#define SLICE_ROWS   2000  /* deleted in one transaction                */
#define SLICE_US     50000 /* then loading has its turn                 */
#define AGAIN_MS     200
#define PERIOD_MAX   60000
#define PERIOD_MIN   1000
#define PERIOD_SHARE 100 /* of the retention: how late a row may go     */
#define SQL_SIZE     1024u

/* changed: how many went. */
static int32_t delete_some(warehouse *w, const table *t, int64_t before_us, uint64_t *changed, ss_error *err)
{
    char sql[SQL_SIZE], before[24], limit[24];
    buf name;
    buf_init(&name, SQL_SIZE);
    catalog_put_name(&name, t->name);
    const char *quoted = buf_text(&name);
    (void)snprintf(sql, sizeof sql, w->by_event ? w->db->ops->delete_event : w->db->ops->delete_received,
                   quoted, quoted);
    buf_fini(&name);
    (void)snprintf(before, sizeof before, "%" PRId64, before_us);
    (void)snprintf(limit, sizeof limit, "%d", SLICE_ROWS);
    const char *values[] = {before, limit};
    int32_t rc = w->db->ops->begin(w->db, err);
    if (rc == SS_OK)
        rc = w->db->ops->ask(w->db, sql, values, 2, NULL, NULL, changed, err);
    if (rc == SS_OK)
        rc = w->db->ops->commit(w->db, err);
    if (rc != SS_OK)
        w->db->ops->rollback(w->db);
    return rc;
}

/* true: there may be more. */
static bool tidy_table(warehouse *w, const table *t, int64_t before_us, int64_t until_us, ss_error *err)
{
    uint64_t changed = 0;
    do {
        if (delete_some(w, t, before_us, &changed, err) != SS_OK)
            return false;
        w->host->metric_add(w->metrics.deleted, (double)changed);
        if (changed == 0)
            return false;
    } while (w->host->now_us(w->host->self) < until_us && !w->host->stopping(w->host->self));
    return true;
}

void warehouse_tidy(void *arg)
{
    warehouse *w = arg;
    ss_error err = {.struct_size = sizeof err};
    const ss_host *h = w->host;
    if (!w->opened || !w->db->ops->is_open(w->db) || w->broken || w->replay)
        return;
    int64_t now_us = h->now_us(h->self), before_us = now_us - w->retention_ms * 1000;
    bool more = false;
    for (const table *t = w->tables.first; t && !more; t = t->next)
        more = tidy_table(w, t, before_us, now_us + SLICE_US, &err);
    if (!more && w->vacuum && err.text[0] == '\0')
        more = w->db->ops->shrink(w->db, &err);
    if (err.text[0])
        ss_logf(h, SS_WARNING, "old rows could not be deleted: %s", err.text);
    if (more && !h->stopping(h->self))
        (void)h->once(h->self, AGAIN_MS, warehouse_tidy, w);
}

void warehouse_tidy_start(warehouse *w)
{
    int64_t period = w->retention_ms / PERIOD_SHARE;
    if (w->retention_ms == 0)
        return;
    period = period > PERIOD_MAX ? PERIOD_MAX : period < PERIOD_MIN ? PERIOD_MIN : period;
    (void)w->host->every(w->host->self, period, warehouse_tidy, w);
}
