/* The fields that say where on the site the visitor is, and where they come from. */
#ifndef MATOMO_ORIGIN_H
#define MATOMO_ORIGIN_H

#include "receivers/matomo/matomo.h"
#include "receivers/matomo/referrer.h"

#define ORIGIN_TEXTS 14u /* short texts that one hit may need: campaign, search, keywords */

typedef struct origin_scratch { /* lives until the event is emitted */
    page_scratch page;
    referrer_scratch referrer;
    char texts[ORIGIN_TEXTS * TEXT_SHORT_MAX];
} origin_scratch;

/* url: of the page; after the hit's own parameters have been set. */
void origin_set(const matomo *m, const site *s, const params *p, ss_str url, ss_event *event,
                origin_scratch *scratch);

#endif
