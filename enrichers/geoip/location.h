/* What is known of one address, out of one or several databases. Both shapes of records are read: MaxMind's
   nested one (country.iso_code, city.names.en) and the flat one (country_code, city). */
#ifndef GEOIP_LOCATION_H
#define GEOIP_LOCATION_H

#include <maxminddb.h>

#include "streamsteam/plugin.h"

enum location_text {
    LOCATION_CITY,
    LOCATION_REGION,
    LOCATION_REGION_CODE,
    LOCATION_COUNTRY,
    LOCATION_COUNTRY_NAME,
    LOCATION_CONTINENT,
    LOCATION_ORG,
    LOCATION_POSTAL,
    LOCATION_TIMEZONE,
    LOCATION_TEXTS
};

#define LOCATION_TEXT_MAX  96u /* bytes of one text; longer ones are cut */
#define LOCATION_BYTES_MAX (LOCATION_TEXTS * LOCATION_TEXT_MAX)
#define LOCATION_WAYS      5u /* places where one value may stand, tried in order */
#define LOCATION_STEPS     5u /* keys on the way to it, NULL included             */

typedef const char *location_way[LOCATION_STEPS];

/* The ways to each value, for one language. */
typedef struct location_ways {
    location_way texts[LOCATION_TEXTS][LOCATION_WAYS];
    location_way latitude[LOCATION_WAYS], longitude[LOCATION_WAYS], asn[LOCATION_WAYS];
} location_ways;

typedef struct location {
    uint32_t asn; /* 0: unknown */
    bool has_latitude, has_longitude;
    double latitude, longitude;
    uint16_t used;
    uint16_t at[LOCATION_TEXTS], len[LOCATION_TEXTS]; /* len 0: unknown */
    char text[LOCATION_BYTES_MAX];
} location;

/* language: borrowed; where a name is not there in it, it is taken in English. */
void location_ways_make(location_ways *w, const char *language);
void location_clear(location *l);
/* Adds what the record knows and the location does not. MMDB_SUCCESS, or what is damaged in it, wherever. */
int location_add(location *l, const location_ways *w, MMDB_entry_s *from);
/* When all records are in: "AS15169 Google LLC". */
void location_finish(location *l);

static inline ss_str location_get(const location *l, enum location_text i)
{
    return ss_s(l->text + l->at[i], l->len[i]);
}

#endif
