#include "enrichers/device/dict.h"

#include <stdlib.h>

#define FIRST_SLOTS 64u

static uint32_t hash(ss_str key)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < key.len; i++)
        h = (h ^ (unsigned char)key.ptr[i]) * 16777619u;
    return h ^ h >> 15;
}

static uint32_t *slot(const dict *d, const texts *t, ss_str key)
{
    for (uint32_t i = hash(key);; i++) {
        uint32_t *s = &d->slots[2 * (i & d->mask)];
        if (s[0] == 0 || ss_eq(texts_str(t, s[0]), key))
            return s;
    }
}

static bool grow(dict *d, const texts *t)
{
    dict bigger = {.mask = d->slots ? d->mask * 2 + 1 : FIRST_SLOTS - 1, .count = d->count};
    bigger.slots = calloc((size_t)bigger.mask + 1, 2 * sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (uint32_t i = 0; d->slots && i <= d->mask; i++)
        if (d->slots[2 * i])
            memcpy(slot(&bigger, t, texts_str(t, d->slots[2 * i])), &d->slots[2 * i], 2 * sizeof *d->slots);
    free(d->slots);
    *d = bigger;
    return true;
}

bool dict_put(dict *d, const texts *t, uint32_t key, uint32_t value)
{
    if (key == 0)
        return true;
    if ((!d->slots || d->count >= d->mask / 2) && !grow(d, t))
        return false;
    uint32_t *s = slot(d, t, texts_str(t, key));
    if (s[0] == 0) {
        s[0] = key;
        s[1] = value;
        d->count++;
    }
    return true;
}

uint32_t dict_get(const dict *d, const texts *t, ss_str key)
{
    if (!d->slots || key.len == 0)
        return DICT_NONE;
    const uint32_t *s = slot(d, t, key);
    return s[0] ? s[1] : DICT_NONE;
}

void dict_free(dict *d)
{
    free(d->slots);
    *d = (dict){0};
}
