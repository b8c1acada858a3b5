#include "plugins/common/exact.h"

#define EXPONENT_MAX 1000000000000000 /* larger ones are cut: such a number has no other use */

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The exponent behind the digits. */
static int64_t read_exponent(const char *p, const char *end)
{
    bool down = false;
    int64_t e = 0;
    if (p == end)
        return 0;
    if (++p < end && (*p == '-' || *p == '+'))
        down = *p++ == '-';
    for (; p < end && is_digit(*p); p++)
        e = e < EXPONENT_MAX ? e * 10 + (*p - '0') : e;
    return down ? -e : e;
}

exact exact_read(ss_str text)
{
    exact n = {0};
    const char *p = text.ptr, *end = p + text.len;
    int64_t behind = 0; /* digits behind the point so far */
    uint32_t zeros = 0; /* behind the last digit that is not 0 */
    bool fraction = false;
    if (p < end && *p == '-') {
        n.negative = true;
        p++;
    }
    for (; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        behind += fraction;
        if (*p == '0') {
            zeros += n.count > 0;
            continue;
        }
        if (n.count == 0)
            n.first = p;
        n.count += zeros + 1;
        if (n.count <= EXACT_SMALL_DIGITS) {
            for (; zeros > 0; zeros--)
                n.small *= 10;
            n.small = n.small * 10 + (uint64_t)(*p - '0');
        }
        zeros = 0;
    }
    if (n.count == 0)
        return (exact){0};
    n.exponent = read_exponent(p, end) - behind + zeros;
    return n;
}

static int compare_size(const exact *a, const exact *b)
{
    if (a->exponent == b->exponent && a->count <= EXACT_SMALL_DIGITS && b->count <= EXACT_SMALL_DIGITS)
        return a->small < b->small ? -1 : a->small > b->small;
    int64_t top_a = a->exponent + a->count, top_b = b->exponent + b->count;
    if (top_a != top_b)
        return top_a < top_b ? -1 : 1;
    const char *p = a->first, *q = b->first;
    for (uint32_t i = 0; i < a->count && i < b->count; i++, p++, q++) {
        p += *p == '.';
        q += *q == '.';
        if (*p != *q)
            return *p < *q ? -1 : 1;
    }
    return a->count < b->count ? -1 : a->count > b->count;
}

int exact_compare(const exact *a, const exact *b)
{
    if (a->count == 0 || b->count == 0 || a->negative != b->negative) {
        int left = a->count == 0 ? 0 : a->negative ? -1 : 1, right = b->count == 0 ? 0 : b->negative ? -1 : 1;
        return left < right ? -1 : left > right;
    }
    return a->negative ? -compare_size(a, b) : compare_size(a, b);
}

bool exact_integer(const exact *n)
{
    return n->count == 0 || n->exponent >= 0;
}

static uint64_t times(uint64_t a, uint64_t b, uint64_t modulus)
{
    return (uint64_t)((unsigned __int128)a * b % modulus);
}

static uint64_t power_of_ten(int64_t exponent, uint64_t modulus)
{
    uint64_t result = 1 % modulus, base = 10 % modulus;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            result = times(result, base, modulus);
        base = times(base, base, modulus);
    }
    return result;
}

bool exact_multiple(const exact *n, const exact *unit)
{
    int64_t exponent = n->exponent - unit->exponent;
    if (n->count == 0)
        return true;
    if (exponent < 0) /* the last digit, which is not 0, stands behind the unit's last one */
        return false;
    uint64_t rest = n->small % unit->small;
    if (n->count > EXACT_SMALL_DIGITS) {
        const char *p = n->first;
        rest = 0;
        for (uint32_t i = 0; i < n->count; i++, p++) {
            p += *p == '.';
            rest = (rest * 10 + (uint64_t)(*p - '0')) % unit->small;
        }
    }
    return rest == 0 || times(rest, power_of_ten(exponent, unit->small), unit->small) == 0;
}

uint64_t exact_hash(const exact *n, uint64_t seed)
{
    uint64_t h = seed ^ (uint64_t)n->exponent ^ (uint64_t)n->negative << 63;
    const char *p = n->first;
    for (uint32_t i = 0; i < n->count; i++, p++) {
        p += *p == '.';
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
        h ^= h >> 29;
    }
    return h;
}
