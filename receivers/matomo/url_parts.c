#include "receivers/matomo/url_parts.h"

#include <strings.h>

#include "receivers/matomo/lower.h"

static bool is_script(ss_str scheme)
{
    return (scheme.len == 10 && (strncasecmp(scheme.ptr, "javascript", 10) == 0)) ||
           (scheme.len == 8 && strncasecmp(scheme.ptr, "vbscript", 8) == 0) ||
           (scheme.len == 4 && strncasecmp(scheme.ptr, "data", 4) == 0);
}

size_t url_host_at(ss_str url)
{
    size_t at = 0;
    while (at < url.len && url.ptr[at] != ':' && url.ptr[at] != '/' && url.ptr[at] != '?' &&
           url.ptr[at] != '#')
        at++;
    if (at < url.len && url.ptr[at] == ':') {
        if (at == 0 || is_script(ss_s(url.ptr, at)))
            return 0;
        at++;
    } else if (at > 0) {
        return 0;
    }
    bool slashes = url.len - at > 2 && url.ptr[at] == '/' && url.ptr[at + 1] == '/';
    return slashes ? at + 2 : 0;
}

static const char *find(const char *from, const char *end, char c)
{
    const char *found = from < end ? memchr(from, c, (size_t)(end - from)) : NULL;
    return found ? found : end;
}

static ss_str between(const char *from, const char *to)
{
    return from < to ? ss_s(from, (size_t)(to - from)) : ss_s("", 0);
}

bool url_parts_read(url_parts *u, ss_str url)
{
    size_t at = url_host_at(url);
    if (at == 0)
        return false;
    const char *from = url.ptr + at, *end = url.ptr + url.len;
    const char *hash = find(from, end, '#'), *mark = find(from, hash, '?'), *slash = find(from, mark, '/');
    ss_str authority = between(from, slash);
    const char *user = memrchr(authority.ptr, '@', authority.len), *host = user ? user + 1 : from;
    bool v6 = host < slash && *host == '[';
    const char *port = v6 ? find(find(host, slash, ']'), slash, ':') : find(host, slash, ':');
    u->host = between(host, port);
    u->path = between(slash, mark);
    u->query = between(mark + 1, hash);
    u->fragment = between(hash + 1, end);
    return u->host.len > 0;
}

ss_str url_host_lower(char out[URL_HOST_MAX], ss_str host)
{
    size_t len = host.len < URL_HOST_MAX ? host.len : URL_HOST_MAX;
    if (len)
        memcpy(out, host.ptr, len);
    lower_ascii(out, len);
    return ss_s(out, len);
}
