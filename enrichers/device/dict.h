/* From a text to a number: built while loading, only read afterwards. */
#ifndef DEVICE_DICT_H
#define DEVICE_DICT_H

#include "enrichers/device/texts.h"

#define DICT_NONE UINT32_MAX

typedef struct dict {
    uint32_t *slots; /* pairs of text offset and value; offset 0 = free */
    uint32_t count, mask;
} dict;

/* The first one of a key stays. false: no memory. */
bool dict_put(dict *d, const texts *t, uint32_t key, uint32_t value);
uint32_t dict_get(const dict *d, const texts *t, ss_str key);
void dict_free(dict *d);

#endif
