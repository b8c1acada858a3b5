// with: receivers/matomo/*.c -lpcre2-8
/* What the Matomo receiver serves besides the tracker: the importer's API methods and the script. */
#include <stdint.h>
#include <zlib.h>

#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

#define SITES                                                                                                \
    "\"sites\":{\"1\":{\"name\":\"Shop \\\"A\\\"\",\"hosts\":[\"Example.org\",\"*.shop.example\"]},"         \
    "\"2\":{\"hosts\":[\"http://two.example:8080/x/\",\"example.org\"],\"timezone\":\"Europe/Berlin\"},"     \
    "\"3\":{}}"
#define TOKENS                                                                                               \
    "\"tokens\":[{\"secret\":\"super0123\",\"role\":\"superuser\"},{\"secret\":\"write0123\",\"role\":"      \
    "\"write\",\"sites\":[2]}]"

#define ERROR(text) "{\"result\":\"error\",\"message\":\"" text "\"}"
#define NO_TOKEN                                                                                             \
    ERROR("token_auth is missing, or it is none of this receiver's tokens, or not for this website")
#define ONE                                                                                                  \
    "{\"idsite\":1,\"name\":\"Shop \\\"A\\\"\",\"main_url\":\"https://Example.org\",\"timezone\":\"UTC\"}"
#define TWO                                                                                                  \
    "{\"idsite\":2,\"name\":\"\",\"main_url\":\"http://two.example:8080/x/\",\"timezone\":\"Europe/"         \
    "Berlin\"}"

/* As import_logs.py writes them: its head, then what the method takes. */
#define CALL(method, token) "module=API&format=json&method=" method "&filter_limit=-1&token_auth=" token
#define SUPER(method)       CALL(method, "super0123")
#define WRITE(method)       CALL(method, "write0123")

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

static void importer_methods(void)
{
    static const char *const cases[][2] = {
        {SUPER("SitesManager.getSiteFromId") "&idSite=1", ONE},
        {SUPER("SitesManager.getSiteFromId") "&idSite=2", TWO},
        {WRITE("SitesManager.getSiteFromId") "&idSite=2", TWO},
        {WRITE("SitesManager.getSiteFromId") "&idSite=1", NO_TOKEN},
        {CALL("SitesManager.getSiteFromId", "wrong") "&idSite=1", NO_TOKEN},
        {CALL("SitesManager.getSiteFromId", "") "&idSite=1", NO_TOKEN},
        {CALL("SitesManager.getSiteFromId", "super0123x") "&idSite=1", NO_TOKEN},
        {SUPER("SitesManager.getSiteFromId") "&idSite=9",
         ERROR("an unexpected website was found in the request: website id was set to '9'")},
        {SUPER("SitesManager.getSiteFromId") "&idSite=3",
         ERROR("the address of website 3 is not known: name it in the configuration of receiver matomo, "
               "sites: {3: {hosts: [\\\"https://example.org\\\"]}}, and reload")},
        {SUPER("SitesManager.getSiteFromId") "&idSite=-1", ERROR("idSite is missing or not a website id")},
        {SUPER("SitesManager.getSiteFromId"), ERROR("idSite is missing or not a website id")},
        {SUPER("SitesManager.getSitesIdFromSiteUrl") "&url=example.org", "[{\"idsite\":1},{\"idsite\":2}]"},
        {SUPER("SitesManager.getSitesIdFromSiteUrl") "&url=EXAMPLE.org%3A8080",
         "[{\"idsite\":1},{\"idsite\":2}]"},
        {SUPER("SitesManager.getSitesIdFromSiteUrl") "&url=http%3A%2F%2Fwww.shop.example%2Fa%3Fb",
         "[{\"idsite\":1}]"},
        {WRITE("SitesManager.getSitesIdFromSiteUrl") "&url=example.org", "[{\"idsite\":2}]"},
        {SUPER("SitesManager.getSitesIdFromSiteUrl") "&url=nowhere.example", "[]"},
        {SUPER("SitesManager.getSitesIdFromSiteUrl") "&url=", "[]"},
        {SUPER("SitesManager.getSitesIdFromSiteUrl"), "[]"},
        {CALL("SitesManager.getSitesIdFromSiteUrl", "wrong") "&url=example.org", NO_TOKEN},
        {SUPER("SitesManager.getAllSites"), "{\"1\":" ONE ",\"2\":" TWO "}"},
        {WRITE("SitesManager.getAllSites"), ERROR("getAllSites needs a token whose role is superuser")},
        {SUPER("SitesManager.addSite") "&siteName=new.example&urls%5B0%5D=http%3A%2F%2Fnew.example",
         ERROR("websites are not made here: add new.example to the configuration of receiver matomo, sites: "
               "{ID: {hosts: [...]}}, and reload")},
        {"module=API&format=json&method=UsersManager.createAppSpecificTokenAuth&filter_limit=-1&userLogin=a&"
         "passwordConfirmation=b&description=c&expireHours=48",
         ERROR("there are no logins here: use --token-auth with one of the receiver's tokens")},
        {SUPER("API.getMatomoVersion"), ERROR("the method 'API.getMatomoVersion' is not available here")},
        {SUPER("x%22%00%C3"), ERROR("the method 'x\\\"' is not available here")},
        {"module=API", ERROR("the method '' is not available here")},
    };
    testkit *k = open_kit("{" SITES "," TOKENS "}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int path = 0; path < 2; path++) {
            int32_t status = testkit_receive(
                k, &(testkit_request){.method = "POST",
                                      .target = path ? "/index.php" : "/",
                                      .headers = "User-Agent: Matomo/LogImport\nContent-type: "
                                                 "application/x-www-form-urlencoded\n",
                                      .body = cases[i][0]});
            CHECK_INT(status, SS_OK);
            CHECK_INT(testkit_http(k), 200);
            CHECK_STR(testkit_body(k, NULL), cases[i][1]);
            CHECK_STR(testkit_content_type(k), "application/json");
            CHECK_STR(testkit_header(k, "Cache-Control"), "no-store");
            CHECK(!testkit_header(k, "Access-Control-Allow-Origin"));
            CHECK_INT(testkit_event_count(k), 0);
        }
    close_kit(k);
}

static void api_elsewhere(void)
{
    testkit *k = open_kit("{" TOKENS "}");
    static const char *const declined[] = {"/", "/index.php", "/?module=CoreHome", "/index.php?module=api"};
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(testkit_receive(k, &(testkit_request){.target = declined[i]}), SS_DECLINE);
    /* In the query, and without sites: */
    (void)testkit_receive(
        k, &(testkit_request){.target = "/index.php?" SUPER("SitesManager.getSiteFromId") "&idSite=1"});
    CHECK(strstr(testkit_body(k, NULL), "the address of website 1 is not known"));
    (void)testkit_receive(k, &(testkit_request){.target = "/?" SUPER("SitesManager.getAllSites")});
    CHECK_STR(testkit_body(k, NULL), "{}");
    (void)testkit_receive(
        k, &(testkit_request){.target = "/?" SUPER("SitesManager.getSitesIdFromSiteUrl") "&url=a"});
    CHECK_STR(testkit_body(k, NULL), "[]");
    close_kit(k);
}

static void api_without_memory(void)
{
    testkit *k = open_kit("{" SITES "," TOKENS "}");
    static const char *const calls[] = {
        SUPER("SitesManager.getSiteFromId") "&idSite=1", SUPER("SitesManager.getSiteFromId") "&idSite=9",
        SUPER("SitesManager.getAllSites"), SUPER("SitesManager.getSitesIdFromSiteUrl") "&url=a"};
    for (size_t i = 0; i < 4; i++) {
        testkit_request r = {.method = "POST",
                             .target = "/",
                             .headers = "Content-Type: application/x-www-form-urlencoded\n",
                             .body = calls[i]};
        uint32_t before = testkit_calls(k, TESTKIT_MEM);
        CHECK_INT(testkit_receive(k, &r), SS_OK);
        testkit_fail(k, TESTKIT_MEM, testkit_calls(k, TESTKIT_MEM) - before); /* the answer's */
        CHECK_INT(testkit_receive(k, &r), SS_RETRY);
    }
    close_kit(k);
}

/* ---- the script ---- */

static char script_path[64];

static void write_script(const char *text)
{
    FILE *f = fopen(script_path, "we");
    REQUIRE(f);
    CHECK(fputs(text, f) >= 0);
    CHECK(fclose(f) == 0);
}

static testkit *open_script(const char *text, const char *more)
{
    char options[256];
    (void)snprintf(script_path, sizeof script_path, "/tmp/test_matomo_script_%d.js", (int)getpid());
    write_script(text);
    (void)snprintf(options, sizeof options, "{\"script\":\"%s\"%s}", script_path, more);
    return open_kit(options);
}

static void close_script(testkit *k)
{
    (void)unlink(script_path);
    close_kit(k);
}

#define LONG_SCRIPT                                                                                          \
    "/* a script that gets smaller */ var Matomo = Matomo || function () { return Matomo; }; Matomo(); "     \
    "Matomo(); Matomo(); Matomo(); Matomo(); Matomo(); Matomo(); Matomo(); Matomo();\n"

static void unzip(testkit *k, const char *want)
{
    char out[1024];
    size_t len;
    const char *body = testkit_body(k, &len);
    z_stream z = {.next_in = (Bytef *)(uintptr_t)body,
                  .avail_in = (uInt)len,
                  .next_out = (Bytef *)out,
                  .avail_out = sizeof out - 1};
    CHECK(inflateInit2(&z, 15 + 16) == Z_OK);
    CHECK(inflate(&z, Z_FINISH) == Z_STREAM_END);
    out[z.total_out] = '\0';
    (void)inflateEnd(&z);
    CHECK_STR(out, want);
}

static void script_paths(void)
{
    testkit *k = open_script(LONG_SCRIPT, "");
    static const struct {
        const char *method, *target;
        uint32_t http;
        bool script;
    } cases[] = {{"GET", "/matomo.js", 200, true},
                 {"GET", "/piwik.js", 200, true},
                 {"GET", "/js/", 200, true},
                 {"GET", "/js", 200, true},
                 {"GET", "/js/tracker.php", 200, true},
                 {"GET", "/matomo.js?v=5", 200, true},
                 {"HEAD", "/matomo.js", 200, true},
                 {"HEAD", "/js/", 200, true},
                 {"GET", "/js/?idsite=1&rec=1", 200, false},
                 {"GET", "/js/tracker.php?rec=1", 400, false},
                 {"POST", "/js/", 400, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)testkit_receive(k, &(testkit_request){.method = cases[i].method, .target = cases[i].target});
        bool script = strcmp(testkit_content_type(k), "application/javascript; charset=utf-8") == 0;
        if (testkit_http(k) != cases[i].http || script != cases[i].script ||
            (script && strcmp(testkit_body(k, NULL), LONG_SCRIPT) != 0)) {
            printf("# %s %s: %u %s\n", cases[i].method, cases[i].target, testkit_http(k),
                   testkit_content_type(k));
            CHECK(false);
        }
    }
    close_script(k);
}

static void script_headers(void)
{
    testkit *k = open_script(LONG_SCRIPT, ",\"script_max_age\":\"90s\"");
    char plain[40], zipped[40], ask[400];
    (void)testkit_receive(k, &(testkit_request){.target = "/matomo.js"});
    CHECK_STR(testkit_header(k, "Cache-Control"), "public, max-age=90");
    CHECK_STR(testkit_header(k, "Vary"), "Accept-Encoding");
    CHECK(!testkit_header(k, "Content-Encoding"));
    (void)snprintf(plain, sizeof plain, "%s", testkit_header(k, "ETag"));
    (void)testkit_receive(
        k, &(testkit_request){.target = "/matomo.js", .headers = "Accept-Encoding: br, gzip\n"});
    CHECK_STR(testkit_header(k, "Content-Encoding"), "gzip");
    unzip(k, LONG_SCRIPT);
    (void)snprintf(zipped, sizeof zipped, "%s", testkit_header(k, "ETag"));
    CHECK(strcmp(plain, zipped) != 0);
    static const struct {
        const char *encoding, *known;
        uint32_t http;
        bool gzip;
    } cases[] = {{"", "plain", 304, false},
                 {"", "zipped", 200, false},
                 {"gzip", "zipped", 304, false},
                 {"gzip", "plain", 200, true},
                 {"gzip", "\"other\", zipped", 304, false},
                 {"gzip", "W/zipped", 304, false},
                 {"", "*", 304, false},
                 {"", "\"plain\"", 200, false},
                 {"GZIP;q=1", "", 200, true},
                 {"gzip;q=0", "", 200, false},
                 {"gzip ; q=0.0", "", 200, false},
                 {"gzip;q=0.1", "", 200, true},
                 {"gzipped, deflate", "", 200, false},
                 {"identity;q=1, gzip", "", 200, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *known = cases[i].known, *name = strstr(known, "zipped") ? "zipped" : "plain";
        const char *at = known[0] == '"' && known[1] == 'p' ? NULL : strstr(known, name);
        (void)snprintf(ask, sizeof ask, "Accept-Encoding: %s\nIf-None-Match: %.*s%s\n", cases[i].encoding,
                       at ? (int)(at - known) : (int)strlen(known), known,
                       !at              ? ""
                       : name[0] == 'z' ? zipped
                                        : plain);
        (void)testkit_receive(k, &(testkit_request){.target = "/matomo.js", .headers = ask});
        bool gzip = testkit_header(k, "Content-Encoding") != NULL;
        size_t len;
        (void)testkit_body(k, &len);
        if (testkit_http(k) != cases[i].http || gzip != cases[i].gzip ||
            (len == 0) != (cases[i].http == 304) || !testkit_header(k, "ETag")) {
            printf("# %zu: %s: %u, gzip %d, %zu bytes\n", i, ask, testkit_http(k), gzip, len);
            CHECK(false);
        }
    }
    close_script(k);
}

static void script_changes(void)
{
    testkit *k = open_script("one", "");
    (void)testkit_receive(k,
                          &(testkit_request){.target = "/matomo.js", .headers = "Accept-Encoding: gzip\n"});
    CHECK_STR(testkit_body(k, NULL), "one"); /* gzip would be longer */
    CHECK(!testkit_header(k, "Content-Encoding"));
    testkit_advance(k, 10000);
    CHECK_INT(testkit_log_count(k), 0); /* nothing changed, nothing said */
    write_script("the second");
    testkit_advance(k, 10000);
    (void)testkit_receive(k, &(testkit_request){.target = "/piwik.js"});
    CHECK_STR(testkit_body(k, NULL), "the second");
    (void)unlink(script_path);
    testkit_advance(k, 10000);
    CHECK(testkit_alarm(k, "script") && strstr(testkit_alarm(k, "script"), script_path));
    (void)testkit_receive(k, &(testkit_request){.target = "/piwik.js"});
    CHECK_STR(testkit_body(k, NULL), "the second");
    write_script("the third");
    testkit_advance(k, 10000);
    CHECK(!testkit_alarm(k, "script"));
    CHECK(testkit_restart(k, true));
    (void)testkit_receive(k, &(testkit_request){.target = "/piwik.js"});
    CHECK_STR(testkit_body(k, NULL), "the third");
    for (uint32_t nth = 1; nth <= 3; nth++) {
        testkit_fail(k, TESTKIT_MEM, nth);
        CHECK_INT(testkit_receive(k, &(testkit_request){.target = "/piwik.js"}), SS_RETRY);
    }
    close_script(k);
}

static void script_missing(void)
{
    static const char *const targets[] = {"/matomo.js", "/js/", "/js/tracker.php", "/piwik.js?x=1"};
    testkit *k = open_kit(NULL);
    for (size_t i = 0; i < 4; i++) {
        CHECK_INT(testkit_receive(k, &(testkit_request){.target = targets[i]}), SS_REJECT);
        CHECK_INT(testkit_http(k), 404);
        CHECK_STR(testkit_content_type(k), "application/json");
    }
    close_kit(k);
    static const char *const bad[][2] = {{"{\"script\":\"/nowhere/matomo.js\"}", "/nowhere/matomo.js"},
                                         {"{\"script\":\"/tmp\"}", "a file of 1 to"},
                                         {"{\"script\":\"/dev/null\"}", "a file of 1 to"}};
    for (size_t i = 0; i < 3; i++) {
        k = testkit_new(ss_plugin_v0(), bad[i][0]);
        CHECK(testkit_instance(k) == NULL && strstr(testkit_error(k), bad[i][1]));
        testkit_free(k);
    }
}

static const check_test tests[] = {TEST(importer_methods), TEST(api_elsewhere),  TEST(api_without_memory),
                                   TEST(script_paths),     TEST(script_headers), TEST(script_changes),
                                   TEST(script_missing)};
CHECK_MAIN(tests)
