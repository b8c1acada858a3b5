/* Lower case for campaign names and keywords: ASCII, and the two-byte letters of UTF-8 (Latin, Greek,
   Cyrillic) whose small letter is as long. Other scripts stay as they are. */
#ifndef MATOMO_LOWER_H
#define MATOMO_LOWER_H

#include "streamsteam/plugin.h"

void lower_ascii(char *text, size_t len);
void lower_text(char *text, size_t len);

#endif
