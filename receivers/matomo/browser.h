/* What a request's headers say of all its hits: read once, at the first hit that needs it. */
#ifndef MATOMO_BROWSER_H
#define MATOMO_BROWSER_H

#include "receivers/matomo/cookie.h"
#include "receivers/matomo/visitor.h"

#define COOKIE_VISITOR_ID "_pk_uid"
#define COOKIE_IGNORE     "matomo_ignore"

typedef struct browser_switches { /* options */
    bool respect_dnt, respect_gpc, third_party_cookie, cookieless;
} browser_switches;

typedef struct browser {
    bool page_read, wishes_read;
    bool no_hints; /* there are no Sec-CH-UA headers, as an earlier hit found */
    /* browser_read_page() */
    ss_str accept_language, referer;
    /* browser_read_wishes() */
    const char *excluded, *excluded_why; /* the code of why no hit of this request is kept, or NULL */
    bool no_track;                       /* the browser asked not to be tracked, and that counts */
    bool had_visitor_cookie;
    char cookie_visitor[VISITOR_ID_CHARS]; /* of the third-party cookie; all zero: none */
    char set_visitor[VISITOR_ID_CHARS];    /* what that cookie is to be; all zero: nothing */
} browser;

void browser_read_page(browser *h, const ss_host *host, const ss_request *request);
void browser_read_wishes(browser *h, const browser_switches *on, const ss_host *host,
                         const ss_request *request);

#endif
