/* Sixteen bytes at a time: SSE2 where there is one, else a byte after the other. Used by the JSON and URL
   code and by the receiver game. A block never reads past the text: short tails are put together from
   overlapping loads. */
#ifndef COMMON_BLOCK_H
#define COMMON_BLOCK_H

#include <stdint.h>
#include <string.h>

#define BLOCK_BYTES 16u

#if defined(__SSE2__)
#include <emmintrin.h>
typedef __m128i block;

static inline block block_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}
static inline void block_store(char *p, block b)
{
    _mm_storeu_si128((__m128i *)(void *)p, b);
}
static inline block block_words(uint64_t low, uint64_t high)
{
    return _mm_set_epi64x((int64_t)high, (int64_t)low);
}
/* Bit i: byte i is that character. */
static inline uint32_t block_equal(block b, char c)
{
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(b, _mm_set1_epi8(c)));
}
/* Bit i: byte i is one of two characters. */
static inline uint32_t block_equal2(block b, char c0, char c1)
{
    return (uint32_t)_mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(b, _mm_set1_epi8(c0)), _mm_cmpeq_epi8(b, _mm_set1_epi8(c1))));
}
/* Bit i: byte i is the same in both. */
static inline uint32_t block_same(block a, block b)
{
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
}
/* Bit i: byte i lies between two ASCII characters, both included; low is at least 1. */
static inline uint32_t block_between(block b, char low, char high)
{
    __m128i above = _mm_cmpgt_epi8(b, _mm_set1_epi8((char)(low - 1)));
    return (uint32_t)_mm_movemask_epi8(
        _mm_and_si128(above, _mm_cmplt_epi8(b, _mm_set1_epi8((char)(high + 1)))));
}
/* Bit i: byte i is a quote, a backslash, a control character or not ASCII. */
static inline uint32_t block_special(block b)
{
    /* Signed: bytes from 0x80 on are negative, so that one comparison finds both ends. */
    __m128i low = _mm_cmplt_epi8(b, _mm_set1_epi8(0x20));
    __m128i quote = _mm_cmpeq_epi8(b, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(b, _mm_set1_epi8('\\'));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, slash)));
}
#else
typedef struct block {
    unsigned char byte[BLOCK_BYTES];
} block;

static inline block block_load(const char *p)
{
    block b;
    memcpy(&b, p, BLOCK_BYTES);
    return b;
}
static inline void block_store(char *p, block b)
{
    memcpy(p, &b, BLOCK_BYTES);
}
static inline block block_words(uint64_t low, uint64_t high)
{
    block b;
    memcpy(b.byte, &low, 8);
    memcpy(b.byte + 8, &high, 8);
    return b;
}
static inline uint32_t block_equal(block b, char c)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < BLOCK_BYTES; i++)
        bits |= (uint32_t)(b.byte[i] == (unsigned char)c) << i;
    return bits;
}
static inline uint32_t block_equal2(block b, char c0, char c1)
{
    return block_equal(b, c0) | block_equal(b, c1);
}
static inline uint32_t block_between(block b, char low, char high)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < BLOCK_BYTES; i++)
        bits |= (uint32_t)(b.byte[i] >= (unsigned char)low && b.byte[i] <= (unsigned char)high) << i;
    return bits;
}
static inline uint32_t block_same(block a, block b)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < BLOCK_BYTES; i++)
        bits |= (uint32_t)(a.byte[i] == b.byte[i]) << i;
    return bits;
}
static inline uint32_t block_special(block b)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < BLOCK_BYTES; i++)
        bits |= (uint32_t)(b.byte[i] < 0x20 || b.byte[i] >= 0x80 || b.byte[i] == '"' || b.byte[i] == '\\')
                << i;
    return bits;
}
#endif

/* Under a sanitizer every load stays inside its text; else short texts may be read past their end where that
   cannot leave the page (what lies there is masked away): one load in place of a branch on the length. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BLOCK_STRICT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define BLOCK_STRICT 1
#endif
#endif

#define BLOCK_PAGE 4096u

/* A block of len (0 to 15) bytes, the rest zero. Little-endian like the journal. */
static inline block block_load_tail(const char *p, size_t len)
{
    uint64_t low = 0, high = 0;
    if (len >= 8) {
        memcpy(&low, p, 8);
        if (len > 8) {
            memcpy(&high, p + len - 8, 8);
            high >>= (16 - len) * 8;
        }
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, p, 4);
        memcpy(&last, p + len - 4, 4);
        low = first | (uint64_t)last << (len - 4) * 8;
    } else if (len > 0) {
        low = (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[len >> 1] << (len >> 1) * 8 |
              (uint64_t)(unsigned char)p[len - 1] << (len - 1) * 8;
    }
    return block_words(low, high);
}

/* The same, the rest undefined: mask the bits that come of it. */
static inline block block_load_short(const char *p, size_t len)
{
#ifndef BLOCK_STRICT
    if (__builtin_expect(((uintptr_t)p & (BLOCK_PAGE - 1)) <= BLOCK_PAGE - BLOCK_BYTES, 1))
        return block_load(p);
#endif
    return block_load_tail(p, len);
}

/* Copies exactly len (0 to 15) bytes; to may lie before from and overlap it. */
static inline void block_copy_short(char *to, const char *from, size_t len)
{
    if (len >= 8) {
        uint64_t first, last;
        memcpy(&first, from, 8);
        memcpy(&last, from + len - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + len - 8, &last, 8);
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + len - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + len - 4, &last, 4);
    } else if (len > 0) {
        char first = from[0], middle = from[len >> 1], last = from[len - 1];
        to[0] = first;
        to[len >> 1] = middle;
        to[len - 1] = last;
    }
}

static inline uint32_t block_first(uint32_t bits)
{
    return (uint32_t)__builtin_ctz(bits);
}

#endif
