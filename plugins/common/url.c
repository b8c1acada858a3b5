#include "plugins/common/url.h"

#include "plugins/common/block.h"

/* By character: the value of a hex digit, else more than two of them make. */
#define X 0x100
static const uint16_t hex_value[256] = {
    X, X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, X, X, X, X, X, X,
    X, 10, 11, 12, 13, 14, 15, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, 10, 11, 12, 13, 14, 15, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X};
#undef X

/* The character at `at`, or what stands for it. */
static inline const char *decode_one(char **to, const char *at, const char *end, char plus, bool keep_nul)
{
    char c = *at++;
    if (c == '%' && end - at >= 2) {
        uint32_t byte = (uint32_t)hex_value[(unsigned char)at[0]] << 4 | hex_value[(unsigned char)at[1]];
        if (byte < 256) { /* what is no digit has a value beyond */
            c = (char)byte;
            at += 2;
        }
    } else if (c == '+') {
        c = plus;
    }
    **to = c;
    *to += keep_nul || c != '\0';
    return at;
}

/* Runs without anything to decode are copied as blocks. In place (out == in.ptr) a block may only be stored
   where it ends before what was not read yet. */
static inline __attribute__((always_inline)) size_t decode(char *out, ss_str in, char plus, bool keep_nul)
{
    const char *at = in.ptr, *end = at + in.len;
    char *to = out;
    bool apart = out + in.len <= in.ptr || end <= out;
    while (at < end) {
        size_t rest = (size_t)(end - at), whole = rest < BLOCK_BYTES ? rest : BLOCK_BYTES;
        block b = rest < BLOCK_BYTES ? block_load_short(at, rest) : block_load(at);
        uint32_t code = block_equal2(b, '%', '+') | 1u << whole; /* the end of the block stops a run, too */
        size_t run = block_first(code);
        if (rest >= BLOCK_BYTES && (apart || run == BLOCK_BYTES))
            block_store(to, b);
        else
            block_copy_short(to, at, run);
        at += run;
        to += run;
        if (run == whole)
            continue;
        at = decode_one(&to, at, end, plus, keep_nul);
    }
    return (size_t)(to - out);
}

size_t url_decode(char *out, ss_str in)
{
    return decode(out, in, ' ', true);
}

size_t url_decode_text(char *out, ss_str in)
{
    return decode(out, in, ' ', false);
}

size_t url_decode_path(char *out, ss_str in)
{
    return decode(out, in, '+', true);
}

/* The first of a, b in [at, end); end where there is none. seen: were there % or + before it? */
static inline const char *find(const char *at, const char *end, char a, char b, bool *seen)
{
    while (at < end) {
        size_t len = (size_t)(end - at);
        block text = len >= BLOCK_BYTES ? block_load(at) : block_load_short(at, len);
        uint32_t valid = len >= BLOCK_BYTES ? 0xFFFFu : (1u << len) - 1;
        uint32_t stop = (block_equal(text, a) | block_equal(text, b)) & valid;
        uint32_t code = (block_equal(text, '%') | block_equal(text, '+')) & valid;
        if (stop) {
            *seen |= (code & (stop - 1) & ~stop) != 0;
            return at + block_first(stop);
        }
        *seen |= code != 0;
        at += len >= BLOCK_BYTES ? BLOCK_BYTES : len;
    }
    return end;
}

bool url_pairs_next(url_pairs *p, url_pair *pair)
{
    while (p->at < p->end && *p->at == '&')
        p->at++;
    if (p->at >= p->end)
        return false;
    const char *from = p->at;
    pair->key_encoded = pair->value_encoded = false;
    const char *stop = find(from, p->end, '=', '&', &pair->key_encoded);
    pair->key = ss_s(from, (size_t)(stop - from));
    pair->has_value = stop < p->end && *stop == '=';
    pair->value = ss_s(stop, 0);
    if (pair->has_value) {
        from = stop + 1;
        stop = find(from, p->end, '&', '&', &pair->value_encoded);
        pair->value = ss_s(from, (size_t)(stop - from));
    }
    p->at = stop;
    return true;
}

static inline void look_block(url_bits *bits, block b, uint32_t at)
{
    bits->ends |= (uint64_t)block_equal(b, '&') << at;
    bits->code |= (uint64_t)block_equal2(b, '%', '+') << at;
}

void url_look(url_bits *out, const char *text, size_t len)
{
    url_bits bits = {0, 0};
    if (len >= 64) {
        look_block(&bits, block_load(text), 0);
        look_block(&bits, block_load(text + 16), 16);
        look_block(&bits, block_load(text + 32), 32);
        look_block(&bits, block_load(text + 48), 48);
    } else {
        for (uint32_t at = 0; at < len; at += BLOCK_BYTES) {
            size_t rest = len - at;
            look_block(&bits, rest >= BLOCK_BYTES ? block_load(text + at) : block_load_short(text + at, rest),
                       at);
        }
        uint64_t valid = ((uint64_t)1 << len) - 1;
        bits.ends &= valid;
        bits.code &= valid;
    }
    *out = bits;
}

int64_t url_query_get(ss_str query, const char *name, char *out, size_t size)
{
    char key[128];
    url_pairs pairs;
    url_pair pair;
    url_pairs_start(&pairs, query);
    while (url_pairs_next(&pairs, &pair)) {
        if (pair.key.len > sizeof key)
            continue;
        size_t len = url_decode(key, pair.key);
        if (!ss_eq(ss_s(key, len), ss_cstr(name)))
            continue;
        return pair.value.len <= size ? (int64_t)url_decode(out, pair.value) : -1;
    }
    return -1;
}

size_t url_encode(char *out, ss_str in)
{
    static const char hex[] = "0123456789ABCDEF";
    char *to = out;
    for (size_t i = 0; i < in.len; i++) {
        unsigned char c = (unsigned char)in.ptr[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
                     c == '.' || c == '_' || c == '~';
        if (plain) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '%';
        *to++ = hex[c >> 4];
        *to++ = hex[c & 15];
    }
    return (size_t)(to - out);
}
