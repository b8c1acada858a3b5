/* Connections per address, over all loops: a hash table with chains; as many entries as there may be
   connections. */
#include <stdlib.h>

#include "core/http/internal.h"

typedef struct ip_count {
    trust_address address;
    uint32_t count;
    uint32_t next; /* of its chain, or of the free ones; 0 = end, else index + 1 */
} ip_count;

struct ip_counts {
    pthread_mutex_t lock;
    uint32_t per_ip, free;
    size_t mask;
    uint32_t *buckets; /* index + 1 */
    ip_count entries[];
};

ip_counts *ip_counts_new(uint32_t max_connections, uint32_t per_ip)
{
    size_t buckets = 256;
    while (buckets < max_connections)
        buckets *= 2;
    ip_counts *c = calloc(1, sizeof *c + max_connections * sizeof(ip_count));
    uint32_t *table = calloc(buckets, sizeof *table);
    if (!c || !table) {
        free(c);
        free(table);
        return NULL;
    }
    (void)pthread_mutex_init(&c->lock, NULL);
    c->per_ip = per_ip;
    c->mask = buckets - 1;
    c->buckets = table;
    for (uint32_t i = 0; i < max_connections; i++)
        c->entries[i].next = i + 1 < max_connections ? i + 2 : 0;
    c->free = max_connections ? 1 : 0;
    return c;
}

void ip_counts_free(ip_counts *c)
{
    if (!c)
        return;
    (void)pthread_mutex_destroy(&c->lock);
    free(c->buckets);
    free(c);
}

static uint32_t *bucket_of(ip_counts *c, const trust_address *a)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof a->bytes; i++)
        h = (h ^ a->bytes[i]) * 0x100000001b3u;
    return &c->buckets[(size_t)(h ^ h >> 32) & c->mask];
}

/* The link that leads to the address's entry, or the one that ends its chain. */
static uint32_t *find(ip_counts *c, const trust_address *a)
{
    uint32_t *link = bucket_of(c, a);
    while (*link && memcmp(c->entries[*link - 1].address.bytes, a->bytes, sizeof a->bytes) != 0)
        link = &c->entries[*link - 1].next;
    return link;
}

bool ip_counts_enter(ip_counts *c, const trust_address *a)
{
    bool ok = false;
    (void)pthread_mutex_lock(&c->lock);
    uint32_t *link = find(c, a);
    if (!*link && c->free) {
        *link = c->free;
        ip_count *e = &c->entries[*link - 1];
        c->free = e->next;
        *e = (ip_count){.address = *a};
    }
    if (*link) {
        ip_count *e = &c->entries[*link - 1];
        ok = e->count < c->per_ip;
        e->count += ok;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return ok;
}

void ip_counts_leave(ip_counts *c, const trust_address *a)
{
    (void)pthread_mutex_lock(&c->lock);
    uint32_t *link = find(c, a);
    if (*link) {
        uint32_t index = *link;
        ip_count *e = &c->entries[index - 1];
        if (--e->count == 0) {
            *link = e->next;
            e->next = c->free;
            c->free = index;
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
}
