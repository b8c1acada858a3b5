// with: receivers/matomo/*.c -lpcre2-8
/* The receiver's sites: time zones against the C library's, ids, hosts, goals. */
#include <stdint.h>
#include <time.h>

#include "plugins/sdk/testkit/testkit.h"
#include "receivers/matomo/site.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

static testkit *open_kit(const char *options)
{
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK_STR(testkit_error(k), "");
    return k;
}

static void close_kit(testkit *k)
{
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

/* Asks for /matomo.php?rec=1& and the rest. */
static void hit(testkit *k, const char *query)
{
    char target[1024];
    (void)snprintf(target, sizeof target, "/matomo.php?rec=1&%s", query);
    (void)testkit_receive(k, &(testkit_request){.target = target});
}

/* ---- time zones ---- */

static void zones_agree_with_libc(void)
{
    static const char *const list[] = {"Europe/Berlin",        "America/New_York", "America/Sao_Paulo",
                                       "Australia/Lord_Howe",  "Asia/Kolkata",     "Pacific/Apia",
                                       "Africa/Casablanca",    "America/Nuuk",     "Asia/Tehran",
                                       "Europe/Dublin",        "Antarctica/Troll", "Pacific/Chatham",
                                       "America/Scoresbysund", "Africa/El_Aaiun",  "Etc/GMT+5"};
    for (size_t n = 0; n < sizeof list / sizeof *list; n++) {
        zone z;
        ss_error err = {.struct_size = sizeof err};
        REQUIRE(zone_load(&z, ss_cstr(list[n]), &err));
        CHECK(setenv("TZ", list[n], 1) == 0);
        tzset();
        for (int64_t at = -1000000000; at < 4500000000; at += 86400 * 3 + 1723) {
            struct tm tm;
            time_t t = (time_t)at;
            REQUIRE(localtime_r(&t, &tm));
            if (zone_offset(&z, at) != tm.tm_gmtoff) {
                printf("# %s at %lld: %d, libc says %ld\n", list[n], (long long)at, zone_offset(&z, at),
                       tm.tm_gmtoff);
                CHECK(false);
                break;
            }
        }
        zone_free(&z);
    }
}

static void zones_by_offset(void)
{
    static const struct {
        const char *name;
        int32_t offset; /* -1: no such zone */
    } cases[] = {{"UTC", 0},
                 {"GMT", 0},
                 {"UTC+2", 7200},
                 {"UTC-3.5", -12600},
                 {"+05:30", 19800},
                 {"-0330", -12600},
                 {"UTC+5.75", 20700},
                 {"UTC+14", 50400},
                 {"UTC+15", -1},
                 {"", -1},
                 {"Mars/Olympus", -1},
                 {"../../../etc/passwd", -1},
                 {"/etc/localtime", -1},
                 {"UTC+", -1},
                 {"+1:99", -1},
                 {"zone.tab", -1},
                 {"Europe", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        zone z;
        ss_error err = {.struct_size = sizeof err};
        bool ok = zone_load(&z, ss_cstr(cases[i].name), &err);
        int32_t offset = ok ? zone_offset(&z, 1764559445) : -1;
        if (offset != cases[i].offset || (!ok && !err.text[0])) {
            printf("# %s: %d %s\n", cases[i].name, offset, err.text);
            CHECK(false);
        }
        if (ok)
            zone_free(&z);
    }
}

static void days(void)
{
    zone z;
    ss_error err = {.struct_size = sizeof err};
    REQUIRE(zone_load(&z, SS_LIT("Europe/Berlin"), &err));
    CHECK_INT(zone_day(&z, INT64_C(1764543599999999)), 20422); /* 2025-11-30T22:59:59.999999Z */
    CHECK_INT(zone_day(&z, INT64_C(1764543600000000)), 20423);
    CHECK_INT(zone_day(&z, 0), 0);
    CHECK_INT(zone_day(&z, INT64_C(-7200000000)), -1);
    zone_free(&z);
}

/* ---- ids and goals ---- */

#define SITES                                                                                                \
    "{\"visits\":0,\"sites\":{\"0\":{},\"1\":{\"name\":\"One\",\"hosts\":[\"example.org\"],\"goals\":[{"     \
    "\"id\":7,"                                                                                              \
    "\"revenue\":2.5,\"name\":\"Seven\"},{\"id\":3}]},\"12345678901\":{\"goals\":[]}}}"

static void ids(void)
{
    static const struct {
        const char *query;
        uint32_t http;
        const char *code, *revenue; /* NULL: absent */
    } cases[] = {
        {"idsite=1", 200, NULL, NULL},
        {"idsite=0", 200, NULL, NULL},
        {"idsite=12345678901", 200, NULL, NULL},
        {"idsite=01", 200, NULL, NULL},
        {"idsite=2", 400, "unknown_site", NULL},
        {"idsite=-1", 400, "bad_site", NULL},
        {"idsite=1&idgoal=7", 200, NULL, "2.5"},
        {"idsite=1&idgoal=7&revenue=4", 200, NULL, "4"},
        {"idsite=1&idgoal=7&revenue=x", 200, NULL, "2.5"},
        {"idsite=1&idgoal=7&revenue=0", 200, NULL, "0"},
        {"idsite=1&idgoal=3", 200, NULL, NULL},
        {"idsite=1&idgoal=3&revenue=1", 200, NULL, "1"},
        {"idsite=1&idgoal=4", 400, "unknown_goal", NULL},
        {"idsite=1&idgoal=4&ping=1", 200, NULL, NULL},
        {"idsite=1&idgoal=0", 200, NULL, NULL},
        {"idsite=1&idgoal=-4", 200, NULL, NULL},
        {"idsite=1&idgoal=x", 200, NULL, NULL},
        {"idsite=0&idgoal=99", 200, NULL, NULL},
        {"idsite=12345678901&idgoal=1", 400, "unknown_goal", NULL},
        {"idsite=12345678901&idgoal=0", 200, NULL, NULL},
    };
    testkit *k = open_kit(SITES);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hit(k, cases[i].query);
        const char *code = testkit_reject_code(k, 0), *want = cases[i].code;
        const char *revenue = testkit_event_count(k) ? testkit_value(k, 0, "revenue") : NULL;
        if (testkit_http(k) != cases[i].http || (want ? !code || strcmp(code, want) != 0 : code != NULL) ||
            (cases[i].revenue ? !revenue || strcmp(revenue, cases[i].revenue) != 0 : revenue != NULL)) {
            printf("# %s: %u %s revenue %s\n", cases[i].query, testkit_http(k), code ? code : "-",
                   revenue ? revenue : "-");
            CHECK(false);
        }
    }
    close_kit(k);
}

/* Goals that a hit meets by itself. */
static void goals_met(void)
{
    static const char options[] =
        "{\"sites\":{\"1\":{\"goals\":[{\"id\":1},{\"id\":2,\"match_attribute\":\"url\",\"pattern\":\"/"
        "Thanks\"},{\"id\":3,"
        "\"match_attribute\":\"url\",\"pattern\":\"http://a/"
        "exact\",\"pattern_type\":\"exact\",\"case_sensitive\":true},"
        "{\"id\":4,\"match_attribute\":\"title\",\"pattern\":\"^thank(s| "
        "you)$\",\"pattern_type\":\"regex\"},{\"id\":5,"
        "\"match_attribute\":\"file\",\"pattern\":\".pdf\"},{\"id\":6,\"match_attribute\":\"external_"
        "website\",\"pattern\":"
        "\"partner.example\"},{\"id\":7,\"match_attribute\":\"event_category\",\"pattern\":\"Video\","
        "\"pattern_type\":"
        "\"exact\"},{\"id\":8,\"match_attribute\":\"event_action\",\"pattern\":\"play\"},{\"id\":9,\"match_"
        "attribute\":"
        "\"event_name\",\"pattern\":\"x+\",\"pattern_type\":\"regex\",\"case_sensitive\":true}]},\"2\":{}}}";
    static const char *const cases[][2] = {
        {"idsite=1&url=http://a/thanks?x", "[2]"},
        {"idsite=1&url=http://a/exact&action_name=Thank+You", "[3,4]"},
        {"idsite=1&url=http://a/Exact", NULL},
        {"idsite=1&url=http://a/exact/", NULL},
        {"idsite=1&action_name=thanks+a+lot", NULL},
        {"idsite=1&url=http://a/thanks&download=http://a/b.PDF?x", "[5]"},
        {"idsite=1&url=http://a/thanks&link=https://www.partner.example/", "[6]"},
        {"idsite=1&url=http://a/thanks&e_c=video&e_a=Play&e_n=xX", "[7,8,9]"},
        {"idsite=1&e_c=videos&e_a=pause&e_n=X", NULL},
        {"idsite=1&e_c=video", NULL},
        {"idsite=1&idgoal=1&url=http://a/thanks", NULL},
        {"idsite=1&ping=1&url=http://a/thanks", NULL},
        {"idsite=2&url=http://a/thanks", NULL},
    };
    testkit *k = open_kit(options);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hit(k, cases[i][0]);
        REQUIRE(testkit_event_count(k) == 1);
        const char *got = testkit_value(k, 0, "goals_met"), *want = cases[i][1];
        if (want ? !got || strcmp(got, want) != 0 : got != NULL) {
            printf("# %s: %s\n", cases[i][0], got ? got : "(none)");
            CHECK(false);
        }
    }
    close_kit(k);
}

static void many_sites(void)
{
    enum { COUNT = 5000 };
    char *options = malloc(COUNT * 32 + 32);
    size_t len = (size_t)sprintf(options, "{\"sites\":{");
    for (int i = 0; i < COUNT; i++)
        len += (size_t)sprintf(options + len, "%s\"%d\":{}", i ? "," : "", i * 3);
    (void)sprintf(options + len, "}}");
    testkit *k = open_kit(options);
    for (int i = 0; i < COUNT * 3; i += 7) {
        char query[32];
        (void)snprintf(query, sizeof query, "idsite=%d", i);
        hit(k, query);
        CHECK_INT(testkit_http(k), i % 3 ? 400 : 200);
    }
    close_kit(k);
    free(options);
}

static void urls(void)
{
    static const struct {
        const char *host, *path;
        bool known;
    } cases[] = {
        {"example.org", NULL, true},     {"www.example.org", "/", false}, {"example.org", "/any/where", true},
        {"shop.example", "/de", true},   {"shop.example", "/de/x", true}, {"shop.example", "/deutsch", false},
        {"shop.example", "/", false},    {"shop.example", NULL, true},    {"wild.example", "/", true},
        {"a.b.wild.example", "/", true}, {"xwild.example", "/", false},   {"", NULL, false},
    };
    static const char options[] =
        "{\"sites\":{\"1\":{\"hosts\":[\"EXAMPLE.org\",\"https://shop.example:8443/de/?x#y\",\"*.wild."
        "example\"]}}}";
    testkit *k = open_kit(options);
    sites s = {0};
    ss_error err = {.struct_size = sizeof err};
    CHECK_INT(sites_make(&s, testkit_host(k), testkit_config(k), &err), SS_OK);
    const site *one = sites_find(&s, 1);
    REQUIRE(one);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (site_has_url(one, ss_cstr(cases[i].host),
                         ss_s(cases[i].path, cases[i].path ? strlen(cases[i].path) : 0)) != cases[i].known) {
            printf("# %s %s\n", cases[i].host, cases[i].path ? cases[i].path : "(any)");
            CHECK(false);
        }
    CHECK(!sites_find(&s, 2));
    sites_free(&s);
    close_kit(k);
}

static void refused(void)
{
    static const char *const cases[][2] = {
        {"{\"sites\":{\"one\":{}}}", "sites: \"one\""},
        {"{\"sites\":{\"-1\":{}}}", "sites: \"-1\""},
        {"{\"sites\":{\"01\":{}}}", "sites: \"01\""},
        {"{\"sites\":{\"1\":{\"timezone\":\"Nowhere\"}}}", "sites.1.timezone: unknown time zone \"Nowhere\""},
        {"{\"timezone\":\"Nowhere\"}", "timezone: unknown time zone"},
        {"{\"sites\":{\"1\":{\"hosts\":[\"\"]}}}", "sites.1.hosts"},
        {"{\"sites\":{\"1\":{\"hosts\":[\"https:///x\"]}}}", "sites.1.hosts"},
        {"{\"sites\":{\"1\":{\"goals\":[{\"id\":2},{\"id\":2}]}}}",
         "sites.1.goals: there are two with the id 2"},
        {"{\"sites\":{\"1\":{\"goals\":[{\"name\":\"x\"}]}}}", "id is required"},
        {"{\"sites\":{\"1\":{\"goals\":[{\"id\":2,\"match_attribute\":\"url\"}]}}}",
         "sites.1.goals: 2 needs a pattern"},
        {"{\"sites\":{\"1\":{\"goals\":[{\"id\":2,\"match_attribute\":\"url\",\"pattern\":\"(\",\"pattern_"
         "type\":\"regex\"}]}}}",
         "sites.1.goals: 2: \"(\" is no regular expression"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        testkit *k = testkit_new(ss_plugin_v0(), cases[i][0]);
        if (testkit_instance(k) || !strstr(testkit_error(k), cases[i][1])) {
            printf("# %s: %s\n", cases[i][0], testkit_error(k));
            CHECK(false);
        }
        testkit_free(k);
    }
}

static const check_test tests[] = {TEST(zones_agree_with_libc),
                                   TEST(zones_by_offset),
                                   TEST(days),
                                   TEST(ids),
                                   TEST(goals_met),
                                   TEST(many_sites),
                                   TEST(urls),
                                   TEST(refused)};
CHECK_MAIN(tests)
