/* One instance of the receiver, shared by its files; read-only after create(). */
#ifndef MATOMO_MATOMO_H
#define MATOMO_MATOMO_H

#include "receivers/matomo/browser.h"
#include "receivers/matomo/exclude.h"
#include "receivers/matomo/names.h"
#include "receivers/matomo/params.h"
#include "receivers/matomo/pixel.h"
#include "receivers/matomo/script.h"
#include "receivers/matomo/site.h"
#include "receivers/matomo/sources.h"
#include "receivers/matomo/token.h"
#include "receivers/matomo/visits.h"

#define CORS_DOMAINS_MAX 64u

typedef struct matomo {
    const ss_host *host;
    names params;                                 /* table of parameter names */
    uint64_t kinds[KIND_OTHERS + 1][PARAM_WORDS]; /* which parameters are of that kind */
    tokens tokens;
    sites sites;
    visits *visits; /* NULL: none are kept */
    script *script; /* NULL: none is served */
    sources *sources;
    exclude exclude;
    exclude_list exclude_everywhere;
    browser_switches switches;
    pixel pixel;
    bool require_rec, strict_auth, record_statistics, tracking_needs_token, bulk_needs_token;
    int64_t cdt_auth_after_us;
    size_t max_bulk_items;
    ss_str cors[CORS_DOMAINS_MAX];
    size_t cors_count;
    ss_metric *values_dropped, *overrides_ignored;
} matomo;

#endif
