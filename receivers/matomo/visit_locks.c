#include "receivers/matomo/visit_locks.h"

#include <stdlib.h>

visit_locks *visit_locks_new(void)
{
    visit_locks *l = aligned_alloc(_Alignof(visit_locks), sizeof *l);
    if (!l)
        return NULL;
    atomic_init(&l->users, 1);
    for (uint32_t i = 0; i < VISIT_LOCKS; i++) {
        (void)pthread_mutex_init(&l->visits[i].mutex, NULL);
        (void)pthread_mutex_init(&l->configs[i].mutex, NULL);
        (void)pthread_mutex_init(&l->marks[i].mutex, NULL);
    }
    return l;
}

void visit_locks_share(visit_locks *l)
{
    (void)atomic_fetch_add(&l->users, 1);
}

void visit_locks_release(visit_locks *l)
{
    if (!l || atomic_fetch_sub(&l->users, 1) > 1)
        return;
    for (uint32_t i = 0; i < VISIT_LOCKS; i++) {
        (void)pthread_mutex_destroy(&l->visits[i].mutex);
        (void)pthread_mutex_destroy(&l->configs[i].mutex);
        (void)pthread_mutex_destroy(&l->marks[i].mutex);
    }
    free(l);
}
