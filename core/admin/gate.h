/* Readers pass, a writer waits until all that were inside have left: then nobody reads what it has unlinked
   before. Each thread counts in a place of its own; readers never wait. */
#ifndef ADMIN_GATE_H
#define ADMIN_GATE_H

#include <poll.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>

#define GATE_PLACES 32u

typedef struct gate {
    struct {
        alignas(64) _Atomic unsigned inside;
    } places[GATE_PLACES];
} gate;

unsigned gate_place(void); /* of this thread */

static inline unsigned gate_enter(gate *g)
{
    unsigned place = gate_place();
    (void)atomic_fetch_add(&g->places[place].inside, 1u); /* before what is read inside */
    return place;
}

static inline void gate_leave(gate *g, unsigned place)
{
    (void)atomic_fetch_sub_explicit(&g->places[place].inside, 1u, memory_order_release);
}

static inline void gate_wait(gate *g)
{
    for (unsigned i = 0; i < GATE_PLACES; i++)
        while (atomic_load(&g->places[i].inside) != 0)
            (void)poll(NULL, 0, 1);
}

#endif
