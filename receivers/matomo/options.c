#include "receivers/matomo/options.h"

#include "receivers/matomo/matomo.h"

static const ss_option site_item[] = {
    {.name = "*", .type = SS_T_INT, .max = INT64_MAX, .doc = "A website id."}, {.name = NULL}};

static const ss_option token_keys[] = {{.name = "secret",
                                        .type = SS_T_STRING,
                                        .flags = SS_OPT_REQUIRED | SS_OPT_SECRET,
                                        .doc = "The token as clients send it in token_auth."},
                                       {.name = "role",
                                        .type = SS_T_ENUM,
                                        .dflt = "write",
                                        .choices = "superuser|admin|write",
                                        .doc = "superuser: every site, and bulk answers name the invalid "
                                               "items; admin and write: the sites listed."},
                                       {.name = "sites",
                                        .type = SS_T_LIST,
                                        .children = site_item,
                                        .max = (int64_t)TOKEN_SITES_MAX,
                                        .doc = "Website ids that the token is for; none means all."},
                                       {.name = NULL}};

static const ss_option token_item[] = {
    {.name = "*", .type = SS_T_OBJECT, .children = token_keys, .doc = "A token."}, {.name = NULL}};

static const ss_option origin_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "An origin such as https://example.org, or *."},
    {.name = NULL}};

static const ss_option goal_keys[] = {
    {.name = "id",
     .type = SS_T_INT,
     .flags = SS_OPT_REQUIRED,
     .min = 1,
     .max = INT64_MAX,
     .doc = "What idgoal says."},
    {.name = "name", .type = SS_T_STRING, .doc = "Its name, for people."},
    {.name = "revenue", .type = SS_T_FLOAT, .doc = "Revenue of a conversion that comes without one."},
    {.name = "allow_multiple",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Count more than one conversion in a visit."},
    {.name = "match_attribute",
     .type = SS_T_ENUM,
     .dflt = "manually",
     .choices = "manually|url|title|file|external_website|event_category|event_action|event_name",
     .doc = "What of a hit meets the goal by itself; manually: idgoal alone."},
    {.name = "pattern", .type = SS_T_STRING, .doc = "What that has to be like."},
    {.name = "pattern_type",
     .type = SS_T_ENUM,
     .dflt = "contains",
     .choices = "contains|exact|regex",
     .doc = "How the pattern is compared."},
    {.name = "case_sensitive",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Whether capital and small letters differ in it."},
    {.name = NULL}};

static const ss_option goal_item[] = {
    {.name = "*", .type = SS_T_OBJECT, .children = goal_keys, .doc = "A goal of the site."}, {.name = NULL}};

static const ss_option host_item[] = {
    {.name = "*",
     .type = SS_T_STRING,
     .doc = "A host such as example.org or *.example.org, or a URL of the site such as "
            "https://example.org/shop."},
    {.name = NULL}};

static const ss_option range_item[] = {
    {.name = "*",
     .type = SS_T_STRING,
     .doc = "An address, or a range such as 10.0.0.0/8, 192.168.*.* or 2001:db8::/32."},
    {.name = NULL}};

static const ss_option agent_item[] = {
    {.name = "*",
     .type = SS_T_STRING,
     .doc = "A part of the user agent in either case, or a /regular expression/."},
    {.name = NULL}};

static const ss_option name_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "A parameter of the URL's query, in either case."},
    {.name = NULL}};

static const ss_option removed_item[] = {
    {.name = "*",
     .type = SS_T_STRING,
     .doc = "A parameter of the URL's query, in either case, or a /regular expression/ for its name."},
    {.name = NULL}};

#define LIST(list_name, item, most, text)                                                                    \
    {                                                                                                        \
        .name = list_name, .type = SS_T_LIST, .children = item, .max = (int64_t)(most), .doc = text          \
    }
#define SWITCH(switch_name, otherwise, text)                                                                 \
    {                                                                                                        \
        .name = switch_name, .type = SS_T_BOOL, .dflt = otherwise, .doc = text                               \
    }

/* What the receiver says for all sites, and each site for itself. */
#define SITE_RULES(on, off)                                                                                  \
    LIST("excluded_ips", range_item, EXCLUDE_RULES_MAX,                                                      \
         "Addresses whose hits are answered and not stored."),                                               \
        LIST("excluded_user_agents", agent_item, EXCLUDE_RULES_MAX,                                          \
             "User agents whose hits are answered and not stored."),                                         \
        LIST("excluded_parameters", removed_item, PAGE_NAMES_MAX,                                            \
             "Parameters to take out of normalised URLs, besides those of campaigns and sessions."),         \
        LIST("search_parameters", name_item, PAGE_NAMES_MAX,                                                 \
             "Parameters of a page's URL that hold a search on the site, best first; by default q, query, "  \
             "s, search, searchword, k, keyword, keywords."),                                                \
        LIST("search_category_parameters", name_item, PAGE_NAMES_MAX,                                        \
             "Parameters of a page's URL that hold the category of such a search."),                         \
        LIST("excluded_referrers", host_item, SITE_URLS_MAX,                                                 \
             "Hosts that do not count as referrers, such as that of a payment service."),                    \
        SWITCH("site_search", on, "Look for searches on the site: search= and the search parameters."),      \
        SWITCH("keep_fragment", off, "Keep what stands behind # in normalised URLs."),                       \
        SWITCH("exclude_unknown_urls", off,                                                                  \
               "Do not store hits whose url is not under one of the site's hosts.")

static const ss_option site_keys[] = {
    {.name = "name", .type = SS_T_STRING, .doc = "Its name, for people."},
    {.name = "hosts",
     .type = SS_T_LIST,
     .children = host_item,
     .max = (int64_t)SITE_URLS_MAX,
     .doc = "Hosts and URLs of the site: a referrer among them is the site itself."},
    {.name = "timezone",
     .type = SS_T_STRING,
     .doc = "Where its days begin, such as Europe/Berlin; the receiver's where it is missing."},
    {.name = "goals",
     .type = SS_T_LIST,
     .children = goal_item,
     .max = (int64_t)SITE_GOALS_MAX,
     .doc = "Goals of the site; with a list any other idgoal is answered 400, without it every positive one "
            "is taken."},
    SITE_RULES(NULL, NULL),
    {.name = NULL}};

static const ss_option sites_item[] = {
    {.name = "*", .type = SS_T_OBJECT, .children = site_keys, .doc = "A website, by its id."},
    {.name = NULL}};

static const ss_option comparison_item[] = {{.name = "*",
                                             .type = SS_T_STRING,
                                             .doc = "PARAMETER OPERATOR VALUE, in either case, the value "
                                                    "percent-encoded: e_c==test; operators are == != "
                                                    "=@ (contains) !@ =^ (begins) =$ (ends)."},
                                            {.name = NULL}};

const ss_option matomo_options[] = {
    {.name = "require_rec",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "Store only hits with rec=1, as Matomo does; others are answered alike and counted."},
    {.name = "strict_auth",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Answer 400 to country, region, city, lat or long without a valid token, as Matomo does, instead "
            "of ignoring them."},
    {.name = "cdt_auth_after",
     .type = SS_T_DURATION,
     .dflt = "24h",
     .min = 0,
     .max = INT64_C(631152000000),
     .doc = "A cdt older than this needs a valid token."},
    {.name = "max_bulk_items",
     .type = SS_T_INT,
     .dflt = "20000",
     .min = 1,
     .max = 1000000,
     .doc = "A bulk request with more items than this is refused whole with 400."},
    {.name = "cors_domains",
     .type = SS_T_LIST,
     .children = origin_item,
     .max = (int64_t)CORS_DOMAINS_MAX,
     .doc =
         "Origins whose pages may read the answer to a GET (other methods always allow the asking origin)."},
    {.name = "tokens",
     .type = SS_T_LIST,
     .children = token_item,
     .max = (int64_t)TOKENS_MAX,
     .doc = "Values of token_auth that may set cip, an old cdt and the location."},
    {.name = "script",
     .type = SS_T_PATH,
     .doc = "The tracker's script (Matomo's matomo.js): served as /matomo.js, /piwik.js and /js/, and read "
            "again when the file changes."},
    {.name = "script_max_age",
     .type = SS_T_DURATION,
     .dflt = "1h",
     .min = 0,
     .max = INT64_C(31536000000),
     .doc = "How long browsers may use the script without asking again."},
    {.name = "visits",
     .type = SS_T_INT,
     .dflt = "100000",
     .min = 0,
     .max = (int64_t)VISITS_MAX,
     .doc =
         "Visits that are remembered, the latest of each visitor, at 92 bytes each in a file; 0: no visits "
         "are told apart, and events have no visit_id."},
    {.name = "visit_standard_length",
     .type = SS_T_DURATION,
     .dflt = "30m",
     .min = 1000,
     .max = VISIT_LENGTH_MAX_S * INT64_C(1000),
     .doc = "A visit is over when so long nothing was heard of it."},
    {.name = "trust_visitors_cookies",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Never look for a visitor whose id is unknown by address, browser and language."},
    {.name = "create_new_visit_when_campaign_changes",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "Another campaign than the visit's begins a new visit."},
    {.name = "create_new_visit_when_website_referrer_changes",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Another website as the referrer than the visit's begins a new visit."},
    {.name = "timezone",
     .type = SS_T_STRING,
     .dflt = "UTC",
     .doc = "Where days begin for sites that do not say it themselves, such as Europe/Berlin, UTC or UTC+2."},
    {.name = "sites",
     .type = SS_T_MAP,
     .children = sites_item,
     .max = (int64_t)SITES_MAX,
     .doc = "The websites by id; with this map a hit for any other idsite is answered 400, without it every "
            "integer from 0 on is taken."},
    SITE_RULES("true", "false"),
    {.name = "exclude_requests",
     .type = SS_T_LIST,
     .children = comparison_item,
     .max = (int64_t)EXCLUDE_RULES_MAX,
     .doc = "Comparisons of parameters; a hit that any of them fits is answered and not stored."},
    {.name = "referrer_spam",
     .type = SS_T_PATH,
     .doc = "A file with a domain a line; a hit whose urlref contains one is answered and not stored."},
    {.name = "record_statistics",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "false: store nothing and answer 503, as Matomo does in maintenance."},
    {.name = "custom_image",
     .type = SS_T_PATH,
     .doc = "A GIF, PNG or JPEG of at most 64 KiB that answers hits instead of Matomo's GIF."},
    {.name = "tracking_requests_require_authentication",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "false: cip, an old cdt and the location need no token (for closed networks only)."},
    {.name = "bulk_requests_require_authentication",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Take bulk requests only with a valid token for every site in them; others are answered 500."},
    {.name = "respect_dnt",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Do not store hits of browsers that send DNT: 1 or X-Do-Not-Track: 1; they get Tk: N."},
    {.name = "respect_gpc",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Do not store hits of browsers that send Sec-GPC: 1 (Global Privacy Control); they get Tk: N."},
    {.name = "third_party_cookie",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Keep the visitor id in a cookie of this server, " COOKIE_VISITOR_ID ", for 13 months."},
    {.name = "cookieless",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Take no visitor id that a browser keeps: neither _id nor the cookie counts."},
    {.name = NULL}};
