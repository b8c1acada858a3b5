/* Cookies as Matomo writes them: `name=key=value:key=value`, percent-encoded; values that are no numbers are
   base64. */
#ifndef MATOMO_COOKIE_H
#define MATOMO_COOKIE_H

#include "streamsteam/plugin.h"

#define COOKIE_VALUE_MAX 64u

/* The value of that cookie as it stands in the Cookie header; false: there is none. */
bool cookie_find(ss_str header, ss_str name, ss_str *value);
/* What stands under the key; its length, or -1. */
int64_t cookie_get(ss_str value, const char *key, char out[COOKIE_VALUE_MAX]);

/* A Set-Cookie value for the third-party id of a visitor: 13 months. */
#define COOKIE_SET_MAX 256u
size_t cookie_put_id(char out[COOKIE_SET_MAX], const char *name, ss_str id, bool https, int64_t now_us);
/* The same that removes it. */
size_t cookie_put_removal(char out[COOKIE_SET_MAX], const char *name, bool https);

#endif
