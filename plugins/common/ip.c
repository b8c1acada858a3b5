#include "plugins/common/ip.h"

#include <arpa/inet.h>

static const uint8_t mapped[IP_V4_AT] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

/* Each event's address comes through here: one pass, no calls. */
static bool parse_v4(ss_str text, uint8_t out[4])
{
    unsigned value = 0, digits = 0, part = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.ptr[i] - (unsigned)'0';
        if (digit <= 9) {
            value = value * 10 + digit;
            if (value > 255 || (digits == 1 && value < 10)) /* 01 */
                return false;
            digits++;
        } else if (text.ptr[i] == '.' && digits > 0 && part < 3) {
            out[part++] = (uint8_t)value;
            value = digits = 0;
        } else {
            return false;
        }
    }
    out[3] = (uint8_t)value;
    return part == 3 && digits > 0;
}

bool ip_parse(ss_str text, ip_address *out)
{
    char copy[IP_TEXT_MAX];
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(out->bytes, mapped, sizeof mapped);
    out->dotted = parse_v4(text, out->bytes + IP_V4_AT);
    if (out->dotted)
        return true;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return !memchr(text.ptr, '\0', text.len) && inet_pton(AF_INET6, copy, out->bytes) == 1;
}

bool ip_is_v4(const ip_address *ip)
{
    return memcmp(ip->bytes, mapped, sizeof mapped) == 0;
}

static size_t put_byte(char *out, unsigned value)
{
    size_t n = 0;
    if (value >= 100)
        out[n++] = (char)('0' + value / 100);
    if (value >= 10)
        out[n++] = (char)('0' + value / 10 % 10);
    out[n++] = (char)('0' + value % 10);
    return n;
}

size_t ip_put(char *out, const ip_address *ip)
{
    if (!ip->dotted)
        return inet_ntop(AF_INET6, ip->bytes, out, IP_TEXT_MAX) ? strlen(out) : 0;
    size_t n = 0;
    for (size_t i = 0; i < 4; i++) {
        if (i > 0)
            out[n++] = '.';
        n += put_byte(out + n, ip->bytes[IP_V4_AT + i]);
    }
    return n;
}

/* ---- ranges ---- */

/* One decimal byte without leading zeros; moves *at behind it. */
static bool read_byte(const char **at, const char *end, uint8_t *out)
{
    unsigned value = 0;
    const char *p = *at;
    while (p < end && *p >= '0' && *p <= '9' && p - *at < 3)
        value = value * 10 + (unsigned)(*p++ - '0');
    bool good = p > *at && value <= 255 && !(p - *at > 1 && **at == '0');
    *at = p;
    *out = (uint8_t)value;
    return good;
}

/* 10.*.*.*: stars only at the end, at least one. */
static bool parse_stars(ss_str text, ip_range *out)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    size_t stars = 0;
    memcpy(out->low, mapped, sizeof mapped);
    memcpy(out->high, mapped, sizeof mapped);
    for (size_t i = 0; i < 4; i++) {
        uint8_t value = 0;
        if (i > 0 && (p == end || *p++ != '.'))
            return false;
        if (p < end && *p == '*') {
            p++;
            stars++;
        } else if (stars > 0 || !read_byte(&p, end, &value)) {
            return false;
        }
        out->low[IP_V4_AT + i] = value;
        out->high[IP_V4_AT + i] = stars > 0 ? 255 : value;
    }
    return p == end && stars > 0;
}

static void spread(const ip_address *ip, size_t bits, ip_range *out)
{
    for (size_t i = 0; i < IP_BYTES; i++) {
        size_t kept = bits > i * 8 ? bits - i * 8 : 0;
        uint8_t free_bits = kept >= 8 ? 0 : (uint8_t)(0xFFu >> kept);
        out->low[i] = (uint8_t)(ip->bytes[i] & ~free_bits);
        out->high[i] = ip->bytes[i] | free_bits;
    }
}

bool ip_range_parse(ss_str text, ip_range *out)
{
    const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
    ip_address ip;
    uint8_t bits = 128;
    if (!slash && text.len && memchr(text.ptr, '*', text.len))
        return parse_stars(text, out);
    if (!ip_parse(ss_s(text.ptr, slash ? (size_t)(slash - text.ptr) : text.len), &ip))
        return false;
    if (slash) {
        const char *p = slash + 1, *end = text.ptr + text.len;
        if (!read_byte(&p, end, &bits) || p != end || bits > (ip.dotted ? 32 : 128))
            return false;
        bits = (uint8_t)(bits + (ip.dotted ? 96 : 0));
    }
    spread(&ip, bits, out);
    return true;
}
