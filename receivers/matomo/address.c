#include "receivers/matomo/address.h"

#include <arpa/inet.h>

#define ADDRESS_CHARS 46u
#define V4_BITS       96u /* in front of an IPv4 address */

static uint64_t half(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

static bool read_any(address *a, ss_str text, bool *v4)
{
    char copy[ADDRESS_CHARS + 1];
    unsigned char bytes[16] = {[10] = 0xFF, [11] = 0xFF};
    if (text.len == 0 || text.len > ADDRESS_CHARS || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *v4 = inet_pton(AF_INET, copy, bytes + 12) == 1;
    if (!*v4 && inet_pton(AF_INET6, copy, bytes) != 1)
        return false;
    *a = (address){half(bytes), half(bytes + 8)};
    return true;
}

bool address_read(address *a, ss_str text)
{
    bool v4;
    return read_any(a, text, &v4);
}

/* "1.2.*.*" as "1.2.0.0" and the bits that count; only the last parts may be asterisks. */
static bool read_wildcards(ss_str *text, char plain[ADDRESS_CHARS], unsigned *bits)
{
    unsigned stars = 0;
    if (text->len > ADDRESS_CHARS)
        return false;
    for (size_t i = 0; i < text->len; i++) {
        bool star = text->ptr[i] == '*';
        if (!star && stars && text->ptr[i] != '.')
            return false;
        stars += star;
        plain[i] = star ? '0' : text->ptr[i];
    }
    *bits = 32 - 8 * stars;
    *text = ss_s(plain, text->len);
    return stars <= 4;
}

static bool read_bits(ss_str text, unsigned *bits)
{
    *bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *bits = *bits * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return text.len > 0 && text.len <= 3;
}

static uint64_t mask_of(unsigned bits)
{
    return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
}

bool address_range_read(address_range *r, ss_str text)
{
    char plain[ADDRESS_CHARS];
    const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
    bool wild = text.len && memchr(text.ptr, '*', text.len), v4;
    unsigned bits = 128;
    ss_str base = slash ? ss_s(text.ptr, (size_t)(slash - text.ptr)) : text;
    if ((wild && slash) || (wild && !read_wildcards(&base, plain, &bits)) ||
        (slash && !read_bits(ss_s(slash + 1, (size_t)(text.ptr + text.len - slash - 1)), &bits)) ||
        !read_any(&r->base, base, &v4) || (wild && !v4) || bits > (v4 && (wild || slash) ? 32u : 128u))
        return false;
    if (v4 && (wild || slash))
        bits += V4_BITS;
    r->mask = (address){mask_of(bits), mask_of(bits < 64 ? 0 : bits - 64)};
    r->base = (address){r->base.high & r->mask.high, r->base.low & r->mask.low};
    return true;
}
