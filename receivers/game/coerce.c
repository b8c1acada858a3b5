#include "receivers/game/coerce.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define GROWTH        8u /* no value becomes more bytes a byte: "1e20" has 21 digits, {} says [object Object] */
#define DIGITS_KEPT   350u
#define EXPONENT_MAX  99999
#define DOUBLE_DIGITS 17

/* ---- numbers as text ------------------------------------------------------------------------- */

/* The fewest digits that read back as the same number, and where the point stands: 0.digits * 10^point. */
static int shortest(double value, char digits[DOUBLE_DIGITS + 1], int *point)
{
    int count = 0;
    /* Fifteen digits, without their zeros, are the shortest where they will do, but below the normal numbers.
     */
    for (int n = value < DBL_MIN ? 1 : DBL_DIG; n <= DOUBLE_DIGITS; n++) {
        char text[40], again[40];
        double back;
        (void)snprintf(text, sizeof text, "%.*e", n - 1, value);
        const char *e = strchr(text, 'e');
        count = 0;
        for (const char *p = text; p < e; p++) /* not the point, whatever the locale makes of it */
            if (*p >= '0' && *p <= '9')
                digits[count++] = *p;
        *point = atoi(e + 1) + 1;
        digits[count] = '\0';
        (void)snprintf(again, sizeof again, "%se%d", digits, *point - count);
        if (json_text_double(ss_cstr(again), &back) && back == value)
            break;
    }
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return count;
}

static char *put_zeros(char *to, int count)
{
    for (int i = 0; i < count; i++)
        *to++ = '0';
    return to;
}

static char *put(char *to, const char *text, int len)
{
    memcpy(to, text, (size_t)len);
    return to + len;
}

size_t game_put_number(char out[COERCE_NUMBER_SIZE], double value)
{
    char digits[DOUBLE_DIGITS + 1], *to = out;
    int point;
    if (isnan(value))
        return (size_t)(put(out, "NaN", 3) - out);
    if (value < 0)
        *to++ = '-';
    if (isinf(value))
        return (size_t)(put(to, "Infinity", 8) - out);
    if (value == 0) {
        *to++ = '0';
        return (size_t)(to - out);
    }
    int count = shortest(fabs(value), digits, &point);
    if (point > 21 || point < -5) {
        to = put(to, digits, 1);
        if (count > 1) {
            *to++ = '.';
            to = put(to, digits + 1, count - 1);
        }
        *to++ = 'e';
        *to++ = point > 0 ? '+' : '-';
        to += json_put_i64(to, abs(point - 1));
    } else if (point <= 0) {
        to = put_zeros(put(to, "0.", 2), -point);
        to = put(to, digits, count);
    } else if (point >= count) {
        to = put_zeros(put(to, digits, count), point - count);
    } else {
        to = put(to, digits, point);
        *to++ = '.';
        to = put(to, digits + point, count - point);
    }
    return (size_t)(to - out);
}

static double double_of(ss_str token)
{
    double value;
    if (json_double(token, &value))
        return value;
    return *token.ptr == '-' ? -INFINITY : INFINITY; /* too large: nothing else fails */
}

/* ---- String() -------------------------------------------------------------------------------- */

/* The next value of the scanner. inner: of a list, where null is nothing. false: throws. */
static bool put_string_of(json_scan *s, char **to, bool inner);

static bool put_list(json_scan *s, char **to)
{
    bool good = true;
    for (bool first = true; good && json_item(s); first = false) {
        if (!first)
            *(*to)++ = ',';
        good = put_string_of(s, to, true);
    }
    return good;
}

static bool put_object(json_scan *s, char **to)
{
    json_value key;
    bool good = true;
    while (json_member(s, &key)) {
        good &= !json_is(&key, "toString");
        (void)json_skip(s, NULL);
    }
    *to = put(*to, "[object Object]", 15);
    return good;
}

static bool put_string_of(json_scan *s, char **to, bool inner)
{
    json_value v;
    char number[COERCE_NUMBER_SIZE];
    if (!json_read(s, &v))
        return false;
    switch (v.kind) {
    case JSON_OBJECT:
        return put_object(s, to);
    case JSON_ARRAY:
        return put_list(s, to);
    case JSON_STRING:
        *to += json_unescape(*to, v.text);
        return true;
    case JSON_NUMBER:
        *to = put(*to, number, (int)game_put_number(number, double_of(v.text)));
        return true;
    default:
        if (v.kind != JSON_NULL || !inner)
            *to = put(*to, v.text.ptr, (int)v.text.len);
        return true;
    }
}

enum coerced game_to_string(const game *g, ss_call *call, const game_value *v, ss_str *out)
{
    json_scan s;
    ss_str raw = v->kind == JSON_STRING ? ss_s(v->ptr - 1, v->len + 2u) : ss_s(v->ptr, v->len);
    if (v->kind == JSON_STRING && !v->escaped) {
        *out = ss_s(v->ptr, v->len);
        return COERCE_OK;
    }
    char *text = g->host->mem(call, raw.len * GROWTH + COERCE_NUMBER_SIZE), *to = text;
    if (!text)
        return COERCE_NO_MEMORY;
    json_start(&s, raw);
    if (!put_string_of(&s, &to, false))
        return COERCE_THROWS;
    *out = ss_s(text, (size_t)(to - text));
    return COERCE_OK;
}

/* ---- Number() -------------------------------------------------------------------------------- */

/* The length of the white space that starts the text, as JavaScript has it; 0 where there is none. */
static size_t space_at(const char *text, size_t len)
{
    static const char *const wide[] = {"\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                       "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80", "\xEF\xBB\xBF"};
    if (len && (*text == ' ' || (*text >= '\t' && *text <= '\r')))
        return 1;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        size_t n = strlen(wide[i]);
        if (len >= n && memcmp(text, wide[i], n) == 0)
            return n;
    }
    bool general = len >= 3 && memcmp(text, "\xE2\x80", 2) == 0 && (unsigned char)text[2] >= 0x80;
    return general && (unsigned char)text[2] <= 0x8A ? 3 : 0;
}

static ss_str trim(ss_str text)
{
    for (size_t n; (n = space_at(text.ptr, text.len)) > 0;)
        text = ss_s(text.ptr + n, text.len - n);
    for (bool more = true; more && text.len > 0;) {
        more = false;
        for (size_t n = 1; n <= 3 && n <= text.len && !more; n++)
            if (space_at(text.ptr + text.len - n, n) == n) {
                text.len -= n;
                more = true;
            }
    }
    return text;
}

/* "0x1F", "0o17", "0b11"; NaN where a digit is none of the base. */
static double with_base(ss_str digits, int base)
{
    double value = 0;
    if (digits.len == 0)
        return NAN;
    for (size_t i = 0; i < digits.len; i++) {
        char c = (char)(digits.ptr[i] | 0x20);
        int digit = digits.ptr[i] >= '0' && digits.ptr[i] <= '9' ? digits.ptr[i] - '0'
                    : c >= 'a' && c <= 'f'                       ? c - 'a' + 10
                                                                 : base;
        if (digit >= base)
            return NAN;
        value = value * base + digit;
    }
    return value;
}

typedef struct decimal {
    char digits[DIGITS_KEPT + 1];
    size_t count;
    int64_t exponent;
    bool any;
} decimal;

static const char *take_digits(decimal *d, const char *p, const char *end, bool fraction)
{
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        d->any = true;
        if (d->count == DIGITS_KEPT) {
            d->exponent += !fraction;
            continue;
        }
        if (d->count > 0 || *p != '0')
            d->digits[d->count++] = *p;
        d->exponent -= fraction;
    }
    return p;
}

/* "5.", ".5", "1e3": what JSON does not write. */
static double decimal_of(ss_str text)
{
    decimal d = {.count = 0};
    const char *p = text.ptr, *end = p + text.len;
    p = take_digits(&d, p, end, false);
    if (p < end && *p == '.')
        p = take_digits(&d, p + 1, end, true);
    if (!d.any)
        return NAN;
    if (p < end && (*p | 0x20) == 'e') {
        int64_t e = 0;
        bool down = false;
        if (++p < end && (*p == '+' || *p == '-'))
            down = *p++ == '-';
        if (p == end)
            return NAN;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            e = e < EXPONENT_MAX ? e * 10 + (*p - '0') : e;
        d.exponent += down ? -e : e;
    }
    if (p < end)
        return NAN;
    char number[DIGITS_KEPT + 32];
    double value;
    int64_t exponent = d.exponent > EXPONENT_MAX    ? EXPONENT_MAX
                       : d.exponent < -EXPONENT_MAX ? -EXPONENT_MAX
                                                    : d.exponent;
    int len = snprintf(number, sizeof number, "%.*se%lld", (int)d.count, d.digits, (long long)exponent);
    if (d.count == 0)
        return 0;
    return json_text_double(ss_s(number, (size_t)len), &value) ? value : INFINITY;
}

static double number_of(ss_str text)
{
    text = trim(text);
    if (text.len == 0)
        return 0;
    if (text.len > 2 && text.ptr[0] == '0') {
        char base = (char)(text.ptr[1] | 0x20);
        if (base == 'x' || base == 'o' || base == 'b')
            return with_base(ss_s(text.ptr + 2, text.len - 2), base == 'x' ? 16 : base == 'o' ? 8 : 2);
    }
    bool sign = text.ptr[0] == '-' || text.ptr[0] == '+', minus = text.ptr[0] == '-';
    ss_str rest = ss_s(text.ptr + sign, text.len - sign);
    double value = ss_eq(rest, SS_LIT("Infinity")) ? INFINITY : decimal_of(rest);
    return minus ? -value : value;
}

enum coerced game_to_number(const game *g, ss_call *call, const game_value *v, double *out)
{
    ss_str text;
    enum coerced status = COERCE_OK;
    switch (v->kind) {
    case JSON_NUMBER:
        *out = double_of(ss_s(v->ptr, v->len));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        *out = v->kind == JSON_TRUE;
        break;
    default: /* a list is its text first; an object's text is no number */
        status = game_to_string(g, call, v, &text);
        if (status == COERCE_OK)
            *out = number_of(text);
    }
    return status;
}

bool game_truthy(const game_value *v)
{
    switch (v->kind) {
    case JSON_NUMBER:
        return double_of(ss_s(v->ptr, v->len)) != 0;
    case JSON_STRING:
        return v->len > 0;
    default:
        return v->kind == JSON_TRUE || v->kind == JSON_OBJECT || v->kind == JSON_ARRAY;
    }
}
