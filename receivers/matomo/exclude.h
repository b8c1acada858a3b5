/* Hits that are answered like others and not kept: by address, user agent, referrer, URL, parameter. */
#ifndef MATOMO_EXCLUDE_H
#define MATOMO_EXCLUDE_H

#include "receivers/matomo/params.h"
#include "receivers/matomo/site.h"
#include "receivers/matomo/spam.h"

#define EXCLUDE_VALUE_MAX 2048u /* bytes of a parameter that are compared */

enum exclude_operator {
    EXCLUDE_EQUAL,
    EXCLUDE_NOT_EQUAL,
    EXCLUDE_CONTAINS,
    EXCLUDE_CONTAINS_NOT,
    EXCLUDE_BEGINS,
    EXCLUDE_ENDS,
    EXCLUDE_OPERATORS
};

typedef struct exclude_request { /* "action_name =@ test" */
    ss_str name;                 /* of the parameter */
    uint32_t param;              /* its number, or PARAM_COUNT */
    uint32_t dimension;          /* n of dimension{n}, or 0 */
    ss_str value;                /* lower case */
    enum exclude_operator op;
} exclude_request;

typedef struct exclude {       /* what the receiver excludes, whatever the site */
    exclude_request *requests; /* owned, as are the texts */
    size_t request_count;
    char *texts;
    spam spam;
} exclude;

typedef struct exclude_hit { /* what a hit is judged by */
    const params *p;
    const site *site;
    const exclude_list *everywhere; /* the receiver's own list */
    ss_str ip, user_agent;
} exclude_hit;

/* The options exclude_requests and referrer_spam. */
int32_t exclude_make(exclude *x, const ss_host *host, const ss_config *cfg, ss_error *err);
void exclude_free(exclude *x);

/* NULL: the hit is kept. Else the code of the rule that it falls under, and why. */
const char *exclude_check(const exclude *x, const exclude_hit *hit, const char **why);

#endif
