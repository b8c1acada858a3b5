#include "modules/spark/cron.h"

#include <strings.h>
#include <time.h>

#define CRON_TEXT_MAX 256u
#define FIELDS        5
#define MINUTE_US     60000000ll
#define SEARCH_YEARS  9 /* a 29th of February on a given month may be eight years away */
#define DAY_MINUTES   1440

typedef struct field_rule {
    const char *name;
    int min, max;
    const char *const *names; /* from min on */
} field_rule;

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const field_rule rules[FIELDS] = {{"minute", 0, 59, NULL},
                                         {"hour", 0, 23, NULL},
                                         {"day of month", 1, 31, NULL},
                                         {"month", 1, 12, month_names},
                                         {"day of week", 0, 7, day_names}};
static const struct {
    const char *name, *text;
} shorts[] = {{"@hourly", "0 * * * *"},
              {"@daily", "0 0 * * *"},
              {"@midnight", "0 0 * * *"},
              {"@weekly", "0 0 * * 0"},
              {"@monthly", "0 0 1 * *"}};

static bool take_number(const char **at, const field_rule *rule, bool names, int *out)
{
    const char *p = *at;
    for (int i = 0; names && rule->names && rule->names[i]; i++)
        if (strncasecmp(p, rule->names[i], 3) == 0) {
            *at = p + 3;
            *out = rule->min + i;
            return true;
        }
    int value = 0, digits = 0;
    for (; *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
        value = value * 10 + (*p - '0');
    *at = p;
    *out = value;
    return digits > 0 && digits < 4;
}

/* One of a list: *, 5, 1-5, each with /step. */
static bool take_range(const char **at, const field_rule *rule, uint64_t *bits)
{
    int low = rule->min, high = rule->max, step = 1;
    bool star = **at == '*';
    if (star) {
        (*at)++;
        if (rule->max == 7)
            high = 6;
    } else {
        if (!take_number(at, rule, true, &low))
            return false;
        high = low;
        if (**at == '-') {
            (*at)++;
            if (!take_number(at, rule, true, &high))
                return false;
        } else if (**at == '/') {
            high = rule->max;
        }
    }
    if (**at == '/') {
        (*at)++;
        if (!take_number(at, rule, false, &step) || step == 0)
            return false;
    }
    if (low < rule->min || high > rule->max || low > high)
        return false;
    for (int v = low; v <= high; v += step)
        *bits |= 1ull << (rule->max == 7 ? v % 7 : v);
    return true;
}

static bool take_field(const char **at, const field_rule *rule, uint64_t *bits, bool *star)
{
    *bits = 0;
    *star = **at == '*';
    do {
        if (!take_range(at, rule, bits))
            return false;
    } while (**at == ',' && *(*at)++);
    return **at == ' ' || **at == '\t' || **at == '\0';
}

bool cron_parse(cron *c, ss_str text, ss_error *err)
{
    char copy[CRON_TEXT_MAX];
    uint64_t *const fields[FIELDS] = {&c->minutes, &c->hours, &c->days, &c->months, &c->weekdays};
    bool star[FIELDS];
    if (text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
        return ss_fail(err, 0, "cron: more than %u characters", CRON_TEXT_MAX - 1), false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    const char *at = copy;
    for (size_t i = 0; i < sizeof shorts / sizeof *shorts; i++)
        if (strcasecmp(copy, shorts[i].name) == 0)
            at = shorts[i].text;
    for (int i = 0; i < FIELDS; i++) {
        at += strspn(at, " \t");
        if (!take_field(&at, &rules[i], fields[i], &star[i]))
            return ss_fail(err, 0,
                           "cron \"%s\": wrong %s (%d-%d): write as \"15 * * * *\": minute hour day month "
                           "day-of-week",
                           copy, rules[i].name, rules[i].min, rules[i].max),
                   false;
    }
    at += strspn(at, " \t");
    if (*at)
        return ss_fail(err, 0, "cron \"%s\": more than five fields", copy), false;
    c->either_day = !star[2] && !star[4];
    return true;
}

static bool day_fits(const cron *c, const struct tm *t)
{
    bool month_day = c->days >> t->tm_mday & 1, week_day = c->weekdays >> t->tm_wday & 1;
    return (c->months >> (t->tm_mon + 1) & 1) &&
           (c->either_day ? month_day || week_day : month_day && week_day);
}

int64_t cron_next(const cron *c, int64_t after_us)
{
    time_t start = (time_t)(after_us / MINUTE_US * 60 + 60);
    time_t day = start - start % (DAY_MINUTES * 60);
    for (int i = 0; i < SEARCH_YEARS * 366; i++, day += (time_t)DAY_MINUTES * 60) {
        struct tm t;
        if (!gmtime_r(&day, &t) || !day_fits(c, &t))
            continue;
        for (int m = 0; m < DAY_MINUTES; m++)
            if ((c->hours >> (m / 60) & 1) && (c->minutes >> (m % 60) & 1) && day + (time_t)m * 60 >= start)
                return ((int64_t)day + m * 60) * 1000000;
    }
    return 0;
}
