/* IP addresses as sixteen bytes: IPv4 ones as ::ffff:a.b.c.d, so that all compare alike. No allocation. */
#ifndef COMMON_IP_H
#define COMMON_IP_H

#include "streamsteam/plugin.h"

#define IP_BYTES    16u
#define IP_V4_AT    12u /* where the four bytes of an IPv4 address stand */
#define IP_TEXT_MAX 46u /* longest text, NUL included */

typedef struct ip_address {
    uint8_t bytes[IP_BYTES];
    bool dotted; /* written as a.b.c.d, not as ::ffff:a.b.c.d */
} ip_address;

typedef struct ip_range { /* both ends belong to it */
    uint8_t low[IP_BYTES], high[IP_BYTES];
} ip_range;

/* Strict: no brackets, port, zone or leading zeros. */
bool ip_parse(ss_str text, ip_address *out);
/* An IPv4 address, written either way. */
bool ip_is_v4(const ip_address *ip);
/* Text without NUL, in the form it was read in (IPv6 as RFC 5952 has it); room: IP_TEXT_MAX. */
size_t ip_put(char *out, const ip_address *ip);

/* An address, a network (10.0.0.0/8, 2001:db8::/32; host bits are ignored) or 10.1.*.* */
bool ip_range_parse(ss_str text, ip_range *out);

/* An address as two numbers, for comparing. */
typedef struct ip_key {
    uint64_t high, low;
} ip_key;

static inline uint64_t ip_number(const uint8_t bytes[8])
{
    uint64_t n = 0;
    for (size_t i = 0; i < 8; i++)
        n = n << 8 | bytes[i];
    return n;
}

static inline ip_key ip_key_of(const uint8_t bytes[IP_BYTES])
{
    return (ip_key){ip_number(bytes), ip_number(bytes + 8)};
}

static inline bool ip_key_less(ip_key a, ip_key b)
{
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}

#endif
