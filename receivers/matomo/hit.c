#include "receivers/matomo/hit.h"

#include <arpa/inet.h>

#include "plugins/common/json.h"
#include "receivers/matomo/action.h"
#include "receivers/matomo/client_hints.h"
#include "receivers/matomo/items.h"
#include "receivers/matomo/page.h"
#include "receivers/matomo/value.h"
#include "receivers/matomo/visitor.h"
#include "receivers/matomo/when.h"

#define SITE_CHARS      20u
#define CLOCK_CHARS     8u /* HH:MM:SS */
#define PERFORMANCE_MAX 16777215
#define ADDRESS_CHARS   64u

/* One piece of scratch memory for what a hit needs besides its decoded values. */
typedef struct hit_scratch {
    char visitor[VISITOR_ID_CHARS];
    char site[SITE_CHARS];
    char clock[CLOCK_CHARS];
    char page[PAGE_SCRATCH];
} hit_scratch;

typedef struct hit {
    hit_source *source;
    const ss_host *host;
    params *p;
    ss_event *event;
    hit_scratch *scratch;
    int64_t site;
    int authorized; /* -1: not looked yet */
    uint32_t dropped;
} hit;

static enum hit_outcome refuse(hit *h, enum hit_outcome outcome, const char *code, const char *why)
{
    h->host->rejected(h->source->request->call, code, ss_cstr(why));
    return outcome;
}

static bool authorized(hit *h)
{
    if (h->authorized < 0) {
        ss_str given = h->source->token.len ? h->source->token : params_get(h->p, PARAM_TOKEN_AUTH);
        h->authorized = tokens_allow(&h->source->m->tokens, given, h->site);
    }
    return h->authorized;
}

/* ---- checks, in Matomo's order ---- */

static enum hit_outcome check_time(hit *h)
{
    ss_event *e = h->event;
    int64_t now = e->receive_us;
    bool given = false;
    if (params_has(h->p, PARAM_CDT) || params_has(h->p, PARAM_CDO)) {
        e->event_us = when_resolve(params_get(h->p, PARAM_CDT), params_get(h->p, PARAM_CDO), now, &given);
        h->dropped += params_has(h->p, PARAM_CDT) && !given;
        if (given && now - e->event_us >= h->source->m->cdt_auth_after_us && !authorized(h))
            return refuse(h, HIT_INVALID, "old_cdt",
                          "cdt is old and there is no valid token_auth for this site");
    } else {
        e->event_us = now;
    }
    ss_set_time(e, FIELD_EVENT_DATETIME, e->event_us);
    ss_set_str(e, FIELD_EVENT_DATETIME_SOURCE, given ? SS_LIT("client") : SS_LIT("server"));
    return HIT_STORED;
}

/* Privileged parameters without a token: counted and ignored, or refused, as strict_auth says. */
static enum hit_outcome check_overrides(hit *h)
{
    static const uint8_t geo[] = {PARAM_COUNTRY, PARAM_REGION, PARAM_CITY, PARAM_LAT, PARAM_LONG};
    const matomo *m = h->source->m;
    params *p = h->p;
    for (size_t i = 0; i < sizeof geo; i++) {
        uint32_t id = geo[i];
        if (!params_has(p, id) || ss_eq(p->value[id], SS_LIT("0")))
            continue;
        if (authorized(h)) {
            /* The geoip enricher's business; kept with the other parameters. */
            if (p->extra_count < EXTRA_MAX)
                p->extra[p->extra_count++] = (ss_pair){ss_cstr(param_names[id]), p->value[id]};
            continue;
        }
        if (m->strict_auth)
            return refuse(h, HIT_INVALID, "geo_without_token",
                          "country, region, city, lat or long without a valid token_auth for this site");
        h->host->metric_add(m->overrides_ignored, 1);
    }
    if (params_has(p, PARAM_CIP) && !authorized(h))
        return refuse(h, HIT_INVALID, "cip_without_token", "cip without a valid token_auth for this site");
    return HIT_STORED;
}

static enum hit_outcome check_excluded(hit *h)
{
    int64_t rec = 0;
    if (h->p->install_check)
        return refuse(h, HIT_EXCLUDED, "install_check", "a probe of the tracker's installation");
    (void)(value_int(params_get(h->p, PARAM_REC), &rec));
    if (rec == 0 && h->source->m->require_rec)
        return refuse(h, HIT_EXCLUDED, "no_rec", "rec=1 is missing (require_rec: false stores such hits)");
    return HIT_STORED;
}

static enum hit_outcome check(hit *h)
{
    const params *p = h->p;
    bool site = value_int(params_get(p, PARAM_IDSITE), &h->site) && h->site >= 0;
    if (!site)
        h->site = -1;
    enum hit_outcome outcome = check_time(h);
    if (outcome != HIT_STORED)
        return outcome;
    if (!site)
        return refuse(h, HIT_INVALID, "bad_site", "idsite is missing or not an integer from 0 on");
    if ((outcome = check_overrides(h)) != HIT_STORED || (outcome = check_excluded(h)) != HIT_STORED)
        return outcome;
    if (params_has(p, PARAM_CID) && p->value[PARAM_CID].len != VISITOR_ID_CHARS)
        return refuse(h, HIT_INVALID, "bad_cid", "cid must be 16 characters");
    const char *why = NULL, *code = action_check(p, h->event, &why);
    return code ? refuse(h, HIT_INVALID, code, why) : HIT_STORED;
}

/* ---- fields ---- */

static bool is_json_container(ss_str text)
{
    return text.len > 0 && (*text.ptr == '{' || *text.ptr == '[') && json_valid(text);
}

static inline bool set_typed(ss_event *e, const param_spec *spec, ss_str text)
{
    int64_t whole;
    double number;
    switch (spec->kind) {
    case KIND_TRIMMED:
        text = value_trim(text);
        if (text.len == 0)
            return true;
        /* fall through */
    case KIND_TEXT:
        if (__builtin_expect(text.len > spec->limit, 0))
            text = value_cut(text, spec->limit);
        ss_set_str(e, spec->field, text);
        return true;
    case KIND_BOOL:
        if (!value_int(text, &whole))
            return false;
        ss_set_bool(e, spec->field, whole != 0);
        return true;
    case KIND_INT:
    case KIND_COUNT:
    case KIND_MS:
        if (!value_int(text, &whole) || (spec->kind != KIND_INT && whole < 0) ||
            (spec->kind == KIND_MS && whole > PERFORMANCE_MAX))
            return false;
        ss_set_int(e, spec->field, whole);
        return true;
    case KIND_DOUBLE:
        if (!value_double(text, &number))
            return false;
        ss_set_double(e, spec->field, number);
        return true;
    case KIND_OBJECT:
    case KIND_JSON:
        text = value_trim(text);
        if (text.len > spec->limit || !(spec->kind == KIND_JSON ? json_valid(text) : is_json_container(text)))
            return false;
        ss_set_json(e, spec->field, text);
        return true;
    default:
        return true;
    }
}

/* The three most common kinds in loops of their own: no jump by kind for each value. */
static void set_params(hit *h)
{
    const params *p = h->p;
    const matomo *m = h->source->m;
    ss_event *e = h->event;
    for (uint32_t w = 0; w < PARAM_WORDS; w++) {
        const ss_str *value = p->value + w * 64;
        const param_spec *spec = param_specs + w * 64;
        uint64_t set = p->set[w];
        for (uint64_t bits = set & m->kinds[KIND_BOOL][w]; bits; bits &= bits - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(bits);
            unsigned digit = (unsigned char)*value[i].ptr - (unsigned)'0';
            if (value[i].len == 1 && digit <= 9)
                ss_set_bool(e, spec[i].field, digit != 0);
            else
                h->dropped += !set_typed(e, &spec[i], value[i]);
        }
        for (uint64_t bits = set & m->kinds[KIND_INT][w]; bits; bits &= bits - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(bits);
            int64_t whole;
            if (value_int(value[i], &whole))
                ss_set_int(e, spec[i].field, whole);
            else
                h->dropped++;
        }
        for (uint64_t bits = set & m->kinds[KIND_TEXT][w]; bits; bits &= bits - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(bits);
            ss_str text = value[i];
            if (__builtin_expect(text.len > spec[i].limit, 0))
                text = value_cut(text, spec[i].limit);
            ss_set_str(e, spec[i].field, text);
        }
        for (uint64_t bits = set & m->kinds[KIND_OTHERS][w]; bits; bits &= bits - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(bits);
            h->dropped += !set_typed(e, &spec[i], value[i]);
        }
    }
    for (uint32_t bits = p->dimensions; bits; bits &= bits - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(bits);
        ss_set_str(h->event, FIELD_DIMENSION1 + i, value_cut(value_trim(p->dimension[i]), 250));
    }
}

static void set_site(hit *h)
{
    ss_str text = h->p->value[PARAM_IDSITE];
    if (text.len > 1 && (*text.ptr < '1' || *text.ptr > '9' || memchr(text.ptr, '.', text.len) ||
                         memchr(text.ptr, 'e', text.len)))
        text = ss_s(h->scratch->site,
                    json_put_i64(h->scratch->site, h->site)); /* "01", "1.0": one name per site */
    ss_set_str(h->event, FIELD_SITE_ID, text);
    h->event->app = text;
}

static void put_two(char *out, const params *p, uint32_t id, int64_t max)
{
    int64_t n = 0;
    if (!value_int(params_get(p, id), &n) || n < 0 || n > max)
        n = 0;
    out[0] = (char)('0' + n / 10);
    out[1] = (char)('0' + n % 10);
}

static void set_clock(hit *h)
{
    const uint64_t clock = (uint64_t)1 << PARAM_H | (uint64_t)1 << PARAM_M | (uint64_t)1 << PARAM_S;
    char *out = h->scratch->clock;
    if (!(h->p->set[0] & clock))
        return;
    put_two(out, h->p, PARAM_H, 23);
    put_two(out + 3, h->p, PARAM_M, 59);
    put_two(out + 6, h->p, PARAM_S, 59);
    out[2] = out[5] = ':';
    ss_set_str(h->event, FIELD_LOCAL_TIME, ss_s(out, CLOCK_CHARS));
}

static void read_headers(hit *h)
{
    hit_source *s = h->source;
    if (s->headers_read)
        return;
    s->headers_read = true;
    s->accept_language = h->host->header(s->request, "Accept-Language");
    s->referer = h->host->header(s->request, "Referer");
}

/* What comes from the request where no parameter says it. */
static void set_from_request(hit *h)
{
    ss_event *e = h->event;
    const ss_request *r = h->source->request;
    if (!params_has(h->p, PARAM_LANG)) {
        read_headers(h);
        if (h->source->accept_language.len)
            ss_set_str(e, FIELD_LANGUAGE,
                       value_cut(h->source->accept_language, param_specs[PARAM_LANG].limit));
    }
    if (!params_has(h->p, PARAM_UA) && r->user_agent.len)
        ss_set_str(e, FIELD_USER_AGENT, value_cut(r->user_agent, param_specs[PARAM_UA].limit));
    ss_str ip = r->client_ip;
    if (params_has(h->p, PARAM_CIP)) { /* check_overrides() let it pass */
        char text[ADDRESS_CHARS], address[16];
        ip = h->p->value[PARAM_CIP];
        (void)snprintf(text, sizeof text, "%.*s", (int)(ip.len < sizeof text ? ip.len : sizeof text - 1),
                       ip.ptr);
        if (ip.len >= sizeof text ||
            (inet_pton(AF_INET, text, address) != 1 && inet_pton(AF_INET6, text, address) != 1))
            ip = SS_LIT("0.0.0.0");
    }
    ss_set_str(e, FIELD_IP, ip);
}

static void set_page(hit *h)
{
    static const uint16_t fields[CAMPAIGN_PARTS] = {
        [CAMPAIGN_NAME] = FIELD_CAMPAIGN_NAME,       [CAMPAIGN_KEYWORD] = FIELD_CAMPAIGN_KEYWORD,
        [CAMPAIGN_SOURCE] = FIELD_CAMPAIGN_SOURCE,   [CAMPAIGN_MEDIUM] = FIELD_CAMPAIGN_MEDIUM,
        [CAMPAIGN_CONTENT] = FIELD_CAMPAIGN_CONTENT, [CAMPAIGN_ID] = FIELD_CAMPAIGN_ID,
        [CAMPAIGN_GROUP] = FIELD_CAMPAIGN_GROUP,     [CAMPAIGN_PLACEMENT] = FIELD_CAMPAIGN_PLACEMENT};
    ss_event *e = h->event;
    ss_str url = params_get(h->p, PARAM_URL);
    page seen;
    int64_t count;
    if (url.len == 0 && !params_has(h->p, PARAM_URLREF)) {
        read_headers(h);
        url = value_cut(h->source->referer, TEXT_MAX);
        if (url.len)
            ss_set_str(e, FIELD_PAGE_VIEW_URL, url);
    }
    page_read(&seen, &h->source->m->page, h->p, url, h->scratch->page);
    if (seen.normalized.len)
        ss_set_str(e, FIELD_PAGE_URL_NORMALIZED, seen.normalized);
    for (uint32_t bits = seen.campaign_parts; bits; bits &= bits - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(bits);
        ss_set_str(e, fields[i], seen.campaign[i]);
    }
    if (seen.search.len && action_search_in_url(e)) {
        ss_set_str(e, FIELD_SEARCH_KEYWORD, seen.search);
        if (!ss_has(e, FIELD_SEARCH_COUNT) && value_int(seen.search_count, &count) && count >= 0)
            ss_set_int(e, FIELD_SEARCH_COUNT, count);
    }
}

/* {"name":"value"} of the parameters without a field. */
static bool set_extra(hit *h)
{
    const params *p = h->p;
    size_t bound = 2;
    if (p->extra_count == 0)
        return true;
    for (uint32_t i = 0; i < p->extra_count; i++)
        bound += json_escape_bound(p->extra[i].key.len) + json_escape_bound(p->extra[i].value.len) + 2;
    char *out = h->host->mem(h->source->request->call, bound);
    if (!out)
        return false;
    size_t len = 0;
    for (uint32_t i = 0; i < p->extra_count; i++) {
        out[len++] = i ? ',' : '{';
        len += json_put_string(out + len, p->extra[i].key);
        out[len++] = ':';
        len += json_put_string(out + len, p->extra[i].value);
    }
    out[len++] = '}';
    ss_set_json(h->event, FIELD_EXTRA_PARAMS, ss_s(out, len));
    return true;
}

static bool set_items(hit *h)
{
    ss_str json = params_get(h->p, PARAM_EC_ITEMS), items;
    if (json.len == 0)
        return true;
    char *out = h->host->mem(h->source->request->call, items_bound(json));
    if (!out)
        return false;
    if (items_write(json, out, &items))
        ss_set_json(h->event, FIELD_ORDER_ITEMS, items);
    else
        h->dropped++;
    return true;
}

static bool set_fields(hit *h)
{
    ss_event *e = h->event;
    set_params(h);
    set_site(h);
    ss_set_str(e, FIELD_VISITOR_ID_SOURCE, visitor_resolve(h->scratch->visitor, h->p, h->host));
    e->key = ss_s(h->scratch->visitor, VISITOR_ID_CHARS);
    ss_set_str(e, FIELD_VISITOR_ID, e->key);
    set_clock(h);
    set_from_request(h);
    set_page(h);
    ss_set_str(e, FIELD_TRANSPORT, h->source->transport);
    if (h->source->bulk_index >= 0)
        ss_set_int(e, FIELD_BULK_INDEX, h->source->bulk_index);
    if (!params_has(h->p, PARAM_UADATA) && !h->source->no_hints)
        h->source->no_hints = !client_hints_set(h->host, h->source->request, e);
    return set_extra(h) && set_items(h);
}

enum hit_outcome hit_take(hit_source *source, params *p, ss_event *event)
{
    const ss_host *host = source->m->host;
    ss_call *call = source->request->call;
    hit h = {.source = source, .host = host, .p = p, .event = event, .authorized = -1};
    enum hit_outcome outcome = check(&h);
    if (outcome != HIT_STORED)
        return outcome;
    h.scratch = host->mem(call, sizeof *h.scratch);
    if (!h.scratch || !set_fields(&h))
        return HIT_RETRY;
    h.dropped += p->dropped;
    if (h.dropped > 0)
        host->metric_add(source->m->values_dropped, h.dropped);
    switch (host->emit(call, event)) {
    case SS_OK:
        return HIT_STORED;
    case SS_DROP:
        return HIT_EXCLUDED;
    case SS_LIMIT:
        return refuse(&h, HIT_INVALID, "too_large", "the event is larger than the server's limit");
    default:
        return HIT_RETRY;
    }
}
