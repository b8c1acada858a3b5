#include "receivers/matomo/cookie.h"

#include <time.h>

#include "plugins/common/base64.h"
#include "plugins/common/url.h"

#define LIFE_S    33955200 /* Matomo's 13 months */
#define RAW_MAX   512u     /* of a cookie's value that is looked at */
#define DATE_SIZE 40u

bool cookie_find(ss_str header, ss_str name, ss_str *value)
{
    const char *at = header.ptr, *end = header.ptr + header.len;
    while (at < end) {
        const char *stop = memchr(at, ';', (size_t)(end - at));
        if (!stop)
            stop = end;
        while (at < stop && *at == ' ')
            at++;
        if ((size_t)(stop - at) > name.len && at[name.len] == '=' && memcmp(at, name.ptr, name.len) == 0) {
            *value = ss_s(at + name.len + 1, (size_t)(stop - at) - name.len - 1);
            return true;
        }
        at = stop + 1;
    }
    return false;
}

static int64_t unbase64(char out[COOKIE_VALUE_MAX], ss_str in)
{
    size_t len;
    return in.len <= BASE64_SIZE(COOKIE_VALUE_MAX - 2) && base64_read(in, out, &len) ? (int64_t)len : -1;
}

static bool is_number(ss_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len > 0;
}

int64_t cookie_get(ss_str value, const char *key, char out[COOKIE_VALUE_MAX])
{
    char plain[RAW_MAX];
    size_t key_len = strlen(key);
    if (value.len > RAW_MAX)
        return -1;
    size_t len = url_decode(plain, value);
    for (const char *at = plain, *end = plain + len; at < end;) {
        const char *stop = memchr(at, ':', (size_t)(end - at));
        if (!stop)
            stop = end;
        if ((size_t)(stop - at) > key_len && at[key_len] == '=' && memcmp(at, key, key_len) == 0) {
            ss_str text = ss_s(at + key_len + 1, (size_t)(stop - at) - key_len - 1);
            if (!is_number(text))
                return unbase64(out, text);
            if (text.len > COOKIE_VALUE_MAX)
                return -1;
            memcpy(out, text.ptr, text.len);
            return (int64_t)text.len;
        }
        at = stop + 1;
    }
    return -1;
}

static size_t put_attributes(char *out, size_t room, bool https)
{
    return (size_t)snprintf(out, room, "; path=/; %s", https ? "SameSite=None; secure" : "SameSite=Lax");
}

size_t cookie_put_id(char out[COOKIE_SET_MAX], const char *name, ss_str id, bool https, int64_t now_us)
{
    char text[2 * COOKIE_VALUE_MAX] = "0=", encoded[6 * COOKIE_VALUE_MAX], date[DATE_SIZE];
    struct tm tm;
    time_t until = (time_t)(now_us / 1000000 + LIFE_S);
    size_t len = 2;
    if (is_number(id)) {
        memcpy(text + len, id.ptr, id.len);
        len += id.len;
    } else {
        len += base64_put(text + len, id);
    }
    size_t encoded_len = url_encode(encoded, ss_s(text, len));
    (void)gmtime_r(&until, &tm);
    (void)strftime(date, sizeof date, "%a, %d-%b-%Y %H:%M:%S GMT", &tm);
    size_t put = (size_t)snprintf(out, COOKIE_SET_MAX, "%s=%.*s; expires=%s; Max-Age=%d", name,
                                  (int)encoded_len, encoded, date, LIFE_S);
    return put + put_attributes(out + put, COOKIE_SET_MAX - put, https);
}

size_t cookie_put_removal(char out[COOKIE_SET_MAX], const char *name, bool https)
{
    size_t put = (size_t)snprintf(out, COOKIE_SET_MAX,
                                  "%s=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0", name);
    return put + put_attributes(out + put, COOKIE_SET_MAX - put, https);
}
