/* "did you mean": the nearest of several words by edit distance. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include "streamsteam/plugin.h"

#define SUGGEST_WORD_MAX 64u /* longer words are never near anything */

typedef struct suggest {
    ss_str word;
    ss_str best; /* empty where nothing is near enough */
    size_t distance;
} suggest;

void suggest_init(suggest *s, ss_str word);
void suggest_offer(suggest *s, ss_str candidate); /* the candidate is borrowed */
/* ", did you mean 'x'?" or "". Returns out. */
const char *suggest_text(const suggest *s, char *out, size_t size);

#endif
