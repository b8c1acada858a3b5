/* Texts of pages that are not in UTF-8: what `cs` or a search engine says of them. Seldom, so that the C
   library's converter will do. */
#ifndef MATOMO_CHARSET_H
#define MATOMO_CHARSET_H

#include "streamsteam/plugin.h"

bool charset_is_utf8(ss_str text);
/* The text in UTF-8, in out, as far as there is room; its length. 0: that name is not one of those known
   here, or the text is not in that charset. */
size_t charset_to_utf8(char *out, size_t room, ss_str text, ss_str name);

#endif
