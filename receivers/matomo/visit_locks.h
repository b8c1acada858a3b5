/* The locks of the visits' tables: many, each for some of the buckets. Order: a fingerprint's, then a
   visit's; never two of a kind. */
#ifndef MATOMO_VISIT_LOCKS_H
#define MATOMO_VISIT_LOCKS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define VISIT_LOCKS 256u /* of each kind; a power of two */

typedef struct visit_lock {
    _Alignas(64) pthread_mutex_t mutex;
} visit_lock;

/* Shared by the instances that map the same file: on a reload two of them work side by side for a moment. */
typedef struct visit_locks {
    atomic_uint users;
    visit_lock visits[VISIT_LOCKS], configs[VISIT_LOCKS], marks[VISIT_LOCKS];
} visit_locks;

visit_locks *visit_locks_new(void); /* NULL: no memory */
void visit_locks_share(visit_locks *l);
void visit_locks_release(visit_locks *l);

static inline pthread_mutex_t *visit_locks_hold(visit_lock *of, uint32_t bucket)
{
    pthread_mutex_t *mutex = &of[bucket % VISIT_LOCKS].mutex;
    (void)pthread_mutex_lock(mutex);
    return mutex;
}

static inline void visit_locks_leave(pthread_mutex_t *mutex)
{
    (void)pthread_mutex_unlock(mutex);
}

#endif
