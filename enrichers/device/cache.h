/* Views by user agent and client hints: what came lately stays, within a number of bytes. Any thread. */
#ifndef DEVICE_CACHE_H
#define DEVICE_CACHE_H

#include "enrichers/device/view.h"

typedef struct cache cache;

cache *cache_new(size_t bytes); /* 0: keeps nothing */
void cache_free(cache *c);
void cache_clear(cache *c);

/* Where the view is there: true, with a copy whose texts are in memory of that call, from host->mem(). */
bool cache_get(cache *c, ss_str agent, ss_str hints, const ss_host *host, ss_call *call, view *out);
void cache_put(cache *c, ss_str agent, ss_str hints, const view *v);

/* The texts of a view, copied one after the other to `to` (view_bytes() long). */
size_t view_bytes(const view *v);
void view_copy(view *out, const view *v, char *to);

#endif
