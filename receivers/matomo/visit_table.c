#include "receivers/matomo/visit_table.h"

_Static_assert(sizeof(visit) == 64, "a visit is one cache line");
_Static_assert(sizeof(visit_bucket) == 64 * (VISIT_SLOTS + 1), "a bucket is its tags and its visits");
_Static_assert(sizeof(config_bucket) == 64 && sizeof(mark_bucket) == 64, "a bucket is one cache line");

/* Changes with the layout: what was written by another is emptied, not misread. */
#define TABLE_MAGIC UINT64_C(0x3153544953495653) /* "SVISITS1" */

typedef struct visit_head {
    _Alignas(64) uint64_t magic;
    uint64_t salt;
    uint32_t visit_count, spare;
} visit_head;

/* Two buckets of fingerprints for one of visits: six for eight. Half a bucket of marks: four for sixteen. */
static void count_buckets(visit_table *t, uint32_t visits)
{
    t->visit_count = (visits + 2 * VISIT_SLOTS - 1) / (2 * VISIT_SLOTS) * 2;
    t->config_count = 2 * t->visit_count;
    t->mark_count = t->visit_count / 2;
}

size_t visit_table_bytes(uint32_t visits)
{
    visit_table t;
    count_buckets(&t, visits);
    return sizeof(visit_head) + t.visit_count * sizeof(visit_bucket) +
           t.config_count * sizeof(config_bucket) + t.mark_count * sizeof(mark_bucket);
}

void visit_table_open(visit_table *t, void *memory, uint32_t visits, uint64_t random)
{
    char *at = memory;
    count_buckets(t, visits);
    t->head = memory;
    t->visits = (visit_bucket *)(void *)(at + sizeof(visit_head));
    t->configs = (config_bucket *)(void *)(t->visits + t->visit_count);
    t->marks = (mark_bucket *)(void *)(t->configs + t->config_count);
    if (t->head->magic == TABLE_MAGIC && t->head->visit_count == t->visit_count)
        return;
    if (t->head->magic != 0) /* a new file is zeroed already; writing it all would only cost memory */
        memset(memory, 0, visit_table_bytes(visits));
    t->head->salt = random;
    t->head->visit_count = t->visit_count;
    t->head->magic = TABLE_MAGIC;
}

uint64_t visit_table_salt(const visit_table *t)
{
    return t->head->salt;
}

void visit_table_set_salt(visit_table *t, uint64_t salt)
{
    t->head->salt = salt;
}

/* ---- visits ---- */

static uint32_t check_of(const visit *v)
{
    uint64_t word[7], h = HASH_C;
    uint32_t last;
    memcpy(word, v, sizeof word);
    memcpy(&last, (const char *)v + sizeof word, sizeof last);
    for (size_t i = 0; i + 1 < 7; i += 2)
        h = hash_mix(word[i] ^ h, word[i + 1]);
    return hash_short(hash_mix(word[6] ^ h, last));
}

bool visit_is_whole(const visit *v)
{
    return v->check == check_of(v);
}

void visit_seal(visit_bucket *b, uint32_t slot, uint32_t tag, uint32_t now_s)
{
    b->slot[slot].check = check_of(&b->slot[slot]);
    b->touch_s[slot] = now_s;
    b->tag[slot] = tag;
}

uint32_t visit_victim(const visit_bucket *b, uint32_t tag, uint32_t now_s)
{
    uint32_t oldest = 0, own = tag % VISIT_SLOTS;
    if (b->tag[own] == 0)
        return own;
    for (uint32_t i = 0; i < VISIT_SLOTS; i++) {
        if (b->tag[i] == 0)
            return i;
        if (visit_age_s(b->touch_s[i], now_s) > visit_age_s(b->touch_s[oldest], now_s))
            oldest = i;
    }
    return oldest;
}

/* ---- fingerprints ---- */

void config_put(config_bucket *b, uint64_t config, uint64_t visitor, uint32_t now_s)
{
    uint32_t slot = 0;
    for (uint32_t i = 0; i < CONFIG_SLOTS; i++) {
        if (b->config[i] == config && b->visitor[i] == visitor) {
            slot = i;
            break;
        }
        if (visit_age_s(b->touch_s[i], now_s) > visit_age_s(b->touch_s[slot], now_s))
            slot = i;
    }
    b->config[slot] = config;
    b->visitor[slot] = visitor;
    b->touch_s[slot] = now_s;
}

/* ---- marks ---- */

static uint64_t mark_mask(const visit_mark *m)
{
    return hash_mix((uint64_t)m->hit << 32 | m->at_s, HASH_C);
}

uint64_t mark_key(const visit_mark *m)
{
    return m->key ^ mark_mask(m);
}

visit_mark *mark_find(mark_bucket *b, uint64_t key)
{
    for (uint32_t i = 0; i < MARK_SLOTS; i++)
        if (b->slot[i].at_s && mark_key(&b->slot[i]) == key)
            return &b->slot[i];
    return NULL;
}

void mark_put(mark_bucket *b, uint64_t key, uint32_t hit, uint32_t now_s)
{
    visit_mark *m = &b->slot[0];
    for (uint32_t i = 1; i < MARK_SLOTS; i++)
        if (visit_age_s(b->slot[i].at_s, now_s) > visit_age_s(m->at_s, now_s))
            m = &b->slot[i];
    m->hit = hit;
    m->at_s = now_s;
    m->key = key ^ mark_mask(m);
}
