/* Short names to numbers through a perfect hash that is searched for once: a look-up is one multiplication,
   one byte of a table and one comparison of 16 bytes. */
#ifndef MATOMO_NAMES_H
#define MATOMO_NAMES_H

#include "plugins/common/block.h"
#include "streamsteam/plugin.h"

#define NAMES_LEN_MAX 16u   /* bytes of a name                        */
#define NAMES_MAX     254u  /* names in one table                     */
#define NAMES_SLOTS   4096u /* sparse, so that a seed is found at once */
#define NAMES_NONE    0xFFu
#define NAMES_SHIFT   52 /* 64 - log2(NAMES_SLOTS) */

typedef struct names_key { /* a name, padded with zeros */
    uint64_t low, high;
} names_key;

typedef struct names {
    uint64_t seed;
    names_key keys[NAMES_NONE + 1];  /* the last one is that of no name        */
    uint8_t lengths[NAMES_NONE + 1]; /* in bytes                               */
    uint16_t behind[NAMES_NONE + 1]; /* bits of the 16 bytes that are not its  */
    uint8_t slots[NAMES_SLOTS];      /* index into keys, NAMES_NONE = empty    */
} names;

/* list[i] gets number i. fold: for look-ups by names_fold(), in small letters. false: two equal names, or one
 * too long. */
bool names_make(names *n, const char *const *list, size_t count, bool fold);

static inline uint32_t names_slot(uint64_t seed, names_key k)
{
    return (uint32_t)(((k.low ^ (k.high * 0x9E3779B97F4A7C15u)) * seed) >> NAMES_SHIFT);
}

extern const names_key names_masks[NAMES_LEN_MAX + 1]; /* by length */

/* The name as a key; len at most NAMES_LEN_MAX. end: of the buffer that it lies in; up to there may be read.
 */
static inline names_key names_load(const char *name, size_t len, const char *end)
{
    names_key k = {0, 0};
    if (end - name >= (ptrdiff_t)NAMES_LEN_MAX) {
        /* Two loads and two masks: faster than a copy of varying length. */
        memcpy(&k.low, name, 8);
        memcpy(&k.high, name + 8, 8);
        k.low &= names_masks[len].low;
        k.high &= names_masks[len].high;
        return k;
    }
    memcpy(&k, name, len);
    return k;
}

/* For names that count in either case: folds letters together (and what no name holds, like @ and `). */
static inline names_key names_fold(names_key k)
{
    k.low |= 0x2020202020202020u;
    k.high |= 0x2020202020202020u;
    return k;
}

static inline uint32_t names_find(const names *n, names_key k)
{
    uint32_t i = n->slots[names_slot(n->seed, k)];
    names_key found = n->keys[i]; /* an empty slot names the last key, which no name is */
    return ((found.low ^ k.low) | (found.high ^ k.high)) == 0 ? i : NAMES_NONE;
}

/* Does the text begin with name i? 16 bytes of it can be read. */
static inline bool names_begins(const names *n, uint32_t i, const char *text)
{
    block name = block_load((const char *)&n->keys[i]);
    return (block_same(block_load(text), name) | n->behind[i]) == 0xFFFFu;
}

#endif
