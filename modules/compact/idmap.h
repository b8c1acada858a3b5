/* Names and paths by the first half of their SHA-256, so that a million of them cost 24 MB: two different
   ones never count as one, whoever chose them. One thread. */
#ifndef COMPACT_IDMAP_H
#define COMPACT_IDMAP_H

#include "plugins/common/sha256.h"
#include "streamsteam/plugin.h"

#define ID_BYTES 16u

typedef struct id {
    unsigned char at[ID_BYTES];
} id;

typedef struct idmap_slot {
    id key;
    uint64_t value; /* plus one; 0: free */
} idmap_slot;

typedef struct idmap { /* zeroed is empty */
    idmap_slot *slots;
    size_t count, size;
} idmap;

/* Of folder, name, as one text. hash is only lent. false: no memory. */
bool id_of(sha256 *hash, ss_str folder, ss_str name, id *out);
/* NULL: it is not there. Valid until the next idmap_put(). */
uint64_t *idmap_get(const idmap *m, const id *key); /* the value plus one */
bool idmap_put(idmap *m, const id *key, uint64_t value);
void idmap_free(idmap *m);

#endif
