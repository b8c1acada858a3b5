/* Typed values as Matomo reads them: what does not fit is as if it were not there. */
#ifndef MATOMO_VALUE_H
#define MATOMO_VALUE_H

#include "streamsteam/plugin.h"

/* Numeric texts that are whole: "12", "-3", "1.0", "1e3"; not "12.5" or "1abc". */
bool value_int_slow(ss_str text, int64_t *out);
/* [+-]digits[.digits][e+-n]; a comma counts as the point. */
bool value_double(ss_str text, double *out);
ss_str value_trim(ss_str text);
/* Cut at a character's border. */
ss_str value_cut(ss_str text, size_t max);

#define VALUE_DIGITS_MAX 18u /* that cannot overflow */

static inline bool value_int(ss_str text, int64_t *out)
{
    if (text.len == 0 || text.len > VALUE_DIGITS_MAX)
        return text.len > 0 && value_int_slow(text, out);
    int64_t n = 0;
    size_t i = 0;
    if (text.len >= 8) { /* eight digits at once */
        uint64_t x;
        memcpy(&x, text.ptr, 8);
        if (((x & 0xF0F0F0F0F0F0F0F0u) | ((x + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u) >> 4) !=
            0x3333333333333333u)
            return value_int_slow(text, out);
        x = (x & 0x0F0F0F0F0F0F0F0Fu) * (1 + (10u << 8)) >> 8;
        x = (x & 0x00FF00FF00FF00FFu) * (1 + (100u << 16)) >> 16;
        x = (x & 0x0000FFFF0000FFFFu) * (1 + (10000ull << 32)) >> 32;
        n = (int64_t)x;
        i = 8;
    }
    for (; i < text.len; i++) {
        unsigned digit = (unsigned char)text.ptr[i] - (unsigned)'0';
        if (digit > 9)
            return value_int_slow(text, out);
        n = n * 10 + (int64_t)digit;
    }
    *out = n;
    return true;
}

#endif
