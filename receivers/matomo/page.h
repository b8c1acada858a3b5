/* What the page's URL says: its normalised form, the campaign, a search on the site. */
#ifndef MATOMO_PAGE_H
#define MATOMO_PAGE_H

#include "receivers/matomo/params.h"
#include "receivers/matomo/site.h"
#include "receivers/matomo/text.h"

enum campaign_part {
    CAMPAIGN_NAME,
    CAMPAIGN_KEYWORD,
    CAMPAIGN_SOURCE,
    CAMPAIGN_MEDIUM,
    CAMPAIGN_CONTENT,
    CAMPAIGN_ID,
    CAMPAIGN_GROUP,
    CAMPAIGN_PLACEMENT,
    CAMPAIGN_PARTS
};

#define PAGE_URL_MAX  1024u               /* bytes of a URL that count */
#define PAGE_URL_ROOM (PAGE_URL_MAX + 48) /* what a block of it may touch behind */

typedef struct page_scratch { /* lives as long as the page */
    char clean[PAGE_URL_ROOM], normalized[PAGE_URL_ROOM];
} page_scratch;

typedef struct page {
    ss_str normalized;       /* empty: not a URL */
    ss_str host;             /* of it, without user and port; a slice of normalized */
    uint32_t campaign_parts; /* bits: which of campaign[] are there */
    bool ignore_referrer;    /* the URL says so */
    ss_str campaign[CAMPAIGN_PARTS];
    ss_str search, search_category, search_count; /* from the URL's query; the count as it stands there */
} page;

/* Campaign parameters of the hit itself beat the URL's. */
void page_read(page *out, const site *s, const params *p, ss_str url, page_scratch *scratch, texts *t);

#endif
