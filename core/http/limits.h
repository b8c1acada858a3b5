/* Limits of the front end that are not in the YAML. */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#define HTTP_POOL_BYTES                                                                                      \
    (32u * 1024) /* libmicrohttpd's memory of one connection: cleared at every                               \
                    request, so never "large to be safe" */
#define HTTP_POOL_MAX_BYTES     (256u * 1024)
#define HTTP_POOL_ROOM_BYTES    (2u * 1024)            /* of it for parsed headers and the answer's head */
#define HTTP_BODY_FIRST_BYTES   (64u * 1024)           /* a body's buffer before its bytes have come */
#define HTTP_BODIES_MAX_BYTES   (512ull * 1024 * 1024) /* of all requests together: beyond it 503 */
#define HTTP_DRAIN_MAX_BYTES    (4u * 1024 * 1024) /* read and thrown away so that a client sees its answer */
#define HTTP_INFLATE_FREE_BYTES (1024u * 1024)     /* up to here any ratio is fine */
#define HTTP_INFLATE_RATIO      100u               /* beyond: at most this much from one byte */
#define HTTP_FORWARDED_MAX      8u                 /* X-Forwarded-For headers looked at */
#define HTTP_CLIENT_HEADERS_MAX 8u                 /* names in client_ip_headers         */
#define HTTP_CLIENT_HEADER_MAX  64u                /* bytes of one, with its end         */
#define HTTP_TRUSTED_MAX        256u               /* networks in trusted_proxies */
#define HTTP_LISTENERS_MAX      8u
#define HTTP_HOLD_MAX           1024u     /* waiting connections that are held; more are suspended */
#define HTTP_WAIT_MAX_US        10000000  /* a request waits this long for the journal, then 503 */
#define HTTP_DESK_WAIT_US       120000000 /* a request waits this long for the desk (a slow setup), then 503 */
#define HTTP_ADMIN_CONNECTIONS  64u
#define HTTP_SPARE_REQUESTS     1024u /* request structs kept for reuse, per loop */
#define HTTP_CACHED_REPLIES     64u   /* per loop */
#define HTTP_CACHED_BYTES       2048u /* a larger answer is not kept */

#endif
