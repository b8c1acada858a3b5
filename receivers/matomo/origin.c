#include "receivers/matomo/origin.h"

#include "receivers/matomo/action.h"
#include "receivers/matomo/value.h"

static void set_some(ss_event *e, uint32_t field, ss_str text)
{
    if (text.len)
        ss_set_str(e, field, text);
}

static void set_campaign(ss_event *e, const page *seen)
{
    static const uint16_t fields[CAMPAIGN_PARTS] = {
        [CAMPAIGN_NAME] = FIELD_CAMPAIGN_NAME,       [CAMPAIGN_KEYWORD] = FIELD_CAMPAIGN_KEYWORD,
        [CAMPAIGN_SOURCE] = FIELD_CAMPAIGN_SOURCE,   [CAMPAIGN_MEDIUM] = FIELD_CAMPAIGN_MEDIUM,
        [CAMPAIGN_CONTENT] = FIELD_CAMPAIGN_CONTENT, [CAMPAIGN_ID] = FIELD_CAMPAIGN_ID,
        [CAMPAIGN_GROUP] = FIELD_CAMPAIGN_GROUP,     [CAMPAIGN_PLACEMENT] = FIELD_CAMPAIGN_PLACEMENT};
    for (uint32_t bits = seen->campaign_parts; bits; bits &= bits - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(bits);
        ss_set_str(e, fields[i], seen->campaign[i]);
    }
}

/* search= beats what the URL says. */
static void set_search(ss_event *e, const page *seen)
{
    int64_t count;
    if (seen->search.len == 0 || !action_search_in_url(e))
        return;
    ss_set_str(e, FIELD_SEARCH_KEYWORD, seen->search);
    if (!ss_has(e, FIELD_SEARCH_CATEGORY))
        set_some(e, FIELD_SEARCH_CATEGORY, seen->search_category);
    if (!ss_has(e, FIELD_SEARCH_COUNT) && value_int(seen->search_count, &count) && count >= 0)
        ss_set_int(e, FIELD_SEARCH_COUNT, count);
}

/* The script sends these encoded once more than others. */
static void set_attribution(ss_event *e, const params *p, texts *t)
{
    if (params_has(p, PARAM_RCN))
        ss_set_str(e, FIELD_ATTRIBUTION_NAME, text_take(t, p->value[PARAM_RCN], TEXT_ENCODED | TEXT_LOWER));
    if (params_has(p, PARAM_RCK))
        ss_set_str(e, FIELD_ATTRIBUTION_KEYWORD,
                   text_take(t, p->value[PARAM_RCK], TEXT_ENCODED | TEXT_LOWER));
}

void origin_set(const matomo *m, const site *s, const params *p, ss_str url, ss_event *e,
                origin_scratch *scratch)
{
    texts t = {scratch->texts, scratch->texts + sizeof scratch->texts, params_get(p, PARAM_CS)};
    page seen;
    referrer from;
    page_read(&seen, s, p, url, &scratch->page, &t);
    set_some(e, FIELD_PAGE_URL_NORMALIZED, seen.normalized);
    set_campaign(e, &seen);
    set_search(e, &seen);
    set_attribution(e, p, &t);
    referrer_hit hit = {.sources = m->sources,
                        .sites = &m->sites,
                        .site = s,
                        .page = &seen,
                        .urlref = params_get(p, PARAM_URLREF)};
    referrer_read(&from, &hit, &scratch->referrer, &t);
    ss_set_str(e, FIELD_REFERRER_TYPE, from.type);
    set_some(e, FIELD_REFERRER_NAME, from.name);
    set_some(e, FIELD_REFERRER_KEYWORD, from.keyword);
    set_some(e, FIELD_REFERRAL_URL_NORMALIZED, from.normalized);
}
