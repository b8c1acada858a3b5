#include "plugins/common/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <time.h>

#include "plugins/common/sigv4_inside.h"
#include "plugins/common/url.h"

#define DIGEST_BYTES 32u
#define SECRET_MAX   256u
#define NAMES_MAX    4096u
#define SCOPE_MAX    256u
#define DAY          8u
#define ALGORITHM    "AWS4-HMAC-SHA256"

static void put_hex(char out[SIGV4_HEX + 1], const unsigned char digest[DIGEST_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[SIGV4_HEX] = '\0';
}

void sigv4_hash(char out[SIGV4_HEX + 1], ss_str bytes)
{
    unsigned char digest[DIGEST_BYTES] = {0};
    unsigned len = 0;
    (void)EVP_Digest(bytes.ptr, bytes.len, digest, &len, EVP_sha256(), NULL);
    put_hex(out, digest);
}

void sigv4_date(char out[SIGV4_DATE + 1], int64_t now_us)
{
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm t;
    (void)gmtime_r(&seconds, &t);
    (void)strftime(out, SIGV4_DATE + 1, "%Y%m%dT%H%M%SZ", &t);
}

static void hmac(unsigned char out[DIGEST_BYTES], const void *key, size_t key_len, ss_str text)
{
    unsigned len = 0;
    (void)HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text.ptr, text.len, out, &len);
}

void sigv4_signature(char out[SIGV4_HEX + 1], ss_str secret, ss_str day, ss_str region, ss_str service,
                     ss_str to_sign)
{
    char start[SECRET_MAX + 4] = "AWS4";
    unsigned char key[DIGEST_BYTES], next[DIGEST_BYTES];
    size_t len = secret.len < SECRET_MAX ? secret.len : SECRET_MAX;
    memcpy(start + 4, secret.ptr, len);
    hmac(key, start, len + 4, day);
    hmac(next, key, sizeof key, region);
    hmac(key, next, sizeof next, service);
    hmac(next, key, sizeof key, SS_LIT("aws4_request"));
    hmac(key, next, sizeof next, to_sign);
    put_hex(out, key);
    OPENSSL_cleanse(start, sizeof start);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(next, sizeof next);
}

static void put_scope(sigv4_text *out, ss_str day, ss_str region, ss_str service)
{
    sigv4_put(out, day);
    sigv4_puts(out, "/");
    sigv4_put(out, region);
    sigv4_puts(out, "/");
    sigv4_put(out, service);
    sigv4_puts(out, "/aws4_request");
}

void sigv4_string_to_sign(const char *date, ss_str day, ss_str region, ss_str service, ss_str canonical,
                          sigv4_text *out)
{
    char hash[SIGV4_HEX + 1];
    sigv4_hash(hash, canonical);
    sigv4_puts(out, ALGORITHM "\n");
    sigv4_put(out, ss_s(date, SIGV4_DATE));
    sigv4_puts(out, "\n");
    put_scope(out, day, region, service);
    sigv4_puts(out, "\n");
    sigv4_puts(out, hash);
}

/* The signature of r by keys with that secret; names gets the list of signed headers. */
bool sigv4_sign_with(const sigv4_request *r, const sigv4_plan *plan, const sigv4_scope *scope, ss_str secret,
                     ss_str payload_hash, sigv4_text *names, char signature[SIGV4_HEX + 1])
{
    char *memory = malloc(SIGV4_CANONICAL_MAX), text[1024];
    sigv4_text canonical = {memory, 0, SIGV4_CANONICAL_MAX, !memory}, to_sign = {text, 0, sizeof text, false};
    ss_str day = ss_s(scope->date, DAY);
    bool good = memory && sigv4_canonical(r, plan, payload_hash, &canonical, names);
    if (good) {
        sigv4_string_to_sign(scope->date, day, scope->region, scope->service,
                             ss_s(canonical.at, canonical.len), &to_sign);
        sigv4_signature(signature, secret, day, scope->region, scope->service, ss_s(text, to_sign.len));
    }
    free(memory);
    return good && !to_sign.full;
}

int64_t sigv4_sign(const sigv4_request *r, const sigv4_scope *scope, const sigv4_keys *keys, char *out,
                   size_t size)
{
    char list[NAMES_MAX], signature[SIGV4_HEX + 1];
    sigv4_text names = {list, 0, sizeof list, false}, value = {out, 0, size, false};
    const sigv4_plan plan = {.signed_list = {"", 0}};
    if (!sigv4_sign_with(r, &plan, scope, keys->secret, r->payload_hash, &names, signature))
        return -1;
    sigv4_puts(&value, ALGORITHM " Credential=");
    sigv4_put(&value, keys->access_key);
    sigv4_puts(&value, "/");
    put_scope(&value, ss_s(scope->date, DAY), scope->region, scope->service);
    sigv4_puts(&value, ", SignedHeaders=");
    sigv4_put(&value, ss_s(list, names.len));
    sigv4_puts(&value, ", Signature=");
    sigv4_puts(&value, signature);
    return value.full ? -1 : (int64_t)value.len;
}

static void put_pair(sigv4_text *out, const char *name, ss_str value)
{
    sigv4_puts(out, out->len ? "&" : "");
    sigv4_puts(out, name);
    sigv4_puts(out, "=");
    if (out->full || value.len > (out->size - out->len) / 3)
        out->full = true;
    else
        out->len += url_encode(out->at + out->len, value);
}

static void put_credential(sigv4_text *query, const sigv4_scope *scope, const sigv4_keys *keys)
{
    char text[SCOPE_MAX + SECRET_MAX];
    sigv4_text credential = {text, 0, sizeof text, false};
    sigv4_put(&credential, keys->access_key);
    sigv4_puts(&credential, "/");
    put_scope(&credential, ss_s(scope->date, DAY), scope->region, scope->service);
    query->full |= credential.full;
    put_pair(query, "X-Amz-Credential", ss_s(text, credential.len));
}

/* The names of the headers as they will be signed: the canonical form builds the list anyhow. */
static bool header_names(const sigv4_request *r, sigv4_text *names)
{
    char *memory = malloc(SIGV4_CANONICAL_MAX);
    sigv4_text nowhere = {memory, 0, SIGV4_CANONICAL_MAX, !memory};
    const sigv4_plan all = {.signed_list = {"", 0}};
    bool good = memory && sigv4_canonical(r, &all, SS_LIT(""), &nowhere, names);
    free(memory);
    return good;
}

int64_t sigv4_presign(const sigv4_request *r, const sigv4_scope *scope, const sigv4_keys *keys,
                      uint32_t expires_s, bool token_after, char *out, size_t size)
{
    char list[NAMES_MAX], again[NAMES_MAX], signature[SIGV4_HEX + 1], seconds[16];
    sigv4_text names = {list, 0, sizeof list, false}, same = {again, 0, sizeof again, false},
               query = {out, 0, size, false};
    const sigv4_plan plan = {.signed_list = {"", 0}};
    if (!header_names(r, &names))
        return -1;
    sigv4_put(&query, r->query);
    put_pair(&query, "X-Amz-Algorithm", SS_LIT(ALGORITHM));
    put_credential(&query, scope, keys);
    put_pair(&query, "X-Amz-Date", ss_s(scope->date, SIGV4_DATE));
    (void)snprintf(seconds, sizeof seconds, "%u", expires_s);
    put_pair(&query, "X-Amz-Expires", ss_cstr(seconds));
    if (keys->token.len && !token_after)
        put_pair(&query, "X-Amz-Security-Token", keys->token);
    put_pair(&query, "X-Amz-SignedHeaders", ss_s(list, names.len));
    sigv4_request whole = *r;
    whole.query = ss_s(out, query.len);
    if (query.full || !sigv4_sign_with(&whole, &plan, scope, keys->secret, r->payload_hash, &same, signature))
        return -1;
    if (keys->token.len && token_after)
        put_pair(&query, "X-Amz-Security-Token", keys->token);
    put_pair(&query, "X-Amz-Signature", ss_cstr(signature));
    return query.full ? -1 : (int64_t)query.len;
}
