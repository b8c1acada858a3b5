/* Content-Encoding gzip and deflate of request bodies, with caps. */
#ifndef HTTP_INFLATE_H
#define HTTP_INFLATE_H

#include "streamsteam/plugin.h"

enum inflate_result {
    INFLATE_OK = 0,
    INFLATE_DAMAGED = 1, /* not gzip or deflate, cut off, wrong checksum         */
    INFLATE_TOO_BIG = 2, /* larger than max_bytes, or a bomb: HTTP_INFLATE_RATIO */
    INFLATE_MEMORY = 3
};

typedef struct inflater inflater; /* the decoder's memory, reused; one thread */

inflater *inflate_new(void);
void inflate_free(inflater *z);
/* gzip (several members, too) or deflate (zlib, or raw as some clients send it). On INFLATE_OK *out is
 * malloc'ed. */
enum inflate_result inflate_body(inflater *z, ss_str in, bool gzip, size_t max_bytes, char **out,
                                 size_t *out_len);

#endif
