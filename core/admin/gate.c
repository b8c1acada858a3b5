#include "core/admin/gate.h"

unsigned gate_place(void)
{
    static _Atomic unsigned threads;
    static _Thread_local unsigned mine; /* one more than the place */
    if (mine == 0)
        mine = atomic_fetch_add_explicit(&threads, 1u, memory_order_relaxed) % GATE_PLACES + 1;
    return mine - 1;
}
