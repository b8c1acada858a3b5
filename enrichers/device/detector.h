/* Rules, the scans that threads borrow, and the cache; the rules are exchanged under the feet of the threads
   when their files change. */
#ifndef DEVICE_DETECTOR_H
#define DEVICE_DETECTOR_H

#include "enrichers/device/cache.h"
#include "enrichers/device/scan.h"

typedef struct detector detector;

/* NULL with the reason in err. */
detector *detector_new(const char *directory, size_t cache_bytes, ss_error *err);
void detector_free(detector *d);

/* The view of a user agent and its client hints, in memory of the call. SS_LIMIT where there is none;
   `scanned`: it was not in the cache. Any thread. */
int32_t detector_look(detector *d, ss_str agent, ss_str json, const ss_host *host, ss_call *call, view *out,
                      bool *scanned);

/* Looks whether files have changed since they were read and are left alone since the last time this was
   asked, and reads them then. SS_OK: read; SS_DECLINE: nothing to do; SS_REJECT: damaged, the old ones stay,
   err says why. One thread at a time. */
int32_t detector_refresh(detector *d, ss_error *err);

uint64_t detector_limited(detector *d); /* expressions that were given up since they were read */
bool detector_has_families(detector *d);
uint32_t detector_rules(detector *d);

#endif
