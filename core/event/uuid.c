#include "core/event/uuid.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* xoshiro256++: 2 ns a number and seeded with 256 random bits; ids need to be unique, not secret. */
typedef struct generator {
    uint64_t state[4];
    uint64_t last_ms;
    uint32_t counter; /* orders the ids of one millisecond: RFC 9562, 6.2, method 1 */
    uint32_t forks;   /* a child of fork() must not repeat its parent's ids         */
    bool seeded;
} generator;

#define COUNTER_MAX 0xFFFu

static _Thread_local generator gen;
static atomic_uint fork_count; /* of this process's ancestors; getpid() would be a system call per id */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&fork_count, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
}

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static uint64_t next(generator *g)
{
    uint64_t *s = g->state, result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void seed(generator *g)
{
    (void)pthread_once(&fork_once, watch_forks);
    *g = (generator){.seeded = true, .forks = atomic_load_explicit(&fork_count, memory_order_relaxed)};
    if (getrandom(g->state, sizeof g->state, 0) != (ssize_t)sizeof g->state) {
        /* No kernel that runs this lacks it; a clock keeps ids of one process apart all the same. */
        struct timespec t;
        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        g->state[0] ^= (uint64_t)t.tv_nsec ^ (uint64_t)(uintptr_t)g;
    }
    g->state[1] |= 1; /* never all zero */
}

/* Eight hex digits: each nibble gets a byte of its own, most significant first in memory. */
static void put_hex8(char *out, uint32_t value)
{
    uint64_t x = __builtin_bswap32(value);
    x = (x | x << 16) & 0x0000FFFF0000FFFFu;
    x = (x | x << 8) & 0x00FF00FF00FF00FFu;
    x = (x >> 4 & 0x000F000F000F000Fu) | (x & 0x000F000F000F000Fu) << 8;
    uint64_t letters = (x + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
    x += 0x3030303030303030u + letters * ('a' - '0' - 10);
    memcpy(out, &x, 8);
}

void event_uuid7(char out[EVENT_UUID_SIZE], int64_t us)
{
    generator *g = &gen;
    uint64_t ms = us > 0 ? (uint64_t)us / 1000 : 0;
    if (!g->seeded || g->forks != atomic_load_explicit(&fork_count, memory_order_relaxed))
        seed(g);
    uint64_t random = next(g), tail = next(g);
    if (ms > g->last_ms) {
        g->last_ms = ms;
        g->counter = (uint32_t)(random & (COUNTER_MAX >> 1)); /* half: room to count up */
    } else if (++g->counter > COUNTER_MAX) {
        g->last_ms++; /* more than the counter holds in one millisecond: borrow from the next one */
        g->counter = 0;
    }
    char hex[32];
    put_hex8(hex, (uint32_t)(g->last_ms >> 16));
    put_hex8(hex + 8, (uint32_t)(g->last_ms & 0xFFFF) << 16 | 0x7000 | g->counter);
    put_hex8(hex + 16, (uint32_t)(tail & 0x3FFFFFFF) | 0x80000000u);
    put_hex8(hex + 24, (uint32_t)(tail >> 32));
    memcpy(out, hex, 8);
    memcpy(out + 9, hex + 8, 4);
    memcpy(out + 14, hex + 12, 4);
    memcpy(out + 19, hex + 16, 4);
    memcpy(out + 24, hex + 20, 12);
    out[8] = out[13] = out[18] = out[23] = '-';
}
