/* Address ranges with names: where is this address in? Read-only after networks_seal(): any thread. */
#ifndef BOTS_NETWORKS_H
#define BOTS_NETWORKS_H

#include "plugins/common/ip.h"

#define NETWORKS_MAX 8192u

typedef struct network {
    ip_key low, high; /* both belong to it */
    ip_key reach;     /* the highest end of this range and all before it */
    ss_str name;
} network;

typedef struct networks {
    network *list;
    size_t count, room;
} networks;

/* The name is borrowed. SS_LIMIT past NETWORKS_MAX or out of memory. */
int32_t networks_add(networks *n, const ip_range *range, ss_str name);
/* The fixed ranges of Matomo's bot detection. */
int32_t networks_add_known(networks *n);
void networks_seal(networks *n);
/* NULL: in none. */
const network *networks_find(const networks *n, const ip_address *ip);
void networks_free(networks *n);

#endif
