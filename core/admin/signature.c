#include "core/admin/signature.h"

#include "plugins/common/secret.h"

#define SERVICE "execute-api"

static const char unknown_key[] = "The security token included in the request is invalid.";
static const char expired_token[] = "The security token included in the request is expired.";

static sigv4_request wire(const signed_request *r)
{
    return (sigv4_request){.method = r->method,
                           .path = r->path,
                           .query = r->query,
                           .headers = r->headers,
                           .header_count = r->header_count};
}

enum signature_result signature_read(const signed_request *r, sigv4_claim *claim, const char **reason)
{
    sigv4_request q = wire(r);
    enum sigv4_result result = sigv4_read(&q, claim);
    *reason = sigv4_reason(result);
    return result == SIGV4_OK ? SIGNATURE_GOOD : result == SIGV4_NONE ? SIGNATURE_NONE : SIGNATURE_BAD;
}

/* Lasting keys have no token, and a token with one of them is not theirs; as AWS answers. */
static bool good_token(const sigv4_claim *claim, const iam_key *key)
{
    return secret_equal(key->token, sizeof key->token, strlen(key->token), claim->token);
}

/* Signers that were told no service derive it from the host's name; with a name that is not of AWS they sign
   an empty one. */
static ss_str service_of(const sigv4_claim *claim)
{
    return claim->service.len ? SS_LIT(SERVICE) : ss_s("", 0);
}

/* Without a body there is nothing that could be unsigned. */
static bool body_may_be_unsigned(const signed_request *r)
{
    return r->body.len == 0;
}

enum signature_result signature_check(const signed_request *r, const sigv4_claim *claim, const iam_key *key,
                                      const signature_policy *policy, const char **reason)
{
    *reason = unknown_key;
    if (!key || !key->enabled)
        return SIGNATURE_UNKNOWN;
    sigv4_request q = wire(r);
    const sigv4_policy p = {.region = policy->region,
                            .service = service_of(claim),
                            .now_us = policy->now_us,
                            .skew_s = policy->skew_s,
                            .allow_unsigned_body = body_may_be_unsigned(r)};
    enum sigv4_result result = sigv4_verify(&q, claim, &p, ss_cstr(key->secret), r->body);
    if (result != SIGV4_OK) {
        *reason = sigv4_reason(result);
        return SIGNATURE_BAD;
    }
    if (!good_token(claim, key))
        return SIGNATURE_TOKEN;
    if (key->expires_s && policy->now_us / 1000000 >= key->expires_s) {
        *reason = expired_token;
        return SIGNATURE_TOKEN;
    }
    *reason = "";
    return SIGNATURE_GOOD;
}

int64_t signature_until(const sigv4_claim *claim, const signature_policy *policy)
{
    int64_t life = claim->expires_s ? (int64_t)claim->expires_s : policy->skew_s;
    return sigv4_seconds(claim->date) + life + 1;
}
