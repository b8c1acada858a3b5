#include "receivers/matomo/goal.h"

#include <strings.h>

#include "receivers/matomo/fields.h"

static const struct {
    const char *name, *type; /* of the option; of the events that count */
    uint32_t field;
} attributes[GOAL_ATTRIBUTES] = {
    [GOAL_MANUALLY] = {"manually", "", 0},
    [GOAL_URL] = {"url", "pageview", FIELD_PAGE_URL_NORMALIZED},
    [GOAL_TITLE] = {"title", "pageview", FIELD_ACTION_NAME},
    [GOAL_FILE] = {"file", "download", FIELD_DOWNLOAD_URL},
    [GOAL_EXTERNAL_WEBSITE] = {"external_website", "outlink", FIELD_OUTLINK_URL},
    [GOAL_EVENT_CATEGORY] = {"event_category", "event", FIELD_EVENT_CATEGORY},
    [GOAL_EVENT_ACTION] = {"event_action", "event", FIELD_EVENT_ACTION},
    [GOAL_EVENT_NAME] = {"event_name", "event", FIELD_EVENT_NAME},
};

static void read_match(site_goal *g, const ss_host *host, const ss_config *node)
{
    ss_str attribute = host->cfg_str(node, "match_attribute"), how = host->cfg_str(node, "pattern_type");
    for (uint32_t i = 0; i < GOAL_ATTRIBUTES; i++)
        if (ss_eq(attribute, ss_cstr(attributes[i].name)))
            g->attribute = i;
    g->how = ss_eq(how, SS_LIT("exact"))   ? GOAL_EXACT
             : ss_eq(how, SS_LIT("regex")) ? GOAL_REGEX
                                           : GOAL_CONTAINS;
    g->case_sensitive = host->cfg_int(node, "case_sensitive") != 0;
    g->pattern = host->cfg_str(node, "pattern");
}

int32_t goal_read(site_goal *g, const ss_host *host, const ss_config *node, const char *place, ss_error *err)
{
    ss_error why = {.struct_size = sizeof why};
    *g = (site_goal){.id = host->cfg_int(node, "id"),
                     .name = host->cfg_str(node, "name"),
                     .revenue = host->cfg_float(node, "revenue"),
                     .has_revenue = host->cfg_get(node, "revenue") != NULL,
                     .allow_multiple = host->cfg_int(node, "allow_multiple") != 0};
    read_match(g, host, node);
    if (g->attribute == GOAL_MANUALLY)
        return SS_OK;
    if (g->pattern.len == 0 || g->pattern.len > GOAL_PATTERN_MAX)
        return ss_fail(
            err, SS_REJECT,
            "%sgoals: %lld needs a pattern of 1 to %u bytes for its match_attribute (manually: idgoal only)",
            place, (long long)g->id, GOAL_PATTERN_MAX);
    if (g->how != GOAL_REGEX || (g->regex = pattern_new_plain(g->pattern, !g->case_sensitive, &why)) != NULL)
        return SS_OK;
    return ss_fail(err, SS_REJECT, "%sgoals: %lld: %s", place, (long long)g->id, why.text);
}

void goal_free(site_goal *g)
{
    pattern_free(g->regex);
}

static bool equal(const site_goal *g, const char *text)
{
    return g->case_sensitive ? memcmp(text, g->pattern.ptr, g->pattern.len) == 0
                             : strncasecmp(text, g->pattern.ptr, g->pattern.len) == 0;
}

static bool contains(const site_goal *g, ss_str text)
{
    for (size_t at = 0; at + g->pattern.len <= text.len; at++)
        if (equal(g, text.ptr + at))
            return true;
    return false;
}

bool goal_met(const site_goal *g, const ss_event *event)
{
    if (g->attribute == GOAL_MANUALLY || !ss_eq(event->type, ss_cstr(attributes[g->attribute].type)))
        return false;
    ss_str text = ss_get_str(event, attributes[g->attribute].field);
    switch (g->how) {
    case GOAL_CONTAINS:
        return contains(g, text);
    case GOAL_EXACT:
        return text.len == g->pattern.len && equal(g, text.ptr);
    default:
        return pattern_matches(g->regex, text);
    }
}
