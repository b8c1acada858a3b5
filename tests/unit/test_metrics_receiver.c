/* The receiver of metric documents: their members become fields, what has none stays together, and the view
   gives the document back. */
// with: receivers/metrics/plugin.c
#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"

extern const ss_plugin *ss_plugin_v0(void);

#define START_US 1750978980000000

static const char knockouts[] =
    "{\"METRIC_NAME\":\"KnockoutsBySpell\",\"METRIC_TIMESTAMP\":\"2025-06-26T23:03:00Z\","
    "\"METRIC_UNIT_VALUE_INT\":333,\"METRIC_UNIT\":\"Count\",\"DIMENSION_APPLICATION_ID\":\"ab91\","
    "\"DIMENSION_APP_VERSION\":\"1.0.0\",\"DIMENSION_COUNTRY_ID\":null,\"DIMENSION_SPELL_ID\":\"FI\\u0052E\","
    "\"OUTPUT_TYPE\":\"metrics\"}";

static int32_t parse_as(testkit *k, const char *body, const char *id, const char *key, const char *version)
{
    const ss_pair headers[] = {{SS_LIT("version"), ss_cstr(version)}, {SS_LIT("app"), SS_LIT("ab91")}};
    const ss_message m = {.struct_size = sizeof m,
                          .pair_size = sizeof(ss_pair),
                          .body = ss_cstr(body),
                          .key = ss_cstr(key),
                          .id = ss_cstr(id),
                          .time_us = START_US,
                          .headers = headers,
                          .header_count = 2};
    return testkit_parse(k, &m);
}

static int32_t parse(testkit *k, const char *body)
{
    return parse_as(k, body, "id-1", "KnockoutsBySpell", "123456");
}

static void a_document_becomes_an_event(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    CHECK_INT(parse(k, knockouts), SS_OK);
    REQUIRE(testkit_event_count(k) == 1);
    CHECK_STR(testkit_value(k, 0, "METRIC_NAME"), "\"KnockoutsBySpell\"");
    CHECK_STR(testkit_value(k, 0, "METRIC_UNIT_VALUE_INT"), "333");
    CHECK_STR(testkit_value(k, 0, "DIMENSION_SPELL_ID"), "\"FIRE\"");
    CHECK_STR(testkit_value(k, 0, "DIMENSION_COUNTRY_ID"), "null");
    CHECK(!testkit_value(k, 0, "DIMENSION_ITEM_ID"));
    CHECK_STR(testkit_value(k, 0, "METRIC_ID"), "\"id-1\"");
    CHECK_STR(testkit_value(k, 0, "METRIC_VERSION"), "123456");
    testkit_event e = testkit_event_at(k, 0);
    CHECK_STR(e.id, "id-1");
    CHECK_STR(e.app, "ab91");
    CHECK_STR(e.type, "KnockoutsBySpell");
    CHECK_STR(e.key, "KnockoutsBySpell");
    CHECK_INT(e.event_us, START_US);
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static void values_keep_their_types(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    CHECK_INT(parse(k, "{\"METRIC_NAME\":\"n\",\"METRIC_UNIT_VALUE\":1.5,"
                       "\"METRIC_TOP\":[{\"value\":\"a\",\"count\":2}],\"DIMENSION_SITE_ID\":7}"),
              SS_OK);
    REQUIRE(testkit_event_count(k) == 1);
    CHECK_STR(testkit_value(k, 0, "METRIC_UNIT_VALUE"), "1.5");
    CHECK_STR(testkit_value(k, 0, "METRIC_TOP"), "[{\"value\":\"a\",\"count\":2}]");
    CHECK_STR(testkit_value(k, 0, "DIMENSION_SITE_ID"), "\"7\""); /* dimensions are texts */
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static void members_without_a_field_stay_together(void)
{
    static const char body[] =
        "{\"METRIC_NAME\":\"n\",\"DIMENSION_WORLD\":\"w\\\"1\",\"where\":{\"a\":[1,2]},\"none\":null}";
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    CHECK_INT(parse(k, body), SS_OK);
    CHECK_STR(testkit_value(k, 0, "METRIC_EXTRA.DIMENSION_WORLD"), "\"w\\\"1\"");
    CHECK_STR(testkit_value(k, 0, "METRIC_EXTRA.where"), "{\"a\":[1,2]}");
    CHECK_INT(testkit_view(k, 0, "document"), SS_OK);
    CHECK_STR(testkit_said(k, NULL), body); /* as it was declared */
    testkit_free(k);
}

static void the_view_is_without_what_the_server_keeps_beside(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    CHECK_INT(parse(k, knockouts), SS_OK);
    CHECK_INT(testkit_view(k, 0, "document"), SS_OK);
    const char *said = testkit_said(k, NULL);
    CHECK(strstr(said, "METRIC_UNIT_VALUE_INT") && strstr(said, "\"FIRE\""));
    CHECK(!strstr(said, "METRIC_ID") && !strstr(said, "METRIC_VERSION"));
    testkit_free(k);
}

static void a_free_document_has_its_names_from_the_message(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    CHECK_INT(parse_as(k, "{\"what\":\"sales\",\"n\":3}", "id-2", "Sales", "x"), SS_OK);
    testkit_event e = testkit_event_at(k, 0);
    CHECK_STR(e.type, "Sales");
    CHECK_STR(e.key, "Sales");
    CHECK_STR(testkit_value(k, 0, "METRIC_ID"), "\"id-2\"");
    CHECK(!testkit_value(k, 0, "METRIC_VERSION")); /* no number */
    CHECK_STR(testkit_value(k, 0, "METRIC_EXTRA"), "{\"what\":\"sales\",\"n\":3}");
    CHECK_INT(parse_as(k, "{}", "id-3", "Sales", ""), SS_OK);
    CHECK_INT(testkit_view(k, 0, "document"), SS_OK);
    CHECK_STR(testkit_said(k, NULL), "{}");
    testkit_free(k);
}

static void what_is_no_document_is_refused(void)
{
    static const char *const wrong[] = {
        "",    "[]",          "null",       "\"METRIC_NAME\"", "{\"METRIC_NAME\"",
        "{}x", "{\"a\":tru}", "{\"a\":1,}", "{\"a\":{\"b\":}"};
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_INT(parse(k, wrong[i]), SS_REJECT);
        CHECK(strstr(testkit_error(k), "JSON object") != NULL);
    }
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static void scenario(testkit *k)
{
    (void)parse(k, knockouts);
    (void)parse(k, "{\"METRIC_NAME\":\"\\u0041\",\"other\":{\"b\":1}}");
}

static void failures_of_the_host_are_survived(void)
{
    CHECK_STR(testkit_torture(ss_plugin_v0(), NULL, scenario), "");
}

static const check_test tests[] = {
    TEST(a_document_becomes_an_event),
    TEST(values_keep_their_types),
    TEST(members_without_a_field_stay_together),
    TEST(the_view_is_without_what_the_server_keeps_beside),
    TEST(a_free_document_has_its_names_from_the_message),
    TEST(what_is_no_document_is_refused),
    TEST(failures_of_the_host_are_survived),
};

int main(int argc, char **argv)
{
    return check_main(tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
}
