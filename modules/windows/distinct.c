/* How many different values: a set of their hashes, or registers (HyperLogLog). */
#include "modules/windows/aggregate_inside.h"

#include <math.h>
#include <stdlib.h>

bool distinct_is_dense(const aggregate *a)
{
    return a->size == 1u << AGGREGATE_HLL_BITS && a->used == UINT32_MAX;
}

static void registers_add(uint8_t *registers, hash128 h)
{
    uint32_t at = (uint32_t)(h.a >> (64 - AGGREGATE_HLL_BITS));
    uint64_t rest = h.a << AGGREGATE_HLL_BITS;
    uint8_t rank = (uint8_t)(rest ? __builtin_clzll(rest) + 1 : 64 - (int)AGGREGATE_HLL_BITS + 1);
    if (rank > registers[at])
        registers[at] = rank;
}

static double registers_count(const uint8_t *registers)
{
    const double m = 1u << AGGREGATE_HLL_BITS;
    double sum = 0;
    uint32_t zero = 0;
    for (uint32_t i = 0; i < 1u << AGGREGATE_HLL_BITS; i++) {
        sum += ldexp(1.0, -(int)registers[i]);
        zero += registers[i] == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    return estimate <= 2.5 * m && zero ? m * log(m / zero) : estimate;
}

static bool make_dense(aggregate *a, int64_t *bytes)
{
    uint8_t *registers = calloc(1u << AGGREGATE_HLL_BITS, 1);
    const hash128 *set = a->table;
    if (!registers)
        return false;
    for (uint32_t i = 0; i < a->size; i++)
        if (set[i].a | set[i].b)
            registers_add(registers, set[i]);
    *bytes += (int64_t)(1u << AGGREGATE_HLL_BITS) - (int64_t)(a->size * sizeof *set);
    free(a->table);
    a->table = registers;
    a->size = 1u << AGGREGATE_HLL_BITS;
    a->used = UINT32_MAX;
    return true;
}

static hash128 *set_place(hash128 *set, uint32_t size, hash128 h)
{
    uint32_t at = (uint32_t)h.b & (size - 1);
    while ((set[at].a | set[at].b) && (set[at].a != h.a || set[at].b != h.b))
        at = (at + 1) & (size - 1);
    return &set[at];
}

static bool set_grow(aggregate *a, size_t room, int64_t *bytes)
{
    uint32_t size = a->size ? a->size * 2 : AGGREGATE_TABLE_FIRST;
    const hash128 *old = a->table;
    if (size == 0 || (size - a->size) * sizeof *old > room)
        return false;
    hash128 *set = calloc(size, sizeof *set);
    if (!set)
        return false;
    for (uint32_t i = 0; i < a->size; i++)
        if (old[i].a | old[i].b)
            *set_place(set, size, old[i]) = old[i];
    *bytes += (int64_t)((size - a->size) * sizeof *set);
    free(a->table);
    a->table = set;
    a->size = size;
    return true;
}

enum aggregate_result distinct_add(const aggregate_spec *spec, aggregate *a, ss_str text, hash_key key,
                                   size_t room, int64_t *bytes)
{
    hash128 h = hash_bytes(key, text.ptr, text.len);
    h.b |= 1; /* zero is an empty place */
    if (distinct_is_dense(a)) {
        registers_add(a->table, h);
        return spec->kind == AGGREGATE_DISTINCT ? AGGREGATE_NO_ROOM : AGGREGATE_TAKEN;
    }
    if (a->size) {
        const hash128 *at = set_place(a->table, a->size, h);
        if (at->a | at->b)
            return AGGREGATE_TAKEN;
    }
    bool dense = spec->kind == AGGREGATE_APPROXIMATE && a->used >= AGGREGATE_HLL_EXACT;
    bool full = !dense && a->used * 4 >= a->size * 3 && !set_grow(a, room, bytes);
    if (dense || full) {
        if (!make_dense(a, bytes))
            return AGGREGATE_NO_ROOM;
        registers_add(a->table, h);
        return full ? AGGREGATE_NO_ROOM : AGGREGATE_TAKEN;
    }
    *set_place(a->table, a->size, h) = h;
    a->used++;
    return AGGREGATE_TAKEN;
}

double distinct_value(const aggregate *a)
{
    return distinct_is_dense(a) ? round(registers_count(a->table)) : a->used;
}

size_t distinct_bytes(const aggregate *a)
{
    return distinct_is_dense(a) ? a->size : a->size * sizeof(hash128);
}

/* One place at least is empty, or a search would not end. */
bool distinct_is_sound(const aggregate *a)
{
    if (distinct_is_dense(a) || a->size == 0)
        return a->size || a->used == 0;
    if (a->size < AGGREGATE_TABLE_FIRST || (a->size & (a->size - 1)) || a->used >= a->size)
        return false;
    const hash128 *set = a->table;
    uint32_t used = 0;
    for (uint32_t i = 0; i < a->size; i++)
        used += (set[i].a | set[i].b) != 0;
    return used == a->used;
}
