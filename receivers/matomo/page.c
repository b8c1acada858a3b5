#include "receivers/matomo/page.h"

#include "plugins/common/block.h"
#include "plugins/common/url.h"
#include "receivers/matomo/lower.h"
#include "receivers/matomo/url_parts.h"
#include "receivers/matomo/value.h"

#define CAMPAIGN_PARAMS (PARAM_COUNT - PARAM_CAMPAIGN_FIRST)
#define C(name)         (uint8_t)(PARAM_##name - PARAM_CAMPAIGN_FIRST)
#define RANKS_MAX       8u
#define RANK_END        0xFFu

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

/* Behind the campaign's parameters in the table of names: what is taken out of URLs, then what a search is.
 */
static const char *const noise_names[] = {
    "ignore_referrer", "ignore_referer", "gclid",        "fbclid",         "msclkid",       "twclid",
    "wbraid",          "gbraid",         "yclid",        "fb_xd_fragment", "fb_comment_id", "phpsessid",
    "jsessionid",      "sessionid",      "aspsessionid", "doing_wp_cron",  "sid",           "pk_vid",
};
static const char *const search_names[] = {"q", "query",   "s",        "search",      "searchword",
                                           "k", "keyword", "keywords", "search_count"};
#define NOISE_COUNT  (sizeof noise_names / sizeof *noise_names)
#define SEARCH_COUNT (sizeof search_names / sizeof *search_names)
#define SEARCH_FIRST (CAMPAIGN_PARAMS + NOISE_COUNT)
#define SEARCH_HITS  (SEARCH_FIRST + SEARCH_COUNT - 1) /* search_count */

_Static_assert(CAMPAIGN_PARAMS < 64, "the found ones are bits of one word");

bool page_names_make(names *table)
{
    const char *list[CAMPAIGN_PARAMS + NOISE_COUNT + SEARCH_COUNT];
    memcpy(list, param_names + PARAM_CAMPAIGN_FIRST, CAMPAIGN_PARAMS * sizeof *list);
    memcpy(list + CAMPAIGN_PARAMS, noise_names, sizeof noise_names);
    memcpy(list + SEARCH_FIRST, search_names, sizeof search_names);
    return names_make(table, list, sizeof list / sizeof *list, true);
}

typedef struct query_walk { /* over the query and the fragment of one URL */
    const names *table;
    uint64_t found; /* bits of campaign parameters */
    ss_str campaign[CAMPAIGN_PARAMS];
    uint32_t search_rank;
    ss_str search, search_count;
} query_walk;

/* What a pair of the URL is; NAMES_NONE: nothing special. */
static uint32_t pair_class(const names *table, const url_pair *pair, const char *end)
{
    char plain[NAMES_LEN_MAX * 3];
    if (!pair->key_encoded)
        return pair->key.len <= NAMES_LEN_MAX
                   ? names_find(table, names_fold(names_load(pair->key.ptr, pair->key.len, end)))
                   : NAMES_NONE;
    if (pair->key.len > sizeof plain)
        return NAMES_NONE;
    size_t len = url_decode(plain, pair->key);
    return len <= NAMES_LEN_MAX ? names_find(table, names_fold(names_load(plain, len, plain + len)))
                                : NAMES_NONE;
}

/* Takes note of a pair; true: it goes out of the normalised URL. */
static bool walk_pair(query_walk *w, const url_pair *pair, const char *end)
{
    uint32_t class = pair_class(w->table, pair, end);
    if (class == NAMES_NONE)
        return false;
    if (class < CAMPAIGN_PARAMS) {
        w->found |= (uint64_t)(pair->value.len > 0) << class;
        w->campaign[class] = pair->value;
        return true;
    }
    if (class < SEARCH_FIRST)
        return true;
    if (class == SEARCH_HITS) {
        w->search_count = pair->value;
        return false;
    }
    if (class - SEARCH_FIRST < w->search_rank && pair->value.len > 0) {
        w->search_rank = class - (uint32_t)SEARCH_FIRST;
        w->search = pair->value;
    }
    return false;
}

/* ---- the URL ---- */

static size_t put_entity(char *out, const char *at, const char *end, size_t *len)
{
    static const struct {
        const char *entity;
        char c;
    } list[] = {{"&amp;", '&'},  {"&lt;", '<'},   {"&gt;", '>'},
                {"&quot;", '"'}, {"&#39;", '\''}, {"&#039;", '\''}};
    bool maybe = end - at >= 4 && at[1] != '\0' && strchr("algq#", at[1]) != NULL;
    for (size_t i = 0; maybe && i < sizeof list / sizeof *list; i++) {
        size_t n = strlen(list[i].entity);
        if ((size_t)(end - at) >= n && memcmp(at, list[i].entity, n) == 0) {
            *out = list[i].c;
            *len = 1;
            return n;
        }
    }
    *out = *at;
    *len = 1;
    return 1;
}

/* Without entities, white space around, line breaks and NULs; cut. */
static ss_str url_clean(char *out, ss_str url)
{
    url = value_cut(value_trim(url), PAGE_URL_MAX);
    const char *at = url.ptr, *end = url.ptr + url.len;
    size_t len = 0;
    while (at < end) {
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
        char c = *at;
        if (c == '&') {
            size_t n;
            at += put_entity(out + len, at, end, &n);
            len += n;
            continue;
        }
        at++;
        out[len] = c;
        len += c != '\n' && c != '\r' && c != '\0';
    }
    return ss_s(out, len);
}

/* ";a=1;b=2" without a question mark before it is a query, too. */
static void url_unfold_matrix(char *url, size_t from, size_t end)
{
    char *semicolon = memchr(url + from, ';', end - from);
    if (!semicolon || !memchr(semicolon, '=', (size_t)(url + end - semicolon)))
        return;
    for (char *p = semicolon; p < url + end; p++)
        if (*p == ';')
            *p = p == semicolon ? '?' : '&';
}

static size_t put_bytes(char *out, size_t at, ss_str bytes)
{
    if (bytes.len)
        memcpy(out + at, bytes.ptr, bytes.len);
    return at + bytes.len;
}

static size_t put_pair(char *out, size_t at, const url_pair *pair)
{
    const char *end = pair->has_value ? pair->value.ptr + pair->value.len : pair->key.ptr + pair->key.len;
    out[at] = at ? '&' : '?';
    return put_bytes(out, at + 1, ss_s(pair->key.ptr, (size_t)(end - pair->key.ptr)));
}

/* Walks "a=1&b=2"; what stays goes to out (NULL: only looks), returns its length. */
static size_t walk_query(query_walk *w, ss_str query, char *out)
{
    url_pairs walk;
    url_pair pair;
    size_t len = 0;
    url_pairs_start(&walk, query);
    while (url_pairs_next(&walk, &pair)) {
        if (walk_pair(w, &pair, query.ptr + query.len) || !out)
            continue;
        len = put_pair(out, len, &pair);
    }
    return len;
}

/* A site search's parameters go out of the URL again: seldom, so that a second pass does no harm. */
static size_t drop_search(const names *table, ss_str query, char *out)
{
    query_walk again = {.table = table};
    url_pairs walk;
    url_pair pair;
    size_t len = 0;
    url_pairs_start(&walk, query);
    while (url_pairs_next(&walk, &pair)) {
        uint32_t class = pair_class(table, &pair, query.ptr + query.len);
        if (walk_pair(&again, &pair, query.ptr + query.len) || (class >= SEARCH_FIRST && class != NAMES_NONE))
            continue;
        len = put_pair(out, len, &pair);
    }
    return len;
}

/* clean: the URL in memory of ours; out: room for as much. */
static ss_str url_normalize(query_walk *w, char *clean, size_t len, char *out)
{
    size_t host = url_host_at(ss_s(clean, len));
    if (host == 0)
        return ss_s("", 0);
    char *hash = memchr(clean + host, '#', len - host);
    size_t end = hash ? (size_t)(hash - clean) : len, path = host;
    while (path < end && clean[path] != '/' && clean[path] != '?')
        path++;
    lower_ascii(clean + host, path - host);
    char *mark = memchr(clean + path, '?', end - path);
    if (!mark) {
        url_unfold_matrix(clean, path, end);
        mark = memchr(clean + path, '?', end - path);
    }
    size_t query_at = mark ? (size_t)(mark - clean) + 1 : end;
    ss_str query = ss_s(clean + query_at, end - query_at);
    size_t put = put_bytes(out, 0, ss_s(clean, mark ? query_at - 1 : end));
    if (query.len) {
        size_t kept = walk_query(w, query, out + put);
        put += w->search.len ? drop_search(w->table, query, out + put) : kept;
    }
    if (hash && !(w->found & (((uint64_t)1 << RANKS_MAX) - 1))) /* no campaign name in the query */
        (void)walk_query(w, ss_s(hash + 1, len - end - 1), NULL);
    return ss_s(out, put);
}

/* ---- the campaign ---- */

static ss_str text_take(char **scratch, ss_str raw, bool encoded, bool lower)
{
    char *to = *scratch;
    /* Cut before decoding: three characters make one byte at the most. */
    if (raw.len > 3 * CAMPAIGN_TEXT_MAX)
        raw.len = 3 * CAMPAIGN_TEXT_MAX;
    char plain[3 * CAMPAIGN_TEXT_MAX];
    size_t len = encoded ? url_decode(plain, raw) : raw.len;
    ss_str text = value_cut(value_trim(ss_s(encoded ? plain : raw.ptr, len)), CAMPAIGN_TEXT_MAX);
    (void)put_bytes(to, 0, text);
    if (lower)
        lower_text(to, text.len);
    *scratch += text.len;
    return ss_s(to, text.len);
}

static void campaign_read(page *out, const query_walk *w, const params *p, char **scratch)
{
    uint64_t given = params_run(p, PARAM_CAMPAIGN_FIRST);
    if (!(given | w->found))
        return;
    for (uint32_t part = 0; part < CAMPAIGN_PARTS; part++) {
        const uint8_t *rank = campaign_ranks[part];
        bool lower = part <= CAMPAIGN_KEYWORD;
        ss_str text = {"", 0};
        for (uint32_t i = 0; rank[i] != RANK_END && !text.len; i++)
            if (given >> rank[i] & 1u)
                text = text_take(scratch, p->value[PARAM_CAMPAIGN_FIRST + rank[i]], false, lower);
        for (uint32_t i = 0; rank[i] != RANK_END && !text.len; i++)
            if (w->found >> rank[i] & 1u)
                text = text_take(scratch, w->campaign[rank[i]], true, lower);
        out->campaign[part] = text;
        out->campaign_parts |= (uint32_t)(text.len > 0) << part;
    }
}

void page_read(page *out, const names *table, const params *p, ss_str url, char *scratch)
{
    query_walk w; /* its list is only read where `found` says so */
    w.table = table;
    w.found = 0;
    w.search_rank = SEARCH_COUNT - 1;
    w.search = w.search_count = out->normalized = out->search = out->search_count = ss_s("", 0);
    out->campaign_parts = 0;
    char *texts = scratch + 2 * PAGE_URL_MAX;
    if (url.len) {
        ss_str clean = url_clean(scratch, url);
        out->normalized = url_normalize(&w, scratch, clean.len, scratch + PAGE_URL_MAX);
    }
    campaign_read(out, &w, p, &texts);
    if (w.search.len) {
        out->search = text_take(&texts, w.search, true, false);
        out->search_count = w.search_count;
    }
}
