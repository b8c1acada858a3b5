#include "receivers/matomo/page.h"

#include "plugins/common/block.h"
#include "plugins/common/url.h"
#include "receivers/matomo/entity.h"
#include "receivers/matomo/lower.h"
#include "receivers/matomo/url_parts.h"
#include "receivers/matomo/value.h"

#define CAMPAIGN_PARAMS (PARAM_COUNT - PARAM_CAMPAIGN_FIRST)
#define C(name)         (uint8_t)(PARAM_##name - PARAM_CAMPAIGN_FIRST)
#define RANKS_MAX       8u
#define RANK_END        0xFFu
#define RANK_NONE       0x100u
#define CAMPAIGN_NAMES  (((uint64_t)1 << RANKS_MAX) - 1) /* the first ones are the names */

/* By part: the parameters that it may come from, best first. */
static const uint8_t campaign_ranks[CAMPAIGN_PARTS][RANKS_MAX + 1] = {
    [CAMPAIGN_NAME] = {C(PK_CPN), C(PK_CAMPAIGN), C(PIWIK_CAMPAIGN), C(MTM_CAMPAIGN), C(MATOMO_CAMPAIGN),
                       C(UTM_CAMPAIGN), C(UTM_SOURCE), C(UTM_MEDIUM), RANK_END},
    [CAMPAIGN_KEYWORD] = {C(PK_KWD), C(PK_KEYWORD), C(PIWIK_KWD), C(MTM_KWD), C(MTM_KEYWORD), C(MATOMO_KWD),
                          C(UTM_TERM), RANK_END},
    [CAMPAIGN_SOURCE] = {C(MTM_SOURCE), C(PK_SOURCE), C(UTM_SOURCE), RANK_END},
    [CAMPAIGN_MEDIUM] = {C(MTM_MEDIUM), C(PK_MEDIUM), C(UTM_MEDIUM), RANK_END},
    [CAMPAIGN_CONTENT] = {C(MTM_CONTENT), C(PK_CONTENT), C(UTM_CONTENT), RANK_END},
    [CAMPAIGN_ID] = {C(MTM_CID), C(PK_CID), C(UTM_ID), RANK_END},
    [CAMPAIGN_GROUP] = {C(MTM_GROUP), C(PK_GROUP), RANK_END},
    [CAMPAIGN_PLACEMENT] = {C(MTM_PLACEMENT), C(PK_PLACEMENT), RANK_END},
};

typedef struct query_walk { /* over the query and the fragment of one URL */
    const page_rules *rules;
    uint64_t found; /* bits of campaign parameters */
    ss_str campaign[CAMPAIGN_PARAMS];
    uint32_t search_rank, category_rank; /* of what was found, RANK_NONE: nothing */
    ss_str search, category, search_count;
    bool site_search, ignore_referrer;
    bool campaign_done; /* the query named one: the fragment's does not count */
} query_walk;

/* Nothing but white space, still encoded. */
static bool is_blank(ss_str value)
{
    size_t i = 0;
    while (i < value.len && (value.ptr[i] == '+' || value.ptr[i] == ' '))
        i++;
    while (value.len - i >= 3 &&
           (memcmp(value.ptr + i, "%20", 3) == 0 || memcmp(value.ptr + i, "%09", 3) == 0))
        i += 3;
    return i == value.len;
}

/* The best name wins; of one name the last value, but of a list the first. */
static void take_ranked(ss_str *to, uint32_t *best, pair_rule rule, ss_str value)
{
    if (is_blank(value) || rule.rank > *best || (rule.list && rule.rank == *best))
        return;
    *best = rule.rank;
    *to = value;
}

/* Takes note of a pair; true: it goes out of the normalised URL. */
static bool walk_pair(query_walk *w, const url_pair *pair, const char *end)
{
    pair_rule rule = page_rules_find(w->rules, pair, end);
    switch (rule.kind) {
    case PAIR_PLAIN:
        return false;
    case PAIR_CAMPAIGN:
        if (w->campaign_done)
            return true;
        w->found |= (uint64_t)(pair->value.len > 0) << rule.rank;
        w->campaign[rule.rank] = pair->value;
        return true;
    case PAIR_IGNORE_REFERRER:
        w->ignore_referrer |= ss_eq(pair->value, SS_LIT("1"));
        return true;
    case PAIR_REMOVED:
        return true;
    case PAIR_SEARCH:
        if (w->site_search)
            take_ranked(&w->search, &w->search_rank, rule, pair->value);
        return false;
    case PAIR_CATEGORY:
        if (w->site_search)
            take_ranked(&w->category, &w->category_rank, rule, pair->value);
        return false;
    default:
        w->search_count = pair->value;
        return false;
    }
}

/* ---- the URL ---- */

/* Without entities, white space around, line breaks and NULs; cut. */
static ss_str url_clean(char *out, ss_str url)
{
    url = value_trim(url);
    const char *at = url.ptr, *end = url.ptr + url.len;
    size_t len = 0;
    while (at < end && len <= PAGE_URL_MAX) {     /* one more, so that the cut sees what it cuts */
        if (end - at >= (ptrdiff_t)BLOCK_BYTES) { /* seldom is anything to do */
            block b = block_load(at);
            uint32_t special = block_equal2(b, '&', '\n') | block_equal2(b, '\r', '\0');
            block_store(out + len, b);
            uint32_t plain = special ? block_first(special) : BLOCK_BYTES;
            at += plain;
            len += plain;
            if (!special)
                continue;
        }
        size_t put = 1, used = *at == '&' ? entity_read(out + len, at, end, &put) : 0;
        if (!used) {
            out[len] = *at;
            used = put = 1;
        }
        at += used;
        len += put == 1 && (out[len] == '\n' || out[len] == '\r' || out[len] == '\0') ? 0 : put;
    }
    return value_trim(value_cut(ss_s(out, len), PAGE_URL_MAX));
}

/* ";a=1;b=2" is a query, too, where no question mark stands before it. */
static void url_unfold_matrix(char *url, size_t from, size_t end)
{
    char *semicolon = memchr(url + from, ';', end - from), *mark = memchr(url + from, '?', end - from);
    if (!semicolon || (mark && mark < semicolon))
        return;
    for (char *p = semicolon; p < url + end; p++)
        if (*p == ';' || p == mark)
            *p = p == semicolon ? '?' : '&';
}

static size_t put_bytes(char *out, size_t at, ss_str bytes)
{
    if (bytes.len)
        memcpy(out + at, bytes.ptr, bytes.len);
    return at + bytes.len;
}

/* first: what stands before the first pair, where one is left; 0: nothing. */
static size_t put_pair(char *out, size_t at, const url_pair *pair, char first)
{
    const char *end = pair->has_value ? pair->value.ptr + pair->value.len : pair->key.ptr + pair->key.len;
    if (at || first)
        out[at] = at ? '&' : first;
    return put_bytes(out, at + (at || first), ss_s(pair->key.ptr, (size_t)(end - pair->key.ptr)));
}

/* Walks "a=1&b=2"; what stays goes to out (NULL: only looks), returns its length. */
static size_t walk_query(query_walk *w, ss_str query, char *out, char first)
{
    url_pairs walk;
    url_pair pair;
    size_t len = 0;
    url_pairs_start(&walk, query);
    while (url_pairs_next(&walk, &pair)) {
        if (walk_pair(w, &pair, query.ptr + query.len) || !out)
            continue;
        len = put_pair(out, len, &pair, first);
    }
    return len;
}

/* A site search's parameters go out of the URL again: seldom, so that a second pass does no harm. */
static size_t drop_search(const page_rules *rules, ss_str query, char *out, char first)
{
    url_pairs walk;
    url_pair pair;
    size_t len = 0;
    url_pairs_start(&walk, query);
    while (url_pairs_next(&walk, &pair))
        if (page_rules_find(rules, &pair, query.ptr + query.len).kind == PAIR_PLAIN)
            len = put_pair(out, len, &pair, first);
    return len;
}

/* "#section", "#a=1&b=2", "#/route?a=1": the part of it that is like a query. */
static ss_str fragment_query(ss_str fragment)
{
    const char *mark = fragment.len ? memchr(fragment.ptr, '?', fragment.len) : NULL;
    const char *from = mark ? mark + 1 : fragment.ptr, *end = fragment.ptr + fragment.len;
    return fragment.len && memchr(from, '=', (size_t)(end - from)) ? ss_s(from, (size_t)(end - from))
                                                                   : ss_s(end, 0);
}

/* Where the site keeps fragments. */
static size_t put_fragment(const query_walk *w, ss_str fragment, ss_str query, char *out)
{
    ss_str plain = ss_s(fragment.ptr, fragment.len - query.len);
    query_walk again = {.rules = w->rules};
    size_t at = put_bytes(out, 1, plain), len;
    out[0] = '#';
    if (w->search.len)
        len = drop_search(w->rules, query, out + at, '\0');
    else
        len = walk_query(&again, query, out + at, '\0');
    if (len == 0 && plain.len && out[at - 1] == '?')
        at--; /* nothing left behind the question mark */
    at += len;
    at -= at > 1 && out[at - 1] == '#';
    return at > 1 ? at : 0;
}

/* User and port stay in the normalised URL; the host is a slice of it. */
static ss_str host_in(ss_str authority)
{
    const char *user = authority.len ? memrchr(authority.ptr, '@', authority.len) : NULL;
    ss_str host = authority;
    if (user)
        host = ss_s(user + 1, (size_t)(authority.ptr + authority.len - user) - 1);
    const char *from = host.len && *host.ptr == '[' ? memchr(host.ptr, ']', host.len) : host.ptr;
    const char *colon = from && host.len ? memchr(from, ':', (size_t)(host.ptr + host.len - from)) : NULL;
    if (colon)
        host.len = (size_t)(colon - host.ptr);
    return host;
}

/* clean: the URL in memory of ours; out: room for as much. */
static void url_normalize(page *p, query_walk *w, const site *s, char *clean, size_t len, char *out)
{
    size_t host = url_host_at(ss_s(clean, len));
    if (host == 0)
        return;
    char *hash = memchr(clean + host, '#', len - host);
    size_t end = hash ? (size_t)(hash - clean) : len, path = host;
    url_unfold_matrix(clean, host, end);
    while (path < end && clean[path] != '/' && clean[path] != '?')
        path++;
    ss_str name = host_in(ss_s(clean + host, path - host));
    lower_ascii((char *)(uintptr_t)name.ptr, name.len);
    char *mark = memchr(clean + path, '?', end - path);
    size_t query_at = mark ? (size_t)(mark - clean) + 1 : end;
    ss_str query = ss_s(clean + query_at, end - query_at), fragment = ss_s(clean + end, 0);
    size_t put = put_bytes(out, 0, ss_s(clean, mark ? query_at - 1 : end)), kept = 0;
    if (query.len)
        kept = walk_query(w, query, out + put, '?');
    if (hash) {
        fragment = ss_s(hash + 1, len - end - 1);
        w->campaign_done = (w->found & CAMPAIGN_NAMES) != 0;
        (void)walk_query(w, fragment_query(fragment), NULL, '\0');
    }
    if (query.len && w->search.len)
        kept = drop_search(w->rules, query, out + put, '?');
    put += kept;
    if (fragment.len && s->keep_fragment)
        put += put_fragment(w, fragment, fragment_query(fragment), out + put);
    p->normalized = ss_s(out, put);
    p->host = ss_s(out + (name.ptr - clean), name.len);
}

/* ---- the campaign ---- */

static void campaign_read(page *out, const query_walk *w, const params *p, texts *t)
{
    uint64_t given = params_run(p, PARAM_CAMPAIGN_FIRST);
    if (!(given | w->found))
        return;
    for (uint32_t part = 0; part < CAMPAIGN_PARTS; part++) {
        const uint8_t *rank = campaign_ranks[part];
        unsigned lower = part <= CAMPAIGN_KEYWORD ? TEXT_LOWER : 0;
        ss_str text = {"", 0};
        for (uint32_t i = 0; rank[i] != RANK_END && !text.len; i++)
            if (given >> rank[i] & 1u)
                text = text_take(t, p->value[PARAM_CAMPAIGN_FIRST + rank[i]], lower);
        for (uint32_t i = 0; rank[i] != RANK_END && !text.len; i++)
            if (w->found >> rank[i] & 1u)
                text = text_take(t, w->campaign[rank[i]], TEXT_ENCODED | lower);
        out->campaign[part] = text;
        out->campaign_parts |= (uint32_t)(text.len > 0) << part;
    }
}

void page_read(page *out, const site *s, const params *p, ss_str url, page_scratch *scratch, texts *t)
{
    query_walk w; /* its list is only read where `found` says so */
    w.rules = s->rules;
    w.found = 0;
    w.search_rank = w.category_rank = RANK_NONE;
    w.search = w.category = w.search_count = ss_s("", 0);
    w.site_search = s->site_search;
    w.ignore_referrer = w.campaign_done = false;
    out->normalized = out->host = out->search = out->search_category = out->search_count = ss_s("", 0);
    out->campaign_parts = 0;
    if (url.len) {
        ss_str clean = url_clean(scratch->clean, url);
        url_normalize(out, &w, s, (char *)(uintptr_t)clean.ptr, clean.len, scratch->normalized);
    }
    out->ignore_referrer = w.ignore_referrer;
    campaign_read(out, &w, p, t);
    if (w.search.len) {
        out->search = text_take(t, w.search, TEXT_ENCODED);
        out->search_category = text_take(t, w.category, TEXT_ENCODED);
        out->search_count = w.search_count;
    }
}
