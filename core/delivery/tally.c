#include "core/delivery/tally.h"

#include <stdlib.h>

#define TALLY_FIRST_SLOTS 64u
#define RUN_LENGTH_MAX    UINT32_MAX
#define TALLY_OTHER       "__other__"

/* ---- tally --------------------------------------------------------------------------------------------- */

void tally_fini(tally *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        free((void *)(uintptr_t)t->rows[i].receiver.ptr);
    free(t->rows);
    free(t->slots);
    *t = (tally){0};
}

static uint32_t hash_of(ss_str receiver, ss_str app)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < receiver.len; i++)
        h = (h ^ (unsigned char)receiver.ptr[i]) * 16777619u;
    h = (h ^ 0xffu) * 16777619u;
    for (size_t i = 0; i < app.len; i++)
        h = (h ^ (unsigned char)app.ptr[i]) * 16777619u;
    return h;
}

static bool row_is(const tally_row *row, ss_str receiver, ss_str app)
{
    return ss_eq(row->app, app) && ss_eq(row->receiver, receiver);
}

static bool tally_grow(tally *t)
{
    uint32_t slot_count = t->slot_count ? t->slot_count * 2 : TALLY_FIRST_SLOTS;
    tally_row *rows = realloc(t->rows, (size_t)(slot_count / 2 + 1) * sizeof *rows);
    if (!rows)
        return false;
    t->rows = rows;
    t->size = slot_count / 2;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (!slots)
        return false;
    free(t->slots);
    t->slots = slots;
    t->slot_count = slot_count;
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t at = hash_of(rows[i].receiver, rows[i].app) & (slot_count - 1);
        while (slots[at])
            at = (at + 1) & (slot_count - 1);
        slots[at] = i + 1;
    }
    return true;
}

static uint32_t tally_insert(tally *t, uint32_t at, ss_str receiver, ss_str app)
{
    char *copy = malloc(receiver.len + app.len + 1);
    if (!copy)
        return UINT32_MAX;
    if (receiver.len)
        memcpy(copy, receiver.ptr, receiver.len);
    if (app.len)
        memcpy(copy + receiver.len, app.ptr, app.len);
    t->rows[t->count] =
        (tally_row){.receiver = ss_s(copy, receiver.len), .app = ss_s(copy + receiver.len, app.len)};
    t->slots[at] = ++t->count;
    t->last = t->count;
    return t->count - 1;
}

uint32_t tally_row_of(tally *t, ss_str receiver, ss_str app)
{
    if (t->last && row_is(&t->rows[t->last - 1], receiver, app))
        return t->last - 1;
    if (t->count >= t->size && !tally_grow(t))
        return UINT32_MAX;
    uint32_t at = hash_of(receiver, app) & (t->slot_count - 1);
    for (; t->slots[at]; at = (at + 1) & (t->slot_count - 1)) {
        if (row_is(&t->rows[t->slots[at] - 1], receiver, app)) {
            t->last = t->slots[at];
            return t->last - 1;
        }
    }
    if (t->count >= TALLY_ROWS_MAX && !ss_eq(app, SS_LIT(TALLY_OTHER)))
        return tally_row_of(t, receiver, SS_LIT(TALLY_OTHER));
    return tally_insert(t, at, receiver, app);
}

void tally_add(tally *t, uint32_t row, enum outcome what, int64_t n)
{
    if (row >= t->count)
        return;
    tally_row *r = &t->rows[row];
    r->counts[what] += n;
    if (!r->changed) {
        r->changed = true;
        r->next_changed = t->first_changed;
        t->first_changed = row + 1;
    }
}

void tally_clear(tally *t)
{
    uint32_t next;
    for (uint32_t i = t->first_changed; i; i = next) {
        tally_row *r = &t->rows[i - 1];
        next = r->next_changed;
        memset(r->counts, 0, sizeof r->counts);
        r->changed = false;
        r->next_changed = 0;
    }
    t->first_changed = 0;
}

/* ---- trail --------------------------------------------------------------------------------------------- */

static uint64_t run_pack(uint64_t n, uint32_t row, enum outcome what)
{
    return n << 32 | (uint64_t)(row & 0xffffffu) << 8 | (uint64_t)what;
}

static uint64_t run_length(uint64_t run)
{
    return run >> 32;
}

static uint32_t run_row(uint64_t run)
{
    return (uint32_t)(run >> 8) & 0xffffffu;
}

static enum outcome run_outcome(uint64_t run)
{
    return (enum outcome)(run & 0xffu);
}

void trail_init(trail *t, uint64_t after_seq)
{
    *t = (trail){.after_seq = after_seq, .end_seq = after_seq};
}

void trail_fini(trail *t)
{
    free(t->runs);
    free(t->rejects);
    trail_init(t, t->end_seq);
}

static bool trail_append(trail *t, uint64_t run)
{
    if (t->count == t->size && t->first > t->size / 2) { /* what was dropped in front makes room */
        t->count -= t->first;
        memmove(t->runs, t->runs + t->first, t->count * sizeof *t->runs);
        t->first = 0;
    }
    if (t->count == t->size) {
        size_t size = t->size ? t->size * 2 : 64;
        uint64_t *runs = realloc(t->runs, size * sizeof *runs);
        if (!runs)
            return false;
        t->runs = runs;
        t->size = size;
    }
    t->runs[t->count++] = run;
    return true;
}

bool trail_add(trail *t, uint64_t n, uint32_t row, enum outcome what)
{
    while (n > 0) {
        uint64_t *last = t->count > t->first ? &t->runs[t->count - 1] : NULL;
        bool same =
            last && run_row(*last) == row && run_outcome(*last) == what && run_length(*last) < RUN_LENGTH_MAX;
        uint64_t room = same ? RUN_LENGTH_MAX - run_length(*last) : RUN_LENGTH_MAX;
        uint64_t part = n < room ? n : room;
        if (same)
            *last += part << 32;
        else if (!trail_append(t, run_pack(part, row, what)))
            return false;
        t->end_seq += part;
        n -= part;
    }
    return true;
}

bool trail_reject(trail *t, uint64_t seq, uint32_t row)
{
    if (t->reject_count == t->reject_size) {
        size_t size = t->reject_size ? t->reject_size * 2 : 16;
        struct trail_reject *rejects = realloc(t->rejects, size * sizeof *rejects);
        if (!rejects)
            return false;
        t->rejects = rejects;
        t->reject_size = size;
    }
    t->rejects[t->reject_count++] = (struct trail_reject){.seq = seq, .row = row};
    return true;
}

void trail_sum(const trail *t, uint64_t through_seq, tally *out)
{
    uint64_t at = t->after_seq;
    for (size_t i = t->first; i < t->count && at < through_seq; i++) {
        uint64_t n = run_length(t->runs[i]);
        if (n > through_seq - at)
            n = through_seq - at;
        tally_add(out, run_row(t->runs[i]), run_outcome(t->runs[i]), (int64_t)n);
        at += n;
    }
    for (size_t i = 0; i < t->reject_count; i++) {
        if (t->rejects[i].seq > through_seq)
            continue;
        tally_add(out, t->rejects[i].row, OUTCOME_DELIVERED, -1);
        tally_add(out, t->rejects[i].row, OUTCOME_REJECTED, 1);
    }
}

void trail_drop(trail *t, uint64_t through_seq)
{
    while (t->first < t->count && t->after_seq < through_seq) {
        uint64_t n = run_length(t->runs[t->first]);
        if (n > through_seq - t->after_seq) {
            t->runs[t->first] -= (through_seq - t->after_seq) << 32;
            t->after_seq = through_seq;
            break;
        }
        t->after_seq += n;
        t->first++;
    }
    if (t->first == t->count)
        t->first = t->count = 0;
    size_t kept = 0;
    for (size_t i = 0; i < t->reject_count; i++)
        if (t->rejects[i].seq > through_seq)
            t->rejects[kept++] = t->rejects[i];
    t->reject_count = kept;
}
