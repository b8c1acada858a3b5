/* Words that are looked for in texts, letters of any case. Read-only after words_make(): any thread. */
#ifndef BOTS_WORDS_H
#define BOTS_WORDS_H

#include "streamsteam/plugin.h"

#define WORDS_MAX      256u
#define WORD_BYTES_MIN 3u
#define WORD_BYTES_MAX 128u

typedef struct words {
    ss_str list[WORDS_MAX]; /* by first letter, in lower case */
    size_t count;
    uint16_t first[257]; /* where those begin that start with that byte */
    bool starts[256];    /* a word begins so, in either case */
    char *text;
} words;

/* From a LIST of STRING. SS_REJECT with the reason; words_free() in any case. */
int32_t words_make(words *w, const ss_host *host, const ss_config *list, ss_error *err);
/* The part of the text that is one of the words; empty where none is in it. */
ss_str words_find(const words *w, ss_str text);
void words_free(words *w);

#endif
