#include "plugins/common/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_put(char *out, ss_str bytes)
{
    const unsigned char *in = (const unsigned char *)bytes.ptr;
    char *to = out;
    size_t i = 0;
    for (; i + 3 <= bytes.len; i += 3, to += 4) {
        uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        to[0] = alphabet[v >> 18];
        to[1] = alphabet[v >> 12 & 63];
        to[2] = alphabet[v >> 6 & 63];
        to[3] = alphabet[v & 63];
    }
    if (i < bytes.len) {
        bool two = bytes.len - i == 2;
        uint32_t v = (uint32_t)in[i] << 16 | (two ? (uint32_t)in[i + 1] << 8 : 0);
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = two ? alphabet[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    return (size_t)(to - out);
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Without padding: whole bytes of two or three digits at the end. */
static bool read_digits(ss_str text, int (*value)(char c), char *out, size_t *len)
{
    size_t n = 0, rest = text.len % 4;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int d = value(text.ptr[i]);
        if (d < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        if (i % 4 == 3) {
            out[n++] = (char)(bits >> 16 & 255);
            out[n++] = (char)(bits >> 8 & 255);
            out[n++] = (char)(bits & 255);
            bits = 0;
        }
    }
    if (rest == 3) {
        out[n++] = (char)(bits >> 10 & 255);
        out[n++] = (char)(bits >> 2 & 255);
    } else if (rest == 2) {
        out[n++] = (char)(bits >> 4 & 255);
    }
    *len = n;
    return rest != 1;
}

bool base64_read(ss_str text, char *out, size_t *len)
{
    if (text.len % 4 != 0)
        return false;
    for (size_t pad = 0; pad < 2 && text.len && text.ptr[text.len - 1] == '='; pad++)
        text.len--;
    return read_digits(text, digit, out, len);
}

/* ---- the URL's alphabet ---- */

static int url_digit(char c)
{
    return c == '-' ? 62 : c == '_' ? 63 : c == '+' || c == '/' ? -1 : digit(c);
}

size_t base64url_put(char *out, ss_str bytes)
{
    size_t len = base64_put(out, bytes);
    while (len && out[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++)
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    return len;
}

bool base64url_read(ss_str text, char *out, size_t *len)
{
    return read_digits(text, url_digit, out, len);
}
