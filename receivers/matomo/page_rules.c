#include "receivers/matomo/page_rules.h"

#include <stdlib.h>
#include <strings.h>

#include "receivers/matomo/params.h"

#define TABLE_NAMES_MAX 160u /* so that a perfect hash is found soon */
#define CAMPAIGN_PARAMS (PARAM_COUNT - PARAM_CAMPAIGN_FIRST)

_Static_assert(CAMPAIGN_PARAMS < 64, "the found ones are bits of one word");

static const char *const noise_names[] = {
    "gclid",        "fbclid",         "msclkid",       "twclid",    "wbraid",     "gbraid",
    "yclid",        "fb_xd_fragment", "fb_comment_id", "phpsessid", "jsessionid", "sessionid",
    "aspsessionid", "doing_wp_cron",  "sid",           "pk_vid",
};
static const char *const search_names[] = {"q",          "query", "s",       "search",
                                           "searchword", "k",     "keyword", "keywords"};

/* Those above, and search_count, ignore_referrer, ignore_referer: what may not fit into the table any more.
 */
#define OWN_NAMES_MAX 32u
_Static_assert(sizeof noise_names / sizeof *noise_names + sizeof search_names / sizeof *search_names + 3 <=
                   OWN_NAMES_MAX,
               "more names are built in than there is room for");

typedef struct maker {
    page_rules *rules;
    const ss_host *host;
    const char *place;
    ss_error *err;
    char copies[TABLE_NAMES_MAX][NAMES_LEN_MAX + 1];
    const char *list[TABLE_NAMES_MAX];
    size_t count;
} maker;

/* The first one that claims a name has it. */
static bool known(const maker *k, ss_str name)
{
    for (size_t i = 0; i < k->count; i++)
        if (strlen(k->list[i]) == name.len && strncasecmp(k->list[i], name.ptr, name.len) == 0)
            return true;
    for (size_t i = 0; i < k->rules->more_count; i++)
        if (k->rules->more[i].name.len == name.len &&
            strncasecmp(k->rules->more[i].name.ptr, name.ptr, name.len) == 0)
            return true;
    return false;
}

static int32_t add(maker *k, ss_str name, enum pair_kind kind, size_t rank)
{
    page_rules *r = k->rules;
    pair_rule rule = {(uint8_t)kind, (uint8_t)(rank < UINT8_MAX ? rank : UINT8_MAX), false};
    if (name.len == 0 || name.len > PAGE_NAME_MAX || memchr(name.ptr, '\0', name.len))
        return ss_fail(k->err, SS_REJECT, "%s\"%.*s\" is no name of a parameter", k->place, (int)name.len,
                       name.ptr);
    if (known(k, name))
        return SS_OK;
    if (name.len <= NAMES_LEN_MAX && k->count < TABLE_NAMES_MAX) {
        memcpy(k->copies[k->count], name.ptr, name.len);
        r->rules[k->count] = rule;
        k->list[k->count] = k->copies[k->count];
        k->count++;
        return SS_OK;
    }
    r->slow |= name.len <= NAMES_LEN_MAX;
    r->more[r->more_count++] = (page_name){name, rule};
    return SS_OK;
}

static int32_t add_own(maker *k, const char *const *list, size_t count, enum pair_kind kind)
{
    int32_t status = SS_OK;
    for (size_t i = 0; status == SS_OK && i < count; i++)
        status = add(k, ss_cstr(list[i]), kind, i);
    return status;
}

static int32_t add_listed(maker *k, const ss_config *list, enum pair_kind kind)
{
    int32_t status = SS_OK;
    page_rules *r = k->rules;
    size_t count = list ? k->host->cfg_len(list) : 0;
    for (size_t i = 0; status == SS_OK && i < count; i++) {
        ss_str name = k->host->cfg_str(k->host->cfg_at(list, i), "");
        ss_error why = {.struct_size = sizeof why};
        if (kind != PAIR_REMOVED || !pattern_is(name)) {
            status = add(k, name, kind, i);
            continue;
        }
        r->patterns[r->pattern_count] = pattern_new(name, &why);
        if (!r->patterns[r->pattern_count])
            return ss_fail(k->err, SS_REJECT, "%sexcluded_parameters: %s", k->place, why.text);
        r->pattern_count++;
        r->slow = true;
    }
    return status;
}

static const ss_config *lookup(const maker *k, const ss_config *node, const ss_config *above,
                               const char *name)
{
    const ss_config *own = k->host->cfg_get(node, name);
    return own || !above ? own : k->host->cfg_get(above, name);
}

static int32_t fill(maker *k, const ss_config *node, const ss_config *above)
{
    static const char *const ignore[] = {"ignore_referrer", "ignore_referer"}, *const count[] = {
                                                                                   "search_count"};
    const ss_config *search = lookup(k, node, above, "search_parameters");
    int32_t status = add_own(k, param_names + PARAM_CAMPAIGN_FIRST, CAMPAIGN_PARAMS, PAIR_CAMPAIGN);
    if (status == SS_OK)
        status = search ? add_listed(k, search, PAIR_SEARCH)
                        : add_own(k, search_names, sizeof search_names / sizeof *search_names, PAIR_SEARCH);
    if (status == SS_OK)
        status = add_listed(k, lookup(k, node, above, "search_category_parameters"), PAIR_CATEGORY);
    if (status == SS_OK)
        status = add_own(k, count, 1, PAIR_SEARCH_COUNT);
    if (status == SS_OK)
        status = add_own(k, ignore, 2, PAIR_IGNORE_REFERRER);
    if (status == SS_OK)
        status = add_own(k, noise_names, sizeof noise_names / sizeof *noise_names, PAIR_REMOVED);
    if (status == SS_OK)
        status = add_listed(k, k->host->cfg_get(node, "excluded_parameters"), PAIR_REMOVED);
    if (status == SS_OK && above)
        status = add_listed(k, k->host->cfg_get(above, "excluded_parameters"), PAIR_REMOVED);
    if (status == SS_OK && !names_make(&k->rules->table, k->list, k->count, true))
        status =
            ss_fail(k->err, SS_FATAL,
                    "%sthe table of parameter names could not be made: two names differ in signs that it "
                    "takes for one (@ and `, [ and {), or this is a bug",
                    k->place);
    return status;
}

static size_t count_listed(const ss_host *host, const ss_config *node)
{
    static const char *const lists[] = {"search_parameters", "search_category_parameters",
                                        "excluded_parameters"};
    size_t count = 0;
    for (size_t i = 0; node && i < sizeof lists / sizeof *lists; i++) {
        const ss_config *list = host->cfg_get(node, lists[i]);
        count += list ? host->cfg_len(list) : 0;
    }
    return count;
}

page_rules *page_rules_new(const ss_host *host, const ss_config *node, const ss_config *above,
                           const char *place, ss_error *err)
{
    maker *k = calloc(1, sizeof *k);
    page_rules *r = calloc(1, sizeof *r);
    size_t most = count_listed(host, node) + count_listed(host, above) + OWN_NAMES_MAX;
    if (r) {
        r->more = calloc(most, sizeof *r->more);
        r->patterns = calloc(most, sizeof(pattern *));
    }
    bool memory = k && r && r->more && r->patterns;
    if (!memory)
        (void)ss_fail(err, SS_LIMIT, "no memory for the sites");
    if (memory) {
        k->rules = r;
        k->host = host;
        k->place = place;
        k->err = err;
    }
    bool ok = memory && fill(k, node, above) == SS_OK;
    free(k);
    if (ok)
        return r;
    page_rules_free(r);
    return NULL;
}

void page_rules_free(page_rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->pattern_count; i++)
        pattern_free(r->patterns[i]);
    free(r->patterns);
    free(r->more);
    free(r);
}

bool page_rules_wanted(const ss_host *host, const ss_config *node)
{
    return host->cfg_get(node, "search_parameters") || host->cfg_get(node, "search_category_parameters") ||
           host->cfg_get(node, "excluded_parameters");
}

pair_rule page_rules_seldom(const page_rules *r, const url_pair *pair)
{
    char plain[PAGE_NAME_MAX];
    pair_rule none = r->rules[NAMES_NONE];
    if (pair->key.len > sizeof plain)
        return none;
    ss_str name = pair->key_encoded ? ss_s(plain, url_decode(plain, pair->key)) : pair->key;
    ss_str whole = name;
    const char *bracket = name.len && name.ptr[name.len - 1] == ']' ? memchr(name.ptr, '[', name.len) : NULL;
    if (bracket)
        name.len = (size_t)(bracket - name.ptr);
    pair_rule rule = none;
    if (name.len > 0 && name.len <= NAMES_LEN_MAX)
        rule =
            r->rules[names_find(&r->table, names_fold(names_load(name.ptr, name.len, name.ptr + name.len)))];
    for (size_t i = 0; rule.kind == PAIR_PLAIN && i < r->more_count; i++)
        if (r->more[i].name.len == name.len && strncasecmp(r->more[i].name.ptr, name.ptr, name.len) == 0)
            rule = r->more[i].rule;
    for (size_t i = 0; rule.kind == PAIR_PLAIN && i < r->pattern_count; i++)
        if (pattern_matches(r->patterns[i], whole))
            rule.kind = PAIR_REMOVED;
    rule.list = bracket != NULL;
    return rule;
}
