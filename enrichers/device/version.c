#include "enrichers/device/version.h"

#include "enrichers/device/texts.h"

/* Parts are runs of digits or of letters; everything else stands between parts. */
typedef struct part {
    bool number;
    ss_str text;
} part;

static bool is_word(char c)
{
    return !text_is_digit(c) && c != '.' && c != '-' && c != '_' && c != '+';
}

static bool next_part(ss_str *rest, part *out)
{
    while (rest->len > 0 && !text_is_digit(*rest->ptr) && !is_word(*rest->ptr)) {
        rest->ptr++;
        rest->len--;
    }
    if (rest->len == 0)
        return false;
    size_t n = 1;
    out->number = text_is_digit(*rest->ptr);
    while (n < rest->len && (out->number ? text_is_digit(rest->ptr[n]) : is_word(rest->ptr[n])))
        n++;
    out->text = ss_s(rest->ptr, n);
    rest->ptr += n;
    rest->len -= n;
    return true;
}

/* The order of words among each other; a number ranks between rc and pl. */
#define RANK_NUMBER 5
static int rank(const part *p)
{
    static const struct {
        const char *word;
        int rank;
    } words[] = {{"dev", 1}, {"alpha", 2}, {"a", 2}, {"beta", 3}, {"b", 3},
                 {"RC", 4},  {"rc", 4},    {"#", 5}, {"pl", 6},   {"p", 6}};
    if (p->number)
        return RANK_NUMBER;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (text_starts(p->text, words[i].word))
            return words[i].rank;
    return 0;
}

static int sign(long long n)
{
    return (n > 0) - (n < 0);
}

static int compare_numbers(ss_str a, ss_str b)
{
    while (a.len > 1 && *a.ptr == '0')
        a.ptr++, a.len--;
    while (b.len > 1 && *b.ptr == '0')
        b.ptr++, b.len--;
    if (a.len != b.len)
        return a.len > b.len ? 1 : -1;
    return sign(a.len ? memcmp(a.ptr, b.ptr, a.len) : 0);
}

static int compare_parts(const part *a, const part *b)
{
    if (a->number && b->number)
        return compare_numbers(a->text, b->text);
    return sign(rank(a) - rank(b));
}

int version_compare(ss_str a, ss_str b)
{
    part p, q;
    if (a.len == 0 || b.len == 0)
        return (a.len > 0) - (b.len > 0);
    for (;;) {
        bool more_a = next_part(&a, &p), more_b = next_part(&b, &q);
        if (!more_a && !more_b)
            return 0;
        if (!more_b) /* what is left decides: 1.0.1 is newer than 1.0, 1.0rc is older */
            return p.number ? 1 : rank(&p) > RANK_NUMBER ? 1 : -1;
        if (!more_a)
            return q.number ? -1 : rank(&q) > RANK_NUMBER ? -1 : 1;
        int order = compare_parts(&p, &q);
        if (order != 0)
            return order;
    }
}
