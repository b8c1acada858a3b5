#include "core/server/restart.h"

#include "tests/unit/check.h"

#define SECOND 1000000

static void ingest_comes_back_at_once_then_slower(void)
{
    restart r = {0};
    CHECK_INT(restart_ingest_delay(&r, SECOND), 0);
    CHECK_INT(restart_ingest_delay(&r, SECOND), 50);
    CHECK_INT(restart_ingest_delay(&r, SECOND), 100);
    for (int i = 0; i < 100; i++)
        CHECK(restart_ingest_delay(&r, 0) <= RESTART_INGEST_MAX_MS);
    CHECK_INT(restart_ingest_delay(&r, 0), RESTART_INGEST_MAX_MS);
    CHECK_INT(restart_ingest_delay(&r, RESTART_INGEST_CALM_US), 0);
}

static void modules_back_off(void)
{
    restart r = {0};
    CHECK_INT(restart_module_delay(&r, 0, false, 0), 100);
    CHECK_INT(restart_module_delay(&r, 0, false, 0), 200);
    int64_t jittered = restart_module_delay(&r, 0, false, 999);
    CHECK(jittered >= 320 && jittered < 400);
    for (int i = 0; i < 100; i++)
        (void)restart_module_delay(&r, 0, false, 0);
    CHECK_INT(restart_module_delay(&r, 0, false, 0), RESTART_MODULE_MAX_MS);
    CHECK_INT(restart_module_delay(&r, RESTART_MODULE_CALM_US, false, 0), 100);
}

static void looking_for_a_bad_record_is_quick_but_bounded(void)
{
    restart r = {0};
    for (unsigned i = 0; i < RESTART_BISECT_MAX; i++)
        CHECK_INT(restart_module_delay(&r, 0, true, 0), RESTART_MODULE_FIRST_MS);
    (void)restart_module_delay(&r, 0, true, 0);
    CHECK(restart_module_delay(&r, 0, true, 0) > RESTART_MODULE_FIRST_MS);
}

static void three_crashes_park(void)
{
    restart_parks parks = {0};
    int64_t next, t = 1000 * (int64_t)SECOND;
    CHECK(!restart_note_crash(&parks, "receiver a", t));
    CHECK(!restart_note_crash(&parks, "receiver b", t));
    CHECK(!restart_note_crash(&parks, "receiver a", t + SECOND));
    CHECK(restart_note_crash(&parks, "receiver a", t + 2 * SECOND));
    CHECK(!restart_note_crash(&parks, "receiver a", t + 3 * SECOND)); /* it is parked already */
    CHECK(!restart_release(&parks, t + 3 * SECOND, &next));
    CHECK_INT(next, t + 2 * SECOND + RESTART_PARK_US);
    CHECK(restart_release(&parks, next, &next));
    CHECK_INT(next, 0);
    CHECK(!restart_note_crash(&parks, "receiver a", t + 400 * (int64_t)SECOND)); /* begins anew */
}

static void crashes_far_apart_do_not_park(void)
{
    restart_parks parks = {0};
    for (int64_t i = 1; i < 20; i++)
        CHECK(!restart_note_crash(&parks, "receiver a", i * (RESTART_PARK_WINDOW_US / 2 + SECOND)));
}

static void many_names_are_bounded(void)
{
    restart_parks parks = {0};
    char name[RESTART_NAME_BYTES];
    for (int i = 0; i < 3; i++)
        (void)restart_note_crash(&parks, "receiver parked", 100 + i);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, "receiver %d", i);
        CHECK(!restart_note_crash(&parks, name, 1000 + i));
    }
    size_t parked = 0;
    for (size_t i = 0; i < RESTART_PARKS_MAX; i++)
        parked += restart_is_parked(&parks, i);
    CHECK_INT(parked, 1);
}

static const check_test tests[] = {
    TEST(ingest_comes_back_at_once_then_slower),
    TEST(modules_back_off),
    TEST(looking_for_a_bad_record_is_quick_but_bounded),
    TEST(three_crashes_park),
    TEST(crashes_far_apart_do_not_park),
    TEST(many_names_are_bounded),
};
CHECK_MAIN(tests)
