#include "receivers/matomo/action.h"

#include "receivers/matomo/value.h"

#define TYPE(name) SS_LIT(name)
#define PF_MASK    (((uint64_t)1 << (PARAM_PF_ONL - PARAM_PF_NET + 1)) - 1)

/* Types that are looked at again: known by their address. */
static const char pageview[] = "pageview", custom[] = "custom", event[] = "event";
static const char impression[] = "content_impression", interaction[] = "content_interaction";
#define OWN(text) ss_s(text, sizeof text - 1)

static bool is_blank(ss_str text)
{
    return value_trim(text).len == 0;
}

/* Search < content < event < outlink < download: the last one that applies wins. */
static ss_str plain_action(const params *p, const site *s)
{
    if (params_has(p, PARAM_DOWNLOAD))
        return TYPE("download");
    if (params_has(p, PARAM_LINK))
        return TYPE("outlink");
    if (params_has(p, PARAM_E_C) && params_has(p, PARAM_E_A))
        return OWN(event);
    if (params_has(p, PARAM_C_N))
        return params_has(p, PARAM_C_I) ? OWN(interaction) : OWN(impression);
    if (s->site_search && params_has(p, PARAM_SEARCH) && !is_blank(p->value[PARAM_SEARCH]))
        return TYPE("site_search");
    if (params_has(p, PARAM_MA_ID))
        return TYPE("media");
    if (params_has(p, PARAM_CRA))
        return TYPE("crash");
    int64_t only = 0;
    if (value_int(params_get(p, PARAM_CA), &only) && only != 0)
        return OWN(custom); /* kept, where Matomo answers 500: the data is worth more */
    return OWN(pageview);
}

static const char *check_values(const params *p, ss_str type, const char **why)
{
    if (type.ptr == event && (is_blank(p->value[PARAM_E_C]) || is_blank(p->value[PARAM_E_A]))) {
        *why = "e_c or e_a is nothing but white space";
        return "blank_event";
    }
    if ((type.ptr == impression || type.ptr == interaction) && is_blank(p->value[PARAM_C_N])) {
        *why = "c_n is nothing but white space";
        return "blank_content";
    }
    bool times = type.ptr == pageview && (params_run(p, PARAM_PF_NET) & PF_MASK);
    for (uint32_t id = PARAM_PF_NET; times && id <= PARAM_PF_ONL; id++) {
        int64_t ms;
        if (params_has(p, id) && value_int(p->value[id], &ms) && ms < 0 && ms != -1) {
            *why = "a performance time (pf_...) of a page view is negative";
            return "bad_performance";
        }
    }
    return NULL;
}

/* A conversion: known, and with the goal's own revenue until the hit names another. */
static const char *check_goal(const site *s, int64_t id, ss_event *e, const char **why)
{
    const site_goal *goal = site_goal_find(s, id);
    if (!site_goal_known(s, id)) {
        *why = "no such idgoal among the goals of this site";
        return "unknown_goal";
    }
    if (goal && goal->has_revenue)
        ss_set_double(e, FIELD_REVENUE, goal->revenue);
    return NULL;
}

const char *action_check(const params *p, const site *s, ss_event *e, const char **why)
{
    int64_t goal = -1, ping = 0, bot = 0;
    bool has_goal = value_int(params_get(p, PARAM_IDGOAL), &goal) && goal >= 0;
    (void)value_int(params_get(p, PARAM_PING), &ping);
    (void)value_int(params_get(p, PARAM_REC_MODE), &bot);
    if (ping != 0)
        ss_set_bool(e, FIELD_IS_PING, true);
    if (bot == 1)
        ss_set_bool(e, FIELD_IS_BOT, true);
    has_goal &= ping == 0 && bot != 1;
    if (bot == 1)
        e->type = TYPE("bot");
    else if (ping != 0)
        e->type = TYPE("ping");
    else if (has_goal && goal > 0)
        e->type = TYPE("goal");
    else if (has_goal)
        e->type = params_has(p, PARAM_EC_ID) ? TYPE("ecommerce_order") : TYPE("ecommerce_cart");
    else
        e->type = plain_action(p, s);
    const char *code = check_values(p, e->type, why);
    if (!code && has_goal && goal > 0)
        code = check_goal(s, goal, e, why);
    if (code)
        return code;
    if (has_goal)
        ss_set_int(e, FIELD_GOAL_ID, goal);
    ss_set_str(e, FIELD_EVENT_TYPE, e->type);
    return NULL;
}

bool action_search_in_url(ss_event *e)
{
    if (e->type.ptr != pageview && e->type.ptr != custom)
        return false;
    e->type = TYPE("site_search");
    ss_set_str(e, FIELD_EVENT_TYPE, e->type);
    return true;
}
