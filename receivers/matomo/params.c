#include "receivers/matomo/params.h"

#include "plugins/common/block.h"
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

/* An empty value is as good as none. */
static inline void put_known(params *p, uint32_t id, ss_str value)
{
    p->value[id] = value;
    p->filled[id] = value.len > 0;
}

/* From a byte per parameter to a bit. */
static void collect(params *p)
{
    for (uint32_t w = 0; w < PARAM_WORDS; w++) {
        uint64_t bits = 0;
        for (uint32_t at = 0; at < 64; at += BLOCK_BYTES)
            bits |= (uint64_t)(uint16_t)~block_equal(block_load(p->filled + w * 64 + at), '\0') << at;
        p->set[w] = bits;
    }
}

void params_put(params *p, const names *table, ss_str name, ss_str value)
{
    uint32_t id = NAMES_NONE;
    if (name.len <= NAMES_LEN_MAX)
        id = names_find(table, names_load(name.ptr, name.len, name.ptr + name.len));
    p->count++;
    if (id == NAMES_NONE) {
        put_unknown(p, name, value);
        return;
    }
    put_known(p, id, value);
    uint64_t bit = (uint64_t)1 << (id & 63u);
    p->set[id >> 6] = value.len ? p->set[id >> 6] | bit : p->set[id >> 6] & ~bit;
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
    size_t len = url_decode_text(to, raw);
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

static bool has_code(ss_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '%' || text.ptr[i] == '+')
            return true;
    return false;
}

/* Any pair, [from, at): kept out of the loop. Returns its number, or NAMES_NONE. */
static __attribute__((noinline)) uint32_t read_any(reader *r, const char *from, const char *at, bool encoded)
{
    if (at == from)
        return NAMES_NONE;
    const char *equals = memchr(from, '=', (size_t)(at - from)), *end = r->end;
    ss_str key = ss_s(from, (size_t)((equals ? equals : at) - from));
    ss_str value = equals ? ss_s(equals + 1, (size_t)(at - equals - 1)) : ss_s(at, 0);
    if (encoded) {
        if (has_code(key)) {
            key = decoded(key, &r->out);
            end = key.ptr + key.len;
        }
        value = decoded(value, &r->out);
    }
    uint32_t id = NAMES_NONE;
    if (key.len <= NAMES_LEN_MAX)
        id = names_find(r->table, names_load(key.ptr, key.len, end));
    if (id != NAMES_NONE)
        put_known(r->p, id, value);
    else
        put_unknown(r->p, key, value);
    return id;
}

/* By name, the one that stood behind it last time: a tracker writes its parameters in one order, so that a
   comparison with the expected name mostly takes the place of the search for '=' and of a look-up. */
static __attribute__((noinline)) uint8_t *order_memory(void)
{
    static _Thread_local uint8_t follows[NAMES_NONE + 1];
    return follows;
}

void params_read(params *p, const names *table, ss_str query, char *out)
{
    /* One pass over bit masks of what ends a pair and what needs decoding. */
    reader r = {.p = p, .table = table, .end = query.ptr + query.len, .out = out};
    const char *from = query.ptr, *end = r.end;
    uint8_t *follows = order_memory();
    uint32_t last = NAMES_NONE;
    bool encoded = false; /* in an earlier part of this pair */
    for (size_t i = 0; i < query.len && !p->count; i++)
        p->count = query.ptr[i] != '&';
    for (const char *part = query.ptr;; part += 64) {
        size_t left = (size_t)(end - part);
        url_bits bits;
        url_look(&bits, part, left);
        if (left < 64)
            bits.ends |= (uint64_t)1 << left; /* the end of the query ends its last pair */
        uint64_t ends = bits.ends, code = bits.code;
        while (ends) {
            uint64_t before = ends ^ (ends - 1); /* up to this end */
            const char *at = part + __builtin_ctzll(ends);
            uint32_t id = follows[last];
            size_t len = table->lengths[id], pair_len = (size_t)(at - from);
            encoded |= (code & before) != 0;
            if (pair_len > len && end - from >= (ptrdiff_t)BLOCK_BYTES && names_begins(table, id, from) &&
                from[len] == '=') {
                ss_str value = ss_s(from + len + 1, pair_len - len - 1);
                put_known(p, id, encoded ? decoded(value, &r.out) : value);
            } else {
                id = read_any(&r, from, at, encoded);
                if (id == NAMES_NONE)
                    id = last; /* what has no number says nothing about the order */
                else
                    follows[last] = (uint8_t)id;
            }
            last = id;
            code &= ~before;
            ends &= ends - 1;
            encoded = false;
            from = at + 1;
        }
        if (left < 64)
            break;
        encoded |= code != 0;
    }
    collect(p);
}
