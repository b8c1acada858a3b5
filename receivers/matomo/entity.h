/* HTML's entities, which URLs copied out of a page's source carry: &amp; &#38; &#x26; &eacute; ... */
#ifndef MATOMO_ENTITY_H
#define MATOMO_ENTITY_H

#include "streamsteam/plugin.h"

/* at: an ampersand. Puts what it stands for (up to 4 bytes, UTF-8) and its length; returns the bytes of the
   entity, 0 where it is none. */
size_t entity_read(char out[4], const char *at, const char *end, size_t *len);

#endif
