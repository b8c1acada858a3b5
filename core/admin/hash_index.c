#include "core/admin/hash_index.h"

#include <stdatomic.h>
#include <stdlib.h>

#define ROOM_MIN 64u
#define DROPPED  UINT32_MAX
#define ENTRY(n) ((n) + (n) / 4 + ROOM_MIN) /* places for n entries: four fifths full */

struct hash_index {
    size_t places, used, live; /* used: live and dropped ones */
    _Atomic uint64_t *a, *b;
    _Atomic uint32_t *values;
};

hash_index *hash_index_new(size_t entries)
{
    hash_index *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->places = ENTRY(entries);
    x->a = calloc(x->places, sizeof *x->a);
    x->b = calloc(x->places, sizeof *x->b);
    x->values = calloc(x->places, sizeof *x->values);
    if (x->a && x->b && x->values)
        return x;
    hash_index_free(x);
    return NULL;
}

void hash_index_free(hash_index *x)
{
    if (!x)
        return;
    free((void *)x->a);
    free((void *)x->b);
    free((void *)x->values);
    free(x);
}

size_t hash_index_count(const hash_index *x)
{
    return x->live;
}

size_t hash_index_bytes(const hash_index *x)
{
    return sizeof *x + x->places * (2 * sizeof(uint64_t) + sizeof(uint32_t));
}

static size_t home(const hash_index *x, key16 key)
{
    return (size_t)(((unsigned __int128)(key.a ^ key.b) * x->places) >> 64);
}

static size_t next(const hash_index *x, size_t i)
{
    return i + 1 == x->places ? 0 : i + 1;
}

static bool same(const hash_index *x, size_t i, key16 key)
{
    uint64_t a = atomic_load_explicit(&x->a[i], memory_order_relaxed);
    uint64_t b = atomic_load_explicit(&x->b[i], memory_order_relaxed);
    return key16_equal((key16){a, b}, key);
}

/* The key is written while the place says "dropped" or "free", the value last: who reads the same value
   before and after the key has read the key that belongs to it. */
static void write_place(hash_index *x, size_t i, key16 key, uint32_t value)
{
    atomic_store_explicit(&x->a[i], key.a, memory_order_relaxed);
    atomic_store_explicit(&x->b[i], key.b, memory_order_relaxed);
    atomic_store_explicit(&x->values[i], value, memory_order_release);
}

bool hash_index_put(hash_index *x, key16 key, uint32_t value, uint32_t unit)
{
    size_t free_place = SIZE_MAX, i = home(x, key);
    uint32_t there;
    for (; (there = atomic_load_explicit(&x->values[i], memory_order_relaxed)) != 0; i = next(x, i)) {
        if (there == DROPPED) {
            free_place = free_place == SIZE_MAX ? i : free_place;
        } else if (same(x, i, key) && there / unit == value / unit) {
            atomic_store_explicit(&x->values[i], value, memory_order_release);
            return true;
        }
    }
    if (free_place == SIZE_MAX) {
        if (ENTRY(x->used) >= x->places)
            return false;
        x->used++;
        free_place = i;
    }
    x->live++;
    write_place(x, free_place, key, value);
    return true;
}

void hash_index_drop(hash_index *x, key16 key, uint32_t value, uint32_t unit)
{
    uint32_t there;
    for (size_t i = home(x, key); (there = atomic_load_explicit(&x->values[i], memory_order_relaxed)) != 0;
         i = next(x, i))
        if (there != DROPPED && same(x, i, key) && there / unit == value / unit) {
            atomic_store_explicit(&x->values[i], DROPPED, memory_order_release);
            x->live--;
            return;
        }
}

uint32_t hash_index_find(const hash_index *x, key16 key, uint32_t wanted, uint32_t unit)
{
    uint32_t there;
    size_t i = home(x, key);
    for (size_t looked = 0; looked < x->places; looked++, i = next(x, i)) {
        there = atomic_load_explicit(&x->values[i], memory_order_acquire);
        if (there == 0)
            return 0;
        if (there == DROPPED || !same(x, i, key) || (unit && there / unit != wanted))
            continue;
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&x->values[i], memory_order_relaxed) == there)
            return there;
    }
    return 0;
}

hash_index *hash_index_grown(const hash_index *x)
{
    hash_index *big = hash_index_new(x->live + x->live / 4 + ROOM_MIN);
    for (size_t i = 0; big && i < x->places; i++) {
        uint32_t value = atomic_load_explicit(&x->values[i], memory_order_relaxed);
        key16 key = {atomic_load_explicit(&x->a[i], memory_order_relaxed),
                     atomic_load_explicit(&x->b[i], memory_order_relaxed)};
        if (value != 0 && value != DROPPED)
            (void)hash_index_put(big, key, value, 1);
    }
    return big;
}
