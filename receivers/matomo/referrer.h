/* Where a visitor comes from: a campaign, a search engine, a social network, another website, or directly. */
#ifndef MATOMO_REFERRER_H
#define MATOMO_REFERRER_H

#include "receivers/matomo/page.h"
#include "receivers/matomo/sources.h"

#define REFERRER_URL_MAX 1500u /* bytes of a referrer that count */

typedef struct referrer {
    ss_str type;       /* never empty: direct, search, website, campaign, social, ai_assistant */
    ss_str name;       /* of the engine, the network, the host, the campaign; empty: none      */
    ss_str keyword;    /* empty: none, or kept secret                                          */
    ss_str normalized; /* its URL without noise; empty: not a URL                              */
} referrer;

typedef struct referrer_scratch { /* lives as long as the referrer */
    char host[URL_HOST_MAX], name[2 * URL_HOST_MAX], url[REFERRER_URL_MAX + 1];
} referrer_scratch;

typedef struct referrer_hit { /* what it is judged by */
    const sources *sources;
    const sites *sites;
    const site *site;
    const page *page;
    ss_str urlref;
} referrer_hit;

void referrer_read(referrer *out, const referrer_hit *hit, referrer_scratch *scratch, texts *t);

#endif
