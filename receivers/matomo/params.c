#include "receivers/matomo/params.h"

#include "plugins/common/url.h"

#define SPEC(id, name, kind, field, limit) [PARAM_##id] = {KIND_##kind, FIELD_##field, limit},
#define NAME(id, name, kind, field, limit) name,

const param_spec param_specs[PARAM_COUNT] = {MATOMO_PARAMS(SPEC)};
const char *const param_names[PARAM_COUNT] = {MATOMO_PARAMS(NAME)};

_Static_assert(PARAM_COUNT <= NAMES_MAX, "the table of names is too small");
_Static_assert(FIELD_COUNT < FIELD_NONE, "fields no longer fit into a byte");

/* "dimension7" -> 7; 0 where it is none, or past what has a field. */
static uint32_t dimension_number(ss_str name)
{
    static const char prefix[] = "dimension";
    size_t skip = sizeof prefix - 1;
    uint32_t n = 0;
    if (name.len <= skip || name.len > skip + 2 || memcmp(name.ptr, prefix, skip) != 0 ||
        name.ptr[skip] == '0')
        return 0;
    for (size_t i = skip; i < name.len; i++) {
        if (name.ptr[i] < '0' || name.ptr[i] > '9')
            return 0;
        n = n * 10 + (uint32_t)(name.ptr[i] - '0');
    }
    return n <= MATOMO_DIMENSION_MAX ? n : 0;
}

static void put_extra(params *p, ss_str name, ss_str value)
{
    uint32_t i = 0;
    while (i < p->extra_count && !ss_eq(p->extra[i].key, name))
        i++;
    if (i == EXTRA_MAX || p->extra_bytes + name.len + value.len > EXTRA_BYTES_MAX) {
        p->dropped++;
        return;
    }
    p->extra_bytes += (uint32_t)(name.len + value.len);
    p->extra[i] = (ss_pair){name, value};
    p->extra_count += i == p->extra_count;
}

static void put_unknown(params *p, ss_str name, ss_str value)
{
    uint32_t n = dimension_number(name);
    if (n > 0) {
        p->dimension[n - 1] = value;
        p->dimensions |= 1u << (n - 1);
    } else if (ss_eq(name, SS_LIT("tracker_install_check"))) {
        p->install_check = true;
    } else if (name.len > 0) {
        put_extra(p, name, value);
    }
}

static inline void put_known(params *p, uint32_t id, ss_str value)
{
    uint64_t bit = (uint64_t)1 << (id & 63u);
    p->value[id] = value;
    p->set[id >> 6] = value.len ? p->set[id >> 6] | bit : p->set[id >> 6] & ~bit;
}

void params_put(params *p, const names *table, ss_str name, ss_str value)
{
    uint32_t id = NAMES_NONE;
    if (name.len <= NAMES_LEN_MAX)
        id = names_find(table, names_load(name.ptr, name.len, name.ptr + name.len));
    p->count++;
    if (id == NAMES_NONE)
        put_unknown(p, name, value);
    else
        put_known(p, id, value);
}

size_t params_strip_nul(char *text, size_t len)
{
    char *nul = memchr(text, '\0', len);
    if (!nul)
        return len;
    size_t to = (size_t)(nul - text);
    for (size_t i = to; i < len; i++)
        if (text[i])
            text[to++] = text[i];
    return to;
}

static ss_str decoded(ss_str raw, char **out)
{
    char *to = *out ? *out : (char *)(uintptr_t)raw.ptr;
    size_t len = params_strip_nul(to, url_decode(to, raw));
    if (*out)
        *out += len;
    return ss_s(to, len);
}

typedef struct reader {
    params *p;
    const names *table;
    const char *end; /* of the query */
    char *out;       /* where decoded text goes, NULL: over the query */
} reader;

#define KEY_ENCODED   1u
#define VALUE_ENCODED 2u

static inline void read_pair(reader *r, ss_str key, ss_str value, uint32_t encoded)
{
    const char *end = r->end;
    if (encoded & VALUE_ENCODED)
        value = decoded(value, &r->out);
    if (encoded & KEY_ENCODED) {
        key = decoded(key, &r->out);
        end = key.ptr + key.len;
    }
    uint32_t id = NAMES_NONE;
    if (key.len <= NAMES_LEN_MAX)
        id = names_find(r->table, names_load(key.ptr, key.len, end));
    if (id == NAMES_NONE)
        put_unknown(r->p, key, value);
    else
        put_known(r->p, id, value);
}

void params_read(params *p, const names *table, ss_str query, char *out)
{
    /* One pass over all that delimits or needs decoding: url_marks() looks at 64 bytes at once. */
    reader r = {.p = p, .table = table, .end = query.ptr + query.len, .out = out};
    const char *from = query.ptr, *equals = NULL;
    uint32_t encoded = 0;
    for (const char *block = query.ptr;; block += 64) {
        uint64_t marks = block < r.end ? url_marks(block, (size_t)(r.end - block)) : 0;
        bool last = r.end - block <= 64;
        while (marks || last) {
            const char *at = marks ? block + __builtin_ctzll(marks) : r.end;
            if (marks && *at != '&') {
                if (*at == '=')
                    equals = equals ? equals : at;
                else
                    encoded |= equals ? VALUE_ENCODED : KEY_ENCODED;
                marks &= marks - 1;
                continue;
            }
            if (at > from) {
                const char *key_end = equals ? equals : at;
                ss_str value = equals ? ss_s(equals + 1, (size_t)(at - equals - 1)) : ss_s(at, 0);
                read_pair(&r, ss_s(from, (size_t)(key_end - from)), value, encoded);
                p->count++;
            }
            if (!marks)
                return;
            from = at + 1;
            equals = NULL;
            encoded = 0;
            marks &= marks - 1;
        }
    }
}
