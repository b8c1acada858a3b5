/* The time of a hit: cdt and cdo. */
#ifndef MATOMO_WHEN_H
#define MATOMO_WHEN_H

#include "streamsteam/plugin.h"

#define WHEN_AGE_MAX_S (20LL * 365 * 86400) /* older than this is no time */

/* A date in one of the spellings that clients use, UTC where it names no zone: unix seconds,
   2012-02-10[ T]21:42[:07[.123]][ ][Z|UTC|GMT|+0200|+02:00|+02], 2012-02-10, "now", "10 years ago". */
bool when_parse(ss_str text, int64_t now_us, int64_t *us);

/* now, unless cdt or cdo say otherwise and are believable: not in the future, not older than WHEN_AGE_MAX_S.
   given: they were taken. */
int64_t when_resolve(ss_str cdt, ss_str cdo, int64_t now_us, bool *given);

#endif
