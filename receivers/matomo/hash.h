/* Hashes of the visits' tables: fast, salted, not for keeping secrets. */
#ifndef MATOMO_HASH_H
#define MATOMO_HASH_H

#include "streamsteam/plugin.h"

#define HASH_A UINT64_C(0x9E3779B97F4A7C15)
#define HASH_B UINT64_C(0xD1B54A32D192ED03)
#define HASH_C UINT64_C(0x8CB92BA72F3D8DD7)

__extension__ typedef unsigned __int128 hash_wide;

/* Both halves of the product, folded. Never give it HASH_A first or HASH_B second: that is a zero. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    hash_wide product = (hash_wide)(a ^ HASH_A) * (b ^ HASH_B);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Fewer than eight bytes, at least one, in loads of fixed size that may overlap. */
static inline uint64_t hash_rest(const char *at, size_t len)
{
    uint32_t low, high;
    if (len < sizeof low)
        return (uint64_t)(unsigned char)at[0] | (uint64_t)(unsigned char)at[len / 2] << 8 |
               (uint64_t)(unsigned char)at[len - 1] << 16;
    memcpy(&low, at, sizeof low);
    memcpy(&high, at + len - sizeof high, sizeof high);
    return low | (uint64_t)high << 32;
}

/* Takes the text into the hash; the length belongs to it, so that "a","bc" and "ab","c" differ. */
static inline uint64_t hash_text(uint64_t h, ss_str text)
{
    const char *at = text.ptr;
    size_t left = text.len;
    h ^= left * HASH_C;
    for (; left >= 16; at += 16, left -= 16)
        h = hash_mix(hash_word(at) ^ h, hash_word(at + 8));
    uint64_t first = 0, last = 0;
    if (left >= 8) {
        first = hash_word(at);
        last = hash_word(at + left - 8);
    } else if (left > 0) {
        last = hash_rest(at, left);
    }
    return hash_mix(first ^ h, last ^ HASH_C);
}

/* For 32-bit keys where 0 means "none". */
static inline uint32_t hash_short(uint64_t h)
{
    uint32_t folded = (uint32_t)(h ^ h >> 32);
    return folded ? folded : 1;
}

#endif
