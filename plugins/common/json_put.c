/* Writing JSON: strings, numbers, values of others. */
#include <math.h>
#include <stdlib.h>

#include "plugins/common/block.h"
#include "plugins/common/json.h"
#include "plugins/common/json_number.h"
#include "plugins/common/utf8.h"

/* One character that cannot go out as it is; at < end. Returns what it took of the text. */
static size_t put_special(char **to, const char *at, const char *end)
{
    static const char hex[] = "0123456789abcdef";
    /* By control character: the letter of its short escape, or 0. */
    static const char brief[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    unsigned char c = (unsigned char)*at;
    char *out = *to;
    if (c >= 0x80) {
        size_t len = utf8_sequence(at, (size_t)(end - at));
        memcpy(out, len ? at : "\xEF\xBF\xBD", len ? len : 3);
        *to = out + (len ? len : 3);
        return len ? len : 1;
    }
    *out++ = '\\';
    if (c >= 0x20) {
        *out++ = (char)c;
    } else if (brief[c]) {
        *out++ = brief[c];
    } else {
        memcpy(out, "u00", 3);
        out[3] = hex[c >> 4];
        out[4] = hex[c & 15];
        out += 5;
    }
    *to = out;
    return 1;
}

size_t json_put_string(char *out, ss_str text)
{
    const char *at = text.ptr, *end = at + text.len;
    char *to = out;
    *to++ = '"';
    while (text.len > 0) { /* an empty text may be a null pointer */
        size_t rest = (size_t)(end - at);
        uint32_t special;
        if (rest >= BLOCK_BYTES) {
            block b = block_load(at);
            block_store(to, b);
            special = block_special(b);
            if (!special) {
                at += BLOCK_BYTES;
                to += BLOCK_BYTES;
                continue;
            }
        } else {
            block b = block_load_short(at, rest);
            block_store(to, b);
            special = block_special(b) & ((1u << rest) - 1);
            if (!special) {
                to += rest;
                break;
            }
        }
        uint32_t plain = block_first(special);
        at += plain;
        to += plain;
        /* Runs of such characters (text that is not ASCII) go here without a block each. */
        do {
            at += put_special(&to, at, end);
        } while (at < end && (unsigned char)*at >= 0x80);
    }
    *to++ = '"';
    return (size_t)(to - out);
}

#define EIGHT_DIGITS 100000000u
#define ASCII_ZEROS  0x3030303030303030u

/* The decimal digits of a value below 10^8, a byte each, the first one lowest. All parts are halved at once:
   into fours, pairs and single digits; the factors are 1/100 and 1/10 rounded up, exact for such numbers. */
static inline uint64_t eight_digits(uint32_t value)
{
    uint64_t x = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t quotient = x * 10486 >> 20 & 0x0000007F0000007Fu;
    x = quotient | (x - quotient * 100) << 16;
    quotient = x * 103 >> 10 & 0x000F000F000F000Fu;
    return quotient | (x - quotient * 10) << 8;
}

static inline void put_eight(char *out, uint32_t value)
{
    uint64_t text = eight_digits(value) | ASCII_ZEROS;
    memcpy(out, &text, 8);
}

/* The same without zeros in front; writes eight bytes, returns how many count. */
static inline size_t put_up_to_eight(char *out, uint32_t value)
{
    uint64_t digits = eight_digits(value);
    uint32_t zero_bits = (uint32_t)__builtin_ctzll(digits | (uint64_t)1 << 56) & ~7u;
    uint64_t text = (digits | ASCII_ZEROS) >> zero_bits;
    memcpy(out, &text, 8);
    return 8 - zero_bits / 8;
}

size_t json_put_i64(char *out, int64_t value)
{
    size_t len = value < 0;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    out[0] = '-';
    if (left < EIGHT_DIGITS)
        return len + put_up_to_eight(out + len, (uint32_t)left);
    uint64_t high = left / EIGHT_DIGITS;
    if (high < EIGHT_DIGITS) {
        len += put_up_to_eight(out + len, (uint32_t)high);
    } else {
        len += put_up_to_eight(out + len, (uint32_t)(high / EIGHT_DIGITS));
        put_eight(out + len, (uint32_t)(high % EIGHT_DIGITS));
        len += 8;
    }
    put_eight(out + len, (uint32_t)(left % EIGHT_DIGITS));
    return len + 8;
}

/* Values with up to 15 decimals: the smallest count of decimals whose quotient is the same double. The
   division rounds once, like a reader does, so equality means that it reads back. 0 where there is none. */
static size_t put_decimal(char *out, double value)
{
    double size = fabs(value), scale = 1;
    if (size >= 9007199254740992.0 || (size < 1e-5 && size != 0))
        return 0;
    if ((double)(int64_t)value == value && !(value == 0 && signbit(value)))
        return json_put_i64(out, (int64_t)value);
    for (int decimals = 0; decimals <= 15; decimals++, scale *= 10) {
        double scaled = rint(size * scale);
        if (scaled >= 9007199254740992.0)
            return 0;
        if (scaled / scale != size)
            continue;
        uint64_t whole = (uint64_t)scaled / (uint64_t)scale, part = (uint64_t)scaled % (uint64_t)scale;
        size_t len = signbit(value) != 0;
        out[0] = '-';
        len += json_put_i64(out + len, (int64_t)whole);
        if (decimals > 0) {
            out[len] = '.';
            for (int i = decimals; i > 0; i--, part /= 10)
                out[len + (size_t)i] = (char)('0' + part % 10);
            len += 1 + (size_t)decimals;
        }
        return len;
    }
    return 0;
}

size_t json_put_double(char *out, double value)
{
    if (!isfinite(value)) {
        memcpy(out, "null", 4);
        return 4;
    }
    size_t len = put_decimal(out, value);
    if (len > 0)
        return len;
    locale_t locale = json_c_locale();
    locale_t before = locale ? uselocale(locale) : (locale_t)0;
    char text[JSON_DOUBLE_SIZE];
    for (int digits = 15; digits <= 17; digits++) {
        len = (size_t)snprintf(text, sizeof text, "%.*g", digits, value);
        if (digits == 17 || strtod(text, NULL) == value)
            break;
    }
    if (locale)
        (void)uselocale(before);
    memcpy(out, text, len);
    return len;
}

/* Half of a surrogate pair in an escape: 'h' the first half, 'l' the second, 0 neither. */
static char surrogate_half(const char *p, const char *end)
{
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u' || (p[2] | 0x20) != 'd')
        return 0;
    char c = (char)(p[3] | 0x20);
    return c == '8' || c == '9' || c == 'a' || c == 'b' ? 'h' : c >= 'c' && c <= 'f' ? 'l' : 0;
}

/* at: a backslash in a checked string. Copies the escape. */
static const char *put_escape(char **to, const char *at, const char *end)
{
    char half = surrogate_half(at, end);
    size_t len = at[1] == 'u' ? 6 : 2;
    if (half == 'h' && surrogate_half(at + 6, end) == 'l')
        len = 12;
    else if (half)
        half = 'x';
    memcpy(*to, half == 'x' ? "\\ufffd" : at, len);
    *to += len;
    return at + len;
}

/* at: behind the opening quote of a checked string; copies through the closing one. */
static const char *put_checked(char **out, const char *at, const char *end)
{
    char *to = *out;
    for (;;) {
        if (end - at >= (ptrdiff_t)BLOCK_BYTES) {
            block b = block_load(at);
            uint32_t special = block_special(b);
            uint32_t plain = special ? block_first(special) : BLOCK_BYTES;
            memcpy(to, at, plain);
            at += plain;
            to += plain;
            if (!special)
                continue;
        }
        if (*at == '\\') {
            at = put_escape(&to, at, end);
            continue;
        }
        *to++ = *at;
        if (*at++ == '"')
            break;
    }
    *out = to;
    return at;
}

size_t json_put_compact(char *out, ss_str json)
{
    json_scan s;
    json_start(&s, json);
    const char *at = s.at, *end = json.ptr + json.len; /* behind a byte order mark */
    if (!json_skip(&s, NULL) || !json_finish(&s)) {
        memcpy(out, "null", 4);
        return 4;
    }
    char *to = out;
    if (!s.spaced && !s.halves) { /* compact as it came, as programs send it */
        memcpy(to, at, (size_t)(end - at));
        return (size_t)(end - at);
    }
    while (at < end) {
        char c = *at++;
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
            continue;
        *to++ = c;
        if (c == '"')
            at = put_checked(&to, at, end);
    }
    return (size_t)(to - out);
}
