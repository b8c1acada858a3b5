/* Percent decoding and query strings (application/x-www-form-urlencoded). No allocation. */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include "streamsteam/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* %XX and + decoded in one pass; a % without two hex digits stays as it is. Returns the length, never more
   than in.len; out may be in.ptr. */
size_t url_decode(char *out, ss_str in);
/* The same for texts: NUL bytes are left out. */
size_t url_decode_text(char *out, ss_str in);
/* The same for paths: + stays a plus. */
size_t url_decode_path(char *out, ss_str in);

typedef struct url_pairs { /* walks a query string; pairs are cut at '&', empty ones are passed over */
    const char *at, *end;
} url_pairs;

typedef struct url_pair { /* slices of the query, not decoded */
    ss_str key, value;
    bool key_encoded, value_encoded; /* holds % or +: url_decode() has work to do */
    bool has_value;                  /* there was a '='                           */
} url_pair;

static inline void url_pairs_start(url_pairs *p, ss_str query)
{
    p->at = query.ptr;
    p->end = query.ptr + query.len;
}

bool url_pairs_next(url_pairs *p, url_pair *pair);

/* For those who walk a query themselves: 64 bytes at a time, bit i is byte i. */
typedef struct url_bits {
    uint64_t ends; /* &                 */
    uint64_t code; /* % or +: to decode */
} url_bits;
void url_look(url_bits *bits, const char *text, size_t len); /* at up to 64 bytes */

/* Decoded copy of the first pair of that name: its length, or -1 where there is none or it needs more than
 * size. */
int64_t url_query_get(ss_str query, const char *name, char *out, size_t size);

/* Appends name or value percent-encoded (everything but unreserved characters). Room: 3 * in.len. */
size_t url_encode(char *out, ss_str in);

#ifdef __cplusplus
}
#endif
#endif
