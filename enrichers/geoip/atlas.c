#include "enrichers/geoip/atlas.h"

#include <netinet/in.h>
#include <stdlib.h>

#define NO_RECORD UINT32_MAX

typedef union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} any_address;

atlas *atlas_new(const location_ways *ways)
{
    atlas *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->ways = ways;
    size_t bytes = ATLAS_CACHE_SLOTS * sizeof *a->cache;
    a->cache = aligned_alloc(_Alignof(atlas_slot), bytes);
    if (!a->cache) {
        free(a);
        return NULL;
    }
    for (size_t i = 0; i < ATLAS_CACHE_SLOTS; i++) {
        atomic_init(&a->cache[i].busy, 0u);
        a->cache[i].used = 0;
    }
    return a;
}

void atlas_free(atlas *a)
{
    if (!a)
        return;
    free(a->cache);
    free(a);
}

static any_address address_of(const ip_address *ip)
{
    any_address a = {.v6 = {0}};
    if (ip_is_v4(ip)) {
        a.v4.sin_family = AF_INET;
        memcpy(&a.v4.sin_addr, ip->bytes + IP_V4_AT, sizeof a.v4.sin_addr);
    } else {
        a.v6.sin6_family = AF_INET6;
        memcpy(&a.v6.sin6_addr, ip->bytes, sizeof a.v6.sin6_addr);
    }
    return a;
}

/* The offset of the record in each database. */
static enum atlas_result find_records(const atlas *a, const ip_address *ip, uint32_t key[ATLAS_DATABASES_MAX])
{
    any_address address = address_of(ip);
    enum atlas_result result = ATLAS_UNKNOWN;
    for (size_t i = 0; i < a->count; i++) {
        int status = MMDB_SUCCESS;
        const MMDB_s *mmdb = &a->databases[i]->mmdb;
        key[i] = NO_RECORD;
        if (address.any.sa_family == AF_INET6 && mmdb->metadata.ip_version == 4)
            continue;
        MMDB_lookup_result_s found = MMDB_lookup_sockaddr(mmdb, &address.any, &status);
        if (status != MMDB_SUCCESS)
            return ATLAS_DAMAGED;
        if (!found.found_entry)
            continue;
        key[i] = found.entry.offset;
        result = ATLAS_FOUND;
    }
    return result;
}

static enum atlas_result read_records(const atlas *a, const uint32_t key[ATLAS_DATABASES_MAX], location *out)
{
    location_clear(out);
    for (size_t i = 0; i < a->count; i++) {
        MMDB_entry_s record = {&a->databases[i]->mmdb, key[i]};
        if (key[i] != NO_RECORD && location_add(out, a->ways, &record) != MMDB_SUCCESS)
            return ATLAS_DAMAGED;
    }
    location_finish(out);
    return ATLAS_FOUND;
}

static void copy_location(location *to, const location *from)
{
    memcpy(to, from, offsetof(location, text) + from->used);
}

enum atlas_result atlas_find(const atlas *a, const ip_address *ip, location *out)
{
    uint32_t key[ATLAS_DATABASES_MAX], hash = 0;
    size_t key_bytes = a->count * sizeof key[0];
    enum atlas_result result = find_records(a, ip, key);
    if (result != ATLAS_FOUND)
        return result;
    for (size_t i = 0; i < a->count; i++)
        hash = (hash ^ key[i]) * 2654435761u;
    atlas_slot *slot = &a->cache[hash >> 16 & (ATLAS_CACHE_SLOTS - 1)];
    if (atomic_exchange_explicit(&slot->busy, 1u, memory_order_acquire) != 0)
        return read_records(a, key, out);
    if (slot->used && memcmp(slot->key, key, key_bytes) == 0) {
        copy_location(out, &slot->value);
    } else {
        result = read_records(a, key, out);
        slot->used = result == ATLAS_FOUND;
        memcpy(slot->key, key, key_bytes);
        copy_location(&slot->value, out);
    }
    atomic_store_explicit(&slot->busy, 0u, memory_order_release);
    return result;
}
