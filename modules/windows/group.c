#include "modules/windows/engine_inside.h"

#include <stdlib.h>

#define GROUP_TABLE_FIRST 8u
#define SEEN_FIRST        64u

static group **group_place(group **table, uint32_t size, ss_str key, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & (size - 1);
    while (table[at] && (table[at]->hash != hash || !ss_eq(key, ss_s(table[at]->key, table[at]->key_len))))
        at = (at + 1) & (size - 1);
    return &table[at];
}

static bool group_table_grow(engine *e, window *w)
{
    uint32_t size = w->table_size ? w->table_size * 2 : GROUP_TABLE_FIRST;
    group **table = calloc(size, sizeof *table);
    if (!table)
        return false;
    for (group *g = w->first; g; g = g->next)
        if (!g->other)
            *group_place(table, size, ss_s(g->key, g->key_len), g->hash) = g;
    window_charge(e, w, (int64_t)((size - w->table_size) * sizeof *table));
    free(w->table);
    w->table = table;
    w->table_size = size;
    return true;
}

group *engine_group_new(engine *e, window *w, ss_str key, uint64_t hash, bool other)
{
    if (!other && (w->group_count + 1) * 4 > w->table_size * 3 && !group_table_grow(e, w))
        return NULL;
    group *g = calloc(1, sizeof *g + key.len);
    if (!g)
        return NULL;
    g->hash = hash;
    g->key_len = (uint32_t)key.len;
    g->other = other;
    if (key.len)
        memcpy(g->key, key.ptr, key.len);
    if (w->last)
        w->last->next = g;
    else
        w->first = g;
    w->last = g;
    w->group_count++;
    e->states[w->metric].groups++;
    window_charge(e, w, (int64_t)(sizeof *g + key.len));
    if (other)
        w->other = g;
    else
        *group_place(w->table, w->table_size, key, hash) = g;
    return g;
}

static group *group_other(engine *e, window *w)
{
    char key[METRIC_BY_MAX * sizeof ENGINE_OTHER];
    size_t len = 0;
    const metric *m = &e->metrics[w->metric];
    if (w->other)
        return w->other;
    for (uint32_t i = 0; i < m->by_count; i++) {
        if (i)
            key[len++] = '\n';
        memcpy(key + len, ENGINE_OTHER, sizeof ENGINE_OTHER - 1);
        len += sizeof ENGINE_OTHER - 1;
    }
    return engine_group_new(e, w, ss_s(key, len), 0, true);
}

group *group_find(const window *w, ss_str key, uint64_t hash)
{
    return w->table ? *group_place(w->table, w->table_size, key, hash) : NULL;
}

group *group_of(engine *e, window *w, ss_str key, uint64_t hash, bool fits)
{
    const metric *m = &e->metrics[w->metric];
    group *known = fits ? group_find(w, key, hash) : NULL;
    if (known)
        return known;
    size_t need = sizeof(group) + key.len + (w->table_size + 1) * sizeof(group *);
    if (fits && w->group_count - (w->other != NULL) < m->max_groups && window_room(e, w) >= need)
        return engine_group_new(e, w, key, hash, false);
    e->states[w->metric].other++;
    return group_other(e, w);
}

/* ---- event ids that were seen ---- */

seen *seen_place(seen *table, uint32_t size, hash128 id)
{
    uint32_t at = (uint32_t)id.a & (size - 1);
    while (table[at].group && (table[at].id.a != id.a || table[at].id.b != id.b))
        at = (at + 1) & (size - 1);
    return &table[at];
}

bool engine_seen_put(engine *e, window *w, hash128 id, int64_t event_us, group *g, bool *room)
{
    *room = true;
    if ((w->seen_count + 1) * 4 > w->seen_size * 3) {
        uint32_t size = w->seen_size ? w->seen_size * 2 : SEEN_FIRST;
        if (window_room(e, w) < (size - w->seen_size) * sizeof *w->seen) {
            *room = false;
            return true;
        }
        seen *table = calloc(size, sizeof *table);
        if (!table)
            return false;
        for (uint32_t i = 0; i < w->seen_size; i++)
            if (w->seen[i].group)
                *seen_place(table, size, w->seen[i].id) = w->seen[i];
        window_charge(e, w, (int64_t)((size - w->seen_size) * sizeof *table));
        free(w->seen);
        w->seen = table;
        w->seen_size = size;
    }
    *seen_place(w->seen, w->seen_size, id) = (seen){id, event_us, g};
    w->seen_count++;
    return true;
}
