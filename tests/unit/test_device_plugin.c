/* The enricher device as the server sees it: fields of events, the cache, files that change under it. */
// with: enrichers/device/*.c
// libs: -lpcre2-8 -lyaml -lpthread
#include <pthread.h>
#include <stdatomic.h>

#include "enrichers/device/detector.h"
#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"
#include "tests/unit/device_fixture.h"

const ss_plugin *ss_plugin_v0(void);

static char directory[512], options[1024];

static const ss_field fields[] = {{"user_agent", SS_FIELD_STRING, 0, "as it came", NULL},
                                  {"client_hints", SS_FIELD_JSON, 0, "as they came", NULL},
                                  {"other", SS_FIELD_STRING, 0, "another one", NULL},
                                  {NULL, 0, 0, NULL, NULL}};

static testkit *set_up(const char *more)
{
    device_make(directory, sizeof directory);
    (void)snprintf(options, sizeof options, "{\"regexes\":\"%s\"%s}", directory, more);
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK_STR(testkit_error(k), "");
    return k;
}

static void tear_down(testkit *k)
{
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
    device_remove(directory);
}

/* The value of device_info in the line, from its brace on. */
static const char *info(testkit *k, const char *values)
{
    const char *line = testkit_enrich(k, fields, values);
    const char *at = line ? strstr(line, "\"device_info\":") : NULL;
    return at ? at + strlen("\"device_info\":") : "absent";
}

static bool has(const char *text, const char *part)
{
    if (strstr(text, part))
        return true;
    printf("# no %s in %s\n", part, text);
    return false;
}

static void a_browser(void)
{
    testkit *k = set_up("");
    const char *got = info(k, "{\"user_agent\":\"Mozilla/5.0 (Linux; Android 13; GM-X5_2) "
                              "Chrome/120.1 Mobile\"}");
    CHECK_STR(got, "{\"ua\":\"Mozilla/5.0 (Linux; Android 13; GM-X5_2) Chrome/120.1 Mobile\","
                   "\"type\":\"mobile-browser\",\"brand\":\"Gamma\",\"name\":\"X 5\","
                   "\"os\":{\"name\":\"Android 13\",\"code\":\"android_13\",\"family\":\"Android\","
                   "\"family_code\":\"android\",\"family_vendor\":\"Google\",\"version\":\"13\"},"
                   "\"device\":{\"is_mobile_device\":true,\"type\":\"smartphone\",\"brand\":\"Gamma\","
                   "\"brand_code\":\"gamma\",\"name\":\"X 5\"},"
                   "\"browser\":{\"name\":\"Chrome Mobile\",\"version\":\"120.1\",\"version_major\":\"120\","
                   "\"engine\":\"Blink\",\"type\":\"browser\",\"engine_version\":\"120.1\","
                   "\"family\":\"Chrome\"},\"crawler\":{\"is_crawler\":false}}}");
    tear_down(k);
}

static void a_crawler(void)
{
    testkit *k = set_up("");
    CHECK_STR(
        info(k, "{\"user_agent\":\"ExampleBot/2\"}"),
        "{\"ua\":\"ExampleBot/2\",\"type\":\"crawler\",\"brand\":\"Example Ltd.\",\"name\":\"ExampleBot\","
        "\"url\":\"https://bot.example/\",\"device\":{\"is_mobile_device\":false},"
        "\"crawler\":{\"is_crawler\":true,\"category\":\"Search bot\",\"name\":\"ExampleBot\","
        "\"producer\":\"Example Ltd.\"}}}");
    tear_down(k);
}

static void types(void)
{
    static const struct {
        const char *agent, *want;
    } rows[] = {{"Feeder/1", "feed-reader"},
                {"curl/8", "library"},
                {"Chat/1", "app"},
                {"Mozilla/5.0 (Windows NT 10.0) Chrome/120.0", "\"browser"},
                {"??", "unrecognized"}};
    testkit *k = set_up("");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char values[256], want[64];
        (void)snprintf(values, sizeof values, "{\"user_agent\":\"%s\"}", rows[i].agent);
        (void)snprintf(want, sizeof want, "%s\"", rows[i].want);
        CHECK(has(info(k, values), want));
    }
    tear_down(k);
}

static void hints_and_nothing(void)
{
    testkit *k = set_up("");
    CHECK(
        has(info(k, "{\"user_agent\":\"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit Chrome/120.0 Mobile\","
                    "\"client_hints\":{\"model\":\"GM-X7\"}}"),
            "\"name\":\"X 7\""));
    CHECK(has(info(k, "{\"client_hints\":{\"platform\":\"Android\"}}"), "\"name\":\"Android\""));
    CHECK(!strstr(info(k, "{}"), "true"));
    CHECK(!strstr(info(k, "{}"), "false"));
    tear_down(k);
}

static void other_fields(void)
{
    testkit *k = set_up(",\"user_agent_field\":\"other\",\"client_hints_field\":\"\"");
    CHECK(has(info(k, "{\"user_agent\":\"curl/8\",\"other\":\"ExampleBot/1\"}"), "\"ExampleBot\""));
    tear_down(k);
}

static void long_and_strange(void)
{
    static char values[3 * 5000 + 64];
    testkit *k = set_up("");
    size_t n = (size_t)snprintf(values, sizeof values, "{\"user_agent\":\"");
    for (int i = 0; i < 5000; i++)
        n += (size_t)snprintf(values + n, sizeof values - n, "%s", i % 3 ? "\xc3\xa4" : "x");
    (void)snprintf(values + n, sizeof values - n, "\"}");
    CHECK(has(info(k, values), "unrecognized"));
    CHECK(has(info(k, "{\"user_agent\":\"a\\u0000b ExampleBot\\t\\n\"}"), "\"ExampleBot\""));
    CHECK(has(info(k, "{\"user_agent\":\"Chrome/1.0 (\\ud83d\\ude00)\"}"), "\"Chrome\""));
    tear_down(k);
}

/* ---- the cache ---- */

static double scans(testkit *k)
{
    return testkit_metric(k, "device_scans_total", "");
}

static void cached(void)
{
    char first[4096];
    testkit *k = set_up("");
    (void)snprintf(first, sizeof first, "%s", info(k, "{\"user_agent\":\"curl/8\"}"));
    CHECK_INT(scans(k), 1);
    CHECK_STR(info(k, "{\"user_agent\":\"curl/8\"}"), first);
    CHECK_INT(scans(k), 1);
    (void)info(k, "{\"user_agent\":\"curl/8\",\"client_hints\":{}}"); /* the hints are part of the key */
    (void)info(k, "{\"user_agent\":\"curl/9\"}");
    CHECK_INT(scans(k), 3);
    tear_down(k);
    k = set_up(",\"cache\":0");
    (void)info(k, "{\"user_agent\":\"curl/8\"}");
    CHECK_STR(info(k, "{\"user_agent\":\"curl/8\"}"), first);
    CHECK_INT(scans(k), 2);
    tear_down(k);
}

/* Far more user agents than there is room for: the oldest go, those in use stay. */
static void cache_is_bounded(void)
{
    testkit *k = set_up(",\"cache\":65536");
    char values[128];
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(values, sizeof values, "{\"user_agent\":\"Plain/%d\"}", i);
        CHECK(has(info(k, values), "\"name\":\"Plain\""));
        (void)info(k, "{\"user_agent\":\"curl/8\"}");
    }
    CHECK_INT(scans(k), 3001);
    tear_down(k);
}

static void no_memory(void)
{
    testkit *k = set_up("");
    testkit_fail(k, TESTKIT_MEM, 1);
    const char *line = testkit_enrich(k, fields, "{\"user_agent\":\"curl/8\"}");
    CHECK(line && !strstr(line, "device_info"));
    CHECK(has(testkit_error(k), "no memory"));
    testkit_fail(k, TESTKIT_MEM, 0);
    CHECK(has(info(k, "{\"user_agent\":\"curl/8\"}"), "\"library\""));
    tear_down(k);
}

/* ---- files that change ---- */

static void reload(void)
{
    testkit *k = set_up(",\"reload_every\":10000");
    CHECK(has(info(k, "{\"user_agent\":\"newcomer/1\"}"), "unrecognized"));
    device_write(directory, "bots.yml", "- regex: 'newcomer'\n  name: 'Newcomer'\n");
    testkit_advance(k, 10000); /* seen, but perhaps not finished */
    CHECK(has(info(k, "{\"user_agent\":\"newcomer/1\"}"), "unrecognized"));
    testkit_advance(k, 10000);
    CHECK(has(info(k, "{\"user_agent\":\"newcomer/1\"}"), "\"Newcomer\""));
    CHECK_INT(testkit_metric(k, "device_reloads_total", ""), 1);
    CHECK(has(info(k, "{\"user_agent\":\"ExampleBot\"}"), "unrecognized"));
    testkit_advance(k, 100000);
    CHECK_INT(testkit_metric(k, "device_reloads_total", ""), 1);
    tear_down(k);
}

static void damaged_reload(void)
{
    testkit *k = set_up(",\"reload_every\":10000");
    device_write(directory, "bots.yml", "- regex: 'broken('\n");
    testkit_advance(k, 20000);
    CHECK(has(info(k, "{\"user_agent\":\"ExampleBot\"}"), "\"ExampleBot\""));
    CHECK(testkit_alarm(k, "regexes") && has(testkit_alarm(k, "regexes"), "bots.yml:1: "));
    testkit_advance(k, 50000); /* said once, not each time */
    CHECK_INT(testkit_metric(k, "device_reload_failures_total", ""), 1);
    device_write(directory, "bots.yml", device_files[0].text);
    testkit_advance(k, 20000);
    CHECK(!testkit_alarm(k, "regexes"));
    CHECK_INT(testkit_metric(k, "device_reloads_total", ""), 1);
    tear_down(k);
}

/* ---- threads: looks while the files change ---- */

static void *bump_mem(ss_call *call, size_t len)
{
    char **at = (char **)(void *)call; /* a call of ours: where its memory goes on */
    char *memory = *at;
    *at += (len + 15) / 16 * 16;
    return memory;
}

static const ss_host thread_host = {.struct_size = sizeof(ss_host), .mem = bump_mem};
static detector *shared;
static atomic_bool stop_looking;

static void *look_often(void *arg)
{
    static const char *const agents[] = {"ExampleBot/1", "curl/8",
                                         "Mozilla/5.0 (Linux; Android 13; GM-X5_2) Chrome/120.0 Mobile"};
    uintptr_t wrong = 0;
    (void)arg;
    for (int i = 0; !atomic_load(&stop_looking); i++) {
        char memory[4096], *at = memory, agent[64];
        view v;
        bool scanned;
        ss_str text = ss_cstr(agents[i % 3]);
        if (i % 7 == 0) {
            (void)snprintf(agent, sizeof agent, "Plain/%d", i);
            text = ss_cstr(agent);
        }
        int32_t status =
            detector_look(shared, text, SS_LIT(""), &thread_host, (ss_call *)(void *)&at, &v, &scanned);
        wrong += status != SS_OK || v.is_crawler != (text.ptr == agents[0]);
    }
    return (void *)wrong;
}

static void threads(void)
{
    pthread_t looking[3];
    ss_error err = {.struct_size = sizeof err};
    device_make(directory, sizeof directory);
    REQUIRE((shared = detector_new(directory, 65536, &err)));
    for (size_t i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&looking[i], NULL, look_often, NULL), 0);
    for (int i = 0; i < 20; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "- regex: 'ExampleBot'\n  name: 'ExampleBot'\n# %*d\n", i + 1, i);
        device_write(directory, "bots.yml", text);
        CHECK_INT(detector_refresh(shared, &err), SS_DECLINE);
        CHECK_INT(detector_refresh(shared, &err), SS_OK);
    }
    atomic_store(&stop_looking, true);
    for (size_t i = 0; i < 3; i++) {
        void *wrong = NULL;
        CHECK_INT(pthread_join(looking[i], &wrong), 0);
        CHECK(wrong == NULL);
    }
    detector_free(shared);
    device_remove(directory);
}

static void refused(void)
{
    device_make(directory, sizeof directory);
    (void)snprintf(options, sizeof options, "{\"regexes\":\"%s/client\"}", directory);
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK(!testkit_instance(k));
    CHECK(has(testkit_error(k), "client/bots.yml: no such file; name a directory"));
    testkit_free(k);
    (void)setenv("XDG_DATA_HOME", directory, 1);
    k = testkit_new(ss_plugin_v0(), "{}");
    if (!testkit_instance(k)) /* else there is a directory in one of the system's places */
        CHECK(has(testkit_error(k), "setup.sh device"));
    testkit_free(k);
    device_remove(directory);
}

static void found_by_itself(void)
{
    char path[1024], link[1100];
    device_make(directory, sizeof directory);
    (void)snprintf(path, sizeof path, "%s/home", directory);
    CHECK_INT(mkdir(path, 0755), 0);
    (void)snprintf(path, sizeof path, "%s/home/device-detector", directory);
    CHECK_INT(mkdir(path, 0755), 0);
    (void)snprintf(link, sizeof link, "%s/regexes", path);
    CHECK_INT(symlink(directory, link), 0);
    (void)snprintf(path, sizeof path, "%s/home", directory);
    (void)setenv("XDG_DATA_HOME", path, 1);
    testkit *k = testkit_new(ss_plugin_v0(), "{}");
    CHECK(has(info(k, "{\"user_agent\":\"ExampleBot\"}"), "\"ExampleBot\""));
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
    (void)unlink(link);
    (void)snprintf(path, sizeof path, "%s/home/device-detector", directory);
    (void)rmdir(path);
    (void)snprintf(path, sizeof path, "%s/home", directory);
    (void)rmdir(path);
    device_remove(directory);
}

static void warns_without_names(void)
{
    char path[1024];
    int32_t level = 0;
    device_make(directory, sizeof directory);
    (void)snprintf(path, sizeof path, "%s/names.yml", directory);
    (void)unlink(path);
    (void)snprintf(options, sizeof options, "{\"regexes\":\"%s\"}", directory);
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK_INT(testkit_log_count(k), 1);
    CHECK(has(testkit_log(k, 0, &level), "names.yml"));
    CHECK_INT(level, SS_WARNING);
    tear_down(k);
}

static const check_test tests[] = {TEST(a_browser),
                                   TEST(a_crawler),
                                   TEST(types),
                                   TEST(hints_and_nothing),
                                   TEST(other_fields),
                                   TEST(long_and_strange),
                                   TEST(cached),
                                   TEST(cache_is_bounded),
                                   TEST(no_memory),
                                   TEST(reload),
                                   TEST(threads),
                                   TEST(damaged_reload),
                                   TEST(refused),
                                   TEST(found_by_itself),
                                   TEST(warns_without_names)};
CHECK_MAIN(tests)
