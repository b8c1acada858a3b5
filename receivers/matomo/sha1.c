#include "receivers/matomo/sha1.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#define HAVE_SHA_INSTRUCTIONS 1
#endif

#define SHA1_BLOCK 64u

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

#define CHOOSE(b, c, d)   ((d) ^ ((b) & ((c) ^ (d))))
#define PARITY(b, c, d)   ((b) ^ (c) ^ (d))
#define MAJORITY(b, c, d) (((b) & (c)) | ((d) & ((b) | (c))))
/* A round without moving the five words: the caller names them in turn. */
#define ROUND(f, k, i, a, b, c, d, e)                                                                        \
    do {                                                                                                     \
        (e) += rotate(a, 5) + f(b, c, d) + (k) + w[i];                                                       \
        (b) = rotate(b, 30);                                                                                 \
    } while (0)
#define FIVE(f, k, i)                                                                                        \
    do {                                                                                                     \
        ROUND(f, k, (i), a, b, c, d, e);                                                                     \
        ROUND(f, k, (i) + 1, e, a, b, c, d);                                                                 \
        ROUND(f, k, (i) + 2, d, e, a, b, c);                                                                 \
        ROUND(f, k, (i) + 3, c, d, e, a, b);                                                                 \
        ROUND(f, k, (i) + 4, b, c, d, e, a);                                                                 \
    } while (0)

static void sha1_block(uint32_t state[5], const unsigned char *p)
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
               p[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 20; i += 5)
        FIVE(CHOOSE, 0x5A827999, i);
    for (int i = 20; i < 40; i += 5)
        FIVE(PARITY, 0x6ED9EBA1, i);
    for (int i = 40; i < 60; i += 5)
        FIVE(MAJORITY, 0x8F1BBCDC, i);
    for (int i = 60; i < 80; i += 5)
        FIVE(PARITY, 0xCA62C1D6, i);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

#ifdef HAVE_SHA_INSTRUCTIONS
/* The processor's own rounds, four at a time: a site that sends uid asks for one digest per hit. */
__attribute__((target("sha,sse4.1"))) static void sha1_block_fast(uint32_t state[5], const unsigned char *p)
{
    const __m128i swap = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    __m128i w[20], abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)state), 0x1B);
    __m128i e = _mm_set_epi32((int)state[4], 0, 0, 0), abcd_before = abcd, e_before = e, last = abcd;
    for (int t = 0; t < 4; t++)
        w[t] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * t)), swap);
    for (int t = 4; t < 20; t++)
        w[t] = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w[t - 4], w[t - 3]), w[t - 2]), w[t - 1]);
    for (int t = 0; t < 20; t++) {
        e = t == 0 ? _mm_add_epi32(e, w[0]) : _mm_sha1nexte_epu32(last, w[t]);
        last = abcd;
        abcd = t < 5    ? _mm_sha1rnds4_epu32(abcd, e, 0)
               : t < 10 ? _mm_sha1rnds4_epu32(abcd, e, 1)
               : t < 15 ? _mm_sha1rnds4_epu32(abcd, e, 2)
                        : _mm_sha1rnds4_epu32(abcd, e, 3);
    }
    e = _mm_sha1nexte_epu32(last, e_before);
    abcd = _mm_shuffle_epi32(_mm_add_epi32(abcd, abcd_before), 0x1B);
    _mm_storeu_si128((__m128i *)(void *)state, abcd);
    state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

static bool have_sha(void)
{
    static int known; /* 0: not looked; every thread finds the same */
    unsigned a, b, c, d;
    int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (answer == 0) {
        bool sse41 = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1);
        answer = sse41 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) ? 1 : -1;
        __atomic_store_n(&known, answer, __ATOMIC_RELAXED);
    }
    return answer > 0;
}
#endif

typedef void (*block_function)(uint32_t state[5], const unsigned char *p);

static void digest(unsigned char out[SHA1_BYTES], ss_str text, block_function block)
{
    uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    unsigned char tail[2 * SHA1_BLOCK] = {0};
    size_t whole = text.len / SHA1_BLOCK * SHA1_BLOCK, rest = text.len - whole;
    for (size_t at = 0; at < whole; at += SHA1_BLOCK)
        block(state, (const unsigned char *)text.ptr + at);
    if (rest)
        memcpy(tail, text.ptr + whole, rest);
    tail[rest] = 0x80;
    size_t len = rest + 9 <= SHA1_BLOCK ? SHA1_BLOCK : 2 * SHA1_BLOCK;
    for (size_t i = 0; i < 8; i++)
        tail[len - 1 - i] = (unsigned char)((uint64_t)text.len * 8 >> 8 * i);
    for (size_t at = 0; at < len; at += SHA1_BLOCK)
        block(state, tail + at);
    for (size_t i = 0; i < SHA1_BYTES; i++)
        out[i] = (unsigned char)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha1_portable(unsigned char out[SHA1_BYTES], ss_str text)
{
    digest(out, text, sha1_block);
}

void sha1(unsigned char out[SHA1_BYTES], ss_str text)
{
#ifdef HAVE_SHA_INSTRUCTIONS
    if (have_sha()) {
        digest(out, text, sha1_block_fast);
        return;
    }
#endif
    digest(out, text, sha1_block);
}
