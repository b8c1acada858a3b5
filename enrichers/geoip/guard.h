/* Who reads a pointer that another thread may replace: readers never wait, the one who replaces waits until
   all who may still have the old one have left.

       reader:  guard_enter(g, slot); p = atomic_load(&current); ... use p ...; guard_leave(g, slot);
       writer:  old = atomic_exchange(&current, fresh); guard_wait(g); ... free old ...

   Readers are spread over a few counters, so that threads do not take cache lines from each other. */
#ifndef GEOIP_GUARD_H
#define GEOIP_GUARD_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define GUARD_SLOTS   16u /* a power of two */
#define GUARD_WAIT_NS 100000

typedef struct guard_slot {
    _Alignas(64) _Atomic uint32_t readers;
    _Atomic uint32_t found, unknown; /* lookups since they were last collected */
} guard_slot;

typedef struct guard {
    guard_slot slots[GUARD_SLOTS];
} guard;

/* By something that each thread has of its own; two with one slot only cost time. */
static inline guard_slot *guard_enter(guard *g, const void *own)
{
    uintptr_t at = (uintptr_t)own;
    guard_slot *slot = &g->slots[(at >> 6 ^ at >> 12 ^ at >> 16) & (GUARD_SLOTS - 1)];
    (void)atomic_fetch_add(&slot->readers,
                           1u); /* sequentially consistent, as the load of the pointer must be */
    return slot;
}

static inline void guard_leave(guard_slot *slot)
{
    (void)atomic_fetch_sub_explicit(&slot->readers, 1u, memory_order_release);
}

/* Who enters a slot after it was seen empty finds the new pointer. */
static inline void guard_wait(guard *g)
{
    for (uint32_t i = 0; i < GUARD_SLOTS; i++)
        while (atomic_load(&g->slots[i].readers) != 0) {
            struct timespec pause = {.tv_nsec = GUARD_WAIT_NS};
            (void)nanosleep(&pause, NULL);
        }
}

#endif
