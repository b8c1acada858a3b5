#include "receivers/matomo/hit.h"

#include <strings.h>

#include "plugins/common/json.h"
#include "receivers/matomo/action.h"
#include "receivers/matomo/hints.h"
#include "receivers/matomo/items.h"
#include "receivers/matomo/location.h"
#include "receivers/matomo/origin.h"
#include "receivers/matomo/value.h"
#include "receivers/matomo/visiting.h"
#include "receivers/matomo/when.h"

#define SITE_CHARS      20u
#define CLOCK_CHARS     8u /* HH:MM:SS */
#define PERFORMANCE_MAX 16777215

/* One piece of scratch memory for what a hit needs besides its decoded values. */
typedef struct hit_scratch {
    char visitor[VISITOR_ID_CHARS];
    char site[SITE_CHARS];
    char clock[CLOCK_CHARS];
    char country[LOCATION_COUNTRY_CHARS];
    origin_scratch origin;
} hit_scratch;

typedef struct hit {
    hit_source *source;
    const ss_host *host;
    params *p;
    ss_event *event;
    hit_scratch *scratch;
    int64_t site_id;
    const site *site; /* set once its id is known to be one */
    int authorized;   /* -1: not looked yet */
    uint32_t dropped;
    visiting visit; /* not in scratch memory: that is gone after emit() */
} hit;

static enum hit_outcome refuse(hit *h, enum hit_outcome outcome, const char *code, const char *why)
{
    h->host->rejected(h->source->request->call, code, ss_cstr(why));
    return outcome;
}

static bool authorized(hit *h)
{
    if (h->authorized < 0) {
        const matomo *m = h->source->m;
        ss_str given = h->source->token.len ? h->source->token : params_get(h->p, PARAM_TOKEN_AUTH);
        h->authorized = !m->tracking_needs_token || tokens_allow(&m->tokens, given, h->site_id);
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
    const params *p = h->p;
    for (size_t i = 0; i < sizeof geo; i++) {
        uint32_t id = geo[i];
        if (!params_has(p, id) || ss_eq(p->value[id], SS_LIT("0")))
            continue;
        if (authorized(h))
            continue; /* see location_set() */
        if (m->strict_auth)
            return refuse(h, HIT_INVALID, "geo_without_token",
                          "country, region, city, lat or long without a valid token_auth for this site");
        h->host->metric_add(m->overrides_ignored, 1);
    }
    if (params_has(p, PARAM_CIP) && !authorized(h))
        return refuse(h, HIT_INVALID, "cip_without_token", "cip without a valid token_auth for this site");
    return HIT_STORED;
}

static const char *excluded(const hit *h, const char **why)
{
    const matomo *m = h->source->m;
    const ss_request *r = h->source->request;
    exclude_hit facts = {.p = h->p, .site = h->site, .everywhere = &m->exclude_everywhere};
    facts.ip = params_has(h->p, PARAM_CIP) ? h->p->value[PARAM_CIP] : r->client_ip;
    facts.user_agent = params_has(h->p, PARAM_UA) ? h->p->value[PARAM_UA] : r->user_agent;
    return exclude_check(&m->exclude, &facts, why);
}

static enum hit_outcome check_excluded(hit *h)
{
    int64_t rec = 0;
    if (h->p->install_check)
        return refuse(h, HIT_EXCLUDED, "install_check", "a probe of the tracker's installation");
    (void)(value_int(params_get(h->p, PARAM_REC), &rec));
    if (rec == 0 && h->source->m->require_rec)
        return refuse(h, HIT_EXCLUDED, "no_rec", "rec=1 is missing (require_rec: false stores such hits)");
    browser *seen = h->source->browser;
    browser_read_wishes(seen, &h->source->m->switches, h->host, h->source->request);
    if (seen->excluded)
        return refuse(h, HIT_EXCLUDED, seen->excluded, seen->excluded_why);
    const char *why, *code = excluded(h, &why);
    return code ? refuse(h, HIT_EXCLUDED, code, why) : HIT_STORED;
}

static enum hit_outcome check(hit *h)
{
    const params *p = h->p;
    bool number = value_int(params_get(p, PARAM_IDSITE), &h->site_id) && h->site_id >= 0;
    if (!number)
        h->site_id = -1;
    if (h->source->must_authenticate && !authorized(h))
        return refuse(h, HIT_DENIED, "bulk_without_token",
                      "bulk_requests_require_authentication: a valid token_auth for each site is needed");
    enum hit_outcome outcome = check_time(h);
    if (outcome != HIT_STORED)
        return outcome;
    if (!number)
        return refuse(h, HIT_INVALID, "bad_site", "idsite is missing or not an integer from 0 on");
    h->site = sites_find(&h->source->m->sites, h->site_id);
    if (!h->site)
        return refuse(h, HIT_INVALID, "unknown_site", "no such idsite among the receiver's sites");
    if ((outcome = check_overrides(h)) != HIT_STORED || (outcome = check_excluded(h)) != HIT_STORED)
        return outcome;
    if (params_has(p, PARAM_CID) && p->value[PARAM_CID].len != VISITOR_ID_CHARS)
        return refuse(h, HIT_INVALID, "bad_cid", "cid must be 16 characters");
    const char *why = NULL, *code = action_check(p, h->site, h->event, &why);
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
                    json_put_i64(h->scratch->site, h->site_id)); /* "01", "1.0": one name per site */
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

/* What comes from the request where no parameter says it. */
static void set_from_request(hit *h)
{
    ss_event *e = h->event;
    const ss_request *r = h->source->request;
    if (!params_has(h->p, PARAM_LANG)) {
        browser *seen = h->source->browser;
        browser_read_page(seen, h->host, r);
        if (seen->accept_language.len)
            ss_set_str(e, FIELD_LANGUAGE, value_cut(seen->accept_language, param_specs[PARAM_LANG].limit));
    }
    if (!params_has(h->p, PARAM_UA) && r->user_agent.len)
        ss_set_str(e, FIELD_USER_AGENT, value_cut(r->user_agent, param_specs[PARAM_UA].limit));
    ss_str ip = r->client_ip;
    if (params_has(h->p, PARAM_CIP)) { /* check_overrides() let it pass */
        address a;
        ip = h->p->value[PARAM_CIP];
        if (!address_read(&a, ip))
            ip = SS_LIT("0.0.0.0");
    }
    ss_set_str(e, FIELD_IP, ip);
}

static void set_page(hit *h)
{
    ss_str url = params_get(h->p, PARAM_URL);
    if (url.len == 0 && !params_has(h->p, PARAM_URLREF)) {
        browser_read_page(h->source->browser, h->host, h->source->request);
        url = value_cut(h->source->browser->referer, TEXT_MAX);
        if (url.len)
            ss_set_str(h->event, FIELD_PAGE_VIEW_URL, url);
    }
    origin_set(h->source->m, h->site, h->p, url, h->event, &h->scratch->origin);
}

/* [1,4]: the goals that the hit meets by itself. */
static bool set_goals(hit *h)
{
    const site *s = h->site;
    size_t len = 0;
    if (!s->goals_match)
        return true;
    char *out = h->host->mem(h->source->request->call, s->goal_count * (JSON_I64_SIZE + 1) + 2);
    for (size_t i = 0; out && i < s->goal_count; i++)
        if (goal_met(&s->goals[i], h->event)) {
            out[len] = len ? ',' : '[';
            len += 1 + json_put_i64(out + len + 1, s->goals[i].id);
        }
    if (len > 0) {
        out[len++] = ']';
        ss_set_json(h->event, FIELD_GOALS_MET, ss_s(out, len));
    }
    return out != NULL;
}

/* uadata beats the headers. */
static bool set_hints(hit *h)
{
    bool ok = true;
    browser *seen = h->source->browser;
    if (seen->no_hints || params_has(h->p, PARAM_UADATA) || params_has(h->p, PARAM_UA))
        return true; /* those of the headers would be another browser's than ua */
    ss_str json = hints_read(h->host, h->source->request, &ok);
    if (json.len)
        ss_set_json(h->event, FIELD_CLIENT_HINTS, json);
    else
        seen->no_hints = true;
    return ok;
}

/* token_auth[] and TOKEN_AUTH are not the parameter, but what they hold is a secret all the same. */
static bool is_token(ss_str name)
{
    return name.len >= 10 && strncasecmp(name.ptr, "token_auth", 10) == 0;
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
        if (is_token(p->extra[i].key))
            continue;
        out[len] = len ? ',' : '{';
        len++;
        len += json_put_string(out + len, p->extra[i].key);
        out[len++] = ':';
        len += json_put_string(out + len, p->extra[i].value);
    }
    if (len == 0)
        return true;
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

static void set_visitor(hit *h)
{
    ss_event *e = h->event;
    const browser_switches *on = &h->source->m->switches;
    browser *seen = h->source->browser;
    visitor_hints hints = {.cookie = seen->cookie_visitor, .cookieless = on->cookieless};
    ss_set_str(e, FIELD_VISITOR_ID_SOURCE, visitor_resolve(h->scratch->visitor, h->p, &hints, h->host));
    e->key = ss_s(h->scratch->visitor, VISITOR_ID_CHARS);
    ss_set_str(e, FIELD_VISITOR_ID, e->key);
    if (on->third_party_cookie && !on->cookieless)
        memcpy(seen->set_visitor, h->scratch->visitor, VISITOR_ID_CHARS);
}

static bool set_fields(hit *h)
{
    ss_event *e = h->event;
    set_params(h);
    set_site(h);
    set_visitor(h);
    set_clock(h);
    set_from_request(h);
    set_page(h);
    if (location_given(h->p) && authorized(h))
        h->dropped += location_set(e, h->p, h->scratch->country);
    ss_set_str(e, FIELD_TRANSPORT, h->source->transport);
    if (h->source->bulk_index >= 0)
        ss_set_int(e, FIELD_BULK_INDEX, h->source->bulk_index);
    return set_hints(h) && set_goals(h) && set_extra(h) && set_items(h);
}

/* Behind all fields: the visit is known by what the event says. */
static enum hit_outcome set_visit(hit *h)
{
    const char *why = NULL;
    const char *code = visiting_take(&h->visit, h->source->m, h->p, h->site, h->site_id, h->event,
                                     h->scratch->visitor, &why);
    char *cookie = h->source->browser->set_visitor;
    if (*cookie) /* the visit may know better who it is */
        memcpy(cookie, h->scratch->visitor, VISITOR_ID_CHARS);
    return code ? refuse(h, HIT_EXCLUDED, code, why) : HIT_STORED;
}

static enum hit_outcome emit(hit *h)
{
    int32_t status = h->host->emit(h->source->request->call, h->event);
    if (status == SS_OK)
        return HIT_STORED;
    visiting_undo(&h->visit, h->source->m);
    if (status == SS_LIMIT)
        return refuse(h, HIT_INVALID, "too_large", "the event is larger than the server's limit");
    return status == SS_DROP ? HIT_EXCLUDED : HIT_RETRY;
}

enum hit_outcome hit_take(hit_source *source, params *p, ss_event *event)
{
    const ss_host *host = source->m->host;
    hit h = {.source = source, .host = host, .p = p, .event = event, .authorized = -1};
    enum hit_outcome outcome = check(&h);
    if (outcome != HIT_STORED)
        return outcome;
    h.scratch = host->mem(source->request->call, sizeof *h.scratch);
    if (!h.scratch || !set_fields(&h))
        return HIT_RETRY;
    h.dropped += p->dropped;
    if (h.dropped > 0)
        host->metric_add(source->m->values_dropped, h.dropped);
    return (outcome = set_visit(&h)) == HIT_STORED ? emit(&h) : outcome;
}
