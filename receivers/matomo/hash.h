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

static inline uint64_t hash_load(const char *at, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, at, len);
    return word;
}

/* Takes the text into the hash; the length belongs to it, so that "a","bc" and "ab","c" differ. */
static inline uint64_t hash_text(uint64_t h, ss_str text)
{
    const char *at = text.ptr;
    size_t left = text.len;
    h = hash_mix(h, text.len);
    for (; left >= 16; at += 16, left -= 16)
        h = hash_mix(hash_load(at, 8) ^ h, hash_load(at + 8, 8));
    if (left >= 8) {
        h = hash_mix(hash_load(at, 8) ^ h, left);
        at += 8;
        left -= 8;
    }
    return left ? hash_mix(hash_load(at, left) ^ h, HASH_C) : h;
}

/* For 32-bit keys where 0 means "none". */
static inline uint32_t hash_short(uint64_t h)
{
    uint32_t folded = (uint32_t)(h ^ h >> 32);
    return folded ? folded : 1;
}

#endif
