#include "enrichers/bots/networks.h"

#include <stdlib.h>

static const struct {
    const char *range, *name;
} known[] = {
    {"216.239.32.0/19", "Google"},    {"64.233.160.0/19", "Google"},    {"66.249.80.0/20", "Google"},
    {"72.14.192.0/18", "Google"},     {"209.85.128.0/17", "Google"},    {"66.102.0.0/20", "Google"},
    {"74.125.0.0/16", "Google"},      {"64.18.0.0/20", "Google"},       {"207.126.144.0/20", "Google"},
    {"173.194.0.0/16", "Google"},     {"64.4.0.0/18", "Microsoft"},     {"65.52.0.0/14", "Microsoft"},
    {"157.54.0.0/15", "Microsoft"},   {"157.56.0.0/14", "Microsoft"},   {"157.60.0.0/16", "Microsoft"},
    {"207.46.0.0/16", "Microsoft"},   {"207.68.128.0/18", "Microsoft"}, {"207.68.192.0/20", "Microsoft"},
    {"131.253.24.0/20", "Microsoft"}, {"131.253.26.0/20", "Microsoft"}, {"72.30.198.0/20", "Yahoo"},
    {"72.30.196.0/20", "Yahoo"},      {"98.137.207.0/20", "Yahoo"},     {"1.202.218.8", "1.202.218.8"},
};

int32_t networks_add(networks *n, const ip_range *range, ss_str name)
{
    if (n->count == NETWORKS_MAX)
        return SS_LIMIT;
    if (n->count == n->room) {
        size_t room = n->room ? 2 * n->room : 64;
        network *list = realloc(n->list, room * sizeof *list);
        if (!list)
            return SS_LIMIT;
        n->list = list;
        n->room = room;
    }
    n->list[n->count++] =
        (network){.low = ip_key_of(range->low), .high = ip_key_of(range->high), .name = name};
    return SS_OK;
}

int32_t networks_add_known(networks *n)
{
    int32_t status = SS_OK;
    for (size_t i = 0; i < sizeof known / sizeof known[0] && status == SS_OK; i++) {
        ip_range range;
        (void)ip_range_parse(ss_cstr(known[i].range), &range);
        status = networks_add(n, &range, ss_cstr(known[i].name));
    }
    return status;
}

static int by_low(const void *a, const void *b)
{
    const network *one = a, *other = b;
    return ip_key_less(one->low, other->low) ? -1 : ip_key_less(other->low, one->low);
}

void networks_seal(networks *n)
{
    if (n->count == 0)
        return;
    qsort(n->list, n->count, sizeof *n->list, by_low);
    for (size_t i = 0; i < n->count; i++) {
        network *at = &n->list[i];
        at->reach = i > 0 && ip_key_less(at->high, at[-1].reach) ? at[-1].reach : at->high;
    }
}

/* Ranges may lie in others: from the last one that begins before the address back, as long as one reaches it.
 */
const network *networks_find(const networks *n, const ip_address *ip)
{
    ip_key key = ip_key_of(ip->bytes);
    size_t low = 0, high = n->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ip_key_less(key, n->list[middle].low))
            high = middle;
        else
            low = middle + 1;
    }
    for (; low > 0 && !ip_key_less(n->list[low - 1].reach, key); low--)
        if (!ip_key_less(n->list[low - 1].high, key))
            return &n->list[low - 1];
    return NULL;
}

void networks_free(networks *n)
{
    free(n->list);
    *n = (networks){0};
}
