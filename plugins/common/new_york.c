#include "plugins/common/new_york.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_S      86400
#define HOUR_S     3600
#define STANDARD_H (-5)
#define CHANGE_H   2 /* by the clock before it changes */

/* Clocks change on the first Sunday at or after a day of a month. */
typedef struct summer_rule {
    int from_year;
    int start_month, start_day, end_month, end_day;
} summer_rule;

static const summer_rule rules[] = {
    {1967, 4, 24, 10, 25}, /* last Sunday of April to last of October         */
    {1974, 1, 6, 10, 25},  /* the oil crisis                                  */
    {1975, 2, 23, 10, 25}, {1976, 4, 24, 10, 25},
    {1987, 4, 1, 10, 25}, /* first Sunday of April                           */
    {2007, 3, 8, 11, 1},  /* second Sunday of March to first of November     */
};
#define RULE_COUNT (sizeof rules / sizeof rules[0])

static int64_t start_of_sunday(int year, int month, int day)
{
    struct tm date = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    int64_t at = (int64_t)timegm(&date); /* fills the day of the week in */
    return at + (int64_t)((7 - date.tm_wday) % 7) * DAY_S;
}

int32_t new_york_offset_s(int64_t utc_s)
{
    const int32_t standard = STANDARD_H * HOUR_S, summer = standard + HOUR_S;
    time_t at = (time_t)(utc_s + standard); /* clocks never change near a new year */
    struct tm local;
    if (!gmtime_r(&at, &local))
        return standard;
    const summer_rule *rule = NULL;
    for (size_t i = 0; i < RULE_COUNT && rules[i].from_year <= local.tm_year + 1900; i++)
        rule = &rules[i];
    if (!rule)
        return standard;
    int year = local.tm_year + 1900;
    int64_t start = start_of_sunday(year, rule->start_month, rule->start_day) + CHANGE_H * HOUR_S - standard;
    int64_t end = start_of_sunday(year, rule->end_month, rule->end_day) + CHANGE_H * HOUR_S - summer;
    return utc_s >= start && utc_s < end ? summer : standard;
}

size_t new_york_put(char out[NEW_YORK_SIZE], int64_t utc_s)
{
    const int64_t first = -62135596800, last = 253402300799; /* years 1 to 9999 */
    if (utc_s < first + DAY_S || utc_s > last)
        return 0;
    time_t at = (time_t)(utc_s + new_york_offset_s(utc_s));
    struct tm local;
    if (!gmtime_r(&at, &local))
        return 0;
    int n = snprintf(out, NEW_YORK_SIZE, "%04d-%02d-%02d %02d:%02d:%02d.000 America/New_York",
                     local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min,
                     local.tm_sec);
    return n > 0 && n < NEW_YORK_SIZE ? (size_t)n : 0;
}
