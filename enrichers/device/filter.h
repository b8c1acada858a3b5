/* Which rules can match a text at all: one pass over the text finds the literals that the rules need (see
   literal.h). Each literal is filed under its rarest group of up to four bytes; where such a group is met,
   the whole literal is compared. A rule without literals is a candidate always.

   Rules are numbered in the order in which they are tried, so that the candidates of a list are the set bits
   between two numbers. */
#ifndef DEVICE_FILTER_H
#define DEVICE_FILTER_H

#include "enrichers/device/literal.h"

#define SUBJECT_MAX 1024u /* bytes of a user agent that are looked at */

typedef struct filter_entry {
    uint32_t text; /* in bytes */
    uint32_t rule;
    uint8_t len, gram_at;
    bool at_start;
} filter_entry;

typedef struct filter_bucket {
    uint64_t key; /* 0 = free */
    uint32_t first, count;
} filter_bucket;

typedef struct filter {
    char *bytes;
    filter_entry *entries;
    filter_bucket *buckets;
    uint64_t *always, *seen; /* seen: which hashes of groups exist */
    uint32_t count, room, mask, rules;
    size_t bytes_len, bytes_room;
} filter;

/* A text with what the filter found in it. */
typedef struct subject {
    char text[SUBJECT_MAX + 1], lower[SUBJECT_MAX + 4]; /* lower ends with four NULs */
    uint32_t len;
    uint64_t *candidates; /* a bit a rule */
    uint16_t *from;       /* where a match of that rule can begin at the earliest */
} subject;

bool filter_init(filter *f, uint32_t rules);
void filter_free(filter *f);
/* worded: the rule may only begin where a word does (rules.h): literals at its start are checked for that. */
bool filter_add(filter *f, uint32_t rule, bool worded, ss_str regex);
bool filter_finish(filter *f);

bool subject_init(subject *s, uint32_t rules);
void subject_free(subject *s);
void subject_set(subject *s, const filter *f, ss_str text);

/* The next candidate from rule `at` on, or `end`. */
static inline uint32_t subject_next(const subject *s, uint32_t at, uint32_t end)
{
    while (at < end) {
        uint64_t bits = s->candidates[at >> 6] >> (at & 63u);
        if (bits) {
            at += (uint32_t)__builtin_ctzll(bits);
            return at < end ? at : end;
        }
        at = (at | 63u) + 1;
    }
    return end;
}

static inline bool subject_may(const subject *s, uint32_t rule)
{
    return s->candidates[rule >> 6] >> (rule & 63u) & 1u;
}

#endif
