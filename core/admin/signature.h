/* Is a request signed (SigV4) by somebody whom we know? The judgement alone: where keys come from, and what
   the answer is used for, is the caller's affair. No state: any thread, does not block. */
#ifndef ADMIN_SIGNATURE_H
#define ADMIN_SIGNATURE_H

#include "core/admin/iam.h"
#include "plugins/common/sigv4.h"

#define SIGNATURE_SKEW_S 300 /* what AWS allows */

/* A request as it was on the wire. */
typedef struct signed_request {
    ss_str method, path, query, body;
    const ss_pair *headers;
    size_t header_count;
} signed_request;

typedef struct signature_policy {
    ss_str region; /* empty: any */
    int64_t now_us, skew_s;
} signature_policy;

enum signature_result {
    SIGNATURE_GOOD = 0,
    SIGNATURE_NONE = 1,    /* nothing of SigV4 in it                             */
    SIGNATURE_BAD = 2,     /* malformed, wrong, too old, of another region ...   */
    SIGNATURE_UNKNOWN = 3, /* no such access key, or it is switched off          */
    SIGNATURE_TOKEN = 4    /* the session token is missing, wrong or too old     */
};

/* What the request says of itself; claim->access_key is what to look for. reason: a sentence for log and
   client, without anything secret. */
enum signature_result signature_read(const signed_request *r, sigv4_claim *claim, const char **reason);
/* key NULL: there is none with that id. */
enum signature_result signature_check(const signed_request *r, const sigv4_claim *claim, const iam_key *key,
                                      const signature_policy *policy, const char **reason);
/* When the signature is worthless in any case, seconds since 1970. */
int64_t signature_until(const sigv4_claim *claim, const signature_policy *policy);

#endif
