#include "enrichers/privacy/referrer.h"

/* Where the authority begins (behind "//"), or 0 where there is none before the path. */
static size_t authority_at(ss_str url)
{
    for (size_t i = 0; i + 1 < url.len; i++) {
        if (url.ptr[i] == '/')
            return url.ptr[i + 1] == '/' ? i + 2 : 0;
        if (url.ptr[i] == '?' || url.ptr[i] == '#')
            return 0;
    }
    return 0;
}

static size_t find_any(ss_str text, size_t from, const char *set)
{
    while (from < text.len && !strchr(set, text.ptr[from]))
        from++;
    return from;
}

ss_str referrer_cut(ss_str url, enum referrer_level level, char *out)
{
    size_t from = authority_at(url), end = find_any(url, 0, "?#");
    if (level == REFERRER_NOTHING || (level == REFERRER_NO_PATH && from == 0))
        return ss_s("", 0);
    if (from == 0)
        return ss_s(url.ptr, end);
    size_t path = find_any(url, from, "/?#\\"), host = path;
    while (host > from && url.ptr[host - 1] != '@')
        host--;
    memcpy(out, url.ptr, from);
    memcpy(out + from, url.ptr + host, path - host);
    size_t len = from + path - host;
    if (level == REFERRER_NO_PATH || path == end) {
        out[len++] = '/';
    } else {
        memcpy(out + len, url.ptr + path, end - path);
        len += end - path;
    }
    return ss_s(out, len);
}
