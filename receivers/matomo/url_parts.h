/* What a URL is made of. Slices of it; nothing is decoded. */
#ifndef MATOMO_URL_PARTS_H
#define MATOMO_URL_PARTS_H

#include "streamsteam/plugin.h"

#define URL_HOST_MAX 256u /* bytes of a host that are looked at */

typedef struct url_parts {
    ss_str host;     /* without user and port, as written */
    ss_str path;     /* from the slash on; may be empty   */
    ss_str query;    /* without the question mark         */
    ss_str fragment; /* without the hash                  */
} url_parts;

/* The place behind "//" of ^(scheme:)?//.+ ; 0: not a URL that counts (javascript: and data: do not). */
size_t url_host_at(ss_str url);
/* false: not a URL that counts, or without a host. */
bool url_parts_read(url_parts *u, ss_str url);
/* The host in lower case, cut. */
ss_str url_host_lower(char out[URL_HOST_MAX], ss_str host);

#endif
