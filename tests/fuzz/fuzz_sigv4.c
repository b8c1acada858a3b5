/* Any bytes as a signed request: lines "path", "query", "Name: value" ..., an empty line, the body. Reading
   and judging must stay inside their limits, and nothing may pass that its key did not sign. */
#include <stdint.h>
#include <stdlib.h>

#include "plugins/common/sigv4.h"

#define HEADERS 110u /* more than can be signed */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ss_str take_line(ss_str *rest)
{
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len, used = end ? len + 1 : len;
    ss_str line = ss_s(rest->ptr, len);
    *rest = ss_s(rest->ptr + used, rest->len - used);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ss_pair headers[HEADERS];
    ss_str rest = ss_s(size ? (const char *)data : "", size), line;
    sigv4_request r = {.method = SS_LIT("POST"), .headers = headers};
    r.path = take_line(&rest);
    r.query = take_line(&rest);
    while (r.header_count < HEADERS && (line = take_line(&rest)).len > 0) {
        const char *colon = memchr(line.ptr, ':', line.len);
        size_t name = colon ? (size_t)(colon - line.ptr) : line.len, from = colon ? name + 1 : name;
        headers[r.header_count++] = (ss_pair){ss_s(line.ptr, name), ss_s(line.ptr + from, line.len - from)};
    }
    sigv4_claim claim;
    if (sigv4_read(&r, &claim) != SIGV4_OK)
        return 0;
    sigv4_policy policy = {.service = claim.service,
                           .now_us = sigv4_seconds(claim.date) * 1000000,
                           .skew_s = 300,
                           .allow_unsigned_body = rest.len == 0};
    if (claim.access_key.len == 0 || claim.signature.len != SIGV4_HEX || !sigv4_reason(SIGV4_MISMATCH)[0])
        abort();
    if (sigv4_verify(&r, &claim, &policy, SS_LIT("a secret that no input knows"), rest) == SIGV4_OK)
        abort();
    return 0;
}
