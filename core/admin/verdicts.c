#include "core/admin/verdicts.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#define SETS 32768u /* of two entries: one line of the processor's cache */
#define WAYS 2u

/* `check` is what stands in the other words, mixed with the question: a torn entry fits no question. */
typedef struct verdict {
    _Atomic uint64_t a, b, generation, meaning; /* meaning: until_ms << 8 | answer */
} verdict;

struct verdicts {
    uint64_t key[2];
    verdict *table;
};

verdicts *verdicts_new(void)
{
    verdicts *v = calloc(1, sizeof *v);
    if (v)
        v->table = aligned_alloc(64, (size_t)SETS * WAYS * sizeof *v->table);
    if (!v || !v->table || getrandom(v->key, sizeof v->key, 0) != (ssize_t)sizeof v->key) {
        verdicts_free(v);
        return NULL;
    }
    memset((void *)v->table, 0, verdicts_bytes());
    return v;
}

void verdicts_free(verdicts *v)
{
    if (!v)
        return;
    free((void *)v->table);
    explicit_bzero(v->key, sizeof v->key);
    free(v);
}

size_t verdicts_bytes(void)
{
    return (size_t)SETS * WAYS * sizeof(verdict);
}

/* ---- SipHash-2-4 with 128 bits of output (Aumasson and Bernstein) ------------------------------- */

static inline uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline void round_of(uint64_t s[4])
{
    s[0] += s[1];
    s[1] = rotate(s[1], 13) ^ s[0];
    s[0] = rotate(s[0], 32);
    s[2] += s[3];
    s[3] = rotate(s[3], 16) ^ s[2];
    s[0] += s[3];
    s[3] = rotate(s[3], 21) ^ s[0];
    s[2] += s[1];
    s[1] = rotate(s[1], 17) ^ s[2];
    s[2] = rotate(s[2], 32);
}

static inline void take(uint64_t s[4], uint64_t word)
{
    s[3] ^= word;
    round_of(s);
    round_of(s);
    s[0] ^= word;
}

key16 verdicts_question(const verdicts *v, key16 app, ss_str value)
{
    uint64_t s[4] = {v->key[0] ^ 0x736f6d6570736575ULL, v->key[1] ^ 0x646f72616e646f6dULL ^ 0xee,
                     v->key[0] ^ 0x6c7967656e657261ULL, v->key[1] ^ 0x7465646279746573ULL};
    take(s, app.a);
    take(s, app.b);
    size_t at = 0;
    for (; at + 8 <= value.len; at += 8) {
        uint64_t word;
        memcpy(&word, value.ptr + at, sizeof word);
        take(s, word);
    }
    uint64_t last = (uint64_t)value.len << 56;
    for (size_t i = 0; at + i < value.len; i++)
        last |= (uint64_t)(unsigned char)value.ptr[at + i] << 8 * i;
    take(s, last);
    s[2] ^= 0xee;
    for (int i = 0; i < 4; i++)
        round_of(s);
    key16 out = {.a = s[0] ^ s[1] ^ s[2] ^ s[3]};
    s[1] ^= 0xdd;
    for (int i = 0; i < 4; i++)
        round_of(s);
    out.b = s[0] ^ s[1] ^ s[2] ^ s[3];
    return out;
}

/* ---- entries ----------------------------------------------------------------------------------- */

static verdict *set_of(verdicts *v, key16 question)
{
    return v->table + (size_t)(question.a % SETS) * WAYS;
}

static uint64_t mixed(uint64_t generation, uint64_t meaning)
{
    return generation * 0x9E3779B97F4A7C15ULL ^ rotate(meaning, 29);
}

uint32_t verdicts_find(verdicts *v, key16 question, uint64_t generation, int64_t now_ms)
{
    verdict *e = set_of(v, question);
    for (unsigned i = 0; i < WAYS; i++, e++) {
        uint64_t a = atomic_load_explicit(&e->a, memory_order_relaxed);
        uint64_t b = atomic_load_explicit(&e->b, memory_order_relaxed);
        uint64_t g = atomic_load_explicit(&e->generation, memory_order_relaxed);
        uint64_t meaning = atomic_load_explicit(&e->meaning, memory_order_relaxed);
        if (!key16_equal((key16){a, b ^ mixed(g, meaning)}, question))
            continue;
        return g == generation && (int64_t)(meaning >> 8) > now_ms ? (uint32_t)(meaning & 0xff) : 0;
    }
    return 0;
}

/* The place of the same question, else one that is void, else the one that ends first. */
static verdict *place_for(verdicts *v, key16 question)
{
    verdict *e = set_of(v, question), *best = e;
    for (unsigned i = 0; i < WAYS; i++)
        if (atomic_load_explicit(&e[i].a, memory_order_relaxed) == question.a)
            return &e[i];
    for (unsigned i = 1; i < WAYS; i++)
        if (atomic_load_explicit(&e[i].meaning, memory_order_relaxed) >> 8 <
            atomic_load_explicit(&best->meaning, memory_order_relaxed) >> 8)
            best = &e[i];
    return best;
}

void verdicts_put(verdicts *v, key16 question, uint64_t generation, uint32_t answer, int64_t until_ms)
{
    verdict *e = place_for(v, question);
    uint64_t meaning = (uint64_t)until_ms << 8 | answer;
    atomic_store_explicit(&e->a, question.a, memory_order_relaxed);
    atomic_store_explicit(&e->b, question.b ^ mixed(generation, meaning), memory_order_relaxed);
    atomic_store_explicit(&e->generation, generation, memory_order_relaxed);
    atomic_store_explicit(&e->meaning, meaning, memory_order_relaxed);
}
