/* What the files of SigV4 share. */
#ifndef COMMON_SIGV4_INSIDE_H
#define COMMON_SIGV4_INSIDE_H

#include "plugins/common/sigv4.h"

/* A text that grows in memory of the caller's; past its end `full` is set and nothing is added. */
typedef struct sigv4_text {
    char *at;
    size_t len, size;
    bool full;
} sigv4_text;

void sigv4_put(sigv4_text *t, ss_str bytes);
static inline void sigv4_puts(sigv4_text *t, const char *text)
{
    sigv4_put(t, ss_cstr(text));
}

/* Which headers are signed: all (signed_list empty), or those named in "host;x-amz-date". */
typedef struct sigv4_plan {
    ss_str signed_list;
    ss_str skip_pair; /* of the query: X-Amz-Signature when verifying */
    bool token_apart; /* X-Amz-Security-Token of the query was added after signing */
} sigv4_plan;

/* Appends the canonical request, and the list of signed headers to names. */
bool sigv4_canonical(const sigv4_request *r, const sigv4_plan *plan, ss_str payload_hash, sigv4_text *out,
                     sigv4_text *names);
void sigv4_string_to_sign(const char *date, ss_str day, ss_str region, ss_str service, ss_str canonical,
                          sigv4_text *out);
void sigv4_signature(char out[SIGV4_HEX + 1], ss_str secret, ss_str day, ss_str region, ss_str service,
                     ss_str to_sign);
/* The signature of r by keys with that secret; names gets the list of signed headers. */
bool sigv4_sign_with(const sigv4_request *r, const sigv4_plan *plan, const sigv4_scope *scope, ss_str secret,
                     ss_str payload_hash, sigv4_text *names, char signature[SIGV4_HEX + 1]);
bool sigv4_listed(ss_str list, ss_str name); /* in "host;x-amz-date", any case */
bool sigv4_is(ss_str a, const char *name);   /* header names: any case */

#endif
