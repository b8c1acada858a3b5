/* AWS Signature Version 4: signing requests, and verifying those of others. Header and query (presigned)
   forms. No allocation, no state: any thread. Times are the caller's. Secrets are compared in constant time
   and leave no copy behind. Source: "Signature Version 4 signing process" of the AWS documentation; its
   public test vectors pass. */
#ifndef COMMON_SIGV4_H
#define COMMON_SIGV4_H

#include "streamsteam/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SIGV4_HEADERS_MAX   100u           /* of one request */
#define SIGV4_PAIRS_MAX     200u           /* of its query   */
#define SIGV4_CANONICAL_MAX (128u * 1024u) /* bytes of the canonical request */
#define SIGV4_HEX           64u
#define SIGV4_DATE          16u     /* 20150830T123600Z */
#define SIGV4_EXPIRES_MAX   604800u /* seconds: a presigned request's longest life */
#define SIGV4_UNSIGNED      "UNSIGNED-PAYLOAD"

enum sigv4_flag {
    SIGV4_RAW_PATH = 1u, /* S3: the path as it is on the wire, no normalising, no second encoding */
    SIGV4_KEEP_PATH = 2u /* dots and doubled slashes stay; encoded once more                      */
};

typedef struct sigv4_request {
    ss_str method, path, query; /* path and query as on the wire, the query without '?'    */
    const ss_pair *headers;     /* with host; what is signed of them: see below            */
    size_t header_count;
    ss_str payload_hash; /* 64 hex digits, or SIGV4_UNSIGNED                        */
    uint32_t flags;
} sigv4_request;

typedef struct sigv4_scope {
    ss_str region, service;
    char date[SIGV4_DATE + 1]; /* of the request */
} sigv4_scope;

typedef struct sigv4_keys {
    ss_str access_key, secret, token; /* token empty: none */
} sigv4_keys;

void sigv4_date(char out[SIGV4_DATE + 1], int64_t now_us);
int64_t sigv4_seconds(const char *date);                /* since 1970; date: the 16 characters of a claim's */
void sigv4_hash(char out[SIGV4_HEX + 1], ss_str bytes); /* SHA-256 as hex */

/* The value of the Authorization header. Signs every header of the request, which must hold host and
   x-amz-date and, with a token, x-amz-security-token. Returns the length, or -1 where a limit is passed. */
int64_t sigv4_sign(const sigv4_request *r, const sigv4_scope *scope, const sigv4_keys *keys, char *out,
                   size_t size);
/* The query of a presigned request, X-Amz-Signature included: r->query with what presigning adds. Headers:
   host and whatever else shall be signed. token_after: the session token is added after signing (MSK, IoT).
 */
int64_t sigv4_presign(const sigv4_request *r, const sigv4_scope *scope, const sigv4_keys *keys,
                      uint32_t expires_s, bool token_after, char *out, size_t size);

/* ---- verifying ---- */

enum sigv4_result {
    SIGV4_OK = 0,
    SIGV4_NONE = 1, /* nothing of SigV4 in the request                                                  */
    SIGV4_MALFORMED = 2, /* incomplete, doubled, of another algorithm */
    SIGV4_SCOPE = 3, /* for another region or service, or date and scope differ                          */
    SIGV4_UNSIGNED_HEADER = 4, /* host or an x-amz- header is there and not signed */
    SIGV4_SKEWED = 5,  /* too old, too far in the future, or expired                                       */
    SIGV4_BODY = 6,    /* the body is not what its hash says                                               */
    SIGV4_MISMATCH = 7 /* the signature is not that of these keys                                          */
};
const char *sigv4_reason(enum sigv4_result result); /* one sentence, for logs and answers */

typedef struct sigv4_claim { /* what a request says of itself; slices of the request, hex and date copied */
    ss_str access_key, region, service, signed_headers, signature;
    ss_str day, token;
    char date[SIGV4_DATE + 1];
    uint32_t expires_s; /* presigned; 0 = it does not say, or header form: as long as clocks may differ */
    bool presigned;
    char texts[4096]; /* decoded values of the query form: session tokens of AWS are long */
} sigv4_claim;

/* Reads the claim. Then the caller looks the secret of claim->access_key up and asks sigv4_verify(). */
enum sigv4_result sigv4_read(const sigv4_request *r, sigv4_claim *claim);

typedef struct sigv4_policy {
    ss_str region, service; /* region empty: any */
    int64_t now_us, skew_s; /* 300 is what AWS allows */
    bool allow_unsigned_body;
} sigv4_policy;

/* body: the request's; its hash is computed where the request names none, and compared where it does.
   r->payload_hash is not looked at. */
enum sigv4_result sigv4_verify(const sigv4_request *r, const sigv4_claim *claim, const sigv4_policy *policy,
                               ss_str secret, ss_str body);

#ifdef __cplusplus
}
#endif
#endif
