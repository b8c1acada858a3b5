/* HMAC-SHA256 under a fixed key, as hexadecimal digits: the same value always gives the same text, and nobody
   without the key can find the value by trying. The key's blocks are hashed once, so that a short value costs
   two blocks. Read-only after keyed_hash_init(): any thread. Link with -lcrypto. */
#ifndef COMMON_KEYED_HASH_H
#define COMMON_KEYED_HASH_H

/* The low-level calls: the newer ones allocate for each value. */
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>

#include "streamsteam/plugin.h"

#define KEYED_HASH_DIGITS    64u /* of a whole one */
#define KEYED_HASH_KEY_MIN   16u /* bytes; shorter keys can be guessed */
#define KEYED_HASH_KEY_BYTES 1024u

typedef struct keyed_hash {
    SHA256_CTX inner, outer;
} keyed_hash;

void keyed_hash_init(keyed_hash *h, ss_str key);
void keyed_hash_digest(const keyed_hash *h, ss_str text, uint8_t out[SHA256_DIGEST_LENGTH]);
/* The first `digits` (up to KEYED_HASH_DIGITS) of the hash in lower case, without NUL. */
void keyed_hash_put(const keyed_hash *h, ss_str text, char *out, size_t digits);
/* From a SECRET option, forgotten again afterwards. name: the option, for the error. */
int32_t keyed_hash_configure(keyed_hash *h, const ss_host *host, const ss_config *cfg, const char *name,
                             ss_error *err);

#endif
