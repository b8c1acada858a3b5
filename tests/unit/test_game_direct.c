// with: receivers/game/answer.c receivers/game/batch.c receivers/game/coerce.c receivers/game/direct.c
// with: receivers/game/error.c receivers/game/event.c receivers/game/plugin.c receivers/game/receiver.c
// with: receivers/game/store.c receivers/game/view.c
/* Records of direct producers: what processing makes of them, and the views that give back what came. */
#include <stdint.h>

#include "plugins/common/json.h"
#include "plugins/sdk/testkit/testkit.h"
#include "receivers/game/coerce.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

#define APP       "ce8b748f-95ba-4ea4-a9b0-b0a4a3d0cb6c"
#define ID        "34c74de5-69d9-4f06-86ac-4b98fef8bca9"
#define IN(event) "{\"event\":" event ",\"application_id\":\"" APP "\"}"
#define EVENT(rest)                                                                                          \
    "{\"event_id\":\"" ID                                                                                    \
    "\",\"event_type\":\"client\",\"event_name\":\"login\",\"event_timestamp\":1737658977" rest "}"
#define LINE                                                                                                 \
    "\"event_id\":\"" ID                                                                                     \
    "\",\"event_type\":\"client\",\"event_name\":\"login\",\"event_timestamp\":1737658977"
#define OK      "\"processing_result\":{\"status\":\"ok\"}"
#define UNKNOWN "\"processing_result\":{\"status\":\"unregistered\"}"
#define MISMATCH(error)                                                                                      \
    "\"processing_result\":{\"status\":\"schema_mismatch\",\"validation_errors\":[" error "]}"
#define NAMED ",\"application_name\":\"Test\",\"application_id\":\"" APP "\"}"

static testkit *open_kit(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    CHECK_STR(testkit_error(k), "");
    testkit_add_application(k, &(testkit_app){.id = APP, .name = "Test", .key = "k"});
    return k;
}

static void close_kit(testkit *k)
{
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static int32_t parse(testkit *k, const char *record)
{
    return testkit_parse(k, &(ss_message){.body = ss_cstr(record), .id = SS_LIT("topic/0/1")});
}

static const char *view(testkit *k, const char *name)
{
    CHECK_INT(testkit_view(k, 0, name), SS_OK);
    return testkit_said(k, NULL);
}

/* The line without its first part: {"metadata":{"ingestion_id":"<36>","processing_timestamp":1764559445, */
static const char *rest_of(testkit *k)
{
    static const char head[] = "{\"metadata\":{\"ingestion_id\":\"",
                      clock[] = "\",\"processing_timestamp\":1764559445,";
    const char *line = testkit_line(k, 0);
    if (!line || strncmp(line, head, sizeof head - 1) != 0)
        return line ? line : "(none)";
    line += sizeof head - 1 + 36;
    return strncmp(line, clock, sizeof clock - 1) == 0 ? line + sizeof clock - 1 : line;
}

typedef struct record {
    const char *in, *want; /* want: see rest_of() */
    bool kept;             /* the stream view comes from the line; else what came was kept aside */
} record;

#define TYPE(member, type)                                                                                   \
    "{\"instancePath\":\"/event/" member "\",\"schemaPath\":\"#/definitions/event/properties/" member        \
    "/type\",\"keyword\":\"type\",\"params\":{\"type\":\"" type "\"},\"message\":\"must be " type "\"}"
#define MISSING(member)                                                                                      \
    "{\"instancePath\":\"/event\",\"schemaPath\":\"#/definitions/event/"                                     \
    "required\",\"keyword\":\"required\",\"params\":{"                                                       \
    "\"missingProperty\":\"" member "\"},\"message\":\"must have required property '" member "'\"}"
#define EXTRA(path, at, key)                                                                                 \
    "{\"instancePath\":\"" path "\",\"schemaPath\":\"" at                                                    \
    "additionalProperties\",\"keyword\":\"additionalProperties\","                                           \
    "\"params\":{\"additionalProperty\":" key "},\"message\":\"must NOT have additional properties\"}"
#define NOT_OBJECT                                                                                           \
    "{\"instancePath\":\"/event\",\"schemaPath\":\"#/definitions/event/"                                     \
    "type\",\"keyword\":\"type\",\"params\":{\"type\":"                                                      \
    "\"object\"},\"message\":\"must be object\"}"
#define WORD "^[A-Za-z0-9-_.]+$"

static const record records[] = {
    {IN(EVENT("")), OK "}," LINE NAMED, true},
    {IN(EVENT(",\"event_data\":{\"a\":[1,{}]}")), OK "}," LINE ",\"event_data\":{\"a\":[1,{}]}" NAMED, true},
    /* what the API had validated */
    {"{\"event\":" EVENT("") ",\"aws_ga_api_validated_flag\":true,\"aws_ga_api_requestId\":\"req-1\","
                             "\"aws_ga_api_requestTimeEpoch\":1737658980123,\"application_id\":\"" APP "\"}",
     "\"api\":{\"request_id\":\"req-1\",\"request_time_epoch\":1737658980123}," OK "}," LINE NAMED, true},
    {"{\"event\":" EVENT("") ",\"aws_ga_api_validated_flag\":true,\"application_id\":\"" APP "\"}",
     "\"api\":{}," OK "}," LINE NAMED, true},
    {"{\"event\":" EVENT("") ",\"aws_ga_api_validated_flag\":\"yes\",\"application_id\":\"" APP "\"}",
     "\"api\":{}," OK "}," LINE NAMED, false},
    {"{\"event\":" EVENT(
         "") ",\"aws_ga_api_validated_flag\":true,\"aws_ga_api_requestId\":\"\",\"application_id\":\"" APP
             "\"}",
     "\"api\":{}," MISMATCH(EXTRA("", "#/", "\"aws_ga_api_requestId\"")) "}," LINE NAMED, false},
    {"{\"event\":" EVENT(
         "") ",\"aws_ga_api_validated_flag\":false,\"aws_ga_api_requestId\":\"r\",\"application_id\":\"" APP
             "\"}",
     MISMATCH(EXTRA("", "#/", "\"aws_ga_api_validated_flag\"")) "}," LINE NAMED, false},
    {"{\"aws_ga_api_requestId\":\"r\",\"event\":" EVENT(
         "") ",\"aws_ga_api_validated_flag\":0,\"application_id\":\"" APP "\"}",
     MISMATCH(EXTRA("", "#/", "\"aws_ga_api_requestId\"")) "}," LINE NAMED, false},
    /* not registered: not validated */
    {"{\"event\":" EVENT("") ",\"application_id\":\"nobody\"}",
     UNKNOWN "}," LINE ",\"application_id\":\"nobody\"}", true},
    {"{\"event\":{\"event_id\":5,\"more\":1},\"application_id\":\"n\",\"x\":1}",
     UNKNOWN "},\"event_id\":\"5\",\"application_id\":\"n\"}", false},
    {"{\"event\":7,\"application_id\":\"n\"}", UNKNOWN "},\"application_id\":\"n\"}", false},
    /* mismatches are stored, too */
    {"{\"event\":{\"event_id\":5},\"application_id\":\"" APP "\",\"more\":1}",
     MISMATCH(EXTRA("", "#/", "\"more\"")) "},\"event_id\":\"5\"" NAMED, false},
    {IN("\"text\""), MISMATCH(NOT_OBJECT) "}" NAMED, false},
    {IN("[1]"), MISMATCH(NOT_OBJECT) "}" NAMED, false},
    {IN("false"), MISMATCH(NOT_OBJECT) "}" NAMED, false},
    {IN("{}"), MISMATCH(MISSING("event_id")) "}" NAMED, true},
    {IN("{\"event_id\":\"x\"}"), MISMATCH(MISSING("event_type")) "},\"event_id\":\"x\"" NAMED, true},
    {IN("{\"event_id\":null,\"event_type\":true}"),
     MISMATCH(MISSING("event_timestamp")) "},\"event_id\":\"null\",\"event_type\":\"true\"" NAMED, false},
    {IN("{\"event_id\":\"x\",\"event_type\":\"y\",\"event_timestamp\":1}"),
     MISMATCH(MISSING("event_name")) "},\"event_id\":\"x\",\"event_type\":\"y\",\"event_timestamp\":1" NAMED,
     true},
    {IN(EVENT(",\"b\":1,\"a\":2")),
     MISMATCH(EXTRA("/event", "#/definitions/event/", "\"b\"")) "}," LINE NAMED, false},
    {IN(EVENT(",\"b\":1,\"7\":2")),
     MISMATCH(EXTRA("/event", "#/definitions/event/", "\"7\"")) "}," LINE NAMED, false},
    {IN(EVENT(",\"event_data\":[1, 2]")),
     MISMATCH(TYPE("event_data", "object")) "}," LINE ",\"event_data\":[1,2]" NAMED, true},
    {IN(EVENT(",\"event_data\":null")),
     MISMATCH(TYPE("event_data", "object")) "}," LINE ",\"event_data\":null" NAMED, true},
    {IN(EVENT(",\"event_data\":\"s\"")),
     MISMATCH(TYPE("event_data", "object")) "}," LINE ",\"event_data\":\"s\"" NAMED, true},
    {IN("{\"event_id\":\"" ID
        "\",\"event_type\":\"client\",\"event_name\":\"login\",\"event_timestamp\":\"abc\"}"),
     MISMATCH(TYPE(
         "event_timestamp",
         "number")) "},\"event_id\":\"" ID
                    "\",\"event_type\":\"client\",\"event_name\":\"login\",\"event_timestamp\":null" NAMED,
     false},
    {IN("{\"event_id\":\"" ID
        "\",\"event_type\":\"client\",\"event_name\":\"login\",\"event_timestamp\":1e999}"),
     MISMATCH(TYPE(
         "event_timestamp",
         "number")) "},\"event_id\":\"" ID
                    "\",\"event_type\":\"client\",\"event_name\":\"login\",\"event_timestamp\":null" NAMED,
     false},
    {IN("{\"event_id\":\"" ID
        "\",\"event_type\":\"cli ent\",\"event_name\":\"login\",\"event_timestamp\":null}"),
     MISMATCH("{\"instancePath\":\"/event/event_type\",\"schemaPath\":\"#/definitions/event/properties/"
              "event_type/pattern\","
              "\"keyword\":\"pattern\",\"params\":{\"pattern\":\"" WORD
              "\"},\"message\":\"must match pattern \\\"" WORD
              "\\\"\"}") "},\"event_id\":\"" ID
                         "\",\"event_type\":\"cli ent\",\"event_name\":\"login\",\"event_timestamp\":0" NAMED,
     false},
};

static void processing(void)
{
    testkit *k = open_kit();
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        CHECK_INT(parse(k, records[i].in), SS_OK);
        if (testkit_event_count(k) != 1 || strcmp(rest_of(k), records[i].want) != 0)
            printf("# %s\n", records[i].in);
        CHECK_STR(rest_of(k), records[i].want);
        CHECK_INT(testkit_event_count(k), 1);
        const char *stream = view(k, "stream");
        CHECK(json_valid(ss_cstr(stream)));
        if (!records[i].kept)
            CHECK_STR(stream, records[i].in);
        CHECK_INT(strstr(view(k, "msk"), "aws_ga") == NULL, 1);
    }
    printf("# %zu records\n", sizeof records / sizeof *records);
    CHECK(testkit_metric(k, "game_direct_total", "status=\"ok\"") == 5);
    CHECK(testkit_metric(k, "game_direct_total", "status=\"unregistered\"") == 3);
    testkit_event e = testkit_event_at(k, 0);
    CHECK_INT(e.event_us, 0); /* Number(null) */
    close_kit(k);
}

static void times_of_events(void)
{
    static const struct {
        const char *time, *stored;
        int64_t us;
    } cases[] = {{"\"abc\"", "null", TESTKIT_EPOCH_US},
                 {"{}", "null", TESTKIT_EPOCH_US},
                 {"\"\"", "0", 0},
                 {"\" 0x10 \"", "16", 16000000},
                 {"true", "1", 1000000},
                 {"[5]", "5", 5000000},
                 {"[\"1.5e3\"]", "1500", 1500000000},
                 {"[]", "0", 0},
                 {"[1,2]", "null", TESTKIT_EPOCH_US},
                 {"\"-1.25\"", "-1.25", -1250000},
                 {"\"1e400\"", "null", 253402300799000000},
                 {"\".5\"", "0.5", 500000},
                 {"1e21", "1e21", 253402300799000000},
                 {"\"1e21\"", "1e+21", 253402300799000000},
                 {"17376589770000000000000000000000000", "1.737658977e+34", 253402300799000000}};
    testkit *k = open_kit();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, IN("{\"event_timestamp\":%s}"), cases[i].time);
        CHECK_INT(parse(k, text), SS_OK);
        CHECK_STR(testkit_value(k, 0, "event_timestamp"), cases[i].stored);
        CHECK_INT(testkit_event_at(k, 0).event_us, cases[i].us);
    }
    CHECK_INT(parse(k, IN("{}")), SS_OK);
    CHECK(!testkit_value(k, 0, "event_timestamp"));
    CHECK_INT(testkit_event_at(k, 0).event_us, TESTKIT_EPOCH_US);
    close_kit(k);
}

static void strings_as_javascript(void)
{
    static const struct {
        const char *value, *text;
    } cases[] = {{"\"a\"", "a"},
                 {"\"\\u00e4\\n\"", "\xc3\xa4\n"},
                 {"1", "1"},
                 {"-0", "0"},
                 {"1.0", "1"},
                 {"1e21", "1e+21"},
                 {"123456789012345680000", "123456789012345680000"},
                 {"1e-7", "1e-7"},
                 {"0.000001", "0.000001"},
                 {"1.5e-9", "1.5e-9"},
                 {"5e-324", "5e-324"},
                 {"1.7976931348623157e308", "1.7976931348623157e+308"},
                 {"0.1", "0.1"},
                 {"0.30000000000000004", "0.30000000000000004"},
                 {"100", "100"},
                 {"1e999", "Infinity"},
                 {"-1e999", "-Infinity"},
                 {"true", "true"},
                 {"false", "false"},
                 {"null", "null"},
                 {"{}", "[object Object]"},
                 {"{\"a\":{\"toString\":1}}", "[object Object]"},
                 {"[]", ""},
                 {"[1,2]", "1,2"},
                 {"[null,[],[1,[true,null]],{},\"x\"]", ",,1,true,,[object Object],x"},
                 {"[ 1e20 , 1e20 ]", "100000000000000000000,100000000000000000000"}};
    testkit *k = open_kit();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512], want[256];
        (void)snprintf(text, sizeof text, IN("{\"event_id\":%s}"), cases[i].value);
        CHECK_INT(parse(k, text), SS_OK);
        want[json_put_string(want, ss_cstr(cases[i].text))] = '\0';
        CHECK_STR(testkit_value(k, 0, "event_id"), want);
        if (strlen(cases[i].text) > 0)
            CHECK_STR(testkit_event_at(k, 0).id, cases[i].text);
    }
    /* JavaScript throws a TypeError: the record cannot be processed */
    CHECK_INT(parse(k, IN("{\"event_id\":{\"toString\":1}}")), SS_REJECT);
    CHECK_STR(testkit_error(k), "event.event_id cannot be made a text: its toString is no function");
    CHECK_INT(parse(k, IN("{\"event_timestamp\":[{\"a\":1,\"toString\":null}]}")), SS_REJECT);
    close_kit(k);
}

static double number(testkit *k, const char *text)
{
    const game g = {.host = testkit_host(k)};
    double value = 0;
    game_value v = {text, (uint32_t)strlen(text), JSON_STRING, 0};
    CHECK_INT(game_to_number(&g, NULL, &v, &value), COERCE_OK);
    return value;
}

static void numbers_as_javascript(void)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"", 0},
                 {" \t\n\v\f\r", 0},
                 {"12", 12},
                 {"+12", 12},
                 {"-12.50", -12.5},
                 {"5.", 5},
                 {".5", 0.5},
                 {"1e3", 1000},
                 {"1E+3", 1000},
                 {"1e-3", 0.001},
                 {"00012", 12},
                 {"0x1F", 31},
                 {"0XfF", 255},
                 {"0o17", 15},
                 {"0b101", 5},
                 {"\xc2\xa0"
                  "7\xe2\x80\x8a\xef\xbb\xbf",
                  7},
                 {"1e-400", 0},
                 {"0.0000000000000000000000001", 1e-25}};
    static const char *const not_numbers[] = {
        "a",   ".",   "e5",   "1e",  "1e+", "1 2", "0x",    "0xg",     "-0x10",    "+0b1",
        "1_0", "1n",  "NaN",  "nan", "inf", "--1", "1.2.3", "Infinit", "infinity", "\xe2\x80\x8b\x31",
        "0b2", "0o8", "1e5.0"};
    testkit *k = open_kit();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (number(k, cases[i].text) != cases[i].value) {
            printf("# '%s' is %g\n", cases[i].text, number(k, cases[i].text));
            CHECK(false);
        }
    for (size_t i = 0; i < sizeof not_numbers / sizeof *not_numbers; i++)
        if (number(k, not_numbers[i]) == number(k, not_numbers[i])) {
            printf("# '%s' is a number\n", not_numbers[i]);
            CHECK(false);
        }
    CHECK(number(k, "Infinity") > 1e308 && number(k, "-Infinity") < -1e308 && number(k, "1e999") > 1e308);
    static char nines[5000];
    memset(nines, '9', sizeof nines - 1);
    CHECK(number(k, nines) > 1e308);
    memset(nines, '0', sizeof nines - 1);
    memcpy(nines, "0.", 2);
    nines[sizeof nines - 2] = '1';
    CHECK(number(k, nines) == 0);
    close_kit(k);
}

static void refused(void)
{
    static const char *const cases[][2] = {
        {"", "the record is not JSON: the text ends where a value should be, at byte 0"},
        {"{\"event\":{}", "the record is not JSON: the text ends inside a container, at byte 11"},
        {"{\"event\":{},}", "the record is not JSON: a key in quotes should be here, at byte 12"},
        {IN("{}") "x", "the record is not JSON: something follows the value, at byte 68"},
        {"[1]", "the record must be object"},
        {"\"x\"", "the record must be object"},
        {"7", "the record must be object"},
        {"null", "the record must be object"},
        {"{}", "application_id is missing"},
        {"{\"event\":{}}", "application_id is missing"},
        {"{\"application_id\":\"a\"}", "event is missing"},
        {"{\"event\":null,\"application_id\":\"a\"}", "event is null"},
        {"{\"event\":{},\"application_id\":\"\"}", "application_id must be a text that is not empty"},
        {"{\"event\":{},\"application_id\":7}", "application_id must be a text that is not empty"},
        {"{\"event\":{},\"application_id\":null}", "application_id must be a text that is not empty"},
    };
    testkit *k = open_kit();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_INT(parse(k, cases[i][0]), SS_REJECT);
        CHECK_INT(testkit_event_count(k), 0);
        CHECK_STR(testkit_error(k), cases[i][1]);
        REQUIRE(testkit_failed_count(k) == 1);
        CHECK_STR(testkit_failed_at(k, 0).raw, cases[i][0]);
        CHECK_STR(testkit_failed_at(k, 0).code, "processing-failed");
    }
    testkit_fail(k, TESTKIT_APP, 1); /* the store is locked: the group comes again */
    CHECK_INT(parse(k, IN("{}")), SS_RETRY);
    testkit_fail(k, TESTKIT_EMIT, 1);
    CHECK_INT(parse(k, IN("{}")), SS_RETRY);
    CHECK_INT(testkit_failed_count(k), 0);
    close_kit(k);
    testkit *none = testkit_new(ss_plugin_v0(), NULL); /* no store: nobody is registered */
    CHECK_INT(parse(none, IN("{}")), SS_OK);
    CHECK_STR(testkit_value(none, 0, "metadata.processing_result.status"), "\"unregistered\"");
    close_kit(none);
}

static void views(void)
{
#define POSTED "{\"event_id\":\"" ID "\",\"event_type\":\"a\",\"event_name\":\"b\",\"event_timestamp\":%s%s}"
    static const struct {
        const char *time, *more, *event, *iso; /* event: as the view has it, NULL = as it was sent */
    } cases[] = {
        {"1737658977", "", NULL, "\"2025-01-23T19:02:57.000Z\""},
        {"1737658977.9", ",\"event_data\":{\"n\":1.10,\"e\":1E2}", NULL, "\"2025-01-23T19:02:57.000Z\""},
        {"-1.5", "", NULL, "\"1969-12-31T23:59:59.000Z\""},
        {"0", "", NULL, "\"1970-01-01T00:00:00.000Z\""},
        {"253402300800", "", NULL, "\"+010000-01-01T00:00:00.000Z\""},
        {"-62167219201", "", NULL, "\"-000001-12-31T23:59:59.000Z\""},
        {"8640000000000", "", NULL, "\"+275760-09-13T00:00:00.000Z\""},
        {"8640000000001", "", NULL, "null"},
        {"1e300", "", NULL, "null"},
        {"1737658977", ",\"event_data\":{\"s\":\"\\ud800 \\u00e4\"}", NULL, "\"2025-01-23T19:02:57.000Z\""},
        {"1737658977.00000000000000000000000000000001", "", NULL, "\"2025-01-23T19:02:57.000Z\""},
        {"1737658977", ",\n\"event_data\" : { \"s\":\"\\ud800\"\r\n}",
         "{\"event_id\":\"" ID "\",\"event_type\":\"a\",\"event_name\":\"b\",\"event_timestamp\":1737658977, "
         "\"event_data\" : { \"s\":\"\\ud800\"  }}",
         "\"2025-01-23T19:02:57.000Z\""},
        {"1737658977", ",\"app_version\":\"2\",\"event_version\":\"1\"",
         "{\"event_id\":\"" ID "\",\"event_type\":\"a\",\"event_name\":\"b\",\"event_version\":\"1\",\"event_"
         "timestamp\":1737658977,\"app_version\":\"2\"}",
         "\"2025-01-23T19:02:57.000Z\""},
    };
    testkit *k = open_kit();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char event[512], body[600], want[800];
        (void)snprintf(event, sizeof event, POSTED, cases[i].time, cases[i].more);
        (void)snprintf(body, sizeof body, "{\"events\":[%s]}", event);
        CHECK_INT(testkit_receive(
                      k, &(testkit_request){.method = "POST",
                                            .target = "/live/applications/" APP "/events",
                                            .headers = "Content-Type: application/json\nAuthorization: k\n",
                                            .body = body}),
                  SS_OK);
        REQUIRE(testkit_event_count(k) == 1);
        const char *sent = cases[i].event ? cases[i].event : event;
        (void)snprintf(
            want, sizeof want,
            "{\"event\":%s,\"aws_ga_api_validated_flag\":true,\"aws_ga_api_requestId\":\"testkit\","
            "\"aws_ga_api_requestTimeEpoch\":1764559445000,\"application_id\":\"" APP "\"}",
            sent);
        CHECK_STR(view(k, "stream"), want);
        (void)snprintf(want, sizeof want, "{\"event\":%s,\"application_id\":\"" APP "\"}", sent);
        CHECK_STR(view(k, "msk"), want);
        const char *iso = view(k, "processed_iso"), *at = strstr(iso, "\"event_timestamp\":");
        REQUIRE(at);
        CHECK(json_valid(ss_cstr(iso)));
        if (strncmp(at + 18, cases[i].iso, strlen(cases[i].iso)) != 0)
            printf("# %s: %s, want %s\n", cases[i].time, at + 18, cases[i].iso);
        CHECK(strncmp(at + 18, cases[i].iso, strlen(cases[i].iso)) == 0);
    }
    /* an application that is not registered keeps its number */
    CHECK_INT(parse(k, "{\"event\":{\"event_timestamp\":5},\"application_id\":\"n\"}"), SS_OK);
    CHECK_STR(view(k, "processed_iso"), testkit_line(k, 0));
    CHECK_INT(parse(k, IN("{\"event_timestamp\":\"x\"}")), SS_OK);
    CHECK(strstr(view(k, "processed_iso"), "\"event_timestamp\":null,"));
    CHECK_INT(parse(k, " {\"event\" :\n[1], \"application_id\":\"" APP "\", \"x\":[\n]}"), SS_OK);
    CHECK_STR(view(k, "stream"), " {\"event\" : [1], \"application_id\":\"" APP "\", \"x\":[ ]}");
    CHECK_STR(view(k, "msk"), IN("[1]"));
    close_kit(k);
}

static int32_t full(void *self, const char *bytes, size_t len)
{
    size_t *left = self;
    (void)bytes;
    if (len > *left)
        return -1;
    *left -= len;
    return 0;
}

static void views_of_odd_records(void)
{
    const ss_view *v = ss_plugin_v0()->receiver->views;
    for (; v->name; v++) {
        ss_error err = {.struct_size = sizeof err};
        size_t left = 1000;
        ss_sink out = {.struct_size = sizeof out, .self = &left, .write = full};
        ss_record r = {.json = SS_LIT("{\"errorCode\":\"x\"}"), .flags = SS_RECORD_FAILED};
        CHECK_INT(v->render(&r, &out, &err), SS_OK);
        CHECK_INT(left, 1000 - r.json.len);
        r = (ss_record){.json = SS_LIT("{\"a\":")};
        CHECK_INT(v->render(&r, &out, &err), SS_REJECT);
        r = (ss_record){
            .json = SS_LIT("{\"metadata\":{\"api\":{}},\"event_timestamp\":1,\"application_id\":\"a\"}")};
        left = 1000;
        CHECK_INT(v->render(&r, &out, &err), SS_OK);
        for (size_t room = 0, need = 1000 - left; room < need; room++) {
            left = room;
            CHECK_INT(v->render(&r, &out, &err), SS_LIMIT);
        }
    }
}

static const check_test tests[] = {
    TEST(processing), TEST(times_of_events), TEST(strings_as_javascript), TEST(numbers_as_javascript),
    TEST(refused),    TEST(views),           TEST(views_of_odd_records),
};
CHECK_MAIN(tests)
