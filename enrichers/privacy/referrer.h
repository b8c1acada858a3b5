/* Referrers without what may tell about a person. */
#ifndef PRIVACY_REFERRER_H
#define PRIVACY_REFERRER_H

#include "streamsteam/plugin.h"

enum referrer_level { REFERRER_KEEP, REFERRER_NO_QUERY, REFERRER_NO_PATH, REFERRER_NOTHING };

/* What is kept of a URL: without query, fragment and user:password@; with NO_PATH only scheme://host/. Empty
   where nothing is left, or where it is no URL and NO_PATH is asked for. out: url.len + 1 bytes. */
ss_str referrer_cut(ss_str url, enum referrer_level level, char *out);

#endif
