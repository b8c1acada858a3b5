/* Short texts of a hit that are decoded, cut and kept until it is stored. */
#ifndef MATOMO_TEXT_H
#define MATOMO_TEXT_H

#include "streamsteam/plugin.h"

#define TEXT_SHORT_MAX 255u /* bytes that are kept of each */

enum text_how { TEXT_PLAIN = 0, TEXT_ENCODED = 1, TEXT_LOWER = 2 };

typedef struct texts { /* memory of the hit's */
    char *at, *end;
    ss_str charset; /* of texts that are not UTF-8, as the page says; empty: not known */
} texts;

/* In UTF-8: what is not, and in the charset of t, is recoded. Percent-decoded where `how` says so, trimmed,
   cut, in lower case where it says so. Empty where the room is used up. */
ss_str text_take(texts *t, ss_str raw, unsigned how);

#endif
