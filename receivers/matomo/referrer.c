#include "receivers/matomo/referrer.h"

#include <strings.h>

#include "plugins/common/url.h"
#include "receivers/matomo/keyword.h"
#include "receivers/matomo/value.h"

/* ---- the URL without what search engines and networks add for themselves ---- */

typedef struct noise {
    const char *owner;           /* begin of the source's name */
    const char *const names[26]; /* ends with NULL             */
} noise;

static const noise noises[] = {
    {"Google", {"ved",    "usg",  "ei",   "sa",     "sei",     "sqi",      "cad", "cd",  "rct",
                "esrc",   "uact", "gs_l", "gs_lcp", "gs_lcrp", "sclient",  "biw", "bih", "sxsrf",
                "iflsig", "oq",   "aqs",  "vet",    "source",  "sourceid", NULL}},
    {"Facebook", {"h", "p", "s", "eid", "fbclid", "__tn__", NULL}},
    {"Bing",
     {"cvid", "form", "sc", "sp", "qs", "sk", "ghc", "refig", "ghsh", "ghacc", "ghpl", "lq", "pq", NULL}},
};

static const noise *noise_of(ss_str owner)
{
    for (size_t i = 0; i < sizeof noises / sizeof *noises; i++) {
        size_t len = strlen(noises[i].owner);
        if (owner.len >= len && memcmp(owner.ptr, noises[i].owner, len) == 0)
            return &noises[i];
    }
    return NULL;
}

static bool is_noise(const noise *n, ss_str name)
{
    for (size_t i = 0; n->names[i]; i++)
        if (strlen(n->names[i]) == name.len && strncasecmp(n->names[i], name.ptr, name.len) == 0)
            return true;
    return false;
}

static ss_str url_without(const noise *n, ss_str url, const url_parts *u, char out[REFERRER_URL_MAX + 1])
{
    url_pairs walk;
    url_pair pair;
    size_t len = (size_t)(u->query.ptr - url.ptr) - 1, start = len;
    const char *tail = u->query.ptr + u->query.len, *end = url.ptr + url.len;
    memcpy(out, url.ptr, len);
    url_pairs_start(&walk, u->query);
    while (url_pairs_next(&walk, &pair)) {
        if (is_noise(n, pair.key))
            continue;
        size_t pair_len =
            (size_t)((pair.has_value ? pair.value.ptr + pair.value.len : pair.key.ptr + pair.key.len) -
                     pair.key.ptr);
        out[len] = len == start ? '?' : '&';
        memcpy(out + len + 1, pair.key.ptr, pair_len);
        len += pair_len + 1;
    }
    memcpy(out + len, tail, (size_t)(end - tail));
    return ss_s(out, len + (size_t)(end - tail));
}

/* ---- its type ---- */

typedef struct judge {
    const referrer_hit *hit;
    ss_str url; /* trimmed, cut */
    url_parts u;
    ss_str host; /* lower case; empty: there is no referrer that counts */
    bool own;    /* it is the site itself */
    site_match match;
    const known_source *engine;
    texts *t;
} judge;

/* Whether the referrer is the site itself: by the sites' URLs where they are known, else by the page's host.
 */
static void look_at_sites(judge *j)
{
    const referrer_hit *hit = j->hit;
    j->match = sites_match(hit->sites, hit->site, j->host, j->u.path);
    j->own = j->match.own ||
             (!j->match.any && !hit->site->exclude_unknown_urls && ss_eq(j->host, hit->page->host));
}

static void take_website(referrer *out, const judge *j, char name[2 * URL_HOST_MAX])
{
    ss_str path = j->match.path.len <= URL_HOST_MAX ? j->match.path : ss_s("", 0);
    out->type = SS_LIT("website");
    out->name = j->host;
    if (path.len == 0)
        return;
    memcpy(name, j->host.ptr, j->host.len); /* sites that share a host differ by their path */
    memcpy(name + j->host.len, path.ptr, path.len);
    out->name = ss_s(name, j->host.len + path.len);
}

static bool take_search(referrer *out, const judge *j)
{
    if (!j->engine)
        return false;
    keyword k = keyword_read(j->engine, j->url, &j->u, j->t);
    if (!k.found)
        return false;
    out->type = SS_LIT("search");
    out->name = k.name;
    out->keyword = k.text;
    return true;
}

static bool take_source(referrer *out, const known_source *s, ss_str type)
{
    if (!s)
        return false;
    out->type = type;
    out->name = s->name;
    return true;
}

/* A campaign without a keyword of its own has that of the search, or the referrer's host. */
static void take_campaign(referrer *out, const judge *j)
{
    const page *p = j->hit->page;
    ss_str words = p->campaign_parts >> CAMPAIGN_KEYWORD & 1u ? p->campaign[CAMPAIGN_KEYWORD] : ss_s("", 0);
    if (words.len == 0 && j->host.len && !j->own)
        words = take_search(out, j) && out->keyword.len ? out->keyword : j->host;
    out->type = SS_LIT("campaign");
    out->name = p->campaign[CAMPAIGN_NAME];
    out->keyword = words;
}

static void decide(referrer *out, const judge *j, referrer_scratch *scratch)
{
    const referrer_hit *hit = j->hit;
    if (hit->page->ignore_referrer)
        return;
    if (hit->page->campaign_parts >> CAMPAIGN_NAME & 1u) {
        take_campaign(out, j);
        return;
    }
    if (j->host.len == 0 || j->own)
        return;
    if (take_source(out, sources_assistant(hit->sources, j->host, j->u.path), SS_LIT("ai_assistant")) ||
        take_search(out, j) || take_source(out, sources_social(hit->sources, j->host), SS_LIT("social")))
        return;
    take_website(out, j, scratch->name);
}

static void read_url(judge *j, referrer *out, referrer_scratch *scratch)
{
    const referrer_hit *hit = j->hit;
    j->url = value_cut(value_trim(hit->urlref), REFERRER_URL_MAX);
    if (!url_parts_read(&j->u, j->url))
        return;
    j->host = url_host_lower(scratch->host, j->u.host);
    const site *any = &hit->sites->any;
    out->normalized = j->url;
    look_at_sites(j);
    if (!j->own) {
        j->engine = sources_engine(hit->sources, j->host, j->u.path, j->u.query);
        const known_source *owner =
            j->engine || !j->u.query.len ? j->engine : sources_social(hit->sources, j->host);
        const noise *n = owner && j->u.query.len ? noise_of(owner->name) : NULL;
        if (n)
            out->normalized = url_without(n, j->url, &j->u, scratch->url);
    }
    if (site_excludes_referrer(hit->site, j->host, j->u.path) ||
        (hit->site != any && site_excludes_referrer(any, j->host, j->u.path)))
        j->host = ss_s("", 0);
}

void referrer_read(referrer *out, const referrer_hit *hit, referrer_scratch *scratch, texts *t)
{
    judge j = {.hit = hit, .host = ss_s("", 0), .t = t};
    *out = (referrer){SS_LIT("direct"), ss_s("", 0), ss_s("", 0), ss_s("", 0)};
    if (hit->urlref.len)
        read_url(&j, out, scratch);
    decide(out, &j, scratch);
}
