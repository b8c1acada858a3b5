/* What clocks in New York show. From a table of the rules in force since 1967, so that neither a time zone
   database nor the process's own zone matters; before that, and should Congress change its mind, standard
   time and the last rule go on. */
#ifndef COMMON_NEW_YORK_H
#define COMMON_NEW_YORK_H

#include <stddef.h>
#include <stdint.h>

#define NEW_YORK_SIZE 48 /* of new_york_put's text, with its NUL */

/* The seconds that its clocks are ahead of UTC: -18000, or -14400 in summer. */
int32_t new_york_offset_s(int64_t utc_s);

/* "2026-03-08 03:00:00.000 America/New_York", as Athena writes a time with its zone. Returns the length; 0
   where the year has not four digits. */
size_t new_york_put(char out[NEW_YORK_SIZE], int64_t utc_s);

#endif
