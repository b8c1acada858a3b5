#include "receivers/matomo/when.h"

#include "receivers/matomo/value.h"

#define SECOND_US 1000000

typedef struct cursor {
    const char *at, *end;
} cursor;

/* Exactly or at most `digits` digits. */
static bool take_number(cursor *c, int least, int most, int64_t *out)
{
    int n = 0;
    *out = 0;
    for (; n < most && c->at < c->end && *c->at >= '0' && *c->at <= '9'; n++)
        *out = *out * 10 + (*c->at++ - '0');
    return n >= least;
}

static bool take(cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(c->end - c->at) < len)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((c->at[i] | 0x20) != word[i])
            return false;
    c->at += len;
    return true;
}

static void skip_space(cursor *c)
{
    while (take(c, ' '))
        ;
}

/* Days from 1970-01-01 of a civil date (Hinnant). */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = yoe + era * 400 + (*m <= 2);
}

/* Behind the time: nothing, Z, UTC, GMT, or an offset. A plus that the client did not encode came as a space.
 */
static bool take_zone(cursor *c, int64_t *offset_s)
{
    int64_t hours, minutes = 0;
    bool spaced = c->at < c->end && *c->at == ' ';
    *offset_s = 0;
    skip_space(c);
    if (c->at == c->end || take_word(c, "z") || take_word(c, "utc") || take_word(c, "gmt"))
        return c->at == c->end;
    bool west = take(c, '-');
    if (!west && !take(c, '+') && !spaced)
        return false;
    if (!take_number(c, 2, 2, &hours))
        return false;
    (void)take(c, ':');
    if (c->at < c->end && !take_number(c, 2, 2, &minutes))
        return false;
    *offset_s = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return c->at == c->end && hours < 24 && minutes < 60;
}

static bool take_fraction(cursor *c, int64_t *us)
{
    int64_t scale = SECOND_US;
    *us = 0;
    if (!take(c, '.') && !take(c, ','))
        return true;
    const char *from = c->at;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        scale /= 10;
        *us += (*c->at - '0') * scale;
    }
    return c->at > from;
}

static bool parse_date(ss_str text, int64_t *us)
{
    cursor c = {text.ptr, text.ptr + text.len};
    int64_t y, mo, d, h = 0, mi = 0, s = 0, fraction = 0, offset = 0;
    if (!take_number(&c, 4, 4, &y))
        return false;
    char mark = c.at < c.end && *c.at == '/' ? '/' : '-';
    if (!take(&c, mark) || !take_number(&c, 1, 2, &mo) || !take(&c, mark) || !take_number(&c, 1, 2, &d))
        return false;
    if (c.at < c.end && (take(&c, 'T') || take(&c, 't') || take(&c, ' '))) {
        if (!take_number(&c, 1, 2, &h) || !take(&c, ':') || !take_number(&c, 2, 2, &mi))
            return false;
        if (take(&c, ':') && (!take_number(&c, 2, 2, &s) || !take_fraction(&c, &fraction)))
            return false;
        if (!take_zone(&c, &offset))
            return false;
    }
    if (c.at != c.end || mo < 1 || mo > 12 || d < 1 || d > 31 || h > 24 || mi > 59 || s > 60)
        return false;
    *us = (days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + s - offset) * SECOND_US + fraction;
    return true;
}

/* "now", "yesterday", "10 years ago", "-3 days" */
static bool parse_relative(ss_str text, int64_t now_us, int64_t *us)
{
    static const struct {
        const char *word;
        int64_t seconds, months;
    } units[] = {{"sec", 1, 0},       {"min", 60, 0},  {"hour", 3600, 0}, {"day", 86400, 0},
                 {"week", 604800, 0}, {"month", 0, 1}, {"year", 0, 12}};
    cursor c = {text.ptr, text.ptr + text.len};
    int64_t n, y, m, d, now_s = now_us / SECOND_US;
    *us = now_us;
    if (take_word(&c, "now"))
        return c.at == c.end;
    bool minus = take(&c, '-');
    if (!take_number(&c, 1, 6, &n))
        return false;
    skip_space(&c);
    size_t unit = 0;
    while (unit < sizeof units / sizeof *units && !take_word(&c, units[unit].word))
        unit++;
    if (unit == sizeof units / sizeof *units)
        return false;
    while (c.at < c.end && *c.at != ' ')
        c.at++; /* the rest of the word: seconds, minutes */
    skip_space(&c);
    if (!minus && !take_word(&c, "ago"))
        return false;
    date_of(now_s / 86400, &y, &m, &d);
    int64_t month = y * 12 + m - 1 - n * units[unit].months;
    int64_t second = days_of(month / 12, month % 12 + 1, d) * 86400 + now_s % 86400 - n * units[unit].seconds;
    *us = second * SECOND_US;
    return c.at == c.end;
}

bool when_parse(ss_str text, int64_t now_us, int64_t *us)
{
    int64_t seconds;
    double number;
    text = value_trim(text);
    if (text.len == 0)
        return false;
    if (value_int(text, &seconds) ||
        (value_double(text, &number) && number >= 0 && number < 1e12 && (seconds = (int64_t)number, true)))
        return !__builtin_mul_overflow(seconds, (int64_t)SECOND_US, us);
    return parse_date(text, us) || parse_relative(text, now_us, us);
}

static bool believable(int64_t us, int64_t now_us)
{
    return us <= now_us && us > now_us - (int64_t)WHEN_AGE_MAX_S * SECOND_US;
}

int64_t when_resolve(ss_str cdt, ss_str cdo, int64_t now_us, bool *given)
{
    int64_t us = now_us, at, back;
    *given = false;
    if (cdt.len > 0 && !ss_eq(cdt, SS_LIT("0")) && when_parse(cdt, now_us, &at) && believable(at, now_us)) {
        us = at;
        *given = true;
    }
    if (cdo.len > 0 && value_int(cdo, &back) && back != 0 && back > -WHEN_AGE_MAX_S &&
        back < WHEN_AGE_MAX_S) {
        at = us - (back < 0 ? -back : back) * SECOND_US;
        if (believable(at, now_us)) {
            us = at;
            *given = true;
        }
    }
    return us;
}
