/* Addresses of clients, and ranges of them. */
#ifndef MATOMO_ADDRESS_H
#define MATOMO_ADDRESS_H

#include "streamsteam/plugin.h"

typedef struct address { /* IPv4 as ::ffff:a.b.c.d, most significant half first */
    uint64_t high, low;
} address;

typedef struct address_range {
    address base, mask;
} address_range;

/* "1.2.3.4", "2001:db8::1"; false: it is no address. */
bool address_read(address *a, ss_str text);
/* The same, "1.2.3.0/24", "2001:db8::/32", "1.2.*.*". */
bool address_range_read(address_range *r, ss_str text);

static inline bool address_in(const address_range *list, size_t count, const address *a)
{
    for (size_t i = 0; i < count; i++)
        if ((((a->high & list[i].mask.high) ^ list[i].base.high) |
             ((a->low & list[i].mask.low) ^ list[i].base.low)) == 0)
            return true;
    return false;
}

#endif
