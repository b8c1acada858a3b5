// with: core/admin/dynamodb/item.c
/* Rows as DynamoDB's items, and back. */
#include <stdlib.h>

#include "core/admin/dynamodb/dynamodb.h"
#include "tests/unit/check.h"

#define ID  "0a1b2c3d-0000-4000-8000-000000000001"
#define KEY "0a1b2c3d-0000-4000-8000-0000000000aa"

static void an_application_is_the_guidances_item(void)
{
    store_app app = {.id = ID,
                     .name = SS_LIT("G\xc3\xbc"),
                     .limits = {-1, -1, -1},
                     .created_s = 1737927950,
                     .updated_s = 1737927950},
              back;
    json_t *item = dynamodb_app_item(&app);
    char *text = json_dumps(item, JSON_COMPACT | JSON_SORT_KEYS);
    CHECK_STR(
        text,
        "{\"application_id\":{\"S\":\"" ID "\"},\"application_name\":{\"S\":\"G\xc3\xbc\"},"
        "\"created_at\":{\"S\":\"2025-01-26T21:45:50Z\"},\"updated_at\":{\"S\":\"2025-01-26T21:45:50Z\"}}");
    CHECK(dynamodb_read_app(item, &back));
    CHECK(strcmp(back.id, ID) == 0 && ss_eq(back.name, app.name) && !back.has_description &&
          back.created_s == app.created_s);
    CHECK(back.limits.rate == -1 && back.limits.burst == -1 && back.limits.quota == -1 && back.flags == 0);
    free(text);
    json_decref(item);
}

static void a_key_comes_back_as_it_was(void)
{
    store_key key = {.id = KEY,
                     .app_id = ID,
                     .name = SS_LIT("n"),
                     .value = SS_LIT("dmFsdWU="),
                     .description = SS_LIT(""),
                     .has_description = true,
                     .enabled = false,
                     .limits = {5, 0, 1000000000000},
                     .created_s = 1,
                     .updated_s = 2},
              back;
    json_t *item = dynamodb_key_item(&key);
    CHECK(dynamodb_read_key(item, &back));
    CHECK(!back.enabled && back.has_description && back.description.len == 0 &&
          ss_eq(back.value, key.value) && back.value_whole);
    CHECK(back.limits.rate == 5 && back.limits.burst == 0 && back.limits.quota == 1000000000000 &&
          back.created_s == 1 && back.updated_s == 2);
    json_decref(item);
}

static void what_the_store_cannot_hold_is_no_row(void)
{
    static const char *const bad[] = {
        "{}",
        "{\"application_id\":{\"S\":\"" ID "\"}}",
        "{\"application_id\":{\"S\":\"UPPER\"},\"application_name\":{\"S\":\"n\"}}",
        "{\"application_id\":{\"N\":\"1\"},\"application_name\":{\"S\":\"n\"}}",
        "{\"application_id\":{\"S\":\"" ID "\"},\"application_name\":{\"S\":\"\"}}",
        "{\"application_id\":\"" ID "\",\"application_name\":{\"S\":\"n\"}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        store_app app;
        json_t *item = json_loads(bad[i], 0, NULL);
        CHECK(item && !dynamodb_read_app(item, &app));
        json_decref(item);
    }
}

static void numbers_and_times_of_others_are_read_with_care(void)
{
    static const char text[] =
        "{\"application_id\":{\"S\":\"" ID
        "\"},\"application_name\":{\"S\":\"n\"},\"created_at\":{\"S\":\"yesterday\"},"
        "\"updated_at\":{\"S\":\"2025-01-26T21:45:50.123Z\"},\"streamsteam_rate\":{\"N\":\"1.2E1\"},"
        "\"streamsteam_burst\":{\"N\":\"-4\"},\"streamsteam_quota\":{\"N\":\"1e300\"},\"streamsteam_flags\":{"
        "\"N\":\"x\"}}";
    store_app app;
    json_t *item = json_loads(text, 0, NULL);
    CHECK(dynamodb_read_app(item, &app));
    CHECK(app.created_s == 0 && app.updated_s == 1737927950 && app.limits.rate == 12 &&
          app.limits.burst == -1 && app.limits.quota == -1 && app.flags == 0);
    json_decref(item);
}

static const check_test tests[] = {
    TEST(an_application_is_the_guidances_item),
    TEST(a_key_comes_back_as_it_was),
    TEST(what_the_store_cannot_hold_is_no_row),
    TEST(numbers_and_times_of_others_are_read_with_care),
};
CHECK_MAIN(tests)
