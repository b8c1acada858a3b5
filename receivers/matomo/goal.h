/* Goals of a site: what idgoal names, and what a hit meets by itself: a URL, a title, a file, an event. */
#ifndef MATOMO_GOAL_H
#define MATOMO_GOAL_H

#include "receivers/matomo/pattern.h"

enum goal_attribute {
    GOAL_MANUALLY = 0, /* idgoal only */
    GOAL_URL,
    GOAL_TITLE,
    GOAL_FILE,
    GOAL_EXTERNAL_WEBSITE,
    GOAL_EVENT_CATEGORY,
    GOAL_EVENT_ACTION,
    GOAL_EVENT_NAME,
    GOAL_ATTRIBUTES
};

enum goal_how { GOAL_CONTAINS, GOAL_EXACT, GOAL_REGEX };

#define GOAL_PATTERN_MAX 1024u

typedef struct site_goal {
    int64_t id;
    ss_str name;
    double revenue;      /* of a conversion that names none */
    bool has_revenue;    /* the goal has such a value       */
    bool allow_multiple; /* more than one conversion in a visit counts */
    enum goal_attribute attribute;
    enum goal_how how;
    bool case_sensitive;
    ss_str pattern;        /* as it is in the configuration */
    struct pattern *regex; /* owned */
} site_goal;

/* place: of the site, for people. */
int32_t goal_read(site_goal *g, const ss_host *host, const ss_config *node, const char *place, ss_error *err);
void goal_free(site_goal *g);

/* Does the hit, all of whose fields are set, meet the goal? */
bool goal_met(const site_goal *g, const ss_event *event);

#endif
