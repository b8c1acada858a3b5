/* Addresses and user agents whose hits are not kept: the receiver has such lists, and each site. */
#ifndef MATOMO_EXCLUDE_LIST_H
#define MATOMO_EXCLUDE_LIST_H

#include "receivers/matomo/address.h"
#include "receivers/matomo/pattern.h"

#define EXCLUDE_RULES_MAX 1024u /* of a kind */
#define EXCLUDE_AGENT_MAX 4096u /* bytes of a user agent that are looked at */

typedef struct exclude_agent {
    ss_str text;    /* lower case, anywhere in the user agent */
    pattern *regex; /* instead of it, owned */
} exclude_agent;

typedef struct exclude_list { /* all owned */
    address_range *ranges;
    exclude_agent *agents;
    size_t range_count, agent_count;
    char *texts;
} exclude_list;

/* The options excluded_ips and excluded_user_agents of a node; place: its name for people, "sites.7." */
int32_t exclude_list_make(exclude_list *l, const ss_host *host, const ss_config *node, const char *place,
                          ss_error *err);
void exclude_list_free(exclude_list *l);

bool exclude_list_address(const exclude_list *l, const address *a);
/* agent: as it came; lower: the same in lower case. */
bool exclude_list_agent(const exclude_list *l, ss_str agent, ss_str lower);

#endif
