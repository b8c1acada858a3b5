/* A /regular expression/ of the configuration, as PHP reads them (PCRE2). Made once, matched by any thread.
 */
#ifndef MATOMO_PATTERN_H
#define MATOMO_PATTERN_H

#include "streamsteam/plugin.h"

#define PATTERN_SUBJECT_MAX 8192u /* bytes that are looked at */

typedef struct pattern pattern;

/* "/.../" with the letters i, m, s, u, x behind it. */
bool pattern_is(ss_str text);
/* NULL: err says why. */
pattern *pattern_new(ss_str text, ss_error *err);
/* The expression alone, without slashes around. */
pattern *pattern_new_plain(ss_str expression, bool caseless, ss_error *err);
void pattern_free(pattern *p);
bool pattern_matches(const pattern *p, ss_str text);
/* The same; part: the first group, a slice of text (empty where the group took no part). */
bool pattern_capture(const pattern *p, ss_str text, ss_str *part);

#endif
