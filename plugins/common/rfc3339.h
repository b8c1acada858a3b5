/* Dates and times as RFC 3339 writes them: 2026-11-22T03:24:00.5+01:00. */
#ifndef COMMON_RFC3339_H
#define COMMON_RFC3339_H

#include "streamsteam/plugin.h"

bool rfc3339_date(ss_str text); /* full-date */
bool rfc3339_time(ss_str text); /* full-time, with its offset; a leap second only where UTC has them */
/* date-time as microseconds since 1970; further digits are cut off. us may be NULL. */
bool rfc3339_date_time(ss_str text, int64_t *us);
/* As stored lines have it: "2026-11-22T03:24:00[.123]Z", or "2026-11-22 03:24:00" in UTC. */
bool rfc3339_stored(ss_str text, int64_t *us);

#endif
