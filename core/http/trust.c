#include "core/http/trust.h"

#include <arpa/inet.h>
#include <string.h>

static const unsigned char v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

static void set_v4(trust_address *a, const void *four_bytes)
{
    memcpy(a->bytes, v4_prefix, sizeof v4_prefix);
    memcpy(a->bytes + 12, four_bytes, 4);
}

bool trust_from_socket(trust_address *a, const struct sockaddr *addr)
{
    memset(a, 0, sizeof *a);
    if (addr && addr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof in);
        set_v4(a, &in.sin_addr);
        return true;
    }
    if (addr && addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, addr, sizeof in6);
        memcpy(a->bytes, &in6.sin6_addr, sizeof a->bytes);
        return true;
    }
    return false;
}

static ss_str trim(ss_str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = ss_s(s.ptr + 1, s.len - 1);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The address without a port, without brackets. */
static ss_str without_port(ss_str s)
{
    if (s.len && s.ptr[0] == '[') {
        const char *end = memchr(s.ptr, ']', s.len);
        return end ? ss_s(s.ptr + 1, (size_t)(end - s.ptr - 1)) : ss_s("", 0);
    }
    const char *colon = s.len ? memchr(s.ptr, ':', s.len) : NULL;
    if (colon && !memchr(colon + 1, ':', (size_t)(s.ptr + s.len - colon - 1)))
        s.len = (size_t)(colon - s.ptr); /* one colon: IPv4 with a port */
    return s;
}

bool trust_from_text(trust_address *a, ss_str text)
{
    text = without_port(trim(text));
    char copy[TRUST_TEXT_BYTES];
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    unsigned char v4[4];
    if (inet_pton(AF_INET, copy, v4) == 1) {
        set_v4(a, v4);
        return true;
    }
    return inet_pton(AF_INET6, copy, a->bytes) == 1;
}

size_t trust_put(const trust_address *a, char out[TRUST_TEXT_BYTES])
{
    bool v4 = memcmp(a->bytes, v4_prefix, sizeof v4_prefix) == 0;
    const char *text = v4 ? inet_ntop(AF_INET, a->bytes + 12, out, TRUST_TEXT_BYTES)
                          : inet_ntop(AF_INET6, a->bytes, out, TRUST_TEXT_BYTES);
    return text ? strlen(text) : 0;
}

static bool read_network(trust_network *n, ss_str text)
{
    const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
    ss_str address = slash ? ss_s(text.ptr, (size_t)(slash - text.ptr)) : text;
    if (!trust_from_text(&n->address, address))
        return false;
    bool v4 = memcmp(n->address.bytes, v4_prefix, sizeof v4_prefix) == 0;
    unsigned bits = 0, most = v4 ? 32 : 128;
    if (!slash) {
        bits = most;
    } else {
        const char *end = text.ptr + text.len;
        if (slash + 1 == end || end - slash > 4)
            return false;
        for (const char *c = slash + 1; c < end; c++) {
            if (*c < '0' || *c > '9')
                return false;
            bits = bits * 10 + (unsigned)(*c - '0');
        }
    }
    n->bits = bits + (v4 ? 96 : 0);
    return bits <= most;
}

bool trust_read(trust_list *t, const ss_config *list, ss_error *err)
{
    t->count = 0;
    for (size_t i = 0; i < node_len(list); i++) {
        ss_str text = node_str(node_at(list, i), "");
        if (t->count == HTTP_TRUSTED_MAX || !read_network(&t->networks[t->count], text)) {
            (void)ss_fail(err, SS_REJECT,
                          "server.trusted_proxies: \"%.*s\": write an address or a network such as"
                          " 10.0.0.0/8, at most %u of them",
                          (int)text.len, text.ptr, HTTP_TRUSTED_MAX);
            return false;
        }
        t->count++;
    }
    return true;
}

static bool in_network(const trust_network *n, const trust_address *a)
{
    size_t whole = n->bits / 8;
    unsigned rest = n->bits % 8;
    if (memcmp(n->address.bytes, a->bytes, whole) != 0)
        return false;
    return rest == 0 || ((n->address.bytes[whole] ^ a->bytes[whole]) >> (8 - rest)) == 0;
}

bool trust_has(const trust_list *t, const trust_address *a)
{
    for (size_t i = 0; i < t->count; i++)
        if (in_network(&t->networks[i], a))
            return true;
    return false;
}

bool trust_client(const trust_list *t, const ss_str *forwarded, size_t count, trust_address *client)
{
    bool found = false;
    for (size_t i = count; i-- > 0;) {
        ss_str rest = forwarded[i];
        while (rest.len) {
            const char *comma = memrchr(rest.ptr, ',', rest.len);
            size_t begin = comma ? (size_t)(comma - rest.ptr) + 1 : 0;
            trust_address hop;
            if (!trust_from_text(&hop, ss_s(rest.ptr + begin, rest.len - begin)))
                return found; /* "unknown" or nonsense: nothing before it can be believed */
            *client = hop;
            found = true;
            if (!trust_has(t, &hop))
                return true;
            rest.len = begin ? begin - 1 : 0;
        }
    }
    return found;
}
