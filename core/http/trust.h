/* Addresses: which peers are our own proxies, and whom a request came from behind them. */
#ifndef HTTP_TRUST_H
#define HTTP_TRUST_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "core/config/node.h"
#include "core/http/limits.h"

#define TRUST_TEXT_BYTES INET6_ADDRSTRLEN

typedef struct trust_address { /* IPv4 as ::ffff:a.b.c.d */
    unsigned char bytes[16];
} trust_address;

typedef struct trust_network {
    trust_address address;
    unsigned bits;
} trust_network;

typedef struct trust_list {
    size_t count;
    trust_network networks[HTTP_TRUSTED_MAX];
} trust_list;

bool trust_read(trust_list *t, const ss_config *list, ss_error *err);
bool trust_has(const trust_list *t, const trust_address *a);

bool trust_from_socket(trust_address *a, const struct sockaddr *addr); /* false: not IP (a socketpair) */
/* "1.2.3.4", "1.2.3.4:80", "::1", "[::1]:80", with spaces around. */
bool trust_from_text(trust_address *a, ss_str text);
size_t trust_put(const trust_address *a, char out[TRUST_TEXT_BYTES]);

/* The client behind trusted proxies: from the last entry of the last header backwards, the first address
   that is not trusted; the first one of all where all are. forwarded: header values in order. false: the last
   entry is no address ("unknown", nothing), client stays as it is. */
bool trust_client(const trust_list *t, const ss_str *forwarded, size_t count, trust_address *client);

#endif
