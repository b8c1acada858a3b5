/* The visits in mapped memory: three tables of small buckets, in each of which the oldest entry makes room.
   No locks and no rules here; visits.c has both. Every entry can be told from a torn one: the process may be
   killed between any two stores. */
#ifndef MATOMO_VISIT_TABLE_H
#define MATOMO_VISIT_TABLE_H

#include "receivers/matomo/hash.h"

#define VISIT_SLOTS  8u
#define CONFIG_SLOTS 3u
#define MARK_SLOTS   4u

typedef struct visit { /* one cache line */
    uint64_t visitor;  /* the 16 hexadecimal digits */
    uint64_t id;
    uint64_t config; /* fingerprint of the client that began it */
    int64_t site;
    uint32_t user;               /* hashes, 0 = none */
    uint32_t campaign, referrer; /* what brought the visitor; both 0: came directly */
    uint32_t first_s, last_s;    /* of its hits, unix seconds */
    uint32_t first_hit;          /* what tells its first hit from others; 0 = nothing does */
    uint32_t hits;               /* all but heartbeats */
    uint32_t check;
} visit;

typedef struct visit_bucket {
    _Alignas(64) uint32_t tag[VISIT_SLOTS]; /* of visitor and site; 0: the slot is free */
    uint32_t touch_s[VISIT_SLOTS];          /* when it was last written, by the server's clock */
    visit slot[VISIT_SLOTS];
} visit_bucket;

typedef struct config_bucket { /* fingerprint (site included) -> visitor; what it leads to is checked there */
    _Alignas(64) uint64_t config[CONFIG_SLOTS];
    uint64_t visitor[CONFIG_SLOTS];
    uint32_t touch_s[CONFIG_SLOTS];
    uint32_t spare;
} config_bucket;

typedef struct visit_mark { /* something that may happen once: an order, a goal in a visit */
    uint64_t key;           /* mixed with the other two: a torn one fits no key */
    uint32_t hit;           /* what tells the hit that did it from others; 0 = nothing does */
    uint32_t at_s;
} visit_mark;

typedef struct mark_bucket {
    _Alignas(64) visit_mark slot[MARK_SLOTS];
} mark_bucket;

typedef struct visit_table {
    struct visit_head *head;
    visit_bucket *visits;
    config_bucket *configs;
    mark_bucket *marks;
    uint32_t visit_count, config_count, mark_count; /* of buckets */
} visit_table;

/* Bytes for that many visits. */
size_t visit_table_bytes(uint32_t visits);
/* Lays the table over the memory, which is one of ours or zeroed; anything else is emptied. random: for a new
   one. */
void visit_table_open(visit_table *t, void *memory, uint32_t visits, uint64_t random);
uint64_t visit_table_salt(const visit_table *t);
void visit_table_set_salt(visit_table *t, uint64_t salt);

typedef struct visit_place {
    uint32_t bucket, tag;
} visit_place;

/* Where in a table of `count` buckets. */
static inline visit_place visit_place_of(uint64_t hash, uint32_t count)
{
    uint32_t tag = (uint32_t)hash;
    return (visit_place){(uint32_t)((hash >> 32) * count >> 32), tag ? tag : 1};
}

static inline visit_place visit_place_at(const visit_table *t, uint64_t visitor, int64_t site_id)
{
    return visit_place_of(hash_mix(visitor, (uint64_t)site_id), t->visit_count);
}

#define CLOCK_SLACK_S 3600u

/* How long ago, for choosing what makes room. What a clock wrote that was wrong by more than the slack is
   older than all else: it must not sit there until that time comes. */
static inline uint32_t visit_age_s(uint32_t touch_s, uint32_t now_s)
{
    return now_s + CLOCK_SLACK_S - touch_s;
}

/* Seals what was written into the slot. */
void visit_seal(visit_bucket *b, uint32_t slot, uint32_t tag, uint32_t now_s);
bool visit_is_whole(const visit *v);
/* The tag's own slot where that is free (it is fetched ahead), else a free one, else the one that was not
   touched for the longest time. */
uint32_t visit_victim(const visit_bucket *b, uint32_t tag, uint32_t now_s);

/* The visitor's place in the bucket is made or renewed. */
void config_put(config_bucket *b, uint64_t config, uint64_t visitor, uint32_t now_s);

/* The mark with that key, or NULL. */
visit_mark *mark_find(mark_bucket *b, uint64_t key);
void mark_put(mark_bucket *b, uint64_t key, uint32_t hit, uint32_t now_s);
/* The key it was made with. */
uint64_t mark_key(const visit_mark *m);

#endif
