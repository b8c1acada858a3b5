/* Windows that are done: their documents, and when they go. */
#include "modules/windows/engine_inside.h"

#include <stdlib.h>

static bool emit_group(engine *e, const window *w, group *g)
{
    const metric *m = &e->metrics[w->metric];
    const scope *s = &e->scopes[w->scope];
    g->dirty = false;
    double value = aggregate_value(&m->aggregate, &g->aggregate, g->count);
    /* What has been said is corrected in any case: a document never stays wrong. */
    if (!g->emitted && (g->count == 0 || !filter_range_holds(&m->having, value)))
        return true;
    document d = {m, g, ss_s(s->app, s->app_len), w->start_us, g->emitted};
    e->states[w->metric].documents++;
    e->states[w->metric].revisions += g->emitted;
    g->emitted = true;
    return e->set.emit(e->set.arg, &d);
}

static bool emit_window(engine *e, window *w)
{
    bool all = !w->fired;
    w->dirty = false;
    w->fired = true;
    for (group *g = w->first; g; g = g->next)
        if ((all || g->dirty) && !emit_group(e, w, g))
            return false;
    return true;
}

static int by_end(const void *x, const void *y, void *arg)
{
    const engine *e = arg;
    const window *p = *(window *const *)x, *q = *(window *const *)y;
    int64_t a = window_done_at(&e->metrics[p->metric], p), b = window_done_at(&e->metrics[q->metric], q);
    if (a != b)
        return a < b ? -1 : 1;
    return p->metric != q->metric ? (p->metric < q->metric ? -1 : 1)
                                  : (p->start_us > q->start_us) - (p->start_us < q->start_us);
}

bool scope_advance(engine *e, scope *s)
{
    if (s->due_us > s->max_us || e->set.hold)
        return true;
    window **done = malloc(s->window_count * sizeof *done);
    uint32_t count = 0;
    if (!done)
        return false;
    for (window *w = s->windows; w; w = w->next)
        if (!w->fired && window_done_at(&e->metrics[w->metric], w) <= s->max_us)
            done[count++] = w;
    qsort_r(done, count, sizeof *done, by_end, e);
    bool ok = true;
    for (uint32_t i = 0; ok && i < count; i++)
        ok = emit_window(e, done[i]);
    free(done);
    for (window **at = &s->windows; ok && *at;) {
        window *w = *at;
        if (!w->fired ||
            window_done_at(&e->metrics[w->metric], w) + e->metrics[w->metric].lateness_us > s->max_us) {
            at = &w->next;
            continue;
        }
        ok = !w->dirty || emit_window(e, w);
        *at = w->next;
        s->window_count--;
        window_free(e, w);
    }
    engine_due(e, s);
    return ok;
}

bool engine_clock(engine *e, int64_t now_us)
{
    if (e->set.idle_us == 0)
        return true;
    for (uint32_t i = 0; i < e->scope_count; i++) {
        scope *s = &e->scopes[i];
        if (s->windows && now_us - s->receive_us >= e->set.idle_us && now_us > s->max_us) {
            s->max_us = now_us;
            if (!scope_advance(e, s))
                return false;
        }
    }
    return true;
}

bool engine_revise(engine *e)
{
    if (!e->dirty)
        return true;
    e->dirty = false;
    for (uint32_t i = 0; i < e->scope_count; i++) {
        scope *s = &e->scopes[i];
        if (!s->listed)
            continue;
        s->listed = false;
        for (window *w = s->windows; w; w = w->next)
            if (w->dirty && !emit_window(e, w))
                return false;
    }
    return true;
}

/* ---- all that are held ---- */

static bool is_open(engine *open, const char *app, size_t app_len, const window *w)
{
    scope *s = open ? engine_scope(open, ss_s(app, app_len)) : NULL;
    return s && window_find(open, (uint32_t)(s - open->scopes), w->metric, w->start_us) != NULL;
}

bool engine_hand_over(engine *e, engine *open, uint64_t *left)
{
    window **all = malloc((e->window_count + 1) * sizeof *all);
    size_t count = 0;
    bool ok = all != NULL;
    for (uint32_t i = 0; ok && i < e->scope_count; i++)
        for (window *w = e->scopes[i].windows; w; w = w->next) {
            if (is_open(open, e->scopes[i].app, e->scopes[i].app_len, w))
                (*left)++;
            else
                all[count++] = w;
        }
    if (ok)
        qsort_r(all, count, sizeof *all, by_end, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = emit_window(e, all[i]);
    free(all);
    return ok;
}
