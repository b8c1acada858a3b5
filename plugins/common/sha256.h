/* SHA-256 in pieces, for what is hashed while it is written. Link with -lcrypto. */
#ifndef COMMON_SHA256_H
#define COMMON_SHA256_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHA256_BYTES 32u
#define SHA256_HEX   64u

typedef struct sha256 sha256;

sha256 *sha256_new(void); /* NULL: no memory */
void sha256_free(sha256 *h);
bool sha256_add(sha256 *h, const void *bytes, size_t len); /* false: no memory, begin anew */
/* What was added; the hash begins anew. false as above. */
bool sha256_end(sha256 *h, unsigned char out[SHA256_BYTES]);
void sha256_hex(char out[SHA256_HEX + 1], const unsigned char hash[SHA256_BYTES]);

#ifdef __cplusplus
}
#endif
#endif
