/* What the names in a page's query mean: campaign, noise that is taken out, a search on the site. The
   receiver has one such table, and each site that names parameters of its own. */
#ifndef MATOMO_PAGE_RULES_H
#define MATOMO_PAGE_RULES_H

#include "plugins/common/url.h"
#include "receivers/matomo/names.h"
#include "receivers/matomo/pattern.h"

#define PAGE_NAMES_MAX 256u /* in one list of the configuration */
#define PAGE_NAME_MAX  256u /* bytes of a name */

enum pair_kind {
    PAIR_PLAIN = 0,
    PAIR_CAMPAIGN, /* rank: its parameter, from PARAM_CAMPAIGN_FIRST on */
    PAIR_REMOVED,
    PAIR_IGNORE_REFERRER, /* removed, too */
    PAIR_SEARCH,          /* rank: smaller is better */
    PAIR_CATEGORY,        /* the same */
    PAIR_SEARCH_COUNT
};

typedef struct pair_rule {
    uint8_t kind, rank;
    bool list; /* the name was written as name[] */
} pair_rule;

typedef struct page_name { /* that does not fit into the table */
    ss_str name;           /* borrowed from the configuration  */
    pair_rule rule;
} page_name;

typedef struct page_rules {
    names table;
    pair_rule rules[NAMES_NONE + 1]; /* by number in the table; the last one: plain */
    page_name *more;                 /* owned */
    size_t more_count;
    pattern **patterns; /* owned: names that are removed */
    size_t pattern_count;
    bool slow; /* a name that the table has not may still be known */
} page_rules;

/* NULL: err. node: with the options search_parameters, search_category_parameters, excluded_parameters; what
   it lacks of the first two comes from above (the receiver's own), of the third what both name counts. above
   may be NULL. */
page_rules *page_rules_new(const ss_host *host, const ss_config *node, const ss_config *above,
                           const char *place, ss_error *err);
void page_rules_free(page_rules *r);

/* Does the node say anything of its own? */
bool page_rules_wanted(const ss_host *host, const ss_config *node);

/* Encoded names, name[], and what only page_rules.more and patterns know. */
pair_rule page_rules_seldom(const page_rules *r, const url_pair *pair);

/* end: of the buffer that the pair lies in. */
static inline pair_rule page_rules_find(const page_rules *r, const url_pair *pair, const char *end)
{
    size_t len = pair->key.len;
    if (len == 0)
        return r->rules[NAMES_NONE];
    if (!pair->key_encoded && len <= NAMES_LEN_MAX) {
        uint32_t id = names_find(&r->table, names_fold(names_load(pair->key.ptr, len, end)));
        if (id != NAMES_NONE || (pair->key.ptr[len - 1] != ']' && !r->slow))
            return r->rules[id];
    }
    return page_rules_seldom(r, pair);
}

#endif
