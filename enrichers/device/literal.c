#include "enrichers/device/literal.h"

#include <stdlib.h>

#include "enrichers/device/texts.h"

#define PRODUCT_MAX 48u /* strings that a run may branch into */
#define CLASS_MAX   10u /* characters of a class that are tried one by one */
#define DEPTH_MAX   32u

/* What one part of an expression says: `exact`: its whole language; else `best`: one of these is in it. */
typedef struct piece {
    literal_set set;
    bool exact, some; /* neither: nothing is known */
} piece;

typedef struct reader {
    const char *at, *end;
    uint32_t depth;
    bool failed;
} reader;

static bool read_choice(reader *r, piece *out);

void literal_set_free(literal_set *set)
{
    free(set->items);
    *set = (literal_set){0};
}

static bool set_add(literal_set *set, const literal *item)
{
    if (set->count == LITERALS_MAX)
        return false;
    if (set->count == set->room) {
        uint32_t room = set->room ? set->room * 2 : 4;
        literal *items = realloc(set->items, room * sizeof *items);
        if (!items)
            return false;
        set->items = items;
        set->room = room;
    }
    set->items[set->count++] = *item;
    return true;
}

static bool set_add_char(literal_set *set, char c)
{
    return set_add(set, &(literal){.text = {text_lower(c)}, .len = 1});
}

static bool set_append(literal_set *to, const literal_set *from)
{
    for (uint32_t i = 0; i < from->count; i++)
        if (!set_add(to, &from->items[i]))
            return false;
    return true;
}

/* ---- how telling a set is: the weakest of its strings counts ---- */

/* What most user agents have: such words tell little. */
static const char everyday[] =
    "mozilla/5.0 (linux; android 10; k) applewebkit/537.36 (khtml, like gecko) version/4.0 chrome/100.0.0.0 "
    "mobile safari/537.36 build/ (windows nt 10.0; win64; x64) (macintosh; intel mac os x 10_15_7) "
    "(iphone; cpu iphone os 17_0 like mac os x) mobile/15e148 (x11; linux x86_64) (compatible; bot ; u; tv ";

static int strength_of(const literal *l)
{
    int strength = 8 * (l->len < 8 ? l->len : 8) + (l->at_start ? 8 : 0);
    return memmem(everyday, sizeof everyday - 1, l->text, l->len) ? strength / 6 : strength;
}

static int set_strength(const literal_set *set)
{
    int weakest = 1000, size = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        int strength = strength_of(&set->items[i]);
        weakest = strength < weakest ? strength : weakest;
    }
    for (uint32_t n = set->count; n > 1; n /= 2)
        size++;
    return weakest - size;
}

/* Takes the set over where it is better than what is there; frees it otherwise. */
static void consider(piece *best, literal_set *set)
{
    bool usable = set->count > 0;
    for (uint32_t i = 0; i < set->count; i++)
        usable = usable && set->items[i].len > 0;
    if (usable && (!best->some || set_strength(set) > set_strength(&best->set))) {
        literal_set_free(&best->set);
        best->set = *set;
        best->some = true;
        *set = (literal_set){0};
    } else {
        literal_set_free(set);
    }
}

/* ---- atoms ---- */

static bool read_class_char(reader *r, char *c)
{
    if (*r->at != '\\') {
        *c = *r->at++;
        return true;
    }
    if (r->end - r->at < 2)
        return false;
    *c = r->at[1];
    r->at += 2;
    return !(text_lower(*c) >= 'a' && text_lower(*c) <= 'z') && !text_is_digit(*c);
}

/* [abc], [a-c]; anything else is passed over as unknown. */
static void read_class(reader *r, piece *out)
{
    literal_set set = {0};
    bool known = true, first = true;
    r->at++;
    if (r->at < r->end && *r->at == '^') {
        known = false;
        r->at++;
    }
    for (; r->at < r->end && (*r->at != ']' || first); first = false) {
        char low, high;
        if (*r->at == '[' && r->at + 1 < r->end && r->at[1] == ':') {
            r->failed = true; /* [[:alpha:]]: not in the data, not worth reading */
            break;
        }
        bool plain = read_class_char(r, &low);
        high = low;
        if (plain && r->end - r->at > 1 && r->at[0] == '-' && r->at[1] != ']') {
            r->at++;
            plain = read_class_char(r, &high);
        }
        known = known && plain && (unsigned char)high >= (unsigned char)low &&
                (unsigned char)high - (unsigned char)low + set.count < CLASS_MAX;
        for (int c = (unsigned char)low; known && c <= (unsigned char)high; c++)
            known = set_add_char(&set, (char)c);
    }
    if (r->at >= r->end)
        r->failed = true;
    else
        r->at++;
    if (known && set.count > 0 && !r->failed)
        *out = (piece){.set = set, .exact = true};
    else
        literal_set_free(&set);
}

/* One character as itself, or a class of them, or no character at all (\b). */
static void read_escape(reader *r, piece *out)
{
    if (r->end - r->at < 2) {
        r->failed = true;
        return;
    }
    char c = r->at[1];
    r->at += 2;
    if (strchr("bBAzZ", c)) {
        out->exact = set_add(&out->set, &(literal){.len = 0});
    } else if (strchr("dDwWsSntr", c) || (c >= '1' && c <= '9')) {
        return;
    } else if ((text_lower(c) >= 'a' && text_lower(c) <= 'z') || c == '0') {
        r->failed = true; /* \x41, \Q: not in the data */
    } else {
        out->exact = set_add_char(&out->set, c);
    }
}

/* Passes over a group whose content says nothing for sure: from behind its opening to behind its end. */
static void pass_group(reader *r)
{
    uint32_t open = 1;
    bool in_class = false;
    for (; r->at < r->end && open > 0; r->at++) {
        if (*r->at == '\\' && r->at + 1 < r->end)
            r->at++;
        else if (in_class)
            in_class = *r->at != ']';
        else if (*r->at == '[')
            in_class = true;
        else
            open += (uint32_t)(*r->at == '(') - (uint32_t)(*r->at == ')');
    }
    r->failed |= open > 0;
}

static void read_group(reader *r, piece *out)
{
    ss_str rest = ss_s(r->at, (size_t)(r->end - r->at));
    if (text_starts(rest, "(?=") || text_starts(rest, "(?!") || text_starts(rest, "(?<=") ||
        text_starts(rest, "(?<!")) {
        r->at++;
        pass_group(r);
        out->exact = set_add(&out->set, &(literal){.len = 0}); /* takes no characters */
        return;
    }
    if (text_starts(rest, "(?:"))
        r->at += 3;
    else if (text_starts(rest, "(?")) { /* conditions and the like */
        r->at++;
        pass_group(r);
        return;
    } else
        r->at++;
    if (!read_choice(r, out))
        return;
    if (r->at < r->end && *r->at == ')')
        r->at++;
    else
        r->failed = true;
}

static void read_atom(reader *r, piece *out)
{
    switch (*r->at) {
    case '(':
        read_group(r, out);
        break;
    case '[':
        read_class(r, out);
        break;
    case '\\':
        read_escape(r, out);
        break;
    case '.':
        r->at++;
        break;
    case '^':
    case '$':
        r->at++;
        out->exact = set_add(&out->set, &(literal){.len = 0});
        break;
    default:
        out->exact = set_add_char(&out->set, *r->at++);
        break;
    }
}

/* {n}, {n,}, {n,m}: the smallest number, and whether it is the only one. */
static bool read_braces(reader *r, uint32_t *least, bool *only)
{
    const char *p = r->at + 1;
    uint32_t n = 0, digits = 0;
    for (; p < r->end && text_is_digit(*p) && digits < 4; p++, digits++)
        n = n * 10 + (uint32_t)(*p - '0');
    const char *close = p < r->end ? memchr(p, '}', (size_t)(r->end - p)) : NULL;
    if (digits == 0 || !close || (*p != ',' && p != close))
        return false; /* a literal brace */
    *least = n;
    *only = p == close;
    r->at = close + 1;
    return true;
}

/* What a quantifier leaves of its atom. repeated: more of it may follow, so that a run ends here. */
static void read_quantifier(reader *r, piece *p, bool *repeated)
{
    uint32_t least = 1;
    bool only = true, optional = false;
    *repeated = false;
    if (r->at >= r->end)
        return;
    if (*r->at == '?') {
        optional = true;
        r->at++;
    } else if (*r->at == '*' || *r->at == '+') {
        least = *r->at++ == '+';
        *repeated = true;
    } else if (*r->at != '{' || !read_braces(r, &least, &only)) {
        return;
    } else {
        *repeated = !only || least != 1;
    }
    if (r->at < r->end && (*r->at == '?' || *r->at == '+'))
        r->at++; /* lazy, possessive */
    if (optional && p->exact && p->set.count < PRODUCT_MAX / 4) {
        p->exact = set_add(&p->set, &(literal){.len = 0});
    } else if (optional || least == 0) {
        literal_set_free(&p->set);
        *p = (piece){0};
    }
}

/* ---- sequences and alternatives ---- */

/* run x exact, where that stays small. */
static bool multiply(literal_set *run, const literal_set *exact)
{
    literal_set out = {0};
    if (run->count * exact->count > PRODUCT_MAX)
        return false;
    for (uint32_t i = 0; i < run->count; i++)
        for (uint32_t j = 0; j < exact->count; j++) {
            literal item = run->items[i];
            const literal *tail = &exact->items[j];
            if (item.len + tail->len > LITERAL_CHARS) {
                literal_set_free(&out);
                return false;
            }
            memcpy(item.text + item.len, tail->text, tail->len);
            item.len = (uint8_t)(item.len + tail->len);
            if (!set_add(&out, &item)) {
                literal_set_free(&out);
                return false;
            }
        }
    literal_set_free(run);
    *run = out;
    return true;
}

static bool start_run(literal_set *run, bool at_start)
{
    *run = (literal_set){0};
    return set_add(run, &(literal){.at_start = at_start});
}

static void not_at_start(literal_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        set->items[i].at_start = false;
}

/* Adds one atom to a sequence: to its run where it is exact, else the run ends before it. */
static void join(piece *atom, literal_set *run, piece *best, bool *exact)
{
    bool first = run->count == 1 && run->items[0].len == 0 && run->items[0].at_start;
    if (atom->exact && multiply(run, &atom->set)) {
        literal_set_free(&atom->set);
        return;
    }
    *exact = false;
    consider(best, run);
    if (atom->exact) { /* too many: the next run starts with it */
        *run = atom->set;
        not_at_start(run);
        return;
    }
    if (!first)
        not_at_start(&atom->set);
    consider(best, &atom->set);
    (void)start_run(run, false);
}

static bool read_sequence(reader *r, piece *out)
{
    literal_set run;
    piece best = {0};
    bool exact = start_run(&run, true);
    while (r->at < r->end && *r->at != '|' && *r->at != ')' && !r->failed) {
        piece atom = {0};
        bool repeated = false;
        read_atom(r, &atom);
        read_quantifier(r, &atom, &repeated);
        join(&atom, &run, &best, &exact);
        if (repeated) {
            exact = false;
            consider(&best, &run);
            (void)start_run(&run, false);
        }
    }
    if (exact && !r->failed) {
        literal_set_free(&best.set);
        *out = (piece){.set = run, .exact = true};
        return true;
    }
    consider(&best, &run);
    *out = best;
    return !r->failed;
}

static bool read_choice(reader *r, piece *out)
{
    piece all = {.exact = true, .some = true};
    if (++r->depth > DEPTH_MAX)
        r->failed = true;
    do {
        piece one = {0};
        if (r->failed || !read_sequence(r, &one))
            r->failed = true;
        all.exact = all.exact && one.exact;
        all.some = all.some && (one.exact || one.some) && set_append(&all.set, &one.set);
        literal_set_free(&one.set);
    } while (!r->failed && r->at < r->end && *r->at == '|' && r->at++);
    r->depth--;
    all.exact = all.exact && all.some && all.set.count <= PRODUCT_MAX;
    for (uint32_t i = 0; i < all.set.count; i++)
        all.some = all.some && (all.exact || all.set.items[i].len > 0);
    if (r->failed || !all.some) {
        literal_set_free(&all.set);
        all = (piece){0};
    }
    *out = all;
    return !r->failed;
}

bool literals_of(ss_str regex, literal_set *out)
{
    reader r = {.at = regex.ptr, .end = regex.ptr + regex.len};
    piece whole;
    *out = (literal_set){0};
    if (!read_choice(&r, &whole) || r.at != r.end) {
        literal_set_free(&whole.set);
        return false;
    }
    for (uint32_t i = 0; i < whole.set.count; i++)
        if (whole.set.items[i].len == 0) {
            literal_set_free(&whole.set);
            return false;
        }
    *out = whole.set;
    return out->count > 0;
}
