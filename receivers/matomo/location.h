/* The location that a client with a token says. */
#ifndef MATOMO_LOCATION_H
#define MATOMO_LOCATION_H

#include "receivers/matomo/params.h"

#define LOCATION_COUNTRY_CHARS 2u

bool location_given(const params *p);
/* country, region, city, lat and long as fields of geo_info; an enricher that looks addresses up leaves them
   as they are. country: memory that lives until emit(). Returns how many values were left out. */
uint32_t location_set(ss_event *e, const params *p, char country[LOCATION_COUNTRY_CHARS]);

#endif
