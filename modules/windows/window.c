#include "modules/windows/engine_inside.h"

#include <stdlib.h>

#define WINDOW_TABLE_FIRST 64u

/* ---- which is where: chains, as windows come and go ---- */

/* Windows are apart by what the configuration says, so that nobody outside chooses where they meet. */
static uint32_t place_of(uint32_t scope_index, uint32_t metric_index, int64_t start_us)
{
    uint64_t who = (uint64_t)scope_index << 32 | metric_index;
    uint64_t mixed = ((uint64_t)start_us + who * 0xd1b54a32d192ed03u) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(mixed >> 32);
}

static window **chain_of(window **table, uint32_t size, const window *w)
{
    return &table[place_of(w->scope, w->metric, w->start_us) & (size - 1)];
}

static bool window_table_grow(engine *e)
{
    uint32_t size = e->window_table_size ? e->window_table_size * 2 : WINDOW_TABLE_FIRST;
    window **table = calloc(size, sizeof *table);
    if (!table)
        return false;
    for (uint32_t i = 0; i < e->window_table_size; i++) {
        for (window *w = e->window_table[i], *next; w; w = next) {
            next = w->chain;
            window **at = chain_of(table, size, w);
            w->chain = *at;
            *at = w;
        }
    }
    free(e->window_table);
    e->window_table = table;
    e->window_table_size = size;
    return true;
}

static void unchain(engine *e, window *w)
{
    window **at = chain_of(e->window_table, e->window_table_size, w);
    while (*at != w)
        at = &(*at)->chain;
    *at = w->chain;
}

/* ---- windows ---- */

void window_free(engine *e, window *w)
{
    const metric *m = &e->metrics[w->metric];
    for (group *g = w->first, *next; g; g = next) {
        next = g->next;
        aggregate_free(&m->aggregate, &g->aggregate);
        free(g);
    }
    unchain(e, w);
    metric_state *state = &e->states[w->metric];
    state->bytes -= w->bytes;
    state->groups -= w->group_count;
    state->windows--;
    e->window_count--;
    free(w->table);
    free(w->seen);
    free(w);
}

void engine_due(engine *e, scope *s)
{
    s->due_us = INT64_MAX;
    for (const window *w = s->windows; w; w = w->next) {
        const metric *m = &e->metrics[w->metric];
        int64_t due = window_done_at(m, w) + (w->fired ? m->lateness_us : 0);
        s->due_us = due < s->due_us ? due : s->due_us;
    }
}

window *engine_window_new(engine *e, uint32_t scope_index, uint32_t metric_index, int64_t start_us)
{
    if (e->window_count >= e->window_table_size && !window_table_grow(e))
        return NULL;
    window *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    scope *s = &e->scopes[scope_index];
    w->metric = metric_index;
    w->scope = scope_index;
    w->start_us = start_us;
    w->next = s->windows;
    s->windows = w;
    window **chain = chain_of(e->window_table, e->window_table_size, w);
    w->chain = *chain;
    *chain = w;
    s->window_count++;
    e->window_count++;
    e->states[metric_index].windows++;
    window_charge(e, w, (int64_t)sizeof *w);
    return w;
}

window *window_find(const engine *e, uint32_t scope_index, uint32_t metric_index, int64_t start_us)
{
    if (!e->window_table)
        return NULL;
    window *w = e->window_table[place_of(scope_index, metric_index, start_us) & (e->window_table_size - 1)];
    while (w && (w->start_us != start_us || w->metric != metric_index || w->scope != scope_index))
        w = w->chain;
    return w;
}
