/* SipHash-1-3 with 128 bits of result: for ids that must not meet by chance, and for tables that nobody
   without the key can fill badly. The key is the journal's, so that names stay the same after a restart. */
#ifndef WINDOWS_HASH_H
#define WINDOWS_HASH_H

#include <stdint.h>
#include <string.h>

typedef struct hash_key {
    uint64_t k0, k1;
} hash_key;

typedef struct hash128 {
    uint64_t a, b;
} hash128;

#define HASH_ROTATE(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

static inline void hash_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = HASH_ROTATE(v[1], 13) ^ v[0];
    v[0] = HASH_ROTATE(v[0], 32);
    v[2] += v[3];
    v[3] = HASH_ROTATE(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = HASH_ROTATE(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = HASH_ROTATE(v[1], 17) ^ v[2];
    v[2] = HASH_ROTATE(v[2], 32);
}

static inline void hash_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    hash_round(v);
    v[0] ^= word;
}

static inline hash128 hash_bytes(hash_key key, const char *at, size_t len)
{
    uint64_t v[4] = {key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du ^ 0xeeu,
                     key.k0 ^ 0x6c7967656e657261u, key.k1 ^ 0x7465646279746573u};
    uint64_t word = 0;
    size_t left = len;
    for (; left >= 8; left -= 8, at += 8) {
        memcpy(&word, at, 8);
        hash_word(v, word);
    }
    word = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)(unsigned char)at[i] << (8 * i);
    hash_word(v, word);
    hash128 out;
    v[2] ^= 0xeeu;
    for (int i = 0; i < 3; i++)
        hash_round(v);
    out.a = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xddu;
    for (int i = 0; i < 3; i++)
        hash_round(v);
    out.b = v[0] ^ v[1] ^ v[2] ^ v[3];
    return out;
}

#endif
