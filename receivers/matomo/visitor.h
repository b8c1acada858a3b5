/* Who made the hit: uid, then cid, then the third-party cookie, then _id, else a new id. (Visits come on top
   of this.) */
#ifndef MATOMO_VISITOR_H
#define MATOMO_VISITOR_H

#include "receivers/matomo/params.h"

#define VISITOR_ID_CHARS 16u

typedef struct visitor_hints {
    const char *cookie; /* VISITOR_ID_CHARS of the third-party cookie; begins with a zero: none */
    bool cookieless;    /* what the browser keeps does not count: no cookie, no _id */
} visitor_hints;

/* Writes the id, returns where it comes from: "uid", "cid", "cookie", "_id", "generated". */
ss_str visitor_resolve(char out[VISITOR_ID_CHARS], const params *p, const visitor_hints *hints,
                       const ss_host *host);

#endif
