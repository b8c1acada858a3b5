/* Time. clock_now_us: wall clock, may jump; clock_mono_us: never goes back, for lengths and deadlines. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_us(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline int64_t clock_now_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

static inline int64_t clock_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

#endif
