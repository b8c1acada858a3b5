/* Texts from a database on a screen: nothing in them can steer the terminal, and their width is known. */
#ifndef CLI_QUERY_TEXT_H
#define CLI_QUERY_TEXT_H

#include "plugins/common/buf.h"

/* Adds text with control characters, direction marks and what is no UTF-8 written as escapes (\n, \x1b,
   \u202e), a backslash stays one. At most max columns: what is longer is cut and ends with an ellipsis.
   Returns the columns. */
size_t query_text_put(buf *out, ss_str text, size_t max);

#endif
