/* Time in New York: equal to the C library's with the system's time zone database. */
#include <stdlib.h>
#include <time.h>

#include "plugins/common/new_york.h"
#include "tests/unit/check.h"

static void known_moments(void)
{
    char text[NEW_YORK_SIZE];
    REQUIRE(new_york_put(text, 1737658977) > 0);
    CHECK_STR(text, "2025-01-23 14:02:57.000 America/New_York");
    REQUIRE(new_york_put(text, 1772953199) > 0); /* the last second of winter 2026 */
    CHECK_STR(text, "2026-03-08 01:59:59.000 America/New_York");
    REQUIRE(new_york_put(text, 1772953200) > 0);
    CHECK_STR(text, "2026-03-08 03:00:00.000 America/New_York");
    REQUIRE(new_york_put(text, 1793512799) > 0); /* and of summer */
    CHECK_STR(text, "2026-11-01 01:59:59.000 America/New_York");
    REQUIRE(new_york_put(text, 1793512800) > 0);
    CHECK_STR(text, "2026-11-01 01:00:00.000 America/New_York");
    REQUIRE(new_york_put(text, 0) > 0);
    CHECK_STR(text, "1969-12-31 19:00:00.000 America/New_York");
}

static void extremes(void)
{
    char text[NEW_YORK_SIZE];
    CHECK_INT(new_york_put(text, INT64_MAX), 0);
    CHECK_INT(new_york_put(text, INT64_MIN), 0);
    CHECK_INT(new_york_put(text, 253402300800), 0);
    REQUIRE(new_york_put(text, 253402300799) > 0);
    CHECK_STR(text, "9999-12-31 18:59:59.000 America/New_York");
    CHECK_INT(new_york_offset_s(INT64_MAX / 2), -18000);
}

/* Every third hour or so for 70 years, and each side of each change that the database knows. */
static void the_database_agrees(void)
{
    (void)setenv("TZ", "America/New_York", 1);
    tzset();
    struct tm at;
    time_t july = 1782864000;
    REQUIRE(localtime_r(&july, &at));
    if (at.tm_gmtoff != -14400) { /* not installed: nothing to compare with */
        puts("# no time zone database here");
        return;
    }
    long before = 0;
    int changes = 0;
    for (time_t t = -94694400; t < 2145916800; t += 9973) { /* 1967 to 2037 */
        REQUIRE(localtime_r(&t, &at));
        CHECK_INT(new_york_offset_s(t), at.tm_gmtoff);
        if (check_failed)
            return;
        changes += before && before != at.tm_gmtoff;
        for (time_t s = t - 9973; before && before != at.tm_gmtoff && s <= t; s++) {
            struct tm near;
            REQUIRE(localtime_r(&s, &near));
            CHECK_INT(new_york_offset_s(s), near.tm_gmtoff);
        }
        before = at.tm_gmtoff;
    }
    CHECK_INT(changes, 142);
}

static const check_test tests[] = {TEST(known_moments), TEST(extremes), TEST(the_database_agrees)};
CHECK_MAIN(tests)
