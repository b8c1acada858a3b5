#include "enrichers/device/cache.h"

#include <pthread.h>
#include <stdlib.h>

#define SHARDS        16u
#define BYTES_A_CHAIN 512u /* an entry takes about that much: as many chains as entries */

/* Key and texts follow in the same allocation. */
typedef struct entry {
    struct entry *chain;         /* of the same slot                    */
    struct entry *newer, *older; /* in the order of their last use      */
    uint64_t hash;
    uint32_t agent_len, hints_len, texts_len;
    uint16_t len[VIEW_COUNT];
    bool is_mobile, is_crawler;
    char bytes[];
} entry;

typedef struct shard {
    _Alignas(64) pthread_mutex_t lock;
    entry **slots;
    entry *newest, *oldest;
    size_t bytes;
} shard;

struct cache {
    shard shards[SHARDS];
    uint32_t mask;
    size_t shard_bytes;
};

static uint64_t mix(uint64_t h, ss_str text)
{
    const char *p = text.ptr;
    size_t n = text.len;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x9E3779B97F4A7C15u;
        h ^= h >> 32;
    }
    uint64_t tail = n;
    for (size_t i = 0; i < n; i++)
        tail = tail << 8 | (unsigned char)p[i];
    h = (h ^ tail) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

cache *cache_new(size_t bytes)
{
    cache *c = aligned_alloc(64, (sizeof *c + 63) / 64 * 64);
    if (!c)
        return NULL;
    memset(c, 0, sizeof *c);
    c->shard_bytes = bytes / SHARDS;
    for (c->mask = 15; ((size_t)c->mask + 1) * BYTES_A_CHAIN < c->shard_bytes; c->mask = c->mask * 2 + 1)
        ;
    bool ok = true;
    for (uint32_t i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_init(&c->shards[i].lock, NULL);
        c->shards[i].slots = calloc((size_t)c->mask + 1, sizeof *c->shards[i].slots);
        ok = ok && c->shards[i].slots;
    }
    if (ok)
        return c;
    cache_free(c);
    return NULL;
}

static size_t entry_bytes(const entry *e)
{
    return sizeof *e + e->agent_len + e->hints_len + e->texts_len;
}

static bool is_of(const entry *e, uint64_t hash, ss_str agent, ss_str hints)
{
    return e->hash == hash && e->agent_len == agent.len && e->hints_len == hints.len &&
           memcmp(e->bytes, agent.ptr, agent.len) == 0 &&
           (hints.len == 0 || memcmp(e->bytes + agent.len, hints.ptr, hints.len) == 0);
}

/* ---- a shard; its lock is held ---- */

static entry **slot_of(const cache *c, const shard *s, uint64_t hash)
{
    return &s->slots[hash >> 32 & c->mask];
}

static void unlink_use(shard *s, entry *e)
{
    *(e->newer ? &e->newer->older : &s->newest) = e->older;
    *(e->older ? &e->older->newer : &s->oldest) = e->newer;
}

static void link_newest(shard *s, entry *e)
{
    e->newer = NULL;
    e->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = e;
    s->newest = e;
}

static void drop_oldest(const cache *c, shard *s)
{
    entry *e = s->oldest, **at = slot_of(c, s, e->hash);
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlink_use(s, e);
    s->bytes -= entry_bytes(e);
    free(e);
}

static entry *find(const cache *c, shard *s, uint64_t hash, ss_str agent, ss_str hints)
{
    entry *e = *slot_of(c, s, hash);
    while (e && !is_of(e, hash, agent, hints))
        e = e->chain;
    if (e && e != s->newest) {
        unlink_use(s, e);
        link_newest(s, e);
    }
    return e;
}

static void point(view *out, const entry *e, const char *texts)
{
    for (size_t i = 0; i < VIEW_COUNT; i++) {
        out->text[i] = ss_s(texts, e->len[i]);
        texts += e->len[i];
    }
    out->is_mobile = e->is_mobile;
    out->is_crawler = e->is_crawler;
}

/* ---- the whole ---- */

static uint64_t hash_of(ss_str agent, ss_str hints)
{
    return mix(mix(agent.len, agent), hints);
}

bool cache_get(cache *c, ss_str agent, ss_str hints, const ss_host *host, ss_call *call, view *out)
{
    uint64_t hash = hash_of(agent, hints);
    shard *s = &c->shards[hash & (SHARDS - 1)];
    char *texts = NULL;
    (void)pthread_mutex_lock(&s->lock);
    const entry *e = find(c, s, hash, agent, hints);
    if (e && (texts = host->mem(call, e->texts_len + 1))) {
        memcpy(texts, e->bytes + e->agent_len + e->hints_len, e->texts_len);
        point(out, e, texts);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return texts;
}

static entry *entry_make(uint64_t hash, ss_str agent, ss_str hints, const view *v)
{
    size_t texts = view_bytes(v);
    entry *e = malloc(sizeof *e + agent.len + hints.len + texts);
    view ignored;
    if (!e)
        return NULL;
    *e = (entry){.hash = hash,
                 .agent_len = (uint32_t)agent.len,
                 .hints_len = (uint32_t)hints.len,
                 .texts_len = (uint32_t)texts,
                 .is_mobile = v->is_mobile,
                 .is_crawler = v->is_crawler};
    memcpy(e->bytes, agent.ptr, agent.len);
    if (hints.len)
        memcpy(e->bytes + agent.len, hints.ptr, hints.len);
    view_copy(&ignored, v, e->bytes + agent.len + hints.len);
    for (size_t i = 0; i < VIEW_COUNT; i++)
        e->len[i] = (uint16_t)v->text[i].len;
    return e;
}

void cache_put(cache *c, ss_str agent, ss_str hints, const view *v)
{
    uint64_t hash = hash_of(agent, hints);
    shard *s = &c->shards[hash & (SHARDS - 1)];
    entry *e = c->shard_bytes ? entry_make(hash, agent, hints, v) : NULL;
    if (!e)
        return;
    if (entry_bytes(e) > c->shard_bytes / 2) {
        free(e);
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    bool there = find(c, s, hash, agent, hints); /* another thread was faster */
    if (!there) {
        while (s->oldest && s->bytes + entry_bytes(e) > c->shard_bytes)
            drop_oldest(c, s);
        entry **slot = slot_of(c, s, hash);
        e->chain = *slot;
        *slot = e;
        link_newest(s, e);
        s->bytes += entry_bytes(e);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (there)
        free(e);
}

void cache_clear(cache *c)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_lock(&c->shards[i].lock);
        while (c->shards[i].oldest)
            drop_oldest(c, &c->shards[i]);
        (void)pthread_mutex_unlock(&c->shards[i].lock);
    }
}

void cache_free(cache *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < SHARDS; i++) {
        if (c->shards[i].slots)
            while (c->shards[i].oldest)
                drop_oldest(c, &c->shards[i]);
        free(c->shards[i].slots);
        (void)pthread_mutex_destroy(&c->shards[i].lock);
    }
    free(c);
}

size_t view_bytes(const view *v)
{
    size_t bytes = 0;
    for (size_t i = 0; i < VIEW_COUNT; i++)
        bytes += v->text[i].len;
    return bytes;
}

void view_copy(view *out, const view *v, char *to)
{
    view from = *v; /* out may be v */
    *out = from;
    for (size_t i = 0; i < VIEW_COUNT; i++) {
        if (from.text[i].len)
            memcpy(to, from.text[i].ptr, from.text[i].len);
        out->text[i].ptr = to;
        to += from.text[i].len;
    }
}
