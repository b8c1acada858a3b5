/* Times as crontab(5) writes them, in UTC: minute hour day-of-month month day-of-week, or @hourly, @daily,
   @weekly, @monthly. Numbers, names (jan, mon), lists, ranges, steps; 7 is Sunday, too. As there, where both
   days are restricted one of them is enough. */
#ifndef SPARK_CRON_H
#define SPARK_CRON_H

#include "streamsteam/plugin.h"

typedef struct cron {
    uint64_t minutes, hours, days, months, weekdays; /* bit = value */
    bool either_day;
} cron;

bool cron_parse(cron *c, ss_str text, ss_error *err);
/* The first time after after_us, a whole minute; 0: never (the 30th of February). */
int64_t cron_next(const cron *c, int64_t after_us);

#endif
