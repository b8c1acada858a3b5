/* ec_items: [[sku, name, category, price, quantity], ...] becomes a list of objects. */
#ifndef MATOMO_ITEMS_H
#define MATOMO_ITEMS_H

#include "streamsteam/plugin.h"

/* Room that items_write() needs for that text. */
size_t items_bound(ss_str json);
/* false: not JSON, or not a list. Items without a sku are left out. */
bool items_write(ss_str json, char *out, ss_str *items);

#endif
