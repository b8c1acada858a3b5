#include "modules/compact/idmap.h"

#include <stdlib.h>

#define FIRST_SLOTS 1024u

bool id_of(sha256 *hash, ss_str folder, ss_str name, id *out)
{
    unsigned char whole[SHA256_BYTES];
    if (!sha256_add(hash, folder.ptr, folder.len) || !sha256_add(hash, name.ptr, name.len) ||
        !sha256_end(hash, whole))
        return false;
    memcpy(out->at, whole, sizeof out->at);
    return true;
}

static idmap_slot *slot_of(idmap_slot *slots, size_t size, const id *key)
{
    uint64_t first;
    memcpy(&first, key->at, sizeof first);
    size_t i = (size_t)first & (size - 1);
    while (slots[i].value && memcmp(&slots[i].key, key, sizeof *key) != 0)
        i = (i + 1) & (size - 1);
    return &slots[i];
}

uint64_t *idmap_get(const idmap *m, const id *key)
{
    idmap_slot *s = m->size ? slot_of(m->slots, m->size, key) : NULL;
    return s && s->value ? &s->value : NULL;
}

static bool grow_map(idmap *m)
{
    size_t size = m->size ? m->size * 2 : FIRST_SLOTS;
    idmap_slot *slots = calloc(size, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].value)
            *slot_of(slots, size, &m->slots[i].key) = m->slots[i];
    free(m->slots);
    m->slots = slots;
    m->size = size;
    return true;
}

bool idmap_put(idmap *m, const id *key, uint64_t value)
{
    if (m->count * 4 >= m->size * 3 && !grow_map(m))
        return false;
    idmap_slot *s = slot_of(m->slots, m->size, key);
    m->count += !s->value;
    s->key = *key;
    s->value = value + 1;
    return true;
}

void idmap_free(idmap *m)
{
    free(m->slots);
    *m = (idmap){.slots = NULL};
}
