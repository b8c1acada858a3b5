/* 16-byte keys, already random, to numbers: 20 bytes an entry. One writer beside any number of readers, who
   see an entry whole or not at all. The same key may stand for several numbers. */
#ifndef ADMIN_HASH_INDEX_H
#define ADMIN_HASH_INDEX_H

#include "core/admin/key_hash.h"

typedef struct hash_index hash_index;

hash_index *hash_index_new(size_t entries); /* room for so many; NULL: out of memory */
void hash_index_free(hash_index *x);
/* A larger copy, without what was dropped. */
hash_index *hash_index_grown(const hash_index *x);
size_t hash_index_count(const hash_index *x);
size_t hash_index_bytes(const hash_index *x);

/* value: 1 to UINT32_MAX - 1. An entry of that key with equal value / unit is replaced. false: no room. */
bool hash_index_put(hash_index *x, key16 key, uint32_t value, uint32_t unit);
void hash_index_drop(hash_index *x, key16 key, uint32_t value, uint32_t unit);
/* The value of that key for which value / unit == wanted; with unit 0 the first of any. 0: none. */
uint32_t hash_index_find(const hash_index *x, key16 key, uint32_t wanted, uint32_t unit);

#endif
