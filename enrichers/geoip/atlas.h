/* The databases of one instance as lookups see them, with a cache of read records: many addresses share one
   record, and reading one costs several microseconds. An atlas never changes; a new file means a new atlas.
 */
#ifndef GEOIP_ATLAS_H
#define GEOIP_ATLAS_H

#include <stdatomic.h>

#include "enrichers/geoip/database.h"
#include "plugins/common/ip.h"

#define ATLAS_DATABASES_MAX 8u
#define ATLAS_CACHE_SLOTS   4096u /* a power of two; up to 4 MiB, touched as it is filled */

typedef struct atlas_slot {
    _Alignas(64) _Atomic uint32_t busy; /* who finds it taken goes without the cache */
    uint32_t used;
    uint32_t key[ATLAS_DATABASES_MAX]; /* of each database: offset of the record */
    location value;
} atlas_slot;

typedef struct atlas {
    const database *databases[ATLAS_DATABASES_MAX]; /* borrowed */
    size_t count;
    const location_ways *ways; /* borrowed */
    atlas_slot *cache;
} atlas;

enum atlas_result { ATLAS_FOUND, ATLAS_UNKNOWN, ATLAS_DAMAGED };

atlas *atlas_new(const location_ways *ways);
void atlas_free(atlas *a); /* not the databases */
/* Any thread. */
enum atlas_result atlas_find(const atlas *a, const ip_address *ip, location *out);

#endif
