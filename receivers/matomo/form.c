#include "receivers/matomo/form.h"

#include <strings.h>

#define BOUNDARY_MAX 200u

static bool type_is(ss_str type, const char *name)
{
    size_t len = strlen(name);
    return type.len >= len && strncasecmp(type.ptr, name, len) == 0 &&
           (type.len == len || type.ptr[len] == ';' || type.ptr[len] == ' ');
}

static bool is_urlencoded(ss_str type)
{
    return type_is(type, "application/x-www-form-urlencoded");
}

static bool is_multipart(ss_str type)
{
    return type_is(type, "multipart/form-data");
}

bool form_is(const ss_request *r)
{
    return is_urlencoded(r->content_type) || is_multipart(r->content_type);
}

/* name="..." or name=... behind `at`; false: not there. */
static bool attribute(ss_str text, const char *name, ss_str *value)
{
    size_t len = strlen(name);
    for (size_t i = 0; i + len < text.len; i++) {
        bool start = i == 0 || text.ptr[i - 1] == ' ' || text.ptr[i - 1] == ';';
        if (!start || strncasecmp(text.ptr + i, name, len) != 0 || text.ptr[i + len] != '=')
            continue;
        const char *from = text.ptr + i + len + 1, *end = text.ptr + text.len, *to;
        bool quoted = from < end && *from == '"';
        from += quoted;
        for (to = from; to < end && *to != (quoted ? '"' : ';') && *to != '\r' && *to != '\n'; to++)
            ;
        *value = ss_s(from, (size_t)(to - from));
        return true;
    }
    return false;
}

/* One part between two boundaries: header lines, an empty line, the value. */
static void part_read(params *p, const matomo *m, ss_str part)
{
    const char *body = memmem(part.ptr, part.len, "\r\n\r\n", 4);
    ss_str name;
    if (!body || !attribute(ss_s(part.ptr, (size_t)(body - part.ptr)), "name", &name))
        return;
    body += 4;
    size_t len = (size_t)(part.ptr + part.len - body);
    if (len >= 2 && memcmp(body + len - 2, "\r\n", 2) == 0)
        len -= 2;
    if (!memchr(body, '\0', len))
        params_put(p, &m->params, name, ss_s(body, len));
}

static void multipart_read(params *p, const matomo *m, const ss_request *r)
{
    char mark[BOUNDARY_MAX + 2] = "--";
    ss_str boundary, body = r->body;
    if (!attribute(r->content_type, "boundary", &boundary) || boundary.len == 0 ||
        boundary.len > BOUNDARY_MAX)
        return;
    memcpy(mark + 2, boundary.ptr, boundary.len);
    size_t mark_len = boundary.len + 2;
    const char *end = body.ptr + body.len, *at = memmem(body.ptr, body.len, mark, mark_len);
    while (at) {
        at += mark_len;
        const char *next = memmem(at, (size_t)(end - at), mark, mark_len);
        if (next)
            part_read(p, m, ss_s(at, (size_t)(next - at)));
        at = next;
    }
}

void form_read(params *p, const matomo *m, const ss_request *r, char *scratch)
{
    if (is_urlencoded(r->content_type))
        params_read(p, &m->params, r->body, scratch);
    else if (is_multipart(r->content_type))
        multipart_read(p, m, r);
}
