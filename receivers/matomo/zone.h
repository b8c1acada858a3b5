/* Time zones by name, from the system's tz database: what a site's calendar day is. Loaded once, read-only
   then; nothing of the C library's one global time zone. */
#ifndef MATOMO_ZONE_H
#define MATOMO_ZONE_H

#include "streamsteam/plugin.h"

#define ZONE_NAME_MAX 64u
#define ZONE_DAY_S    86400

typedef struct zone_change { /* from this moment on the clocks stand so far ahead of UTC */
    int64_t at_s;
    int32_t offset_s;
} zone_change;

typedef struct zone {
    char name[ZONE_NAME_MAX];
    zone_change *changes; /* owned, by time; its first one is that of the beginning of time */
    size_t count;
} zone;

/* "Europe/Berlin", "UTC", "UTC+2", "UTC-3.5", "+05:30". false: err says why. */
bool zone_load(zone *z, ss_str name, ss_error *err);
void zone_free(zone *z);

/* Seconds to add to UTC at that moment. */
int32_t zone_offset(const zone *z, int64_t unix_s);

/* The calendar day there, counted from 1970-01-01. */
static inline int64_t zone_day(const zone *z, int64_t us)
{
    int64_t s = us / 1000000;
    int64_t local = s + zone_offset(z, s);
    return (local >= 0 ? local : local - (ZONE_DAY_S - 1)) / ZONE_DAY_S;
}

#endif
