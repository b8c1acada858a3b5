#include "plugins/common/json_tape.h"

#define TAPE_TOKENS_FIRST 64u
#define TAPE_SEEN_BITS    256u /* per open object: which hashes its keys had               */
#define TAPE_LINEAR_KEYS  64u  /* objects with more members look for doubles by sorting    */

typedef struct tape_object { /* one open container */
    uint32_t at;
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

static bool tape_grow(tape_reader *r)
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

uint32_t json_tape_hash(ss_str key)
{
    const char *p = key.ptr;
    size_t left = key.len;
    uint64_t h = 0x9E3779B97F4A7C15u ^ left, part;
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&part, p, 8);
        h = (h ^ part) * 0xFF51AFD7ED558CCDu;
        h ^= h >> 32;
    }
    for (part = 0; left > 0; left--)
        part = part << 8 | (unsigned char)p[left - 1];
    h = (h ^ part) * 0xC4CEB9FE1A85EC53u;
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

static bool put_string(tape_reader *r, tape_token *token, const json_value *v)
{
    token->ptr = v->text.ptr;
    token->len = (uint32_t)v->text.len;
    token->at = (uint32_t)(v->text.ptr - 1 - r->tape->text.ptr);
    token->raw_len = token->len + 2;
    if (!v->escaped)
        return true;
    if (half_surrogate(v->text))
        return tape_fail(r, "half a surrogate pair in a string");
    char *plain = r->memory.take(r->memory.arg, v->text.len);
    if (!plain)
        return tape_no_memory(r);
    token->len = (uint32_t)json_unescape(plain, v->text);
    token->ptr = plain;
    return true;
}

static tape_token *push(tape_reader *r, const json_value *v)
{
    json_tape *t = r->tape;
    if (t->count == t->size && !tape_grow(r))
        return NULL;
    tape_token *token = &t->tokens[t->count++];
    *token = (tape_token){.kind = (uint8_t)v->kind, .next = t->count};
    if (v->kind == JSON_STRING)
        return put_string(r, token, v) ? token : NULL;
    if (v->kind == JSON_OBJECT || v->kind == JSON_ARRAY) {
        token->at = (uint32_t)(json_offset(&r->scan) - 1);
        return token;
    }
    token->ptr = v->text.ptr;
    token->len = token->raw_len = (uint32_t)v->text.len;
    token->at = (uint32_t)(v->text.ptr - t->text.ptr);
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
    uint32_t members = ++r->tape->tokens[o->at].count;
    return !key_is_double(r, o, members) || tape_fail(r, "the same key twice in an object");
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
static bool large_object_ok(tape_reader *r, uint32_t object)
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
    uint32_t at = r->open[--r->depth].at;
    tape_token *token = &t->tokens[at];
    token->next = t->count;
    token->raw_len = (uint32_t)json_offset(&r->scan) - token->at;
    return token->kind != JSON_OBJECT || token->count <= TAPE_LINEAR_KEYS || large_object_ok(r, at);
}

/* Behind a value: to the next one, closing what ends here. *more false: the text's value is complete. */
static bool advance(tape_reader *r, bool *more)
{
    json_value key;
    for (; r->depth > 0; *more = false) {
        uint32_t at = r->open[r->depth - 1].at;
        bool object = r->tape->tokens[at].kind == JSON_OBJECT;
        *more = object ? json_member(&r->scan, &key) : json_item(&r->scan);
        if (r->scan.problem)
            return tape_fail(r, r->scan.problem);
        if (*more) {
            r->tape->tokens[at].count += !object;
            return !object || take_key(r, &key);
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
            *o = (tape_object){.at = t->count - 1};
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
