#include "modules/windows/engine_inside.h"

#include <stdlib.h>

void engine_init(engine *e, const engine_settings *set, paths *p, metric *metrics, uint32_t count,
                 metric_state *states)
{
    *e = (engine){.set = *set, .paths = p, .metrics = metrics, .metric_count = count, .states = states};
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
    free(e->window_table);
    e->scopes = NULL;
    e->scope_table = NULL;
    e->window_table = NULL;
    e->scope_count = e->scope_size = e->scope_table_size = e->window_table_size = 0;
    e->dirty = false;
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
    if (aggregate_add(&m->aggregate, &g->aggregate, v, e->set.key, window_room(e, w), &bytes) ==
        AGGREGATE_NO_ROOM)
        state->approximate++;
    window_charge(e, w, bytes);
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

static bool is_held(const engine_settings *set, const metric *m, int64_t start_us)
{
    return start_us >= set->hold_from_us && start_us < set->hold_to_us &&
           start_us + m->size_us <= set->hold_end_us;
}

static bool is_too_late(const engine *e, const scope *s, const metric *m, int64_t start_us)
{
    return !e->set.hold && s->max_us != INT64_MIN &&
           start_us + m->size_us + m->delay_us + m->lateness_us <= s->max_us;
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
        if (e->set.hold && !is_held(&e->set, m, start))
            continue;
        window *w = window_find(e, (uint32_t)(s - e->scopes), index, start);
        if (!w) {
            if (is_too_late(e, s, m, start)) {
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
            w->fired = !e->set.hold && s->max_us != INT64_MIN &&
                       window_done_at(m, w) <= s->max_us; /* a late event opens it again */
            int64_t due = window_done_at(m, w) + (w->fired ? m->lateness_us : 0);
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
        if (!scope_advance(e, s))
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
    return scope_advance(e, s);
}
