#include "core/config/suggest.h"

#include <ctype.h>

void suggest_init(suggest *s, ss_str word)
{
    /* One slip in three letters is near; more than that is another word. */
    *s = (suggest){.word = word, .best = {"", 0}, .distance = word.len / 3 + 2};
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: insert, delete, change, or swap two neighbours, each costs 1. */
static size_t edit_distance(ss_str a, ss_str b)
{
    size_t rows[3][SUGGEST_WORD_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = same_letter(a.ptr[i - 1], b.ptr[j - 1]) ? 0 : 1;
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + change);
            if (i > 1 && j > 1 && same_letter(a.ptr[i - 1], b.ptr[j - 2]) &&
                same_letter(a.ptr[i - 2], b.ptr[j - 1]) && two_above[j - 2] + 1 < row[j])
                row[j] = two_above[j - 2] + 1;
        }
    }
    return rows[a.len % 3][b.len];
}

void suggest_offer(suggest *s, ss_str candidate)
{
    if (s->word.len == 0 || s->word.len > SUGGEST_WORD_MAX || candidate.len > SUGGEST_WORD_MAX)
        return;
    size_t distance = edit_distance(s->word, candidate);
    if (distance < s->distance && distance < candidate.len) {
        s->distance = distance;
        s->best = candidate;
    }
}

const char *suggest_text(const suggest *s, char *out, size_t size)
{
    out[0] = '\0';
    if (s->best.len > 0)
        (void)snprintf(out, size, ", did you mean '%.*s'?", (int)s->best.len, s->best.ptr);
    return out;
}
