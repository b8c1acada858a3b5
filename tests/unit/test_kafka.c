// with: receivers/kafka/places.c
/* Where partitions stand, as text. */
#include "receivers/kafka/places.h"
#include "tests/unit/check.h"

static void places_are_read_and_written(void)
{
    kafka_places p = {0};
    ss_error err = {.struct_size = sizeof err};
    char line[64];
    REQUIRE(places_read(&p, ss_cstr("/t/0=5\n/a.b-c_d/12=9223372036854775807\n/t/0=6\n"), &err));
    CHECK_INT(p.count, 2);
    CHECK(places_find(&p, "t", 0) && places_find(&p, "t", 0)->next == 6);
    CHECK(places_find(&p, "a.b-c_d", 12)->next == INT64_MAX);
    CHECK(!places_find(&p, "t", 1));
    CHECK(places_add(&p, "t", 1) && !places_find(&p, "t", 1)); /* known by name, not by position */
    size_t len = places_put(line, sizeof line, "t", 3, 44);
    CHECK(len == 8 && memcmp(line, "/t/3=44\n", 8) == 0);
    CHECK_INT(places_put(line, 8, "t", 3, 44), 0);
    places_free(&p);
    CHECK_INT(p.count, 0);
}

static void what_is_not_a_position_is_refused(void)
{
    static const char *const bad[] = {"5",
                                      "/t/0=5",
                                      "/t=5\n",
                                      "//0=5\n",
                                      "/t/=5\n",
                                      "/t/0=\n",
                                      "/t/0=-1\n",
                                      "/t/x=1\n",
                                      "/t/0=5x\n",
                                      "/t/0=99999999999999999999\n",
                                      "/t/99999999999=1\n",
                                      "\n",
                                      "/t/0=1\n?\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kafka_places p = {0};
        ss_error err = {.struct_size = sizeof err};
        CHECK(!places_read(&p, ss_cstr(bad[i]), &err));
        CHECK(strstr(err.text, "another name") != NULL);
        places_free(&p);
    }
}

static void they_are_bounded(void)
{
    kafka_places p = {0};
    for (int32_t i = 0; i < (int32_t)KAFKA_PLACES_MAX; i++)
        CHECK(places_add(&p, "t", i) != NULL);
    CHECK(!places_add(&p, "t", KAFKA_PLACES_MAX) && places_add(&p, "t", 3));
    places_free(&p);
}

static const check_test tests[] = {TEST(places_are_read_and_written), TEST(what_is_not_a_position_is_refused),
                                   TEST(they_are_bounded)};
CHECK_MAIN(tests)
