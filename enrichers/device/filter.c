#include "enrichers/device/filter.h"

#include <stdlib.h>

#include "enrichers/device/texts.h"

#define GRAM_MAX   4u
#define SEEN_BITS  20u /* of the hash in the table of seen groups: 128 KiB */
#define LEAD_BYTES 5u  /* the longest of what may stand before a rule: "sprd-" */

/* ---- groups of bytes ---- */

/* One to four bytes as a key; the length is part of it, so that no key is 0. `word`: the four bytes that
   begin there, in memory order (little-endian like the journal). */
static inline uint64_t word_key(uint32_t word, uint32_t len)
{
    static const uint32_t masks[GRAM_MAX + 1] = {0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF};
    return (uint64_t)len << 32 | (word & masks[len]);
}

static uint64_t gram_key(const char *p, uint32_t len)
{
    uint32_t word = 0;
    memcpy(&word, p, len);
    return word_key(word, len);
}

static uint32_t gram_hash(uint64_t key)
{
    return (uint32_t)(key * 0x9E3779B97F4A7C15u >> 40);
}

static uint32_t gram_bit(uint64_t key)
{
    return gram_hash(key) & ((1u << SEEN_BITS) - 1);
}

static uint32_t gram_len(uint32_t literal_len)
{
    return literal_len < GRAM_MAX ? literal_len : GRAM_MAX;
}

/* ---- building ---- */

static uint32_t words_of(uint32_t rules)
{
    return (rules + 63) / 64;
}

bool filter_init(filter *f, uint32_t rules)
{
    *f = (filter){.rules = rules};
    f->always = calloc(words_of(rules) + 1, sizeof *f->always);
    f->seen = calloc((1u << SEEN_BITS) / 64, sizeof *f->seen);
    return f->always && f->seen;
}

void filter_free(filter *f)
{
    free(f->bytes);
    free(f->entries);
    free(f->buckets);
    free(f->always);
    free(f->seen);
    *f = (filter){0};
}

static bool add_entry(filter *f, const literal *l, uint32_t rule, bool worded)
{
    if (f->count == f->room) {
        uint32_t room = f->room ? f->room * 2 : 1024;
        filter_entry *entries = realloc(f->entries, room * sizeof *entries);
        if (!entries)
            return false;
        f->entries = entries;
        f->room = room;
    }
    if (f->bytes_len + l->len > f->bytes_room) {
        size_t room = f->bytes_room ? f->bytes_room * 2 : 1u << 16;
        char *bytes = realloc(f->bytes, room);
        if (!bytes)
            return false;
        f->bytes = bytes;
        f->bytes_room = room;
    }
    memcpy(f->bytes + f->bytes_len, l->text, l->len);
    f->entries[f->count++] = (filter_entry){
        .text = (uint32_t)f->bytes_len, .rule = rule, .len = l->len, .at_start = worded && l->at_start};
    f->bytes_len += l->len;
    return true;
}

bool filter_add(filter *f, uint32_t rule, bool worded, ss_str regex)
{
    literal_set set;
    bool ok = true;
    if (!literals_of(regex, &set)) {
        f->always[rule >> 6] |= (uint64_t)1 << (rule & 63u);
        return true;
    }
    for (uint32_t i = 0; i < set.count && ok; i++)
        ok = add_entry(f, &set.items[i], rule, worded);
    literal_set_free(&set);
    return ok;
}

static uint64_t gram_at(const filter *f, const filter_entry *e, uint32_t at)
{
    return gram_key(f->bytes + e->text + at, gram_len(e->len));
}

static filter_bucket *bucket(const filter *f, uint64_t key)
{
    for (uint32_t i = gram_hash(key);; i++) {
        filter_bucket *b = &f->buckets[i & f->mask];
        if (b->key == 0 || b->key == key)
            return b;
    }
}

/* Files each literal under the rarest of its groups. The counts are by hash: two groups may share one, which
   makes the choice a little worse, not wrong. */
static bool choose_grams(filter *f)
{
    uint16_t *counts = calloc(1u << SEEN_BITS, sizeof *counts);
    if (!counts)
        return false;
    for (uint32_t i = 0; i < f->count; i++)
        for (uint32_t at = 0; at + gram_len(f->entries[i].len) <= f->entries[i].len; at++) {
            uint16_t *count = &counts[gram_bit(gram_at(f, &f->entries[i], at))];
            *count = (uint16_t)(*count + (*count < UINT16_MAX));
        }
    for (uint32_t i = 0; i < f->count; i++) {
        filter_entry *e = &f->entries[i];
        uint32_t least = UINT32_MAX;
        for (uint32_t at = 0; at + gram_len(e->len) <= e->len; at++) {
            uint32_t count = counts[gram_bit(gram_at(f, e, at))];
            if (count < least) {
                least = count;
                e->gram_at = (uint8_t)at;
            }
        }
    }
    free(counts);
    return true;
}

/* Entries of one group side by side. */
static bool sort_entries(filter *f)
{
    filter_entry *sorted = malloc((f->count + 1) * sizeof *sorted);
    uint32_t next = 0;
    if (!sorted)
        return false;
    for (uint32_t i = 0; i < f->count; i++) {
        uint64_t key = gram_at(f, &f->entries[i], f->entries[i].gram_at);
        filter_bucket *b = bucket(f, key);
        b->key = key;
        b->count++;
    }
    for (uint32_t i = 0; i <= f->mask; i++) {
        f->buckets[i].first = next;
        next += f->buckets[i].count;
        f->buckets[i].count = 0;
    }
    for (uint32_t i = 0; i < f->count; i++) {
        uint64_t key = gram_at(f, &f->entries[i], f->entries[i].gram_at);
        filter_bucket *b = bucket(f, key);
        sorted[b->first + b->count++] = f->entries[i];
        uint32_t bit = gram_bit(key);
        f->seen[bit >> 6] |= (uint64_t)1 << (bit & 63u);
    }
    free(f->entries);
    f->entries = sorted;
    return true;
}

bool filter_finish(filter *f)
{
    for (f->mask = 1023; f->mask < f->count * 2; f->mask = f->mask * 2 + 1)
        ;
    f->buckets = calloc((size_t)f->mask + 1, sizeof *f->buckets);
    return f->buckets && choose_grams(f) && sort_entries(f);
}

/* ---- looking ---- */

/* `from` of a rule that is always a candidate stays 0: it has no entries that could raise it. */
bool subject_init(subject *s, uint32_t rules)
{
    s->len = 0;
    s->candidates = calloc(words_of(rules) + 1, sizeof *s->candidates);
    s->from = calloc(rules + 1, sizeof *s->from);
    return s->candidates && s->from;
}

void subject_free(subject *s)
{
    free(s->candidates);
    free(s->from);
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || text_is_digit(c) || c == '_' || c == '-';
}

/* Can a rule with word wrapping begin at this byte? (lower-case text) */
static bool word_starts(const char *text, uint32_t at)
{
    if (at == 0 || !is_word_char(text[at - 1]))
        return true;
    if (text[at - 1] == '_')
        return at > 1 && (text[at - 2] == '_' || !is_word_char(text[at - 2]));
    return text[at - 1] == '-' && ((at >= 5 && memcmp(text + at - 5, "sprd", 4) == 0) ||
                                   (at >= 3 && memcmp(text + at - 3, "mz", 2) == 0));
}

static void found(subject *s, const filter_entry *e, uint32_t at)
{
    uint32_t from = 0;
    uint64_t bit = (uint64_t)1 << (e->rule & 63u);
    if (e->at_start) {
        if (!word_starts(s->lower, at))
            return;
        from = at > LEAD_BYTES ? at - LEAD_BYTES : 0;
    }
    if (!(s->candidates[e->rule >> 6] & bit) || from < s->from[e->rule])
        s->from[e->rule] = (uint16_t)from;
    s->candidates[e->rule >> 6] |= bit;
}

static void look_up(subject *s, const filter *f, uint32_t at, uint64_t key)
{
    uint32_t bit = gram_bit(key);
    if (__builtin_expect(!(f->seen[bit >> 6] >> (bit & 63u) & 1u), 1))
        return;
    const filter_bucket *b = bucket(f, key);
    for (uint32_t i = 0; i < b->count; i++) {
        const filter_entry *e = &f->entries[b->first + i];
        if (at >= e->gram_at && at - e->gram_at + e->len <= s->len &&
            memcmp(s->lower + at - e->gram_at, f->bytes + e->text, e->len) == 0)
            found(s, e, at - e->gram_at);
    }
}

void subject_set(subject *s, const filter *f, ss_str text)
{
    s->len = (uint32_t)(text.len < SUBJECT_MAX ? text.len : SUBJECT_MAX);
    memcpy(s->text, text.ptr, s->len);
    s->text[s->len] = '\0';
    for (uint32_t i = 0; i <= s->len; i++)
        s->lower[i] = text_lower(s->text[i]);
    memcpy(s->candidates, f->always, words_of(f->rules) * sizeof *s->candidates);
    memset(s->lower + s->len + 1, 0, GRAM_MAX - 1);
    for (uint32_t at = 0; at < s->len; at++) {
        uint32_t word, most = s->len - at < GRAM_MAX ? s->len - at : GRAM_MAX;
        memcpy(&word, s->lower + at, sizeof word);
        for (uint32_t len = 1; len <= most; len++)
            look_up(s, f, at, word_key(word, len));
    }
}
