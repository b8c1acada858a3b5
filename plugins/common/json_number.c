/* Reading numbers: exact, whatever the locale. */
#include "plugins/common/json_number.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "plugins/common/json.h"

typedef struct decimal { /* digits * 10^exponent */
    uint64_t digits;
    int64_t exponent;
    bool negative, exact; /* exact: all digits fitted */
} decimal;

#define DECIMAL_EXPONENT_MAX 100000 /* far beyond what a double holds */
#define DECIMAL_DIGITS_MAX   19     /* that always fit into 64 bits   */

static const char *decimal_digits(decimal *d, const char *p, const char *end, bool fraction, int *count)
{
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (*count < DECIMAL_DIGITS_MAX) {
            d->digits = d->digits * 10 + (uint64_t)(*p - '0');
            *count += d->digits > 0;
            d->exponent -= fraction;
        } else {
            d->exact &= *p == '0';
            d->exponent += !fraction;
        }
    }
    return p;
}

/* [+-]digits[.digits][e[+-]digits]; false where the text is not wholly that. */
static bool decimal_read(decimal *d, ss_str text)
{
    const char *p = text.ptr, *end = p + text.len, *from;
    int count = 0;
    *d = (decimal){.exact = true};
    if (p < end && (*p == '-' || *p == '+'))
        d->negative = *p++ == '-';
    from = p;
    p = decimal_digits(d, p, end, false, &count);
    if (p == from)
        return false;
    if (p < end && *p == '.') {
        from = ++p;
        p = decimal_digits(d, p, end, true, &count);
        if (p == from)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        bool down = false;
        int64_t e = 0;
        if (++p < end && (*p == '-' || *p == '+'))
            down = *p++ == '-';
        for (from = p; p < end && *p >= '0' && *p <= '9'; p++)
            e = e < DECIMAL_EXPONENT_MAX ? e * 10 + (*p - '0') : e;
        if (p == from)
            return false;
        d->exponent += down ? -e : e;
    }
    return p == end;
}

bool json_i64(ss_str number, int64_t *out)
{
    decimal d;
    if (!decimal_read(&d, number) || !d.exact)
        return false;
    for (; d.exponent < 0 && d.digits > 0; d.exponent++) {
        if (d.digits % 10 != 0)
            return false;
        d.digits /= 10;
    }
    for (; d.exponent > 0 && d.digits > 0; d.exponent--)
        if (__builtin_mul_overflow(d.digits, (uint64_t)10, &d.digits))
            return false;
    if (d.digits > (uint64_t)INT64_MAX + d.negative)
        return false;
    *out = d.negative ? (int64_t)(0 - d.digits) : (int64_t)d.digits;
    return true;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t json_c_locale(void)
{
    (void)pthread_once(&c_locale_once, make_c_locale);
    return c_locale;
}

static double double_slow(ss_str text)
{
    char copy[JSON_NUMBER_MAX + 1];
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    locale_t locale = json_c_locale();
    return locale ? strtod_l(copy, NULL, locale) : strtod(copy, NULL);
}

bool json_text_double(ss_str text, double *out)
{
    /* Powers of ten that a double holds exactly: with a mantissa below 2^53 one operation rounds once, so the
       result is the nearest double (Clinger's fast path). */
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    decimal d;
    double value;
    if (text.len > JSON_NUMBER_MAX || !decimal_read(&d, text))
        return false;
    if (d.exact && d.digits <= (uint64_t)1 << 53 && d.exponent >= -22 && d.exponent <= 22) {
        value = d.exponent < 0 ? (double)d.digits / tens[-d.exponent] : (double)d.digits * tens[d.exponent];
        value = d.negative ? -value : value;
    } else {
        value = double_slow(text);
    }
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

bool json_double(ss_str number, double *out)
{
    return json_text_double(number, out);
}
