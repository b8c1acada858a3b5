/* Where a $ref points: resources by their $id, anchors in them, JSON pointers below them. URIs are resolved
   as RFC 3986 says; nothing is ever fetched. */
#include <stdlib.h>

#include "plugins/common/json_schema_inside.h"

#define REFS_URI_MAX       2048u
#define REFS_RESOURCES_MAX 1024u
#define REFS_ANCHORS_MAX   4096u
#define REFS_NONE          0xFFFFu

typedef struct resource {
    ss_str uri; /* absolute as far as known, without fragment; the root's may be empty */
    uint32_t token;
} resource;

typedef struct anchor {
    ss_str name;
    uint32_t token;
    uint16_t resource;
} anchor;

struct json_schema_refs {
    json_schema *s;
    json_schema_problem *why;
    resource resources[REFS_RESOURCES_MAX];
    uint16_t resource_count;
    anchor anchors[REFS_ANCHORS_MAX];
    uint32_t anchor_count;
    uint16_t *base; /* by token: the resource that a subschema belongs to */
};

typedef struct uri_parts { /* ptr NULL: not there */
    ss_str scheme, authority, path, query;
} uri_parts;

static bool refs_fail(json_schema_refs *r, const char *what, uint32_t token)
{
    char path[SCHEMA_PATH_SIZE];
    (void)json_schema_path(&r->s->tape, token, path, sizeof path);
    (void)snprintf(r->why->text, sizeof r->why->text, "%s at %s", what, *path ? path : "the root");
    return false;
}

/* ---- URIs ------------------------------------------------------------------------------------ */

static uri_parts uri_split(ss_str text)
{
    uri_parts u = {0};
    const char *p = text.ptr, *end = p + text.len, *colon = p;
    while (colon < end && !strchr(":/?#", *colon))
        colon++;
    if (colon < end && *colon == ':' && colon > p) {
        u.scheme = ss_s(p, (size_t)(colon - p));
        p = colon + 1;
    }
    if (end - p >= 2 && p[0] == '/' && p[1] == '/') {
        const char *from = p += 2;
        while (p < end && *p != '/' && *p != '?')
            p++;
        u.authority = ss_s(from, (size_t)(p - from));
    }
    const char *query = p < end ? memchr(p, '?', (size_t)(end - p)) : NULL;
    u.path = ss_s(p, (size_t)((query ? query : end) - p));
    if (query)
        u.query = ss_s(query + 1, (size_t)(end - query - 1));
    return u;
}

/* RFC 3986, 5.2.4; in place. */
static size_t remove_dots(char *path, size_t len)
{
    size_t in = 0, out = 0;
    while (in < len) {
        size_t next = in + 1;
        while (next < len && path[next] != '/')
            next++;
        size_t part = next - in;
        bool one = part == 2 && memcmp(path + in, "/.", 2) == 0,
             two = part == 3 && memcmp(path + in, "/..", 3) == 0;
        if (two)
            while (out > 0 && path[--out] != '/')
                ;
        if ((one || two) && next == len)
            path[out++] = '/';
        if (!one && !two) {
            memmove(path + out, path + in, part);
            out += part;
        }
        in = next;
    }
    return out;
}

typedef struct uri_text {
    char bytes[REFS_URI_MAX];
    size_t len;
    bool full;
} uri_text;

static void uri_add(uri_text *u, const char *before, ss_str part, const char *after)
{
    size_t a = strlen(before), b = strlen(after);
    if (a + part.len + b > sizeof u->bytes - u->len) {
        u->full = true;
        return;
    }
    memcpy(u->bytes + u->len, before, a);
    if (part.len)
        memcpy(u->bytes + u->len + a, part.ptr, part.len);
    memcpy(u->bytes + u->len + a + part.len, after, b);
    u->len += a + part.len + b;
}

/* RFC 3986, 5.2.2; reference: without its fragment. */
static bool uri_resolve(ss_str base_text, ss_str reference, uri_text *out)
{
    uri_parts base = uri_split(base_text), r = uri_split(reference);
    bool same = !r.scheme.ptr && !r.authority.ptr, merge = same && (r.path.len == 0 || r.path.ptr[0] != '/');
    ss_str scheme = r.scheme.ptr ? r.scheme : base.scheme, query = r.query, folder = {"", 0}, path = r.path;
    ss_str authority = same ? base.authority : r.authority;
    if (merge && r.path.len == 0) {
        path = base.path;
        query = r.query.ptr ? r.query : base.query;
    } else if (merge && base.path.len > 0) {
        const char *slash = memrchr(base.path.ptr, '/', base.path.len);
        folder = ss_s(base.path.ptr, slash ? (size_t)(slash + 1 - base.path.ptr) : 0);
    }
    out->len = 0;
    out->full = false;
    if (scheme.ptr)
        uri_add(out, "", scheme, ":");
    if (authority.ptr)
        uri_add(out, "//", authority, merge && r.path.len && base.path.len == 0 ? "/" : "");
    size_t from = out->len;
    uri_add(out, "", folder, "");
    uri_add(out, "", path, "");
    if (out->len > from && out->bytes[from] == '/')
        out->len = from + remove_dots(out->bytes + from, out->len - from);
    if (query.ptr)
        uri_add(out, "?", query, "");
    return !out->full;
}

static int hex_of(char c)
{
    char low = (char)(c | 0x20);
    return c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Percent escapes undone; out may be as long as the text. */
static ss_str decode(ss_str text, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool escaped = text.ptr[i] == '%' && i + 2 < text.len && hex_of(text.ptr[i + 1]) >= 0 &&
                       hex_of(text.ptr[i + 2]) >= 0;
        int c = escaped ? hex_of(text.ptr[i + 1]) << 4 | hex_of(text.ptr[i + 2]) : text.ptr[i];
        out[len++] = (char)c;
        i += escaped ? 2 : 0;
    }
    return ss_s(out, len);
}

/* ---- what a schema declares ------------------------------------------------------------------ */

static uint16_t resource_find(const json_schema_refs *r, ss_str uri)
{
    for (uint16_t i = 0; i < r->resource_count; i++)
        if (ss_eq(r->resources[i].uri, uri))
            return i;
    return REFS_NONE;
}

static bool resource_add(json_schema_refs *r, uint32_t token, ss_str uri)
{
    char *copy = json_schema_take(r->s, uri.len + 1);
    if (!copy || r->resource_count == REFS_RESOURCES_MAX)
        return refs_fail(r, "too many subschemas with $id", token);
    memcpy(copy, uri.ptr, uri.len);
    r->resources[r->resource_count++] = (resource){ss_s(copy, uri.len), token};
    return true;
}

static bool note_id(json_schema_refs *r, uint32_t token, uint16_t *base)
{
    uint32_t id = json_tape_find(&r->s->tape, token, SS_LIT("$id"));
    if (!id)
        return true;
    ss_str text = json_tape_str(&r->s->tape.tokens[id]);
    if (r->s->tape.tokens[id].kind != JSON_STRING)
        return refs_fail(r, "$id must be a string", token);
    const char *hash = text.len ? memchr(text.ptr, '#', text.len) : NULL;
    if (hash && hash + 1 != text.ptr + text.len)
        return refs_fail(r, "$id must not have a fragment (use $anchor)", token);
    text.len -= hash != NULL;
    uri_text uri;
    if (!uri_resolve(r->resources[*base].uri, text, &uri))
        return refs_fail(r, "$id is too long", token);
    if (token == 0) {
        r->resource_count = 0; /* the root's own name instead of none */
    } else if (resource_find(r, ss_s(uri.bytes, uri.len)) != REFS_NONE) {
        return refs_fail(r, "the same $id twice", token);
    }
    *base = r->resource_count;
    return resource_add(r, token, ss_s(uri.bytes, uri.len));
}

static bool note_anchor(json_schema_refs *r, uint32_t token, uint16_t base)
{
    uint32_t at = json_tape_find(&r->s->tape, token, SS_LIT("$anchor"));
    if (!at)
        return true;
    ss_str name = json_tape_str(&r->s->tape.tokens[at]);
    bool good = r->s->tape.tokens[at].kind == JSON_STRING && name.len > 0;
    for (size_t i = 0; good && i < name.len; i++) {
        char c = name.ptr[i], low = (char)(c | 0x20);
        good =
            (low >= 'a' && low <= 'z') || c == '_' || (i && ((c >= '0' && c <= '9') || c == '-' || c == '.'));
    }
    if (!good)
        return refs_fail(r, "$anchor must be a name: a letter or _, then letters, digits, -, _ and .", token);
    for (uint32_t i = 0; i < r->anchor_count; i++)
        if (r->anchors[i].resource == base && ss_eq(r->anchors[i].name, name))
            return refs_fail(r, "the same $anchor twice", token);
    if (r->anchor_count == REFS_ANCHORS_MAX)
        return refs_fail(r, "too many anchors", token);
    r->anchors[r->anchor_count++] = (anchor){name, token, base};
    return true;
}

static bool refuse_keyword(json_schema_refs *r, uint32_t key)
{
    ss_str name = json_tape_str(&r->s->tape.tokens[key]);
    char text[128];
    r->why->unsupported = true;
    (void)snprintf(text, sizeof text, "unsupported keyword %.*s", (int)name.len, name.ptr);
    return refs_fail(r, text, key);
}

/* Notes what the subschema and those within it declare; keywords that are not supported are found first of
 * all. */
static bool walk(json_schema_refs *r, uint32_t token, uint16_t base)
{
    const tape_token *tokens = r->s->tape.tokens;
    r->base[token] = base;
    if (tokens[token].kind != JSON_OBJECT)
        return true;
    if (!note_id(r, token, &base) || !note_anchor(r, token, base))
        return false;
    r->base[token] = base;
    uint32_t key = token + 1;
    for (uint32_t i = 0; i < tokens[token].count; i++, key = tokens[key + 1].next) {
        enum json_schema_keyword_form form = json_schema_keyword_form_of(json_tape_str(&tokens[key]));
        uint32_t value = key + 1, within = value + 1;
        if (form == FORM_UNSUPPORTED)
            return refuse_keyword(r, key);
        if (form == FORM_SCHEMA && !walk(r, value, base))
            return false;
        bool list = form == FORM_LIST && tokens[value].kind == JSON_ARRAY;
        bool map = form == FORM_MAP && tokens[value].kind == JSON_OBJECT;
        for (uint32_t n = 0; (list || map) && n < tokens[value].count; n++) {
            within += map;
            if (!walk(r, within, base))
                return false;
            within = tokens[within].next;
        }
    }
    return true;
}

json_schema_refs *json_schema_refs_new(json_schema *s, json_schema_problem *why)
{
    json_schema_refs *r = calloc(1, sizeof *r);
    if (r)
        r->base = malloc(s->tape.count * sizeof *r->base);
    if (!r || !r->base) {
        (void)snprintf(why->text, sizeof why->text, "no memory for the schema");
        json_schema_refs_free(r);
        return NULL;
    }
    r->s = s;
    r->why = why;
    memset(r->base, 0xFF, s->tape.count * sizeof *r->base);
    if (resource_add(r, 0, ss_s("", 0)) && walk(r, 0, 0))
        return r;
    json_schema_refs_free(r);
    return NULL;
}

void json_schema_refs_free(json_schema_refs *r)
{
    if (r)
        free(r->base);
    free(r);
}

/* ---- finding --------------------------------------------------------------------------------- */

static uint32_t array_item(const json_tape *t, uint32_t array, ss_str index)
{
    uint64_t wanted = 0;
    if (index.len == 0 || index.len > 9 || (index.len > 1 && index.ptr[0] == '0'))
        return 0;
    for (size_t i = 0; i < index.len; i++) {
        if (index.ptr[i] < '0' || index.ptr[i] > '9')
            return 0;
        wanted = wanted * 10 + (uint64_t)(index.ptr[i] - '0');
    }
    if (wanted >= t->tokens[array].count)
        return 0;
    uint32_t at = array + 1;
    while (wanted-- > 0)
        at = t->tokens[at].next;
    return at;
}

/* pointer: decoded, begins with '/'. token + 1, or 0. part: scratch as long as the pointer. */
static uint32_t pointer_find(const json_tape *t, uint32_t token, ss_str pointer, char *part)
{
    for (size_t i = 0; i < pointer.len;) {
        size_t len = 0;
        for (i++; i < pointer.len && pointer.ptr[i] != '/'; i++) {
            bool escaped = pointer.ptr[i] == '~' && i + 1 < pointer.len;
            part[len++] = !escaped ? pointer.ptr[i] : pointer.ptr[i + 1] == '1' ? '/' : '~';
            i += escaped;
        }
        uint32_t next = t->tokens[token].kind == JSON_ARRAY ? array_item(t, token, ss_s(part, len))
                                                            : json_tape_find(t, token, ss_s(part, len));
        if (!next)
            return 0;
        token = next;
    }
    return token + 1;
}

static uint32_t anchor_find(const json_schema_refs *r, uint16_t in, ss_str name)
{
    for (uint32_t i = 0; i < r->anchor_count; i++)
        if (r->anchors[i].resource == in && ss_eq(r->anchors[i].name, name))
            return r->anchors[i].token + 1;
    return 0;
}

static uint32_t not_found(json_schema_refs *r, uint32_t from, ss_str reference, bool elsewhere)
{
    char path[SCHEMA_PATH_SIZE];
    (void)json_schema_path(&r->s->tape, from, path, sizeof path);
    r->why->unsupported = elsewhere;
    (void)snprintf(r->why->text, sizeof r->why->text,
                   elsewhere ? "unsupported keyword $ref to another document, \"%.*s\", at %s"
                             : "$ref \"%.*s\" points at nothing, at %s",
                   (int)(reference.len < 128 ? reference.len : 128), reference.ptr,
                   *path ? path : "the root");
    return 0;
}

uint32_t json_schema_refs_find(json_schema_refs *r, uint32_t from, ss_str reference, json_schema_problem *why)
{
    const char *hash = reference.len ? memchr(reference.ptr, '#', reference.len) : NULL;
    size_t before = hash ? (size_t)(hash - reference.ptr) : reference.len;
    char decoded[REFS_URI_MAX], part[REFS_URI_MAX];
    uri_text uri;
    r->why = why;
    if (reference.len > REFS_URI_MAX ||
        !uri_resolve(r->resources[r->base[from]].uri, ss_s(reference.ptr, before), &uri))
        return not_found(r, from, reference, false);
    uint16_t in = resource_find(r, ss_s(uri.bytes, uri.len));
    if (in == REFS_NONE)
        return not_found(r, from, reference, true);
    ss_str fragment = hash ? decode(ss_s(hash + 1, reference.len - before - 1), decoded) : ss_s("", 0);
    uint32_t found = r->resources[in].token + 1;
    if (fragment.len > 0)
        found = fragment.ptr[0] == '/' ? pointer_find(&r->s->tape, found - 1, fragment, part)
                                       : anchor_find(r, in, fragment);
    if (!found)
        return not_found(r, from, reference, false);
    /* A place that no keyword makes a subschema becomes one by being pointed at. */
    if (r->base[found - 1] == REFS_NONE && !walk(r, found - 1, in))
        return 0;
    return found;
}
