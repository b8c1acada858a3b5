/* Referrer spam: a list of domains and the like, one a line, that no referrer may contain. */
#ifndef MATOMO_SPAM_H
#define MATOMO_SPAM_H

#include "streamsteam/plugin.h"

#define SPAM_BYTES_MAX   (4u << 20)
#define SPAM_ENTRIES_MAX 65536u
#define SPAM_LENGTH_MIN  4u /* of an entry: shorter ones would hit by accident */
#define SPAM_BITS        15 /* of the hash of an entry's first four bytes      */

typedef struct spam_entry {
    uint32_t at, len; /* in text */
    uint32_t next;    /* + 1; of the same hash */
} spam_entry;

typedef struct spam {
    char *text; /* owned, as the others; lower case */
    spam_entry *entries;
    size_t count;
    uint32_t *heads; /* by hash: index + 1; NULL: there is no list */
} spam;

/* Lines that are empty or begin with # are passed over. */
int32_t spam_make(spam *s, ss_str path, ss_error *err);
void spam_free(spam *s);
bool spam_has(const spam *s, ss_str url);

#endif
