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
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.ptr[i] - (unsigned)'0';
        if (digit > 9)
            return value_int_slow(text, out);
        n = n * 10 + (int64_t)digit;
    }
    *out = n;
    return true;
}

#endif
