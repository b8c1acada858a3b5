/* What kind of hit it is. */
#ifndef MATOMO_ACTION_H
#define MATOMO_ACTION_H

#include "receivers/matomo/params.h"
#include "receivers/matomo/site.h"

/* Sets event->type and the fields that depend on it. NULL: fine; else the code of what makes the hit invalid,
 * and why. */
const char *action_check(const params *p, const site *s, ss_event *event, const char **why);
/* A search keyword stands in the page's URL: true where that makes the hit a site search. */
bool action_search_in_url(ss_event *event);

#endif
