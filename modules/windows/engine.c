#include "modules/windows/engine.h"

#include <stdlib.h>

#define TABLE_FIRST 8u
#define SEEN_FIRST  64u

void engine_init(engine *e, const engine_settings *set, paths *p, metric *metrics, uint32_t count,
                 metric_state *states)
{
    *e = (engine){.set = *set, .paths = p, .metrics = metrics, .metric_count = count, .states = states};
}

static void charge(engine *e, window *w, int64_t bytes)
{
    w->bytes += (size_t)bytes;
    e->states[w->metric].bytes += (uint64_t)bytes;
}

static size_t room_of(const engine *e, const window *w)
{
    size_t used = e->states[w->metric].bytes, most = e->metrics[w->metric].memory;
    return used < most ? most - used : 0;
}

/* ---- scopes ---- */

static uint64_t hash_app(const engine *e, ss_str app)
{
    return hash_bytes(e->set.key, app.ptr, app.len).a;
}

static bool scope_table_grow(engine *e)
{
    uint32_t size = e->scope_table_size ? e->scope_table_size * 2 : SEEN_FIRST;
    uint32_t *table = calloc(size, sizeof *table);
    if (!table)
        return false;
    for (uint32_t i = 0; i < e->scope_count; i++) {
        uint32_t at = (uint32_t)hash_app(e, ss_s(e->scopes[i].app, e->scopes[i].app_len)) & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    free(e->scope_table);
    e->scope_table = table;
    e->scope_table_size = size;
    return true;
}

static scope *scope_add(engine *e, ss_str app, uint32_t at)
{
    if (e->scope_count == e->scope_size) {
        uint32_t size = e->scope_size ? e->scope_size * 2 : 16;
        scope *more = realloc(e->scopes, size * sizeof *more);
        if (!more)
            return NULL;
        e->scopes = more;
        e->scope_size = size;
    }
    char *copy = malloc(app.len + 1);
    if (!copy)
        return NULL;
    if (app.len)
        memcpy(copy, app.ptr, app.len);
    copy[app.len] = '\0';
    scope *s = &e->scopes[e->scope_count];
    *s = (scope){
        .app = copy, .app_len = app.len, .max_us = INT64_MIN, .receive_us = INT64_MIN, .due_us = INT64_MAX};
    e->scope_table[at] = ++e->scope_count;
    return s;
}

scope *engine_scope(engine *e, ss_str app)
{
    if ((e->scope_count + 1) * 2 > e->scope_table_size && !scope_table_grow(e))
        return NULL;
    if (e->set.by_stream)
        app = ss_s("", 0);
    for (;;) {
        uint32_t mask = e->scope_table_size - 1, at = (uint32_t)hash_app(e, app) & mask;
        for (; e->scope_table[at]; at = (at + 1) & mask) {
            scope *s = &e->scopes[e->scope_table[at] - 1];
            if (ss_eq(app, ss_s(s->app, s->app_len)))
                return s;
        }
        if (e->scope_count < ENGINE_SCOPES_MAX || ss_eq(app, SS_LIT("__other__")))
            return scope_add(e, app, at);
        app = SS_LIT("__other__");
    }
}

/* ---- windows ---- */

static void window_free(engine *e, window *w)
{
    const metric *m = &e->metrics[w->metric];
    for (group *g = w->first, *next; g; g = next) {
        next = g->next;
        aggregate_free(&m->aggregate, &g->aggregate);
        free(g);
    }
    metric_state *state = &e->states[w->metric];
    state->bytes -= w->bytes;
    state->groups -= w->group_count;
    state->windows--;
    e->window_count--;
    free(w->table);
    free(w->seen);
    free(w);
}

void engine_fini(engine *e)
{
    for (uint32_t i = 0; i < e->scope_count; i++) {
        for (window *w = e->scopes[i].windows, *next; w; w = next) {
            next = w->next;
            window_free(e, w);
        }
        free(e->scopes[i].app);
    }
    free(e->scopes);
    free(e->scope_table);
    e->scopes = NULL;
    e->scope_table = NULL;
    e->scope_count = 0;
}

static int64_t done_at(const metric *m, const window *w)
{
    return w->start_us + m->size_us + m->delay_us;
}

void engine_due(engine *e, scope *s)
{
    s->due_us = INT64_MAX;
    for (const window *w = s->windows; w; w = w->next) {
        const metric *m = &e->metrics[w->metric];
        int64_t due = done_at(m, w) + (w->fired ? m->lateness_us : 0);
        s->due_us = due < s->due_us ? due : s->due_us;
    }
}

window *engine_window_new(engine *e, uint32_t scope_index, uint32_t metric_index, int64_t start_us)
{
    window *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    scope *s = &e->scopes[scope_index];
    w->metric = metric_index;
    w->scope = scope_index;
    w->start_us = start_us;
    w->next = s->windows;
    s->windows = w;
    s->window_count++;
    e->window_count++;
    e->states[metric_index].windows++;
    charge(e, w, (int64_t)sizeof *w);
    return w;
}

/* The one that was used last stands in front. */
static window *window_find(scope *s, uint32_t metric_index, int64_t start_us)
{
    for (window **at = &s->windows; *at; at = &(*at)->next) {
        window *w = *at;
        if (w->start_us != start_us || w->metric != metric_index)
            continue;
        *at = w->next;
        w->next = s->windows;
        s->windows = w;
        return w;
    }
    return NULL;
}

/* ---- groups ---- */

static group **group_place(const window *w, group **table, uint32_t size, ss_str key, uint64_t hash)
{
    (void)w;
    uint32_t at = (uint32_t)hash & (size - 1);
    while (table[at] && (table[at]->hash != hash || !ss_eq(key, ss_s(table[at]->key, table[at]->key_len))))
        at = (at + 1) & (size - 1);
    return &table[at];
}

static bool group_table_grow(engine *e, window *w)
{
    uint32_t size = w->table_size ? w->table_size * 2 : TABLE_FIRST;
    group **table = calloc(size, sizeof *table);
    if (!table)
        return false;
    for (group *g = w->first; g; g = g->next)
        if (!g->other)
            *group_place(w, table, size, ss_s(g->key, g->key_len), g->hash) = g;
    charge(e, w, (int64_t)((size - w->table_size) * sizeof *table));
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
    charge(e, w, (int64_t)(sizeof *g + key.len));
    if (other)
        w->other = g;
    else
        *group_place(w, w->table, w->table_size, key, hash) = g;
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

/* NULL: no memory. */
static group *group_of(engine *e, window *w, ss_str key, uint64_t hash, bool fits)
{
    const metric *m = &e->metrics[w->metric];
    if (fits && w->table) {
        group *g = *group_place(w, w->table, w->table_size, key, hash);
        if (g)
            return g;
    }
    size_t need = sizeof(group) + key.len + (w->table_size + 1) * sizeof(group *);
    if (fits && w->group_count - (w->other != NULL) < m->max_groups && room_of(e, w) >= need)
        return engine_group_new(e, w, key, hash, false);
    e->states[w->metric].other++;
    return group_other(e, w);
}

/* ---- ids that were seen ---- */

static seen *seen_place(seen *table, uint32_t size, hash128 id)
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
        if (room_of(e, w) < (size - w->seen_size) * sizeof *w->seen) {
            *room = false;
            return true;
        }
        seen *table = calloc(size, sizeof *table);
        if (!table)
            return false;
        for (uint32_t i = 0; i < w->seen_size; i++)
            if (w->seen[i].group)
                *seen_place(table, size, w->seen[i].id) = w->seen[i];
        charge(e, w, (int64_t)((size - w->seen_size) * sizeof *table));
        free(w->seen);
        w->seen = table;
        w->seen_size = size;
    }
    *seen_place(w->seen, w->seen_size, id) = (seen){id, event_us, g};
    w->seen_count++;
    return true;
}

/* ---- done ---- */

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
    int64_t a = done_at(&e->metrics[p->metric], p), b = done_at(&e->metrics[q->metric], q);
    if (a != b)
        return a < b ? -1 : 1;
    return p->metric != q->metric ? (p->metric < q->metric ? -1 : 1)
                                  : (p->start_us > q->start_us) - (p->start_us < q->start_us);
}

static bool advance(engine *e, scope *s)
{
    if (s->due_us > s->max_us)
        return true;
    window **done = malloc(s->window_count * sizeof *done);
    uint32_t count = 0;
    if (!done)
        return false;
    for (window *w = s->windows; w; w = w->next)
        if (!w->fired && done_at(&e->metrics[w->metric], w) <= s->max_us)
            done[count++] = w;
    qsort_r(done, count, sizeof *done, by_end, e);
    bool ok = true;
    for (uint32_t i = 0; ok && i < count; i++)
        ok = emit_window(e, done[i]);
    free(done);
    for (window **at = &s->windows; ok && *at;) {
        window *w = *at;
        if (!w->fired || done_at(&e->metrics[w->metric], w) + e->metrics[w->metric].lateness_us > s->max_us) {
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
            if (!advance(e, s))
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

/* ---- one event ---- */

/* The dimensions as JSON; false: one is missing and the metric passes over such events. *fits: not too long.
 */
static bool key_of(const engine *e, const metric *m, char key[ENGINE_KEY_MAX], size_t *len, bool *fits)
{
    *len = 0;
    *fits = true;
    for (uint32_t i = 0; i < m->by_count; i++) {
        const path_value *v = paths_get(e->paths, m->by[i].slot);
        bool missing = !v || v->kind == JSON_NULL || (v->plain && v->text.len == 0);
        if (missing && m->skip_missing)
            return false;
        ss_str text = missing ? SS_LIT("null") : v->text;
        if (!*fits || *len + json_escape_bound(text.len) + 2 > ENGINE_KEY_MAX) {
            *fits = false;
            continue;
        }
        if (i)
            key[(*len)++] = '\n';
        if (missing || v->kind != JSON_STRING) {
            memcpy(key + *len, text.ptr, text.len);
            *len += text.len;
        } else if (v->plain || v->escaped) { /* one way of writing it, whatever way it came */
            char plain[ENGINE_KEY_MAX];
            if (v->escaped)
                text = ss_s(plain, json_unescape(plain, text));
            *len += json_put_string(key + *len, text);
        } else {
            key[(*len)++] = '"';
            memcpy(key + *len, text.ptr, text.len);
            *len += text.len;
            key[(*len)++] = '"';
        }
    }
    return true;
}

static void touch(engine *e, scope *s, window *w, group *g, uint64_t seq)
{
    g->version = seq;
    if (w->fired) {
        g->dirty = w->dirty = true;
        s->listed = e->dirty = true;
    }
}

/* An id that was seen in this window: the earliest event counts. true: this one does not. */
static bool is_repeat(engine *e, scope *s, window *w, seen *before, const ss_record *r, group *g)
{
    bool earlier = r->event_us < before->event_us;
    e->states[w->metric].duplicates++;
    if (!earlier)
        return true;
    before->event_us = r->event_us;
    if (before->group == g || e->metrics[w->metric].aggregate.kind != AGGREGATE_COUNT)
        return true;
    before->group->count--;
    touch(e, s, w, before->group, r->seq);
    before->group = g;
    g->count++;
    touch(e, s, w, g, r->seq);
    return true;
}

static bool dedupe_id(const engine *e, const metric *m, hash128 *id)
{
    const path_value *v = m->dedupe == PATHS_NONE ? NULL : paths_get(e->paths, m->dedupe);
    if (!v || v->kind == JSON_NULL || v->text.len == 0)
        return false;
    *id = hash_bytes(e->set.key, v->text.ptr, v->text.len);
    return true;
}

static bool add_to_window(engine *e, scope *s, window *w, const ss_record *r, ss_str key, bool fits,
                          uint64_t hash)
{
    const metric *m = &e->metrics[w->metric];
    metric_state *state = &e->states[w->metric];
    hash128 id;
    bool has_id = dedupe_id(e, m, &id), room;
    seen *before = has_id && w->seen ? seen_place(w->seen, w->seen_size, id) : NULL;
    bool known = before && before->group;
    if (known && (r->event_us >= before->event_us || m->aggregate.kind != AGGREGATE_COUNT))
        return is_repeat(e, s, w, before, r, before->group);
    group *g = group_of(e, w, key, hash, fits);
    if (!g)
        return false;
    if (known)
        return is_repeat(e, s, w, before, r, g);
    if (has_id) {
        if (!engine_seen_put(e, w, id, r->event_us, g, &room))
            return false;
        state->undeduped += !room;
    }
    int64_t bytes = 0;
    const path_value *v =
        m->aggregate.kind == AGGREGATE_COUNT ? NULL : paths_get(e->paths, m->aggregate.slot);
    if (aggregate_add(&m->aggregate, &g->aggregate, v, e->set.key, room_of(e, w), &bytes) ==
        AGGREGATE_NO_ROOM)
        state->approximate++;
    charge(e, w, bytes);
    g->count++;
    state->events++;
    touch(e, s, w, g, r->seq);
    return true;
}

static int64_t floor_to(int64_t t, int64_t step)
{
    int64_t rest = t % step;
    return t - (rest < 0 ? rest + step : rest);
}

static bool take_metric(engine *e, scope *s, uint32_t index, const ss_record *r)
{
    const metric *m = &e->metrics[index];
    metric_state *state = &e->states[index];
    char key[ENGINE_KEY_MAX];
    size_t len;
    bool fits;
    if (!filter_passes(&m->filter, e->paths))
        return true;
    if (m->aggregate.kind != AGGREGATE_COUNT &&
        !aggregate_takes(&m->aggregate, paths_get(e->paths, m->aggregate.slot))) {
        state->skipped_value++;
        return true;
    }
    if (!key_of(e, m, key, &len, &fits)) {
        state->skipped_dimension++;
        return true;
    }
    uint64_t hash = fits ? hash_bytes(e->set.key, key, len).a : 0;
    for (int64_t start = floor_to(r->event_us, m->every_us); start > r->event_us - m->size_us;
         start -= m->every_us) {
        window *w = window_find(s, index, start);
        if (!w) {
            int64_t gone = start + m->size_us + m->delay_us + m->lateness_us;
            if (s->max_us != INT64_MIN && gone <= s->max_us) {
                state->late++;
                continue;
            }
            bool full =
                e->window_count >= ENGINE_WINDOWS_MAX || state->bytes + sizeof *w > m->memory + m->memory / 2;
            if (full) {
                state->no_window++;
                continue;
            }
            w = engine_window_new(e, (uint32_t)(s - e->scopes), index, start);
            if (!w)
                return false;
            w->fired = s->max_us != INT64_MIN && done_at(m, w) <= s->max_us; /* a late event opens it again */
            int64_t due = done_at(m, w) + (w->fired ? m->lateness_us : 0);
            s->due_us = due < s->due_us ? due : s->due_us;
        }
        if (!add_to_window(e, s, w, r, ss_s(key, len), fits, hash))
            return false;
    }
    return true;
}

bool engine_take(engine *e, const ss_record *r)
{
    if (r->seq <= e->seq)
        return true;
    e->seq = r->seq;
    scope *s = engine_scope(e, r->app);
    if (!s)
        return false;
    /* Who was silent had followed the clock before this event came: the same whether the clock was looked at
     * or not. */
    if (e->set.idle_us && s->receive_us != INT64_MIN && r->receive_us - s->receive_us >= e->set.idle_us &&
        r->receive_us > s->max_us) {
        s->max_us = r->receive_us;
        if (!advance(e, s))
            return false;
    }
    if (r->receive_us > s->receive_us)
        s->receive_us = r->receive_us;
    if (r->event_us > r->receive_us + e->set.ahead_us) {
        for (uint32_t i = 0; i < e->metric_count; i++)
            e->states[i].future++;
        return true;
    }
    paths_read(e->paths, r);
    for (uint32_t i = 0; i < e->metric_count; i++)
        if (!take_metric(e, s, i, r))
            return false;
    int64_t at =
        r->event_us < r->receive_us + ENGINE_AHEAD_US ? r->event_us : r->receive_us + ENGINE_AHEAD_US;
    if (at > s->max_us)
        s->max_us = at;
    return advance(e, s);
}
