// with: receivers/events/access.c receivers/events/answer.c receivers/events/body.c
// with: receivers/events/event.c receivers/events/fields.c receivers/events/path.c
// with: receivers/events/plugin.c receivers/events/receiver.c receivers/events/setup.c
/* The receiver for declared events on the testkit: what is sent, what is stored, what the client is told. */
#include <stdint.h>

#include "plugins/sdk/testkit/testkit.h"
#include "receivers/events/body.h"
#include "receivers/events/path.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

#define SIGNUP                                                                                               \
    "\"signup\":{\"schema\":{\"type\":\"object\",\"required\":[\"user\"],\"properties\":{"                   \
    "\"user\":{\"type\":\"string\",\"minLength\":2},\"age\":{\"type\":\"integer\",\"minimum\":13},"          \
    "\"score\":{\"type\":\"number\"},\"vip\":{\"type\":[\"boolean\",\"null\"]},"                             \
    "\"at\":{\"type\":\"string\",\"format\":\"date-time\"},\"tags\":{\"type\":\"array\"}}}}"
#define ORDER                                                                                                \
    "\"order\":{\"on_invalid\":\"reject\",\"schema\":{\"properties\":{\"total\":{\"multipleOf\":0.01},"      \
    "\"age\":{\"type\":\"string\"}}}}"
#define TWO "{\"types\":{" SIGNUP "," ORDER "}"

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

static int32_t post(testkit *k, const char *target, const char *headers, const char *body)
{
    return testkit_receive(
        k, &(testkit_request){.method = "POST", .target = target, .headers = headers, .body = body});
}

/* "name=json" pairs, separated by newlines; "name=-": absent. */
static void fields_are(testkit *k, size_t i, const char *want)
{
    char line[2048];
    while (*want) {
        size_t len = strcspn(want, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)len, want);
        char *value = strchr(line, '=');
        REQUIRE(value);
        *value++ = '\0';
        const char *got = testkit_value(k, i, line);
        if (strcmp(value, "-") == 0 ? got != NULL : !got || strcmp(got, value) != 0) {
            printf("# %s: got %s, want %s\n", line, got ? got : "(absent)", value);
            CHECK(false);
        }
        want += len + (want[len] == '\n');
    }
}

static void answer_is(testkit *k, uint32_t http, const char *body)
{
    CHECK_INT(testkit_http(k), http);
    CHECK_STR(testkit_body(k, NULL), body);
}

/* ---- single events --------------------------------------------------------------------------- */

static void a_fitting_event_fills_its_fields(void)
{
    testkit *k = open_kit(TWO "}");
    CHECK_INT(post(k, "/events", NULL,
                   "{\"type\":\"signup\",\"id\":\"e1\",\"time\":\"2026-11-22T03:24:00.5+01:00\",\"user\":"
                   "\"\\u00e4b\",\"age\":20,"
                   "\"score\":1.5,\"vip\":null,\"at\":\"2026-11-22T00:00:00Z\",\"tags\":[1, "
                   "{\"a\":2}],\"more\":{\"x\": 1e400},"
                   "\"a\\\"b\":true}"),
              SS_OK);
    /* 1e400 is no number that anybody could read back: the whole event is invalid */
    CHECK_INT(testkit_event_count(k), 1);
    fields_are(k, 0, "event_type=\"quarantine\"\ninvalid_type=\"signup\"\ninvalid_reason_count=1");
    CHECK_INT(post(k, "/events", NULL,
                   "{\"type\":\"signup\",\"id\":\"e1\",\"time\":\"2026-11-22T03:24:00.5+01:00\",\"user\":"
                   "\"\\u00e4b\",\"age\":\"20\","
                   "\"score\":1}"),
              SS_OK);
    fields_are(k, 0, "event_type=\"quarantine\"");
    CHECK_INT(post(k, "/events", NULL,
                   "{\"type\":\"signup\",\"id\":\"e1\",\"time\":\"2026-11-22T03:24:00.5+01:00\",\"user\":"
                   "\"\\u00e4b\",\"age\":20,"
                   "\"score\":1.50,\"vip\":null,\"at\":\"2026-11-22T00:00:00Z\",\"tags\":[1, "
                   "{\"a\":2}],\"more\":{\"x\": 1},"
                   "\"a\\\"b\":true}"),
              SS_OK);
    REQUIRE(testkit_event_count(k) == 1);
    fields_are(
        k, 0,
        "event_id=\"e1\"\nevent_type=\"signup\"\nevent_time=\"2026-11-22T02:24:00.500Z\"\nuser=\"\xc3\xa4"
        "b\"\nage=20\n"
        "score=1.5\nvip=null\nat=\"2026-11-22T00:00:00.000Z\"\ntags=[1,{\"a\":2}]\n"
        "extra_properties={\"more\":{\"x\":1},\"a\\\"b\":true}\ntotal=-\ninvalid_type=-\napp_id=-");
    testkit_event e = testkit_event_at(k, 0);
    CHECK_STR(e.type, "signup");
    CHECK_STR(e.id, "e1");
    CHECK_INT(e.event_us, 1795314240500000);
    answer_is(k, 200,
              "{\"accepted\":1,\"quarantined\":0,\"rejected\":0,\"dropped\":0,\"results\":[{\"index\":0,"
              "\"status\":\"accepted\","
              "\"type\":\"signup\",\"id\":\"e1\"}]}\n");
    CHECK_INT(testkit_reject_count(k), 0);
    close_kit(k);
}

/* The same name in two schemas: what holds both; what does not fit without a loss stays as it came. */
static void differing_types_share_a_field(void)
{
    testkit *k = open_kit(TWO "}");
    (void)post(k, "/events/order", NULL, "{\"age\":\"old\",\"total\":4.35}");
    fields_are(k, 0, "event_type=\"order\"\nage=\"old\"\ntotal=4.35\nextra_properties=-");
    (void)post(
        k, "/events/signup", NULL,
        "{\"user\":\"ab\",\"age\":123456789012345678901234567890,\"at\":\"2026-11-22T00:00:00.123456Z\"}");
    fields_are(k, 0,
               "age=123456789012345678901234567890\nat=-\nextra_properties={\"at\":\"2026-11-22T00:00:00."
               "123456Z\"}");
    close_kit(k);
}

static void invalid_events_are_kept_or_refused(void)
{
    testkit *k = open_kit(TWO "}");
    CHECK_INT(post(k, "/events", NULL, "{\"type\":\"signup\",\"user\":\"a\",\"age\":3}"), SS_OK);
    REQUIRE(testkit_event_count(k) == 1);
    fields_are(
        k, 0,
        "event_type=\"quarantine\"\ninvalid_type=\"signup\"\ninvalid_reason_count=2\ninvalid_input_bytes=36\n"
        "invalid_reasons=[{\"path\":\"/"
        "user\",\"keyword\":\"minLength\",\"expected\":\"2\",\"got\":\"\\\"a\\\"\"},"
        "{\"path\":\"/age\",\"keyword\":\"minimum\",\"expected\":\"13\",\"got\":\"3\"}]\n"
        "invalid_input=\"{\\\"type\\\":\\\"signup\\\",\\\"user\\\":\\\"a\\\",\\\"age\\\":3}\"\nuser=-\nage="
        "-");
    answer_is(k, 200,
              "{\"accepted\":0,\"quarantined\":1,\"rejected\":0,\"dropped\":0,\"results\":[{\"index\":0,"
              "\"status\":\"quarantined\","
              "\"type\":\"signup\",\"errors\":[{\"path\":\"/"
              "user\",\"keyword\":\"minLength\",\"expected\":\"2\",\"got\":\"\\\"a\\\"\"},"
              "{\"path\":\"/age\",\"keyword\":\"minimum\",\"expected\":\"13\",\"got\":\"3\"}]}]}\n");
    CHECK_STR(testkit_reject_code(k, 0), "quarantined");
    CHECK_STR(testkit_reject_text(k, 0), "signup: /user minLength: expected 2, got \"a\" (and more)");
    CHECK_INT(post(k, "/events", NULL, "{\"type\":\"order\",\"total\":0.001}"), SS_REJECT);
    answer_is(k, 400,
              "{\"accepted\":0,\"quarantined\":0,\"rejected\":1,\"dropped\":0,\"results\":[{\"index\":0,"
              "\"status\":\"rejected\","
              "\"type\":\"order\",\"errors\":[{\"path\":\"/"
              "total\",\"keyword\":\"multipleOf\",\"expected\":\"0.01\",\"got\":\"0.001\"}]}]}\n");
    CHECK_INT(testkit_event_count(k), 0);
    CHECK_STR(testkit_reject_code(k, 0), "invalid");
    CHECK(testkit_metric(k, "events_quarantined_total", "") == 1 &&
          testkit_metric(k, "events_rejected_total", "") == 1);
    close_kit(k);
}

/* Bad input of every sort: one event, one clear reason. */
static void bad_inputs_have_clear_reasons(void)
{
    static const struct {
        const char *body, *keyword, *got;
    } cases[] = {
        {"{\"type\":\"signup\",\"user\":\"ab\",\"user\":\"cd\"}", "json",
         "the same key twice in an object at byte 36"},
        {"{\"type\":\"signup\",\"user\":\"a\\ud800b\"}", "json",
         "half a surrogate pair in a string at byte 34"},
        {"{\"type\":\"signup\",\"user\":\"a\xff\"}", "json", "a string is not UTF-8 at byte 26"},
        {"{\"type\":\"signup\",\"user\":", "json", "the text ends where a value should be at byte 24"},
        {"{\"type\":\"signup\"} x", "json", "something follows the value at byte 18"},
        {"nonsense", "json", "not a JSON value at byte 0"},
        {"{\"type\":\"signup\",\"user\":\"ab\",\"x\":-1e999}", "number", "-1e999"},
        {"{\"type\":\"signup\",\"user\":\"ab\",\"time\":\"yesterday\"}", "time", "\"yesterday\""},
        {"{\"type\":\"signup\",\"user\":\"ab\",\"time\":-1}", "time", "-1"},
        {"{\"type\":\"signup\",\"user\":\"ab\",\"time\":true}", "time", "true"},
        {"{\"type\":\"signup\",\"user\":\"ab\",\"id\":{}}", "id", "{}"},
        {"{\"type\":\"signup\",\"user\":\"ab\",\"id\":\"\"}", "id", "\"\""},
        {"{\"type\":\"other\"}", "type", "\"other\""},
        {"{\"type\":7}", "type", "7"},
        {"{}", "type", "nothing"},
        {"7", "type", "7"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
         "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
         "json", "too many containers within each other at byte 64"},
    };
    testkit *k = open_kit(TWO "}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char want[256], quoted[128] = "";
        (void)post(k, "/events", NULL, cases[i].body);
        for (const char *p = cases[i].got; *p; p++)
            (void)snprintf(quoted + strlen(quoted), sizeof quoted - strlen(quoted), *p == '"' ? "\\%c" : "%c",
                           *p);
        (void)snprintf(want, sizeof want, "\"keyword\":\"%s\"", cases[i].keyword);
        const char *reasons = testkit_value(k, 0, "invalid_reasons");
        char got[256];
        (void)snprintf(got, sizeof got, "\"got\":\"%s\"", quoted);
        if (testkit_event_count(k) != 1 || !reasons || !strstr(reasons, want) || !strstr(reasons, got)) {
            printf("# %s: %s\n# want %s %s\n", cases[i].body, reasons ? reasons : "(nothing)", want, got);
            CHECK(false);
        }
    }
    close_kit(k);
}

static void times_come_in_many_forms(void)
{
    static const struct {
        const char *time;
        int64_t us;
    } cases[] = {{"\"2026-11-22T03:24:00Z\"", 1795317840000000},
                 {"1795317840", 1795317840000000},
                 {"1795317840.25", 1795317840250000},
                 {"1795317840123", 1795317840123000},
                 {"1795317840123456", 1795317840123456},
                 {"null", TESTKIT_EPOCH_US}};
    testkit *k = open_kit(TWO "}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[160];
        (void)snprintf(body, sizeof body, "{\"type\":\"order\",\"time\":%s}", cases[i].time);
        CHECK_INT(post(k, "/events", NULL, body), SS_OK);
        CHECK_INT(testkit_event_at(k, 0).event_us, cases[i].us);
    }
    close_kit(k);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static void bodies_are_cut_into_inputs(void)
{
    static const struct {
        const char *type, *text, *want; /* inputs, each followed by | */
    } cases[] = {
        {"", " {\"a\":1} ", "{\"a\":1}|"},
        {"", "", ""},
        {"", "  \n", ""},
        {"", "[]", ""},
        {"", " [ \n ] ", ""},
        {"", "[1]", "1|"},
        {"", "[1,\"a]b,\\\"\",{\"x\":[1,2]} , [ ] ]", "1|\"a]b,\\\"\"|{\"x\":[1,2]}|[ ]|"},
        {"", "[\"\\\\\",\"\\\\\\\"\"]", "\"\\\\\"|\"\\\\\\\"\"|"},
        {"", "[1,,2]", "1||2|"},
        {"", "[1,]", "1||"},
        {"", "[,]", "||"},
        {"", "[1,2", "1|2|"},
        {"", "[1,{\"a\":\"", "1|{\"a\":\"|"},
        {"", "[", "|"},
        {"", "[1] x", "1] x|"},
        {"", "[1}", "1}|"},
        {"", "[1,2}]", "1|2}]|"},
        {"", "{\"a\":1}\n{\"b\":2}", "{\"a\":1}\n{\"b\":2}|"},
        {"application/x-ndjson", "{\"a\":1}\r\n\n  \n{\"b\":2}\n[3]", "{\"a\":1}|{\"b\":2}|[3]|"},
        {"application/X-NDJSON; charset=utf-8", "1\n2", "1|2|"},
        {"application/jsonl", "1\n2", "1|2|"},
        {"application/json", "1\n2", "1\n2|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[256] = "";
        event_body b;
        ss_str input;
        body_start(&b, ss_cstr(cases[i].text), ss_cstr(cases[i].type));
        while (body_next(&b, &input))
            (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s|", (int)input.len, input.ptr);
        CHECK_STR(got, cases[i].want);
    }
}

static void a_broken_event_takes_no_other_with_it(void)
{
    testkit *k = open_kit(TWO "}");
    CHECK_INT(post(k, "/events", NULL,
                   "[{\"type\":\"order\",\"id\":\"1\"},{\"type\":\"order\",\"id\":\"\xc3\"},{\"type\":"
                   "\"order\",\"id\":\"3\",}, nonsense,"
                   "{\"type\":\"order\",\"id\":\"4\"}]"),
              SS_OK);
    CHECK_INT(testkit_http(k), 200);
    CHECK_INT(testkit_event_count(k), 5);
    CHECK_STR(testkit_event_at(k, 0).id, "1");
    CHECK_STR(testkit_event_at(k, 3).type, "quarantine");
    CHECK_STR(testkit_event_at(k, 4).id, "4");
    /* An open quote hides where the next one begins: the rest is kept as one input, and is told. */
    CHECK_INT(post(k, "/events", NULL, "[{\"type\":\"order\"},{\"type\":\"order},{\"type\":\"order\"}]"),
              SS_OK);
    CHECK_INT(testkit_event_count(k), 2);
    fields_are(k, 1,
               "event_type=\"quarantine\"\ninvalid_input=\"{\\\"type\\\":\\\"order},{\\\"type\\\":"
               "\\\"order\\\"}]\"");
    CHECK_INT(post(k, "/events/order", "Content-Type: application/x-ndjson\n",
                   "{\"id\":\"1\"}\n{oops\n{\"total\":0.001}\n{\"id\":\"2\"}\n"),
              SS_OK);
    CHECK_INT(testkit_http(k), 207);
    CHECK_INT(testkit_event_count(k),
              3); /* one of them in quarantine: whose type nobody knows is not order's affair */
    CHECK(strstr(testkit_body(k, NULL), "{\"accepted\":2,\"quarantined\":1,\"rejected\":1,\"dropped\":0,"));
    CHECK(strstr(testkit_body(k, NULL),
                 "{\"index\":3,\"status\":\"accepted\",\"type\":\"order\",\"id\":\"2\"}]}"));
    close_kit(k);
}

static void limits_hold(void)
{
    static char big[300000];
    testkit *k = open_kit(TWO ",\"max_events\":2,\"max_event_bytes\":1024,\"max_errors\":2}");
    CHECK_INT(post(k, "/events/order", NULL, "[{},{},{}]"), SS_REJECT);
    CHECK_INT(testkit_http(k), 413);
    CHECK_INT(testkit_event_count(k), 0);
    CHECK_STR(testkit_reject_code(k, testkit_reject_count(k) - 1), "too_many_events");
    CHECK_INT(post(k, "/events/order", NULL, ""), SS_REJECT);
    CHECK_INT(testkit_http(k), 400);
    (void)snprintf(big, sizeof big, "{\"x\":\"%01100d\"}", 0);
    CHECK_INT(post(k, "/events/signup", NULL, big), SS_OK);
    fields_are(k, 0, "event_type=\"quarantine\"\ninvalid_type=\"signup\"\ninvalid_input_bytes=1108");
    CHECK(strstr(testkit_value(k, 0, "invalid_reasons"), "max_event_bytes"));
    CHECK_INT(post(k, "/events/signup", NULL, "{\"age\":1,\"score\":\"\",\"vip\":0,\"at\":1,\"tags\":0}"),
              SS_OK);
    fields_are(k, 0, "invalid_reason_count=6");
    CHECK(strstr(testkit_value(k, 0, "invalid_reasons"), "score") &&
          !strstr(testkit_value(k, 0, "invalid_reasons"), "vip"));
    close_kit(k);
    /* Many reasons with long texts: the answer stays within its room. */
    k = open_kit("{\"types\":{\"t\":{\"schema\":{\"propertyNames\":{\"maxLength\":1}}}},\"max_errors\":100}");
    size_t len = (size_t)sprintf(big, "{");
    for (int i = 0; i < 300; i++)
        len += (size_t)sprintf(big + len, "%s\"%0120d\\u0001%d\":1", i ? "," : "", i, i);
    (void)sprintf(big + len, "}");
    CHECK_INT(post(k, "/events", NULL, big), SS_OK);
    fields_are(k, 0, "invalid_reason_count=300");
    close_kit(k);
}

/* ---- options --------------------------------------------------------------------------------- */

static void paths_lead_anywhere(void)
{
    testkit *k = open_kit(
        "{\"types\":{\"a\":{\"schema\":{\"properties\":{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"]}},"
        "\"b\":{\"schema\":true,\"key_path\":\"/props/k~1y\"}},"
        "\"type_path\":\"/meta/kind\",\"data_path\":\"props\",\"time_path\":\"meta.at\",\"id_path\":\"mid\","
        "\"key_path\":\"meta.user\",\"app_path\":\"app\",\"app\":\"none\"}");
    CHECK_INT(post(k, "/events", NULL,
                   "{\"meta\":{\"kind\":\"a\",\"at\":1795317840,\"user\":42},\"mid\":\"m1\",\"props\":{\"n\":"
                   "5,\"z\":1},\"app\":\"shop\",\"v\":2}"),
              SS_OK);
    fields_are(
        k, 0,
        "n=5\nextra_properties={\"z\":1}\napp_id=\"shop\"\n"
        "extra_envelope={\"meta\":{\"kind\":\"a\",\"at\":1795317840,\"user\":42},\"app\":\"shop\",\"v\":2}");
    testkit_event e = testkit_event_at(k, 0);
    CHECK_STR(e.app, "shop");
    CHECK_STR(e.id, "m1");
    CHECK_STR(e.key, "42");
    CHECK_INT(e.event_us, 1795317840000000);
    CHECK_INT(post(k, "/events/b", NULL, "{\"props\":{\"k/y\":\"K\"}}"), SS_OK);
    CHECK_STR(testkit_event_at(k, 0).key, "K");
    CHECK_STR(testkit_event_at(k, 0).app, "none");
    CHECK_INT(post(k, "/events/b", NULL, "{\"props\":[1,2]}"), SS_OK);
    fields_are(k, 0, "extra_properties=[1,2]");
    CHECK_INT(post(k, "/events/a", NULL, "{\"meta\":{\"kind\":\"b\"},\"props\":{\"n\":1}}"), SS_OK);
    CHECK(strstr(testkit_value(k, 0, "invalid_reasons"), "the type that the path names"));
    CHECK_INT(post(k, "/events/a", NULL, "{\"n\":1}"), SS_OK);
    CHECK(strstr(testkit_value(k, 0, "invalid_reasons"), "as data_path says"));
    close_kit(k);
    static const struct {
        const char *text;
        bool good;
    } texts[] = {{"a", true},
                 {"a.b.c.d.e.f.g.h", true},
                 {"a.b.c.d.e.f.g.h.i", false},
                 {"", true},
                 {"a..b", false},
                 {"/a~0b/~1", true},
                 {"/", false},
                 {".", false}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        event_path p;
        CHECK(path_read(&p, ss_cstr(texts[i].text)) == texts[i].good);
    }
}

static void keys_let_in(void)
{
    testkit *k = open_kit(
        TWO
        ",\"keys\":[{\"secret\":\"k-one\",\"app\":\"shop\",\"types\":[\"order\"]},{\"secret\":\"k-two\"}],"
        "\"key_parameter\":\"key\",\"app_path\":\"app\"}");
    static const struct {
        const char *target, *headers, *body;
        uint32_t http;
        const char *app;
    } cases[] = {
        {"/events/order", NULL, "{}", 401, NULL},
        {"/events/order", "X-API-Key: k-on\n", "{}", 401, NULL},
        {"/events/order", "X-API-Key: k-one\n", "{\"app\":\"other\"}", 200, "shop"},
        {"/events/order", "x-api-key: Bearer k-one\n", "{}", 200, "shop"},
        {"/events/order?key=k-two", NULL, "{\"app\":\"mine\"}", 200, "mine"},
        {"/events/order?key=k-%74wo", NULL, "{}", 200, ""},
        {"/events/order?key=nope", NULL, "{}", 401, NULL},
        {"/events/signup", "X-API-Key: k-one\n", "{\"user\":\"ab\"}", 400, NULL},
        {"/events/signup", "X-API-Key: k-two\n", "{\"user\":\"ab\"}", 200, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)post(k, cases[i].target, cases[i].headers, cases[i].body);
        if (testkit_http(k) != cases[i].http || testkit_event_count(k) != (cases[i].app != NULL)) {
            printf("# %s %s: %u, %s\n", cases[i].target, cases[i].headers ? cases[i].headers : "",
                   testkit_http(k), testkit_body(k, NULL));
            CHECK(false);
        }
        if (cases[i].app)
            CHECK_STR(testkit_event_at(k, 0).app, cases[i].app);
    }
    /* What the key may not send is refused, not kept: nobody fills the quarantine with a wrong key. */
    (void)post(k, "/events/signup", "X-API-Key: k-one\n", "{}");
    CHECK_INT(testkit_event_count(k), 0);
    CHECK(strstr(testkit_body(k, NULL), "\"keyword\":\"key\""));
    close_kit(k);
}

static void origins_and_methods(void)
{
    testkit *k = open_kit(TWO ",\"origins\":[\"https://a.example\"],\"methods\":[\"POST\",\"GET\"]}");
    const char *good = "Origin: https://a.example\n", *bad = "Origin: https://b.example\n";
    CHECK_INT(post(k, "/events/order", good, "{}"), SS_OK);
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Origin"), "https://a.example");
    CHECK_STR(testkit_header(k, "Vary"), "Origin");
    CHECK_INT(post(k, "/events/order", good, "nonsense"), SS_OK); /* pages may read why */
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Origin"), "https://a.example");
    CHECK_INT(post(k, "/events/order", NULL, "{}"), SS_OK);
    CHECK(!testkit_header(k, "Access-Control-Allow-Origin"));
    CHECK_INT(post(k, "/events/order", bad, "{}"), SS_REJECT);
    CHECK_INT(testkit_http(k), 403);
    CHECK(!testkit_header(k, "Access-Control-Allow-Origin"));
    CHECK_INT(
        testkit_receive(k, &(testkit_request){.method = "OPTIONS", .target = "/events", .headers = good}),
        SS_OK);
    CHECK_INT(testkit_http(k), 204);
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Methods"), "POST, GET, OPTIONS");
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Headers"), "Content-Type, X-API-Key");
    CHECK_INT(
        testkit_receive(k, &(testkit_request){.method = "OPTIONS", .target = "/events", .headers = bad}),
        SS_OK);
    CHECK(!testkit_header(k, "Access-Control-Allow-Methods") &&
          !testkit_header(k, "Access-Control-Allow-Origin"));
    CHECK_INT(testkit_receive(k, &(testkit_request){.method = "DELETE", .target = "/events"}), SS_REJECT);
    CHECK_INT(testkit_http(k), 405);
    CHECK_STR(testkit_header(k, "Allow"), "POST, GET, OPTIONS");
    CHECK_INT(testkit_receive(k, &(testkit_request){.method = "GET",
                                                    .target = "/events/order?data=%7B%22total%22%3A1.25%7D"}),
              SS_OK);
    fields_are(k, 0, "total=1.25");
    close_kit(k);
}

static void answers_can_be_shorter(void)
{
    testkit *k = open_kit(TWO ",\"answer\":\"errors\"}");
    (void)post(k, "/events/order", NULL, "[{},{\"total\":\"x\",\"age\":1},{}]");
    answer_is(k, 207,
              "{\"accepted\":2,\"quarantined\":0,\"rejected\":1,\"dropped\":0,\"results\":[{\"index\":1,"
              "\"status\":\"rejected\",\"type\":\"order\","
              "\"errors\":[{\"path\":\"/"
              "age\",\"keyword\":\"type\",\"expected\":\"\\\"string\\\"\",\"got\":\"1\"}]}]}\n");
    close_kit(k);
    k = open_kit(TWO ",\"answer\":\"none\"}");
    (void)post(k, "/events/order", NULL, "[{},{}]");
    answer_is(k, 204, "");
    CHECK_INT(testkit_event_count(k), 2);
    close_kit(k);
}

static void wrong_options_are_refused(void)
{
    static const struct {
        const char *options, *error;
    } cases[] = {
        {"{\"types\":{\"a\":{}}}", "types.a: give it one of schema and schema_file"},
        {"{\"types\":{\"a\":{\"schema\":true,\"schema_file\":\"x\"}}}",
         "types.a: give it one of schema and schema_file"},
        {"{\"types\":{\"a\":{\"schema_file\":\"/nonexistent/x\"}}}",
         "types.a.schema_file: /nonexistent/x: No such file or directory"},
        {"{\"types\":{\"a\":{\"schema\":{\"unevaluatedItems\":false}}}}",
         "types.a: unsupported keyword unevaluatedItems at /unevaluatedItems"},
        {"{\"types\":{\"a\":{\"schema\":\"{\\\"type\\\":5}\"}}}",
         "types.a: a type is null, boolean, object, array, number, string or integer, at /type"},
        {"{\"types\":{\"quarantine\":{\"schema\":true}}}",
         "types.quarantine: a name has less than 64 characters and is not that of quarantine_type"},
        {TWO ",\"default_type\":\"x\"}", "default_type: 'x' is none of the declared types"},
        {TWO ",\"time_path\":\"a..b\"}",
         "time_path: 'a..b' is neither a JSON pointer (/a/b) nor names with dots (a.b), at most 8 deep"},
        {TWO ",\"methods\":[\"TRACE\"]}", "methods: 'TRACE' is none of POST, PUT, PATCH and GET"},
        {TWO ",\"origins\":[\"https://a.example/\"]}",
         "origins: 'https://a.example/' ends with a slash, which browsers do not send"},
        {TWO ",\"keys\":[{\"secret\":\"\"}]}", "keys[0].secret is empty: it would let everybody in"},
        {TWO ",\"keys\":[{\"secret\":\"s\",\"types\":[\"x\"]}]}",
         "keys[0].types: 'x' is none of the declared types"},
        {TWO ",\"key_header\":\"X Key\"}", "key_header: 'X Key' is no name of a header"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        testkit *k = testkit_new(ss_plugin_v0(), cases[i].options);
        CHECK(testkit_instance(k) == NULL);
        CHECK_STR(testkit_error(k), cases[i].error);
        testkit_free(k);
    }
    testkit *k = open_kit("{\"types\":{\"a\":{\"schema\":{\"requierd\":[]}}}}");
    CHECK_STR(testkit_log(k, 0, NULL),
              "types.a: unknown keyword 'requierd' at /requierd has no effect, did you mean 'required'?");
    CHECK_INT(post(k, "/events", NULL, "{}"), SS_OK); /* the one type is meant */
    CHECK_STR(testkit_event_at(k, 0).type, "a");
    close_kit(k);
}

/* ---- the catalog ----------------------------------------------------------------------------- */

static void note_field(void *arg, const ss_field *f)
{
    char *out = arg;
    (void)sprintf(out + strlen(out), "%s:%u ", f->name, f->type);
}

static void types_are_in_the_catalog(void)
{
    char got[1024] = "";
    testkit *k = open_kit("{\"types\":{\"a\":{\"schema\":{\"properties\":{\"s\":{\"type\":\"string\","
                          "\"description\":\"Doc.\"},\"i\":{\"type\":\"integer\"},"
                          "\"n\":{\"type\":[\"number\",\"null\"]},\"b\":{\"type\":\"boolean\"},\"t\":{"
                          "\"type\":\"string\",\"format\":\"date-time\"},"
                          "\"o\":{\"type\":\"object\"},\"any\":true,\"event_id\":{\"type\":\"string\"},\"a."
                          "b\":{},\"\\u00e4\":{}}}},"
                          "\"b\":{\"schema\":{\"properties\":{\"i\":{\"type\":\"number\"},\"t\":{\"type\":"
                          "\"string\"},\"s\":{\"type\":\"integer\"}}}}}}");
    CHECK_INT(testkit_host(k)->catalog(testkit_host(k)->self, SS_LIT("events"), note_field, got), SS_OK);
    CHECK_STR(got, "event_id:1 received_at:5 event_type:1 event_time:5 app_id:1 extra_properties:7 "
                   "extra_envelope:7 invalid_type:1 "
                   "invalid_reason_count:2 invalid_reasons:7 invalid_input_bytes:2 invalid_input:1 s:7 i:3 "
                   "n:3 b:4 t:1 o:7 any:7 ");
    (void)post(k, "/events/a", NULL,
               "{\"s\":\"x\",\"i\":1,\"event_id\":\"mine\",\"a.b\":1,\"\xc3\xa4\":2,\"n\":null}");
    fields_are(k, 0,
               "s=\"x\"\ni=1\nn=null\nextra_properties={\"event_id\":\"mine\",\"a.b\":1,\"\xc3\xa4\":2}");
    close_kit(k);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void faults_end_in_retry(void)
{
    static const enum testkit_fault faults[] = {TESTKIT_MEM, TESTKIT_EVENT_NEW, TESTKIT_EMIT};
    const char *body =
        "[{\"type\":\"signup\",\"user\":\"\\u0041b\",\"more\":1},{\"type\":\"signup\"},{\"type\":\"order\"}]";
    testkit *k = open_kit(TWO ",\"origins\":[\"*\"]}");
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        uint32_t before = testkit_calls(k, faults[f]);
        CHECK_INT(post(k, "/events", "Origin: https://x.example\n", body), SS_OK);
        uint32_t calls = testkit_calls(k, faults[f]) - before;
        CHECK(calls >= 3);
        for (uint32_t n = 1; n <= calls; n++) {
            testkit_fail(k, faults[f], n);
            int32_t status = post(k, "/events", "Origin: https://x.example\n", body);
            CHECK_INT(status, SS_RETRY);
            CHECK_INT(testkit_event_count(k), 0);
        }
        testkit_fail(k, faults[f], 0);
    }
    close_kit(k);
}

static const check_test tests[] = {
    TEST(a_fitting_event_fills_its_fields),
    TEST(differing_types_share_a_field),
    TEST(invalid_events_are_kept_or_refused),
    TEST(bad_inputs_have_clear_reasons),
    TEST(times_come_in_many_forms),
    TEST(bodies_are_cut_into_inputs),
    TEST(a_broken_event_takes_no_other_with_it),
    TEST(limits_hold),
    TEST(paths_lead_anywhere),
    TEST(keys_let_in),
    TEST(origins_and_methods),
    TEST(answers_can_be_shorter),
    TEST(wrong_options_are_refused),
    TEST(types_are_in_the_catalog),
    TEST(faults_end_in_retry),
};
CHECK_MAIN(tests)
