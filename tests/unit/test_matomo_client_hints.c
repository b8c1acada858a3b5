/* Client hints of a hit: the parameter uadata, else the request's headers. */
// with: receivers/matomo/*.c -lpcre2-8
#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

static void headers(void)
{
    static const struct {
        const char *query, *headers, *want; /* NULL = no field */
    } rows[] = {
        {"", "", NULL},
        {"", "User-Agent: x\nSec-Fetch-Mode: cors\n", NULL},
        {"", "Sec-CH-UA: \"Chromium\";v=\"98\"\nSec-CH-UA-Mobile: ?1\nsec-ch-ua-platform: \"Android\"\n",
         "{\"brands\":[{\"brand\":\"Chromium\",\"version\":\"98\"}],\"mobile\":true,\"platform\":"
         "\"Android\"}"},
        {"", "X-Requested-With: org.example.app\n", "{\"x-requested-with\":\"org.example.app\"}"},
        {"", "Sec-CH-UA: \"A\"\nSec-CH-UA-Form-Factors: \"Desktop\", \"XR\"\n",
         "{\"brands\":[{\"brand\":\"A\",\"version\":\"\"}],\"formFactors\":[\"Desktop\",\"XR\"]}"},
        {"", "X-Requested-With: a\"\\\x01\n", "{\"x-requested-with\":\"a\\\"\\\\\\u0001\"}"},
        {"&uadata=%7B%22model%22%3A%22M%22%7D", "Sec-CH-UA: \"Chromium\";v=\"98\"\n", "{\"model\":\"M\"}"},
        {"&uadata=broken", "Sec-CH-UA: \"Chromium\";v=\"98\"\n", NULL}};
    testkit *k = testkit_new(ss_plugin_v0(), "{}");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char target[256];
        (void)snprintf(target, sizeof target, "/matomo.php?idsite=1&rec=1%s", rows[i].query);
        CHECK_INT(testkit_receive(k, &(testkit_request){.target = target, .headers = rows[i].headers}),
                  SS_OK);
        const char *got = testkit_value(k, 0, "client_hints");
        if (rows[i].want)
            CHECK_STR(got, rows[i].want);
        else
            CHECK(!got || strcmp(got, "null") == 0);
    }
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static void long_headers(void)
{
    static char text[8192];
    testkit *k = testkit_new(ss_plugin_v0(), "{}");
    size_t n = (size_t)snprintf(text, sizeof text, "Sec-CH-UA: ");
    memset(text + n, '"', 4000);
    (void)strcpy(text + n + 4000, "\n");
    CHECK_INT(testkit_receive(k, &(testkit_request){.target = "/matomo.php?idsite=1&rec=1", .headers = text}),
              SS_OK);
    const char *got = testkit_value(k, 0, "client_hints");
    CHECK(got && strlen(got) < 2200);
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

/* Every item of a bulk request has the hints of the request. */
static void bulk(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), "{}");
    const char *body =
        "{\"requests\":[\"?idsite=1&rec=1\",\"?idsite=1&rec=1&uadata={}\",\"?idsite=1&rec=1\"]}";
    CHECK_INT(testkit_receive(k, &(testkit_request){.method = "POST",
                                                    .target = "/matomo.php",
                                                    .headers = "Sec-CH-UA: \"A\"\n",
                                                    .body = body}),
              SS_OK);
    REQUIRE(testkit_event_count(k) == 3);
    CHECK_STR(testkit_value(k, 0, "client_hints"), "{\"brands\":[{\"brand\":\"A\",\"version\":\"\"}]}");
    CHECK_STR(testkit_value(k, 1, "client_hints"), "{}");
    CHECK_STR(testkit_value(k, 2, "client_hints"), "{\"brands\":[{\"brand\":\"A\",\"version\":\"\"}]}");
    testkit_free(k);
}

static const check_test tests[] = {TEST(headers), TEST(long_headers), TEST(bulk)};
CHECK_MAIN(tests)
