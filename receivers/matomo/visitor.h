/* Who made the hit: uid, then cid, then _id, else a new id. (Visits, and with them the third-party cookie,
   come on top of this.) */
#ifndef MATOMO_VISITOR_H
#define MATOMO_VISITOR_H

#include "receivers/matomo/params.h"

#define VISITOR_ID_CHARS 16u

/* Writes the id, returns where it comes from: "uid", "cid", "_id", "generated". */
ss_str visitor_resolve(char out[VISITOR_ID_CHARS], const params *p, const ss_host *host);

#endif
