/* What the page's URL says: its normalised form, the campaign, a search on the site. */
#ifndef MATOMO_PAGE_H
#define MATOMO_PAGE_H

#include "receivers/matomo/params.h"

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

#define PAGE_URL_MAX      1024u /* bytes of a URL that are looked at */
#define CAMPAIGN_TEXT_MAX 255u
#define PAGE_SCRATCH                                                                                         \
    (2 * PAGE_URL_MAX + /* cleaned, normalised */ (CAMPAIGN_PARTS + 2) * (CAMPAIGN_TEXT_MAX + 1))

typedef struct page {
    ss_str normalized;       /* empty: not a URL */
    uint32_t campaign_parts; /* bits: which of campaign[] are there */
    ss_str campaign[CAMPAIGN_PARTS];
    ss_str search, search_count; /* from the URL's query */
} page;

/* The names that mean something in a page's query; false: no table (a bug). */
bool page_names_make(names *table);
/* scratch: PAGE_SCRATCH bytes that live as long as the page. Campaign parameters of the hit itself beat the
 * URL's. */
void page_read(page *out, const names *table, const params *p, ss_str url, char *scratch);

#endif
