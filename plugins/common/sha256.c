#include "plugins/common/sha256.h"

#include <openssl/evp.h>

static EVP_MD_CTX *context(sha256 *h)
{
    return (EVP_MD_CTX *)(void *)h;
}

sha256 *sha256_new(void)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1)
        return (sha256 *)(void *)c;
    EVP_MD_CTX_free(c);
    return NULL;
}

void sha256_free(sha256 *h)
{
    EVP_MD_CTX_free(context(h));
}

bool sha256_add(sha256 *h, const void *bytes, size_t len)
{
    return EVP_DigestUpdate(context(h), bytes, len) == 1;
}

bool sha256_end(sha256 *h, unsigned char out[SHA256_BYTES])
{
    return EVP_DigestFinal_ex(context(h), out, NULL) == 1 &&
           EVP_DigestInit_ex(context(h), EVP_sha256(), NULL) == 1;
}

void sha256_hex(char out[SHA256_HEX + 1], const unsigned char hash[SHA256_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[SHA256_HEX] = '\0';
}
