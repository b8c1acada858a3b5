/* Base64 (RFC 4648). */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include "streamsteam/plugin.h"

#define BASE64_SIZE(n) (((n) + 2u) / 3u * 4u) /* bytes that n bytes become */

/* Returns BASE64_SIZE(bytes.len); no NUL. */
size_t base64_put(char *out, ss_str bytes);
/* Strict: padding and length must be right. out has room for text.len / 4 * 3 bytes. False: not base64. */
bool base64_read(ss_str text, char *out, size_t *len);

/* The same with - and _ and without padding, as tokens have it. out has the same room. */
size_t base64url_put(char *out, ss_str bytes);
bool base64url_read(ss_str text, char *out, size_t *len);

#endif
