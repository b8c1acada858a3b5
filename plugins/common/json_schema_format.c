#include "plugins/common/json_schema_format.h"

#include "plugins/common/json_schema_pattern.h"
#include "plugins/common/rfc3339.h"

#define HOSTNAME_MAX   253u
#define LABEL_MAX      63u
#define LOCAL_PART_MAX 64u
#define GROUPS_MAX     8u

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static inline bool is_alpha(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static inline bool one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool uuid_ok(ss_str t)
{
    if (t.len != 36)
        return false;
    for (size_t i = 0; i < t.len; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? t.ptr[i] != '-' : !is_hex(t.ptr[i]))
            return false;
    return true;
}

static bool ipv4_ok(ss_str t)
{
    const char *p = t.ptr, *end = p + t.len;
    for (int part = 0; part < 4; part++) {
        if (part && (p == end || *p++ != '.'))
            return false;
        const char *from = p;
        int value = 0;
        for (; p < end && is_digit(*p) && p - from < 3; p++)
            value = value * 10 + (*p - '0');
        if (p == from || value > 255 || (*from == '0' && p - from > 1))
            return false;
    }
    return p == end;
}

static bool ipv6_ok(ss_str t)
{
    const char *p = t.ptr, *end = p + t.len;
    unsigned groups = 0;
    bool gap = false;
    if (end - p >= 2 && p[0] == ':' && p[1] == ':') {
        gap = true;
        p += 2;
    }
    while (p < end) {
        const char *from = p;
        while (p < end && is_hex(*p) && p - from < 4)
            p++;
        if (p < end && *p == '.') {
            groups += 2;
            if (!ipv4_ok(ss_s(from, (size_t)(end - from))))
                return false;
            p = end;
            break;
        }
        if (p == from || ++groups > GROUPS_MAX)
            return false;
        if (p == end)
            break;
        if (*p++ != ':')
            return false;
        if (p < end && *p == ':') {
            if (gap)
                return false;
            gap = true;
            p++;
        } else if (p == end) {
            return false;
        }
    }
    return gap ? groups < GROUPS_MAX : groups == GROUPS_MAX;
}

static bool hostname_ok(ss_str t)
{
    size_t label = 0;
    if (t.len == 0 || t.len > HOSTNAME_MAX)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        if (c == '.') {
            if (label == 0 || t.ptr[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if ((!is_alpha(c) && !is_digit(c) && c != '-') || (c == '-' && label == 0) || ++label > LABEL_MAX)
            return false;
        /* Labels with -- at their third place are encoded ones: only xn-- is, and what is behind it must be.
         */
        if (label == 4 && c == '-' && t.ptr[i - 1] == '-' &&
            ((t.ptr[i - 3] | 0x20) != 'x' || (t.ptr[i - 2] | 0x20) != 'n' || i + 1 == t.len ||
             t.ptr[i + 1] == '.'))
            return false;
    }
    return label > 0 && t.ptr[t.len - 1] != '-';
}

static bool quoted_local_ok(ss_str t)
{
    for (size_t i = 1; i + 1 < t.len; i++) {
        if (t.ptr[i] == '"')
            return false;
        i += t.ptr[i] == '\\';
        if (i + 1 >= t.len)
            return false;
    }
    return t.len >= 2 && t.ptr[t.len - 1] == '"';
}

static bool local_ok(ss_str t, bool idn)
{
    if (t.len == 0 || t.len > LOCAL_PART_MAX)
        return false;
    if (t.ptr[0] == '"')
        return quoted_local_ok(t);
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        bool edge = i == 0 || i + 1 == t.len || t.ptr[i - 1] == '.';
        if (c == '.'
                ? edge
                : !is_alpha(c) && !is_digit(c) && !one_of(c, "!#$%&'*+-/=?^_`{|}~") && !(idn && (c & 0x80)))
            return false;
    }
    return true;
}

static bool email_ok(ss_str t, bool idn)
{
    const char *at = t.len ? memrchr(t.ptr, '@', t.len) : NULL;
    if (!at || !local_ok(ss_s(t.ptr, (size_t)(at - t.ptr)), idn))
        return false;
    ss_str domain = ss_s(at + 1, (size_t)(t.ptr + t.len - at - 1));
    if (domain.len > 2 && domain.ptr[0] == '[' && domain.ptr[domain.len - 1] == ']') {
        ss_str literal = ss_s(domain.ptr + 1, domain.len - 2);
        return literal.len > 5 && memcmp(literal.ptr, "IPv6:", 5) == 0
                   ? ipv6_ok(ss_s(literal.ptr + 5, literal.len - 5))
                   : ipv4_ok(literal);
    }
    for (size_t i = 0; idn && i < domain.len; i++)
        if (domain.ptr[i] & 0x80)
            return true; /* a name with letters beyond ASCII: not looked into */
    return hostname_ok(domain);
}

/* Y, M, D, then T and H, M, S, or W alone; each a number and a letter, in order, none twice. */
static bool duration_ok(ss_str t)
{
    static const char date[] = "YMD", time[] = "HMS";
    const char *p = t.ptr, *end = p + t.len, *units = date;
    bool any = false, in_time = false;
    if (p == end || *p++ != 'P')
        return false;
    while (p < end) {
        if (*p == 'T' && !in_time) {
            in_time = true;
            units = time;
            any = false;
            p++;
            continue;
        }
        const char *from = p;
        while (p < end && is_digit(*p))
            p++;
        if (p == from || p == end)
            return false;
        if (*p == 'W')
            return from == t.ptr + 1 && p + 1 == end;
        const char *unit = *p ? strchr(units, *p) : NULL;
        if (!unit)
            return false;
        p++;
        /* RFC 3339's grammar has no gaps: hours and seconds need their minutes, years and days their months
         */
        if (any && unit != units)
            return false;
        units = unit + 1;
        any = true;
    }
    return any;
}

static bool pointer_ok(ss_str t)
{
    if (t.len && t.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] == '~' && (i + 1 == t.len || (t.ptr[i + 1] != '0' && t.ptr[i + 1] != '1')))
            return false;
    return true;
}

static bool relative_pointer_ok(ss_str t)
{
    size_t n = 0;
    while (n < t.len && is_digit(t.ptr[n]))
        n++;
    if (n == 0 || (n > 1 && t.ptr[0] == '0'))
        return false;
    return (n + 1 == t.len && t.ptr[n] == '#') || pointer_ok(ss_s(t.ptr + n, t.len - n));
}

/* Characters of a URI: those that are neither reserved nor escaped, and the set given. */
static bool uri_chars(const char *p, const char *end, const char *more, bool iri)
{
    for (; p < end; p++) {
        if (*p == '%') {
            if (end - p < 3 || !is_hex(p[1]) || !is_hex(p[2]))
                return false;
            p += 2;
        } else if (!is_alpha(*p) && !is_digit(*p) && !one_of(*p, "-._~!$&'()*+,;=") && !one_of(*p, more) &&
                   !(iri && (*p & 0x80))) {
            return false;
        }
    }
    return true;
}

static bool authority_ok(const char *p, const char *end, bool iri)
{
    const char *at = memrchr(p, '@', (size_t)(end - p));
    if (at && !uri_chars(p, at, ":", iri))
        return false;
    p = at ? at + 1 : p;
    if (p < end && *p == '[') {
        const char *close = memchr(p, ']', (size_t)(end - p));
        if (!close || !ipv6_ok(ss_s(p + 1, (size_t)(close - p - 1))))
            return false;
        p = close + 1;
    } else {
        const char *colon = memchr(p, ':', (size_t)(end - p)), *host_end = colon ? colon : end;
        if (!uri_chars(p, host_end, "", iri))
            return false;
        p = host_end;
    }
    if (p < end && *p++ != ':')
        return false;
    for (; p < end; p++)
        if (!is_digit(*p))
            return false;
    return true;
}

static bool uri_ok(ss_str t, bool relative, bool iri)
{
    const char *p = t.ptr, *end = p + t.len, *scheme = p;
    while (scheme < end &&
           (is_alpha(*scheme) || (scheme > p && (is_digit(*scheme) || one_of(*scheme, "+-.")))))
        scheme++;
    bool absolute = scheme > p && scheme < end && *scheme == ':';
    if (!absolute && !relative)
        return false;
    if (absolute)
        p = scheme + 1;
    const char *hash = memchr(p, '#', (size_t)(end - p));
    if (hash && !uri_chars(hash + 1, end, ":@/?", iri))
        return false;
    end = hash ? hash : end;
    const char *query = memchr(p, '?', (size_t)(end - p));
    if (query && !uri_chars(query + 1, end, ":@/?", iri))
        return false;
    end = query ? query : end;
    if (end - p >= 2 && p[0] == '/' && p[1] == '/') {
        const char *path = memchr(p + 2, '/', (size_t)(end - p - 2));
        if (!authority_ok(p + 2, path ? path : end, iri))
            return false;
        p = path ? path : end;
    } else if (!absolute) {
        const char *slash = memchr(p, '/', (size_t)(end - p)), *first = slash ? slash : end;
        if (memchr(p, ':', (size_t)(first - p)))
            return false; /* would be read as a scheme */
    }
    return uri_chars(p, end, ":@/", iri);
}

/* {+path:3,list*}: at is behind the opening brace; NULL where it is none (RFC 6570, 2.2). */
static const char *expression_end(const char *p, const char *end)
{
    if (p < end && one_of(*p, "+#./;?&=,!@|"))
        p++;
    for (;; p++) {
        const char *from = p;
        for (; p < end && (is_alpha(*p) || is_digit(*p) || one_of(*p, "_.%")); p++)
            if (*p == '.' ? p == from || p[-1] == '.'
                          : *p == '%' && (end - p < 3 || !is_hex(p[1]) || !is_hex(p[2])))
                return NULL;
        if (p == from || p[-1] == '.')
            return NULL;
        if (p < end && *p == '*') {
            p++;
        } else if (p < end && *p == ':') {
            const char *length = ++p;
            while (p < end && is_digit(*p) && p - length < 4)
                p++;
            if (p == length || *length == '0')
                return NULL;
        }
        if (p == end || *p != ',')
            return p < end && *p == '}' ? p + 1 : NULL;
    }
}

static bool template_ok(ss_str t)
{
    const char *p = t.ptr, *end = p + t.len;
    while (p < end) {
        if (*p == '{') {
            p = expression_end(p + 1, end);
            if (!p)
                return false;
        } else if (*p == '%') {
            if (end - p < 3 || !is_hex(p[1]) || !is_hex(p[2]))
                return false;
            p += 3;
        } else if ((unsigned char)*p <= ' ' || *p == 127 || one_of(*p, "\"'<>\\^`|}")) {
            return false;
        } else {
            p++;
        }
    }
    return true;
}

static const struct {
    const char *name;
    json_schema_format format;
} names[] = {{"date-time", FORMAT_DATE_TIME},
             {"date", FORMAT_DATE},
             {"time", FORMAT_TIME},
             {"duration", FORMAT_DURATION},
             {"email", FORMAT_EMAIL},
             {"idn-email", FORMAT_IDN_EMAIL},
             {"hostname", FORMAT_HOSTNAME},
             {"idn-hostname", FORMAT_UNSUPPORTED},
             {"ipv4", FORMAT_IPV4},
             {"ipv6", FORMAT_IPV6},
             {"uri", FORMAT_URI},
             {"uri-reference", FORMAT_URI_REFERENCE},
             {"iri", FORMAT_IRI},
             {"iri-reference", FORMAT_IRI_REFERENCE},
             {"uri-template", FORMAT_URI_TEMPLATE},
             {"uuid", FORMAT_UUID},
             {"json-pointer", FORMAT_JSON_POINTER},
             {"relative-json-pointer", FORMAT_RELATIVE_JSON_POINTER},
             {"regex", FORMAT_REGEX}};

json_schema_format json_schema_format_named(ss_str name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ss_eq(name, ss_cstr(names[i].name)))
            return names[i].format;
    return FORMAT_NONE;
}

bool json_schema_format_ok(json_schema_format format, ss_str text)
{
    switch (format) {
    case FORMAT_DATE_TIME:
        return rfc3339_date_time(text, NULL);
    case FORMAT_DATE:
        return rfc3339_date(text);
    case FORMAT_TIME:
        return rfc3339_time(text);
    case FORMAT_DURATION:
        return duration_ok(text);
    case FORMAT_EMAIL:
    case FORMAT_IDN_EMAIL:
        return email_ok(text, format == FORMAT_IDN_EMAIL);
    case FORMAT_HOSTNAME:
        return hostname_ok(text);
    case FORMAT_IPV4:
        return ipv4_ok(text);
    case FORMAT_IPV6:
        return ipv6_ok(text);
    case FORMAT_URI:
    case FORMAT_URI_REFERENCE:
        return uri_ok(text, format == FORMAT_URI_REFERENCE, false);
    case FORMAT_IRI:
    case FORMAT_IRI_REFERENCE:
        return uri_ok(text, format == FORMAT_IRI_REFERENCE, true);
    case FORMAT_URI_TEMPLATE:
        return template_ok(text);
    case FORMAT_UUID:
        return uuid_ok(text);
    case FORMAT_JSON_POINTER:
        return pointer_ok(text);
    case FORMAT_RELATIVE_JSON_POINTER:
        return relative_pointer_ok(text);
    case FORMAT_REGEX:
        return json_schema_pattern_valid(text);
    case FORMAT_NONE:
    case FORMAT_UNSUPPORTED:
        break;
    }
    return true;
}
