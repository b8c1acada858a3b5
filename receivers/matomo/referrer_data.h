/* Facts: who sends visitors, by host. referrer_data.c is written by referrers.py. */
#ifndef MATOMO_REFERRER_DATA_H
#define MATOMO_REFERRER_DATA_H

#include "streamsteam/plugin.h"

enum referrer_kind { /* bits */
                     REFERRER_ENGINE = 1,
                     REFERRER_SOCIAL = 2,
                     REFERRER_ASSISTANT = 4,
                     REFERRER_ENGINE_PATHS = 8, /* some paths of this host are places of their own */
                     REFERRER_ASSISTANT_PATHS = 16
};

typedef struct referrer_source {
    const char *name;
    const char *params;  /* lines: names of the keyword's parameter, or /regular expressions/ over the URL */
    const char *hidden;  /* lines: path and query with which the engine tells no keyword, or expressions    */
    const char *charset; /* of keywords that are not UTF-8                                                 */
} referrer_source;

typedef struct referrer_place {
    const char *text; /* host, or host and path; {} stands for a country */
    uint8_t len, kind;
    uint16_t source;
} referrer_place;

extern const referrer_source referrer_sources[];
extern const size_t referrer_source_count;
extern const referrer_place referrer_places[];
extern const size_t referrer_place_count;

#endif
