/* What the engine's parts know of each other: scope.c (who has a watermark of its own), window.c, group.c
   (what is in a window), done.c (documents), engine.c (one event). */
#ifndef WINDOWS_ENGINE_INSIDE_H
#define WINDOWS_ENGINE_INSIDE_H

#include "modules/windows/engine.h"

static inline void window_charge(engine *e, window *w, int64_t bytes)
{
    w->bytes += (size_t)bytes;
    e->states[w->metric].bytes += (uint64_t)bytes;
}

/* Bytes that the window's metric may still take. */
static inline size_t window_room(const engine *e, const window *w)
{
    size_t used = e->states[w->metric].bytes, most = e->metrics[w->metric].memory;
    return used < most ? most - used : 0;
}

/* The watermark at which its documents go out. */
static inline int64_t window_done_at(const metric *m, const window *w)
{
    return w->start_us + m->size_us + m->delay_us;
}

void window_free(engine *e, window *w);
/* NULL: none. */
window *window_find(const engine *e, uint32_t scope_index, uint32_t metric_index, int64_t start_us);

group *group_find(const window *w, ss_str key, uint64_t hash); /* NULL: none */
/* The group, a new one, or __other__ where it does not fit; NULL: no memory. */
group *group_of(engine *e, window *w, ss_str key, uint64_t hash, bool fits);
seen *seen_place(seen *table, uint32_t size, hash128 id); /* where it is, or would be */

/* Says what is done at the scope's event time, and lets go what is past its lateness; false: no memory. */
bool scope_advance(engine *e, scope *s);

#endif
