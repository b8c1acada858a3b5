#include "plugins/common/keyed_hash.h"

#define BLOCK 64u

static void start(SHA256_CTX *c, const uint8_t key[BLOCK], uint8_t pad)
{
    uint8_t block[BLOCK];
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = key[i] ^ pad;
    (void)SHA256_Init(c);
    (void)SHA256_Update(c, block, sizeof block);
    explicit_bzero(block, sizeof block);
}

void keyed_hash_init(keyed_hash *h, ss_str key)
{
    uint8_t block[BLOCK] = {0};
    if (key.len > sizeof block)
        (void)SHA256((const unsigned char *)key.ptr, key.len, block);
    else
        memcpy(block, key.ptr, key.len);
    start(&h->inner, block, 0x36);
    start(&h->outer, block, 0x5C);
    explicit_bzero(block, sizeof block);
}

void keyed_hash_digest(const keyed_hash *h, ss_str text, uint8_t out[SHA256_DIGEST_LENGTH])
{
    SHA256_CTX c = h->inner;
    (void)SHA256_Update(&c, text.ptr, text.len);
    (void)SHA256_Final(out, &c);
    c = h->outer;
    (void)SHA256_Update(&c, out, SHA256_DIGEST_LENGTH);
    (void)SHA256_Final(out, &c);
}

void keyed_hash_put(const keyed_hash *h, ss_str text, char *out, size_t digits)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_LENGTH];
    keyed_hash_digest(h, text, digest);
    for (size_t i = 0; i < digits && i < KEYED_HASH_DIGITS; i++)
        out[i] = hex[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
}

int32_t keyed_hash_configure(keyed_hash *h, const ss_host *host, const ss_config *cfg, const char *name,
                             ss_error *err)
{
    char key[KEYED_HASH_KEY_BYTES];
    int64_t len = host->secret(host->self, cfg, name, key, sizeof key, err);
    if (len < 0)
        return SS_REJECT;
    int32_t status = SS_OK;
    if (len < (int64_t)KEYED_HASH_KEY_MIN || len >= (int64_t)sizeof key)
        status = ss_fail(err, SS_REJECT,
                         "%s: a secret of %u to %u bytes is wanted; `openssl rand -hex 32` makes one", name,
                         KEYED_HASH_KEY_MIN, KEYED_HASH_KEY_BYTES - 1);
    else
        keyed_hash_init(h, ss_s(key, (size_t)len));
    explicit_bzero(key, sizeof key);
    return status;
}
