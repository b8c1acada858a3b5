#include "plugins/common/json_tape.h"

#define TAPE_TOKENS_FIRST 64u
#define TAPE_SEEN_BITS    256u /* per open object: which hashes its keys had               */
#define TAPE_LINEAR_KEYS  64u  /* objects with more members look for doubles by sorting    */

typedef struct tape_object { /* one open container */
    uint32_t at, count;
    bool object;
    uint64_t seen[TAPE_SEEN_BITS / 64];
} tape_object;

typedef struct tape_reader {
    json_tape *tape;
    json_scan scan;
    tape_memory memory;
    tape_object open[JSON_DEPTH_MAX];
    uint32_t depth;
} tape_reader;

static bool tape_fail(tape_reader *r, const char *problem)
{
    if (!r->tape->problem) {
        r->tape->problem = problem;
        r->tape->offset = json_offset(&r->scan);
    }
    return false;
}

static bool tape_no_memory(tape_reader *r)
{
    r->tape->no_memory = true;
    return tape_fail(r, "no memory for an input of this size");
}

static __attribute__((noinline)) bool tape_grow(tape_reader *r)
{
    json_tape *t = r->tape;
    uint32_t size = t->size ? t->size * 2 : (uint32_t)(TAPE_TOKENS_FIRST + t->text.len / 16);
    tape_token *tokens = r->memory.take(r->memory.arg, size * sizeof *tokens);
    if (!tokens)
        return tape_no_memory(r);
    if (t->count)
        memcpy(tokens, t->tokens, t->count * sizeof *tokens);
    t->tokens = tokens;
    t->size = size;
    return true;
}

static inline uint64_t load(const char *p, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, p, len);
    return word;
}

/* The bytes of a key in words; the last one may overlap the one before. */
uint32_t json_tape_hash(ss_str key)
{
    const char *p = key.ptr, *end = p + key.len;
    uint64_t h = 0x9E3779B97F4A7C15u ^ key.len;
    for (; end - p > 8; p += 8) {
        h = (h ^ load(p, 8)) * 0xFF51AFD7ED558CCDu;
        h ^= h >> 32;
    }
    uint64_t last = 0;
    if (key.len >= 8)
        last = load(end - 8, 8);
    else if (key.len >= 4)
        last = load(p, 4) | load(end - 4, 4) << 32;
    else if (key.len > 0)
        last = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[key.len / 2] << 8 |
               (unsigned char)end[-1];
    h = (h ^ last) * 0xC4CEB9FE1A85EC53u;
    return (uint32_t)(h >> 32);
}

/* A \uD800 to \uDFFF that is not one of a pair; text: checked by the scanner. */
static bool half_surrogate(ss_str raw)
{
    const char *p = raw.ptr, *end = raw.ptr + raw.len;
    while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        if (p[1] != 'u' || (p[2] | 0x20) != 'd' || p[3] < '8') {
            p += 2;
            continue;
        }
        bool first = p[3] == '8' || p[3] == '9' || (p[3] | 0x20) == 'a' || (p[3] | 0x20) == 'b';
        if (!first || end - p < 12 || p[6] != '\\' || p[7] != 'u' || (p[8] | 0x20) != 'd' ||
            (p[9] | 0x20) < 'c')
            return true;
        p += 12;
    }
    return false;
}

/* Rare: kept out of the way of the common case. */
static __attribute__((noinline)) bool put_escaped(tape_reader *r, tape_token *token, ss_str raw)
{
    if (half_surrogate(raw))
        return tape_fail(r, "half a surrogate pair in a string");
    char *plain = r->memory.take(r->memory.arg, raw.len);
    if (!plain)
        return tape_no_memory(r);
    token->len = (uint32_t)json_unescape(plain, raw);
    token->ptr = plain;
    return true;
}

static inline tape_token *push(tape_reader *r, const json_value *v)
{
    json_tape *t = r->tape;
    if (__builtin_expect(t->count == t->size, 0) && !tape_grow(r))
        return NULL;
    tape_token *token = &t->tokens[t->count++];
    bool string = v->kind == JSON_STRING, container = v->kind == JSON_OBJECT || v->kind == JSON_ARRAY;
    token->ptr = v->text.ptr;
    token->len = (uint32_t)v->text.len;
    token->at = (uint32_t)(container ? r->scan.at - 1 - t->text.ptr : v->text.ptr - string - t->text.ptr);
    token->raw_len = token->len + 2u * string;
    token->next = t->count;
    token->count = 0;
    token->kind = (uint8_t)v->kind;
    token->key = 0;
    if (__builtin_expect(string && v->escaped, 0))
        return put_escaped(r, token, v->text) ? token : NULL;
    return token;
}

static bool same_key(const tape_token *a, const tape_token *b)
{
    return a->count == b->count && ss_eq(json_tape_str(a), json_tape_str(b));
}

/* Was this key, the newest of the object, there before? Looks only where its hash says that it may. */
static bool key_is_double(const tape_reader *r, tape_object *o, uint32_t members)
{
    const tape_token *tokens = r->tape->tokens, *key = &tokens[r->tape->count - 1];
    uint64_t *word = &o->seen[key->count % TAPE_SEEN_BITS / 64], bit = (uint64_t)1 << (key->count & 63u);
    bool maybe = *word & bit;
    *word |= bit;
    if (!maybe || members > TAPE_LINEAR_KEYS)
        return false;
    for (const tape_token *k = &tokens[o->at + 1]; k < key; k = &tokens[k[1].next])
        if (same_key(k, key))
            return true;
    return false;
}

static bool take_key(tape_reader *r, const json_value *v)
{
    tape_object *o = &r->open[r->depth - 1];
    tape_token *key = push(r, v);
    if (!key)
        return false;
    key->key = 1;
    key->count = json_tape_hash(json_tape_str(key));
    return !key_is_double(r, o, ++o->count) || tape_fail(r, "the same key twice in an object");
}

static int compare_keys(const tape_token *a, const tape_token *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return a->len ? memcmp(a->ptr, b->ptr, a->len) : 0;
}

static void sift(const tape_token *tokens, uint32_t *heap, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare_keys(&tokens[heap[child]], &tokens[heap[child + 1]]) < 0)
            child++;
        if (compare_keys(&tokens[heap[root]], &tokens[heap[child]]) >= 0)
            return;
        uint32_t swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
    }
}

/* Large objects: sorts the keys (a heap: no input makes it slow), doubles are neighbours then. */
static __attribute__((noinline)) bool large_object_ok(tape_reader *r, uint32_t object)
{
    const tape_token *tokens = r->tape->tokens;
    uint32_t count = tokens[object].count;
    uint32_t *heap = r->memory.take(r->memory.arg, count * sizeof *heap);
    if (!heap)
        return tape_no_memory(r);
    for (uint32_t i = 0, key = object + 1; i < count; i++, key = tokens[key + 1].next)
        heap[i] = key;
    for (uint32_t i = count / 2; i-- > 0;)
        sift(tokens, heap, i, count);
    for (uint32_t left = count, last = 0; left > 0; left--) {
        uint32_t top = heap[0];
        if (last && same_key(&tokens[top], &tokens[last]))
            return tape_fail(r, "the same key twice in an object");
        last = top;
        heap[0] = heap[left - 1];
        sift(tokens, heap, 0, left - 1);
    }
    return true;
}

static bool close_container(tape_reader *r)
{
    json_tape *t = r->tape;
    const tape_object *o = &r->open[--r->depth];
    tape_token *token = &t->tokens[o->at];
    token->count = o->count;
    token->next = t->count;
    token->raw_len = (uint32_t)json_offset(&r->scan) - token->at;
    return token->kind != JSON_OBJECT || token->count <= TAPE_LINEAR_KEYS || large_object_ok(r, o->at);
}

/* Behind a value: to the next one, closing what ends here. *more false: the text's value is complete. */
static bool advance(tape_reader *r, bool *more)
{
    json_value key;
    while (r->depth > 0) {
        tape_object *o = &r->open[r->depth - 1];
        *more = o->object ? json_member(&r->scan, &key) : json_item(&r->scan);
        if (r->scan.problem)
            return tape_fail(r, r->scan.problem);
        if (*more) {
            if (o->object)
                return take_key(r, &key);
            o->count++;
            return true;
        }
        if (!close_container(r))
            return false;
    }
    *more = false;
    return true;
}

bool json_tape_read(json_tape *t, ss_str text, tape_memory memory)
{
    tape_reader r; /* not zeroed: the open containers are large and mostly unused */
    json_value v;
    bool more = true;
    *t = (json_tape){.text = text};
    r.tape = t;
    r.memory = memory;
    r.depth = 0;
    json_start(&r.scan, text);
    while (more) {
        if (!json_read(&r.scan, &v))
            return tape_fail(&r, r.scan.problem);
        if (!push(&r, &v))
            return false;
        if (v.kind == JSON_OBJECT || v.kind == JSON_ARRAY) {
            tape_object *o = &r.open[r.depth++];
            *o = (tape_object){.at = t->count - 1, .object = v.kind == JSON_OBJECT};
        }
        if (!advance(&r, &more))
            return false;
    }
    return json_finish(&r.scan) || tape_fail(&r, r.scan.problem);
}

uint32_t json_tape_find(const json_tape *t, uint32_t object, ss_str key)
{
    const tape_token *tokens = t->tokens;
    if (tokens[object].kind != JSON_OBJECT)
        return 0;
    uint32_t hash = json_tape_hash(key), at = object + 1;
    for (uint32_t i = 0; i < tokens[object].count; i++, at = tokens[at + 1].next)
        if (tokens[at].count == hash && ss_eq(json_tape_str(&tokens[at]), key))
            return at + 1;
    return 0;
}
