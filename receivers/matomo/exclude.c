#include "receivers/matomo/exclude.h"

#include <stdlib.h>

#include "plugins/common/url.h"
#include "receivers/matomo/lower.h"
#include "receivers/matomo/url_parts.h"
#include "receivers/matomo/value.h"

/* ---- exclude_requests ---- */

static const char *const operators[EXCLUDE_OPERATORS] = {"==", "!=", "=@", "!@", "=^", "=$"};

/* Empty where the hit has none of that name. */
static ss_str value_of(const params *p, const exclude_request *r)
{
    if (r->param < PARAM_COUNT)
        return params_get(p, r->param);
    if (r->dimension > 0)
        return p->dimensions >> (r->dimension - 1) & 1u ? p->dimension[r->dimension - 1] : ss_s("", 0);
    for (uint32_t i = 0; i < p->extra_count; i++)
        if (ss_eq(p->extra[i].key, r->name))
            return p->extra[i].value;
    return ss_s("", 0);
}

static bool compare(enum exclude_operator op, ss_str have, ss_str want)
{
    bool longer = have.len >= want.len;
    switch (op) {
    case EXCLUDE_EQUAL:
        return ss_eq(have, want);
    case EXCLUDE_NOT_EQUAL:
        return !ss_eq(have, want);
    case EXCLUDE_CONTAINS:
        return memmem(have.ptr, have.len, want.ptr, want.len) != NULL;
    case EXCLUDE_CONTAINS_NOT:
        return memmem(have.ptr, have.len, want.ptr, want.len) == NULL;
    case EXCLUDE_BEGINS:
        return longer && memcmp(have.ptr, want.ptr, want.len) == 0;
    default:
        return longer && memcmp(have.ptr + have.len - want.len, want.ptr, want.len) == 0;
    }
}

static bool request_excluded(const exclude *x, const params *p)
{
    char lower[EXCLUDE_VALUE_MAX];
    for (size_t i = 0; i < x->request_count; i++) {
        const exclude_request *r = &x->requests[i];
        ss_str have = value_cut(value_of(p, r), sizeof lower);
        memcpy(lower, have.ptr, have.len);
        lower_text(lower, have.len);
        if (compare(r->op, ss_s(lower, have.len), r->value))
            return true;
    }
    return false;
}

static void find_name(exclude_request *r)
{
    char name[16];
    for (r->param = 0; r->param < PARAM_COUNT; r->param++)
        if (ss_eq(r->name, ss_cstr(param_names[r->param])))
            return;
    for (uint32_t n = 1; n <= MATOMO_DIMENSION_MAX; n++) {
        (void)snprintf(name, sizeof name, "dimension%u", n);
        if (ss_eq(r->name, ss_cstr(name)))
            r->dimension = n;
    }
}

static bool read_comparison(exclude_request *r, ss_str text, char **put)
{
    const char *end = text.ptr + text.len, *at = text.ptr;
    while (at < end && *at != '=' && *at != '!')
        at++;
    r->name = value_trim(ss_s(text.ptr, (size_t)(at - text.ptr)));
    for (r->op = 0; end - at >= 2 && r->op < EXCLUDE_OPERATORS; r->op++)
        if (memcmp(at, operators[r->op], 2) == 0)
            break;
    if (end - at <= 2 || r->op == EXCLUDE_OPERATORS || r->name.len == 0)
        return false;
    find_name(r);
    ss_str value = value_trim(ss_s(at + 2, (size_t)(end - at) - 2));
    size_t len = url_decode(*put, value);
    lower_text(*put, len);
    r->value = ss_s(*put, len);
    *put += len;
    return len > 0;
}

static int32_t make_requests(exclude *x, const ss_host *host, const ss_config *list, ss_error *err)
{
    size_t count = list ? host->cfg_len(list) : 0, bytes = 1;
    for (size_t i = 0; i < count; i++)
        bytes += host->cfg_str(host->cfg_at(list, i), "").len;
    x->requests = calloc(count + 1, sizeof *x->requests);
    x->texts = malloc(bytes);
    if (!x->requests || !x->texts)
        return ss_fail(err, SS_LIMIT, "no memory for exclude_requests");
    char *put = x->texts;
    for (; x->request_count < count; x->request_count++) {
        ss_str text = host->cfg_str(host->cfg_at(list, x->request_count), "");
        if (!read_comparison(&x->requests[x->request_count], text, &put))
            return ss_fail(
                err, SS_REJECT,
                "exclude_requests: \"%.*s\": write PARAMETER OPERATOR VALUE, such as e_c==test; the "
                "operators are == != =@ !@ =^ =$",
                (int)text.len, text.ptr);
    }
    return SS_OK;
}

int32_t exclude_make(exclude *x, const ss_host *host, const ss_config *cfg, ss_error *err)
{
    int32_t status = make_requests(x, host, host->cfg_get(cfg, "exclude_requests"), err);
    ss_str path = host->cfg_str(cfg, "referrer_spam");
    return status == SS_OK && path.len ? spam_make(&x->spam, path, err) : status;
}

void exclude_free(exclude *x)
{
    free(x->requests);
    free(x->texts);
    spam_free(&x->spam);
    *x = (exclude){0};
}

/* ---- a hit ---- */

static bool address_excluded(const exclude_hit *hit)
{
    address a;
    if (hit->everywhere->range_count + hit->site->exclude.range_count == 0 || !address_read(&a, hit->ip))
        return false;
    return exclude_list_address(hit->everywhere, &a) || exclude_list_address(&hit->site->exclude, &a);
}

static bool agent_excluded(const exclude_hit *hit)
{
    char lower[EXCLUDE_AGENT_MAX];
    if (hit->everywhere->agent_count + hit->site->exclude.agent_count == 0)
        return false;
    ss_str agent = value_cut(hit->user_agent, sizeof lower);
    if (agent.len)
        memcpy(lower, agent.ptr, agent.len);
    lower_ascii(lower, agent.len);
    ss_str folded = ss_s(lower, agent.len);
    return exclude_list_agent(hit->everywhere, agent, folded) ||
           exclude_list_agent(&hit->site->exclude, agent, folded);
}

/* exclude_unknown_urls: where the site's URLs are known, the page has to be one of them. */
static bool url_excluded(const exclude_hit *hit)
{
    char host[URL_HOST_MAX];
    const site *s = hit->site;
    if (!s->exclude_unknown_urls || s->url_count == 0)
        return false;
    url_parts u;
    return !url_parts_read(&u, params_get(hit->p, PARAM_URL)) ||
           !site_has_url(s, url_host_lower(host, u.host), u.path);
}

const char *exclude_check(const exclude *x, const exclude_hit *hit, const char **why)
{
    *why = "the parameters fall under exclude_requests";
    if (x->request_count && request_excluded(x, hit->p))
        return "excluded_request";
    *why = "the address is among excluded_ips";
    if (address_excluded(hit))
        return "excluded_ip";
    *why = "the user agent is among excluded_user_agents";
    if (agent_excluded(hit))
        return "excluded_agent";
    *why = "the referrer is in the list referrer_spam";
    if (spam_has(&x->spam, params_get(hit->p, PARAM_URLREF)))
        return "referrer_spam";
    *why = "the URL is none of the site's (exclude_unknown_urls)";
    return url_excluded(hit) ? "unknown_url" : NULL;
}
