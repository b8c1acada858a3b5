/* The websites of the option `sites`: what is known of each, by its id. Read-only after sites_make(); without
   the option every id has the settings of the receiver. */
#ifndef MATOMO_SITE_H
#define MATOMO_SITE_H

#include "receivers/matomo/exclude_list.h"
#include "receivers/matomo/goal.h"
#include "receivers/matomo/page_rules.h"
#include "receivers/matomo/zone.h"

#define SITES_MAX      65536u
#define SITE_URLS_MAX  256u
#define SITE_GOALS_MAX 1024u

typedef struct site_url { /* "https://www.example.org/shop" is www.example.org and /shop */
    ss_str host;          /* lower case, without a port */
    ss_str path;          /* from the slash on, without one at the end; empty: all of the host */
    ss_str text;          /* as it was written */
    bool subdomains;      /* written as *.example.org: the host and what is below it */
} site_url;

typedef struct site {
    int64_t id; /* -1: the settings of every site, where there is no list */
    ss_str name, timezone;
    const zone *zone; /* never NULL */
    site_url *urls;   /* owned, as are the others; none: not known */
    size_t url_count;
    site_goal *goals; /* by id; goals_listed with none: no goal is one */
    size_t goal_count;
    bool goals_listed;         /* false: every positive idgoal is a goal */
    bool goals_match;          /* some of them are met by hits themselves */
    exclude_list exclude;      /* besides the receiver's own */
    bool exclude_unknown_urls; /* pages elsewhere than under urls are not kept */
    bool keep_fragment;        /* in normalised URLs */
    bool site_search;          /* search=, and search parameters in URLs, mean something */
    const page_rules *rules;   /* never NULL */
    site_url *excluded_referrers;
    size_t excluded_referrer_count;
} site;

typedef struct sites {
    site any;
    site *list; /* owned; in the order of the configuration */
    size_t count;
    bool listed;     /* `sites` was given: other ids are unknown */
    uint32_t *slots; /* owned hash table: index into list + 1, 0 = empty */
    uint32_t slot_mask;
    zone **zones; /* owned, each once */
    size_t zone_count;
    page_rules **rules; /* owned: the receiver's, and those of sites that have their own */
    size_t rules_count;
    struct site_place *places; /* owned: every URL of every site, by host */
    uint32_t *place_heads;     /* owned hash table: index into places + 1 */
    uint32_t place_mask;       /* 0: no site has a URL */
    char *texts;               /* owned: lower-case hosts */
    size_t text_len;
} sites;

/* The options `sites`, `timezone`. */
int32_t sites_make(sites *s, const ss_host *host, const ss_config *cfg, ss_error *err);
void sites_free(sites *s);

/* NULL: `sites` does not list it. A few steps, whatever the number of sites. */
const site *sites_find(const sites *s, int64_t id);
/* NULL: none of that id is configured (or goals are not). */
const site_goal *site_goal_find(const site *s, int64_t id);
/* May be converted there: configured, or no goals are and the id is positive. */
bool site_goal_known(const site *s, int64_t id);
typedef struct site_match { /* of a URL with those of all sites */
    bool any;               /* one of them fits            */
    bool own;               /* and it is this site's       */
    ss_str path;            /* the longest path that fits  */
} site_match;
site_match sites_match(const sites *s, const site *self, ss_str host, ss_str path);
bool site_excludes_referrer(const site *s, ss_str host, ss_str path);

/* Is the host (lower case, without a port) one of the site's? path: of the URL; ptr NULL: any. */
bool site_has_url(const site *s, ss_str host, ss_str path);

#endif
