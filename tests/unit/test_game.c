// with: receivers/game/answer.c receivers/game/batch.c receivers/game/coerce.c receivers/game/direct.c
// with: receivers/game/error.c receivers/game/event.c receivers/game/plugin.c receivers/game/receiver.c
// with: receivers/game/store.c receivers/game/view.c
/* The events API for games on the testkit: each answer of the API, each rule of the schema, alone and in
 * pairs. */
#include <dirent.h>
#include <stdint.h>

#include "plugins/common/json.h"
#include "plugins/sdk/testkit/testkit.h"
#include "receivers/game/event.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

#define APP    "ce8b748f-95ba-4ea4-a9b0-b0a4a3d0cb6c"
#define KEY    "KKNL09jc1UzkeyzkeyzkeyZg=="
#define TARGET "/live/applications/" APP "/events"
#define ID     "34c74de5-69d9-4f06-86ac-4b98fef8bca9"
#define JSON   "Content-Type: application/json\nAuthorization: " KEY "\n"
#define GOOD                                                                                                 \
    "{\"event_id\":\"" ID                                                                                    \
    "\",\"event_type\":\"client\",\"event_name\":\"login\",\"event_timestamp\":1737658977,"                  \
    "\"event_version\":\"1.0.0\",\"app_version\":\"1.0.0\",\"event_data\":{\"platform\":\"pc\"}}"
#define WORD_RULE "must match pattern \"^[A-Za-z0-9-_.]+$\""
#define UUID_RULE                                                                                            \
    "must match pattern \"^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$\""

static testkit *open_kit(const char *options)
{
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK_STR(testkit_error(k), "");
    testkit_add_application(k, &(testkit_app){.id = APP, .name = "Test \"Game\"", .key = KEY});
    return k;
}

static void close_kit(testkit *k)
{
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static int32_t send(testkit *k, const char *target, const char *headers, const char *body)
{
    int32_t status = testkit_receive(
        k, &(testkit_request){.method = "POST", .target = target, .headers = headers, .body = body});
    CHECK(status != SS_OK || testkit_body(k, NULL)[0] == '\0' || json_valid(ss_cstr(testkit_body(k, NULL))));
    return status;
}

static int32_t post(testkit *k, const char *body)
{
    return send(k, TARGET, JSON, body);
}

static void answer_is(testkit *k, uint32_t http, const char *body)
{
    CHECK_INT(testkit_http(k), http);
    CHECK_STR(testkit_body(k, NULL), body);
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Origin"), "*");
}

/* 400 with that detail, and nothing is stored. */
static void refused(testkit *k, const char *body, const char *detail)
{
    char want[2048], *to = want;
    to += sprintf(to, "{\"error\":\"BadRequest\",\"error_detail\":");
    to += json_put_string(to, ss_cstr(detail));
    (void)sprintf(to, "}");
    if (post(k, body) != SS_REJECT || testkit_http(k) != 400 || strcmp(testkit_body(k, NULL), want) != 0)
        printf("# body: %.300s\n", body);
    answer_is(k, 400, want);
    CHECK_INT(testkit_event_count(k), 0);
    CHECK_INT(testkit_failed_count(k), 0);
}

/* ---- the answers ----------------------------------------------------------------------------- */

static void a_good_batch_is_stored(void)
{
    testkit *k = open_kit(NULL);
    CHECK_INT(post(k, "{\"events\":[" GOOD ", " GOOD "],\"more\":[1,{}]}"), SS_OK);
    answer_is(k, 200,
              "{\"Total\":2,\"FailedRecordCount\":0,\"Events\":[{\"Result\":\"Ok\"},{\"Result\":\"Ok\"}]}");
    CHECK_STR(testkit_content_type(k), "application/json");
    REQUIRE(testkit_event_count(k) == 2);
    CHECK_INT(testkit_checked_events(k), 2);
    const char *line = testkit_line(k, 1);
    char want[1024];
    const char *id = testkit_value(k, 1, "metadata.ingestion_id");
    (void)snprintf(
        want, sizeof want,
        "{\"metadata\":{\"ingestion_id\":%s,\"processing_timestamp\":1764559445,\"api\":{\"request_id\":"
        "\"testkit\","
        "\"request_time_epoch\":1764559445000},\"processing_result\":{\"status\":\"ok\"}},\"event_id\":\"" ID
        "\",\"event_type\":\"client\",\"event_name\":\"login\",\"event_version\":\"1.0.0\",\"event_"
        "timestamp\":1737658977,"
        "\"app_version\":\"1.0.0\",\"event_data\":{\"platform\":\"pc\"},\"application_name\":\"Test "
        "\\\"Game\\\"\","
        "\"application_id\":\"" APP "\"}",
        id);
    CHECK_STR(line, want);
    CHECK_INT(strlen(id), 38);
    CHECK(id[15] == '4' && strchr("89ab", id[20]));
    char first[64];
    (void)snprintf(first, sizeof first, "%s", id);
    CHECK_STR(testkit_value(k, 0, "metadata.ingestion_id"), first); /* one for the request */
    testkit_event e = testkit_event_at(k, 0);
    CHECK_STR(e.app, APP);
    CHECK_STR(e.type, "client");
    CHECK_STR(e.id, ID);
    CHECK_STR(e.key, ID);
    CHECK_INT(e.event_us, 1737658977000000);
    CHECK_INT(post(k, "{\"events\":[" GOOD "]}"), SS_OK);
    CHECK(strcmp(testkit_value(k, 0, "metadata.ingestion_id"), first) != 0);
    close_kit(k);
}

static void the_body_as_a_whole(void)
{
    testkit *k = open_kit(NULL);
    static const char *const cases[][2] = {
        {"", "the body is not JSON: the text ends where a value should be, at byte 0"},
        {"{\"events\":[}", "the body is not JSON: not a JSON value, at byte 11"},
        {"{\"events\":[" GOOD "]", "the body is not JSON: the text ends inside a container, at byte 212"},
        {"{\"events\":[" GOOD "]} x", "the body is not JSON: something follows the value, at byte 214"},
        {"{\"events\":[NaN]}", "the body is not JSON: not a JSON value, at byte 11"},
        {"[" GOOD "]", "the body must be object"},
        {"\"events\"", "the body must be object"},
        {"null", "the body must be object"},
        {"{}", "the body must have required property 'events'"},
        {"{\"Events\":[" GOOD "]}", "the body must have required property 'events'"},
        {"{\"events\":{}}", "events must be array"},
        {"{\"events\":null}", "events must be array"},
        {"{\"events\":[" GOOD "],\"events\":7}", "events must be array"},
        {"{\"events\":[]}", "events must have 1 to 500 items, not 0"},
        {"{\"events\":[" GOOD "],\"events\":[]}", "events must have 1 to 500 items, not 0"},
        {"{\"events\":[" GOOD ",5]}", "events[1] must be object"},
        {"{\"events\":[[]]}", "events[0] must be object"},
        {"{\"events\":[\"a\\\"b\"]}", "events[0] must be object"},
        {"{\"events\":[null]}", "events[0] must be object"},
        {"{\"events\":[{}]}", "events[0] must have required property 'event_id'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(k, cases[i][0], cases[i][1]);
    /* the last one of a doubled name counts, here and inside an event */
    CHECK_INT(post(k, "{\"events\":7,\"ev\\u0065nts\":[" GOOD "]}"), SS_OK);
    CHECK_INT(testkit_event_count(k), 1);
    close_kit(k);
}

static void limits(void)
{
    testkit *k = open_kit(NULL), *small = open_kit("{\"max_events\":2,\"max_event\":1024}");
    static char body[512 * 1024];
    for (size_t count = 500; count <= 501; count++) {
        char *to = body + sprintf(body, "{\"events\":[");
        for (size_t i = 0; i < count; i++)
            to += sprintf(to, "%s%s", i ? "," : "", GOOD);
        (void)sprintf(to, "]}");
        if (count == 500) {
            CHECK_INT(post(k, body), SS_OK);
            CHECK_INT(testkit_event_count(k), 500);
        } else {
            refused(k, body, "events must have 1 to 500 items, not more");
        }
    }
    refused(small, "{\"events\":[" GOOD "," GOOD "," GOOD "]}", "events must have 1 to 2 items, not more");
    static char large[2048];
    (void)sprintf(large,
                  "{\"events\":[" GOOD ",{\"event_id\":\"" ID
                  "\",\"event_type\":\"a\",\"event_name\":\"b\",\"event_timestamp\":1,\"event_data\":{\"x\":"
                  "\"%0*d\"}}]}",
                  1000, 1);
    refused(small, large, "events[1] must NOT have more than 1024 bytes");
    close_kit(k);
    close_kit(small);
}

static void who_may_send(void)
{
    testkit *k = open_kit(NULL);
    static const char denied[] = "{\"error\":\"AccessDenied\"}", body[] = "{\"events\":[" GOOD "]}";
    testkit_add_application(k, &(testkit_app){.id = "other", .key = "other-key"});
    CHECK_INT(send(k, TARGET, "Content-Type: application/json\n", body), SS_REJECT);
    answer_is(k, 403, denied);
    CHECK_INT(send(k, TARGET, "Content-Type: application/json\nAuthorization: other-key\n", body), SS_REJECT);
    answer_is(k, 403, denied);
    CHECK_STR(testkit_reject_code(k, 0), "access-denied");
    CHECK_INT(send(k, TARGET, "Content-Type: application/json\nAuthorization: Bearer " KEY "\n", body),
              SS_REJECT);
    answer_is(k, 403, denied);
    CHECK_INT(send(k, "/live/applications/nobody/events", JSON, body), SS_REJECT);
    answer_is(k, 403, denied);
    /* who may not send is not told what is wrong with the batch */
    CHECK_INT(send(k, "/live/applications/other/events", JSON, "{\"events\":["), SS_REJECT);
    answer_is(k, 403, denied);
    CHECK_INT(testkit_receive(k, &(testkit_request){.method = "GET", .target = TARGET, .headers = JSON}),
              SS_REJECT);
    answer_is(k, 403, denied);
    CHECK_INT(send(k, "/test/applications/" APP "/events", JSON, body), SS_DECLINE);
    CHECK_INT(
        send(k, TARGET, "authorization: " KEY "\nContent-Type: application/json; charset=utf-8\n", body),
        SS_OK);
    static const char *const types[] = {"Content-Type: text/plain\n", "Content-Type: application/jsonx\n",
                                        ""};
    for (size_t i = 0; i < 3; i++) {
        char headers[256];
        (void)snprintf(headers, sizeof headers, "%sAuthorization: " KEY "\n", types[i]);
        CHECK_INT(send(k, TARGET, headers, body), SS_REJECT);
        answer_is(k, 400,
                  "{\"error\":\"BadRequest\",\"error_detail\":\"Content-Type must be application/json\"}");
        CHECK_INT(testkit_event_count(k), 0);
    }
    close_kit(k);
}

/* A large body of somebody without a key is not even read: its broken JSON is not noticed. */
static void strangers_cost_nothing(void)
{
    testkit *k = open_kit(NULL);
    static char large[128 * 1024];
    memset(large, '[', sizeof large - 1);
    CHECK_INT(send(k, TARGET, "Content-Type: application/json\nAuthorization: wrong\n", large), SS_REJECT);
    answer_is(k, 403, "{\"error\":\"AccessDenied\"}");
    CHECK_STR(testkit_reject_text(k, 0), "no Authorization header, or no key of this application");
    CHECK_INT(send(k, TARGET, "Content-Type: application/json\nAuthorization: wrong\n", "["), SS_REJECT);
    answer_is(k, 403, "{\"error\":\"AccessDenied\"}");
    CHECK_STR(testkit_reject_text(k, 0), "no key of this application");
    CHECK_INT(post(k, large), SS_REJECT);
    CHECK_INT(testkit_http(k), 400);
    close_kit(k);
}

static void signed_requests(void)
{
    static const char body[] = "{\"events\":[" GOOD "]}",
                      headers[] =
                          "Content-Type: application/json\nAuthorization: AWS4-HMAC-SHA256 Credential=" KEY
                          "/20250101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=00\n";
    static const struct {
        const char *options;
        int32_t with_key, with_signature;
    } cases[] = {{"{\"events_auth\":\"key\"}", SS_OK, SS_REJECT},
                 {"{\"events_auth\":\"sigv4\"}", SS_REJECT, SS_OK},
                 {"{\"events_auth\":\"both\"}", SS_OK, SS_OK}};
    for (size_t i = 0; i < 3; i++) {
        testkit *k = open_kit(cases[i].options);
        CHECK_INT(send(k, TARGET, JSON, body), cases[i].with_key);
        CHECK_INT(send(k, TARGET, headers, body), cases[i].with_signature);
        close_kit(k);
    }
}

static void preflight(void)
{
    testkit *k = open_kit("{\"stage\":\"prod\"}");
    CHECK_INT(testkit_receive(k, &(testkit_request){.method = "OPTIONS",
                                                    .target = "/prod/applications/" APP "/events",
                                                    .headers = "Origin: https://game.example\n"}),
              SS_OK);
    answer_is(k, 200, "");
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Methods"), "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT");
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Headers"),
              "Content-Type,Authorization,X-Amz-Date,X-Api-Key,X-Amz-Security-Token");
    CHECK_INT(send(k, "/prod/applications/" APP "/events", JSON, "{\"events\":[" GOOD "]}"), SS_OK);
    CHECK_INT(send(k, TARGET, JSON, "{\"events\":[" GOOD "]}"), SS_DECLINE);
    close_kit(k);
    k = testkit_new(ss_plugin_v0(), "{\"stage\":\"a/b\"}");
    CHECK(strstr(testkit_error(k), "without a slash"));
    testkit_free(k);
}

#define BUSY "{\"Result\":\"Error\",\"ErrorCode\":\"ProvisionedThroughputExceededException\"}"

static void nothing_can_be_taken(void)
{
    static const char body[] = "{\"events\":[" GOOD "," GOOD "]}",
                      busy[] = "{\"Total\":2,\"FailedRecordCount\":2,\"Events\":[" BUSY "," BUSY "]}";
    testkit *seed = open_kit(NULL), *http = open_kit("{\"status\":\"http\"}");
    testkit_throttle(seed, 2500);
    testkit_throttle(http, 2500);
    (void)post(seed, body);
    answer_is(seed, 200, busy);
    CHECK_INT(testkit_event_count(seed), 0);
    (void)post(http, body);
    CHECK_INT(testkit_http(http), 429);
    CHECK_STR(testkit_header(http, "Retry-After"), "3");
    refused(seed, "{\"events\":[]}", "events must have 1 to 500 items, not 0");
    testkit_throttle(seed, 0);
    testkit_throttle(http, 0);
    for (uint32_t nth = 1; nth <= 2; nth++) { /* the journal takes nothing: all or none */
        testkit_fail(seed, TESTKIT_EMIT, nth);
        CHECK_INT(post(seed, body), SS_REJECT);
        answer_is(seed, 200, busy);
        CHECK_INT(testkit_event_count(seed), 0);
        testkit_fail(http, TESTKIT_EMIT, nth);
        CHECK_INT(post(http, body), SS_REJECT);
        CHECK_INT(testkit_http(http), 503);
        CHECK_STR(testkit_header(http, "Retry-After"), "1");
    }
    CHECK(testkit_metric(seed, "game_throttled_total", "") == 6);
    testkit_fail(seed, TESTKIT_APP, 1); /* the store is locked */
    CHECK_INT(post(seed, body), SS_REJECT);
    answer_is(seed, 500,
              "{\"error\":\"InternalFailure\",\"error_detail\":\"An error occurred on the server side.\"}");
    testkit_fail(http, TESTKIT_APP, 1);
    CHECK_INT(post(http, body), SS_RETRY);
    CHECK_INT(post(http, body), SS_OK);
    close_kit(seed);
    close_kit(http);
    testkit *none = testkit_new(ss_plugin_v0(), NULL);
    CHECK_INT(send(none, TARGET, JSON, body), SS_REJECT);
    CHECK_INT(testkit_http(none), 500);
    CHECK_STR(testkit_reject_code(none, 0), "no-store");
    close_kit(none);
}

/* ---- the schema ------------------------------------------------------------------------------ */

typedef struct rule { /* the member, its value instead of the good one (NULL: it is left out), what is said */
    const char *member, *value, *said;
    int rank; /* of two broken rules the lower one is told */
} rule;

static const char *const names[] = {"event_id",      "event_type",  "event_name", "event_timestamp",
                                    "event_version", "app_version", "event_data", "extra"};
static const char *const good[] = {"\"" ID "\"", "\"client\"", "\"login\"", "1737658977",
                                   "\"1.0.0\"",  "\"1.0.0\"",  "{\"a\":1}", NULL};

#define NOT_TEXT(member, at)                                                                                 \
    {member, "5", "." member " must be string", at}, {member, "null", "." member " must be string", at},     \
        {member, "true", "." member " must be string", at},                                                  \
        {member, "{}", "." member " must be string", at},                                                    \
    {                                                                                                        \
        member, "[\"a\"]", "." member " must be string", at                                                  \
    }
#define NOT_WORD(member, at)                                                                                 \
    {member, "\"\"", "." member " " WORD_RULE, at}, {member, "\"a b\"", "." member " " WORD_RULE, at},       \
        {member, "\"\xc3\xa4\"", "." member " " WORD_RULE, at},                                              \
        {member, "\"a\\n\"", "." member " " WORD_RULE, at},                                                  \
        {member, "\"a/b\"", "." member " " WORD_RULE, at},                                                   \
    {                                                                                                        \
        member, "\"\\ud800\"", "." member " " WORD_RULE, at                                                  \
    }
#define NO_UUID(value)                                                                                       \
    {                                                                                                        \
        "event_id", value, ".event_id " UUID_RULE, 10                                                        \
    }
#define NOT_NUMBER(value)                                                                                    \
    {                                                                                                        \
        "event_timestamp", value, ".event_timestamp must be number", 13                                      \
    }
#define NOT_OBJECT(value)                                                                                    \
    {                                                                                                        \
        "event_data", value, ".event_data must be object", 16                                                \
    }

static const rule rules[] = {
    {"event_id", NULL, " must have required property 'event_id'", 1},
    {"event_type", NULL, " must have required property 'event_type'", 2},
    {"event_timestamp", NULL, " must have required property 'event_timestamp'", 3},
    {"event_name", NULL, " must have required property 'event_name'", 4},
    {"extra", "1", " must NOT have additional properties: 'extra'", 5},
    {"extra", "null", " must NOT have additional properties: 'extra'", 5},
    NOT_TEXT("event_id", 10),
    NO_UUID("\"\""),
    NO_UUID("\"34C74DE5-69d9-4f06-86ac-4b98fef8bca9\""),
    NO_UUID("\"34c74de5-69d9-0f06-86ac-4b98fef8bca9\""),
    NO_UUID("\"34c74de5-69d9-6f06-86ac-4b98fef8bca9\""),
    NO_UUID("\"34c74de5-69d9-4f06-76ac-4b98fef8bca9\""),
    NO_UUID("\"34c74de5-69d9-4f06-c6ac-4b98fef8bca9\""),
    NO_UUID("\"34c74de5-69d9-4f06-86ac-4b98fef8bca\""),
    NO_UUID("\"34c74de5-69d9-4f06-86ac-4b98fef8bca99\""),
    NO_UUID("\"34c74de5069d9-4f06-86ac-4b98fef8bca9\""),
    NO_UUID("\"g4c74de5-69d9-4f06-86ac-4b98fef8bca9\""),
    NO_UUID("\" 34c74de5-69d9-4f06-86ac-4b98fef8bca9\""),
    NO_UUID("\"34c74de5-69d9-4f06-86ac-4b98fef8bca9\\n\""),
    NOT_TEXT("event_type", 11),
    NOT_WORD("event_type", 11),
    NOT_TEXT("event_name", 12),
    NOT_WORD("event_name", 12),
    NOT_NUMBER("\"1737658977\""),
    NOT_NUMBER("null"),
    NOT_NUMBER("true"),
    NOT_NUMBER("[1]"),
    NOT_NUMBER("{}"),
    NOT_NUMBER("1e400"),
    NOT_NUMBER("-1e309"),
    NOT_TEXT("event_version", 14),
    NOT_WORD("event_version", 14),
    NOT_TEXT("app_version", 15),
    NOT_WORD("app_version", 15),
    NOT_OBJECT("null"),
    NOT_OBJECT("[]"),
    NOT_OBJECT("\"{}\""),
    NOT_OBJECT("5"),
};
#define RULES (sizeof rules / sizeof *rules)

static const char *value_of(const char *member, const char *otherwise, const rule *a, const rule *b)
{
    if (strcmp(a->member, member) == 0)
        return a->value;
    return b && strcmp(b->member, member) == 0 ? b->value : otherwise;
}

static void build(char *out, const rule *a, const rule *b)
{
    out += sprintf(out, "{\"events\":[" GOOD ",{");
    for (size_t i = 0, put = 0; i < 8; i++) {
        const char *value = value_of(names[i], good[i], a, b);
        if (value)
            out += sprintf(out, "%s\"%s\":%s", put++ ? "," : "", names[i], value);
    }
    (void)sprintf(out, "}]}");
}

static void each_rule_alone(void)
{
    testkit *k = open_kit(NULL);
    char body[2048], want[512];
    for (size_t i = 0; i < RULES; i++) {
        build(body, &rules[i], NULL);
        (void)snprintf(want, sizeof want, "events[1]%s", rules[i].said);
        refused(k, body, want);
    }
    printf("# %zu rules\n", RULES);
    CHECK(RULES >= 60);
    close_kit(k);
}

static void rules_in_pairs(void)
{
    testkit *k = open_kit(NULL);
    char body[2048], want[512];
    size_t pairs = 0;
    for (size_t i = 0; i < RULES; i++)
        for (size_t j = 0; j < RULES; j++) {
            if (strcmp(rules[i].member, rules[j].member) == 0)
                continue;
            const rule *told = rules[i].rank < rules[j].rank ? &rules[i] : &rules[j];
            build(body, &rules[i], &rules[j]);
            (void)snprintf(want, sizeof want, "events[1]%s", told->said);
            refused(k, body, want);
            pairs++;
        }
    printf("# %zu pairs\n", pairs);
    close_kit(k);
}

/* What fits although it looks odd; the line, without metadata and application, and the event's time. */
static void odd_but_good(void)
{
#define E(type, name, time, rest)                                                                            \
    "{\"event_id\":\"" ID "\",\"event_type\":" type ",\"event_name\":" name                                  \
    ",\"event_timestamp\":" time rest "}"
    static const struct {
        const char *event, *member, *value;
        int64_t us;
    } cases[] = {
        {E("\"a\"", "\"b\"", "1737658977.25", ""), "event_timestamp", "1737658977.25", 1737658977250000},
        {E("\"a\"", "\"b\"", "1.737658977e9", ""), "event_timestamp", "1.737658977e9", 1737658977000000},
        {E("\"a\"", "\"b\"", "1737658977.0", ""), "event_timestamp", "1737658977.0", 1737658977000000},
        {E("\"a\"", "\"b\"", "0", ""), "event_timestamp", "0", 0},
        {E("\"a\"", "\"b\"", "-1.5", ""), "event_timestamp", "-1.5", -1500000},
        {E("\"a\"", "\"b\"", "-0", ""), "event_timestamp", "-0", 0},
        {E("\"a\"", "\"b\"", "1e300", ""), "event_timestamp", "1e300", 253402300799000000},
        {E("\"a\"", "\"b\"", "-1e300", ""), "event_timestamp", "-1e300", -62135596800000000},
        {E("\"a\"", "\"b\"", "999999999999999", ""), "event_timestamp", "999999999999999",
         253402300799000000},
        {E("\"a\"", "\"b\"", "1737658977.00000000000000000000000000000000000001", ""), "event_timestamp",
         "1737658977", 1737658977000000},
        {E("\"\\u0061.\\u002d\"", "\"b\"", "1", ""), "event_type", "\"a.-\"", 1000000},
        {E("\"A-Z_a.z09\"", "\"b\"", "1", ""), "event_type", "\"A-Z_a.z09\"", 1000000},
        {E("\"a\"", "\"b\"", "1", ",\"event_data\":{}"), "event_data", "{}", 1000000},
        {E("\"a\"", "\"b\"", "1", ",\"event_data\":{ \"n\" : 1.50e+2 , \"a\" : [ ] }"), "event_data",
         "{\"n\":1.50e+2,\"a\":[]}", 1000000},
        {E("\"a\"", "\"b\"", "1", ",\"event_data\":{\"n\":12345678901234567890123}"), "event_data",
         "{\"n\":12345678901234567890123}", 1000000},
        {E("\"a\"", "\"b\"", "1", ",\"event_data\":{\"a\":1,\"a\":2}"), "event_data", "{\"a\":1,\"a\":2}",
         1000000},
        {E("\"a\"", "\"b\"", "1", ",\"event_type\":\"c\""), "event_type", "\"c\"", 1000000},
        {E("5", "\"b\"", "1", ",\"event\\u005ftype\":\"c\""), "event_type", "\"c\"", 1000000},
        {E("\"a\"", "\"b\"", "1", ",\"event_version\":\"v\""), "event_version", "\"v\"", 1000000},
        {E("\"a\"", "\"b\"", "1", ",\"event_data\":{\"s\":\"\\ud800\"}"), "event_data", "{\"s\":\"\\ufffd\"}",
         1000000},
        {E("\"a\"", "\"b\"", "1", ",\"event_data\":{\"s\":\"\\ud83d\\ude00\"}"), "event_data",
         "{\"s\":\"\\ud83d\\ude00\"}", 1000000},
    };
    testkit *k = open_kit(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[1024];
        (void)snprintf(body, sizeof body, "{\"events\":[%s]}", cases[i].event);
        CHECK_INT(post(k, body), SS_OK);
        if (testkit_event_count(k) != 1) {
            printf("# %s: %s\n", cases[i].event, testkit_body(k, NULL));
            continue;
        }
        CHECK_STR(testkit_value(k, 0, cases[i].member), cases[i].value);
        CHECK_INT(testkit_event_at(k, 0).event_us, cases[i].us);
    }
    /* of keys that have no place the one that JavaScript meets first is told */
    refused(k, "{\"events\":[" E("\"a\"", "\"b\"", "1", ",\"z\":1,\"10\":1,\"9\":1,\"01\":1") "]}",
            "events[0] must NOT have additional properties: '9'");
    refused(k, "{\"events\":[" E("\"a\"", "\"b\"", "1", ",\"z\\\"\\u0007\":1,\"y\":1") "]}",
            "events[0] must NOT have additional properties: 'z\"\x07'");
    close_kit(k);
}

static bool is_hex(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Each byte at each place of a UUID; and in texts of many lengths, at their ends and in the middle. */
static void patterns_byte_by_byte(void)
{
    for (size_t at = 0; at < sizeof ID - 1; at++)
        for (int c = 0; c < 256; c++) {
            char text[] = ID;
            text[at] = (char)c;
            bool fits = at == 8 || at == 13 || at == 18 || at == 23 ? c == '-'
                        : at == 14                                  ? c >= '1' && c <= '5'
                        : at == 19 ? c == '8' || c == '9' || c == 'a' || c == 'b'
                                   : is_hex(c);
            if (game_is_uuid(ss_cstr(text)) != fits && c != 0) {
                printf("# place %zu, byte %d\n", at, c);
                CHECK(false);
            }
        }
    CHECK(!game_is_uuid(ss_s(ID, sizeof ID - 2)) && !game_is_uuid(ss_s(ID "0", sizeof ID)));
    for (size_t len = 1; len <= 40; len++)
        for (int c = 0; c < 256; c++) {
            char text[64];
            game_event e = {.kind = JSON_OBJECT};
            game_error error;
            memset(text, 'x', sizeof text);
            text[(size_t)c % 3 == 0 ? 0 : (size_t)c % 3 == 1 ? len - 1 : len / 2] = (char)c;
            e.members[MEMBER_ID] = (game_value){ID, sizeof ID - 1, JSON_STRING, 0};
            e.members[MEMBER_NAME] = (game_value){"n", 1, JSON_STRING, 0};
            e.members[MEMBER_TIMESTAMP] = (game_value){"1", 1, JSON_NUMBER, 0};
            e.members[MEMBER_TYPE] = (game_value){text, (uint32_t)len, JSON_STRING, 0};
            bool fits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        c == '-' || c == '_' || c == '.';
            game_event_check(&e, &error);
            if ((error.rule == RULE_NONE) != fits) {
                printf("# length %zu, byte %d\n", len, c);
                CHECK(false);
            }
        }
}

/* ---- hostile input --------------------------------------------------------------------------- */

static char *filled(const char *before, const char *what, size_t times)
{
    size_t b = strlen(before), w = strlen(what);
    char *text = malloc(b + w * times + 1);
    if (!text)
        abort();
    memcpy(text, before, b);
    for (size_t i = 0; i < times; i++)
        memcpy(text + b + i * w, what, w);
    text[b + w * times] = '\0';
    return text;
}

static void hostile_json(void)
{
    static const struct {
        const char *before, *what;
        size_t times;
    } cases[] = {{"", "[", 10u << 20},
                 {"{\"events\":", "[", 10u << 20},
                 {"{\"events\":[{\"event_data\":", "{\"a\":", 2u << 20},
                 {"{\"events\":[", "{},", 3u << 20},
                 {"{\"events\":[", "1,", 5u << 20},
                 {"{\"events\":[{\"event_timestamp\":1", "0", 10u << 20},
                 {"{\"events\":[{\"", "a", 10u << 20},
                 {"{\"events\":[{\"event_id\":\"", "\\u0061", 1u << 20},
                 {"{\"events\":[{\"a\":0", ",\"a\":1", 1u << 20},
                 {"", " ", 10u << 20}};
    testkit *k = open_kit(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *body = filled(cases[i].before, cases[i].what, cases[i].times);
        CHECK_INT(post(k, body), SS_REJECT);
        CHECK_INT(testkit_http(k), 400);
        CHECK(strlen(testkit_body(k, NULL)) < 1024);
        free(body);
    }
    close_kit(k);
}

/* Each file of the suite as event_data: what must be refused is, what must be taken is; nothing breaks. */
static void json_test_suite(void)
{
    const char *root = getenv("STREAMSTEAM_TESTDATA");
    char folder[3072];
    (void)snprintf(folder, sizeof folder, "%s/json/test_parsing", root ? root : "../shared/data");
    DIR *dir = opendir(folder);
    testkit *k = open_kit(NULL);
    size_t count = 0;
    for (const struct dirent *f = dir ? readdir(dir) : NULL; f; f = readdir(dir)) {
        static char text[1 << 20], body[(1 << 20) + 512];
        char path[4096];
        if (f->d_name[0] == '.' || f->d_name[1] != '_')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
        FILE *file = fopen(path, "rb");
        size_t len = file ? fread(text, 1, sizeof text, file) : 0;
        if (file)
            (void)fclose(file);
        size_t at =
            (size_t)sprintf(body, "{\"events\":[" E("\"a\"", "\"b\"", "1", ",\"event_data\":{\"x\":"));
        at -= 1; /* the brace that E() closes with */
        memcpy(body + at, text, len);
        at += len;
        at += (size_t)sprintf(body + at, "}}]}");
        testkit_request r = {
            .method = "POST", .target = TARGET, .headers = JSON, .body = body, .body_len = at};
        int32_t status = testkit_receive(k, &r);
        bool bom = len > 1 && ((unsigned char)text[0] == 0xEF || (unsigned char)text[0] >= 0xFE);
        if (f->d_name[0] == 'y' && !bom && status != SS_OK) {
            printf("# %s is refused: %s\n", f->d_name, testkit_body(k, NULL));
            CHECK(false);
        }
        if (f->d_name[0] == 'n' && status == SS_OK) {
            printf("# %s is taken\n", f->d_name);
            CHECK(false);
        }
        CHECK(status == SS_OK || (status == SS_REJECT && testkit_http(k) == 400));
        for (size_t i = 0; i < testkit_event_count(k); i++)
            CHECK(json_valid(ss_cstr(testkit_line(k, i))));
        count++;
    }
    if (dir)
        (void)closedir(dir);
    printf("# %zu files%s\n", count, dir ? "" : ": skipped, ../shared is not there");
    close_kit(k);
}

/* ---- tolerant -------------------------------------------------------------------------------- */

static void tolerant(void)
{
    testkit *by_option = open_kit("{\"invalid\":\"tolerate\"}"), *by_app = testkit_new(ss_plugin_v0(), NULL);
    testkit_add_application(by_app, &(testkit_app){.id = APP, .key = KEY, .flags = SS_APP_TOLERANT});
    testkit *const kits[] = {by_option, by_app};
    for (size_t i = 0; i < 2; i++) {
        testkit *k = kits[i];
        CHECK_INT(post(k, "{\"events\":[" GOOD ",{\"event_id\": 7}, " GOOD "]}"), SS_OK);
        answer_is(
            k, 200,
            "{\"Total\":3,\"FailedRecordCount\":1,\"Events\":[{\"Result\":\"Ok\"},{\"Result\":\"Error\","
            "\"ErrorCode\":"
            "\"ValidationFailed\",\"ErrorMessage\":\"events[1] must have required property 'event_type'\"},"
            "{\"Result\":\"Ok\"}]}");
        CHECK_INT(testkit_event_count(k), 2);
        REQUIRE(testkit_failed_count(k) == 1);
        testkit_input f = testkit_failed_at(k, 0);
        CHECK_STR(f.code, "validation-failed");
        CHECK_STR(f.app, APP);
        CHECK_STR(f.text, "events[1] must have required property 'event_type'");
        CHECK_STR(f.raw, "{\"event_id\": 7}");
        /* none is good: they are kept all the same */
        CHECK_INT(post(k, "{\"events\":[5]}"), SS_OK);
        CHECK_INT(testkit_failed_count(k), 1);
        CHECK_STR(testkit_failed_at(k, 0).raw, "5");
        /* what cannot be divided into events is refused as ever */
        refused(k, "{\"events\":[" GOOD ",}", "the body is not JSON: not a JSON value, at byte 212");
        refused(k, "{\"events\":[]}", "events must have 1 to 500 items, not 0");
        testkit_fail(k, TESTKIT_FAILED, 1);
        CHECK_INT(post(k, "{\"events\":[" GOOD ",5]}"), SS_REJECT);
        answer_is(k, 200, "{\"Total\":2,\"FailedRecordCount\":2,\"Events\":[" BUSY "," BUSY "]}");
        CHECK_INT(testkit_event_count(k), 0);
        close_kit(k);
    }
}

static void a_large_bad_event_is_kept_in_part(void)
{
    testkit *k = open_kit("{\"invalid\":\"tolerate\"}");
    char *body = filled("{\"events\":[{\"event_id\":\"", "x", 3u << 20);
    body = realloc(body, strlen(body) + 8);
    REQUIRE(body);
    strcat(body, "\"}]}");
    CHECK_INT(post(k, body), SS_OK);
    REQUIRE(testkit_failed_count(k) == 1);
    CHECK_INT(testkit_failed_at(k, 0).raw_len, (((3u << 20) + 15) / 2));
    free(body);
    close_kit(k);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void scenario(testkit *k)
{
    testkit_add_application(k, &(testkit_app){.id = APP, .key = KEY});
    (void)post(k, "{\"events\":[" GOOD
                  "," E("\"\\u0061\"", "\"b\"", "1", ",\"event_data\":{\"s\":\"\\ud800\"}") "]}");
    (void)post(k, "{\"events\":[{}," GOOD "]}");
    (void)testkit_parse(
        k, &(ss_message){.body = SS_LIT("{\"event\":{\"event_id\":[1,{}],\"event_timestamp\":\"0x10\"},"
                                        "\"application_id\":\"" APP "\"}")});
}

static void every_fault(void)
{
    CHECK_STR(testkit_torture(ss_plugin_v0(), NULL, scenario), "");
    CHECK_STR(testkit_torture(ss_plugin_v0(), "{\"invalid\":\"tolerate\",\"status\":\"http\"}", scenario),
              "");
}

static const check_test tests[] = {
    TEST(a_good_batch_is_stored),
    TEST(the_body_as_a_whole),
    TEST(limits),
    TEST(who_may_send),
    TEST(strangers_cost_nothing),
    TEST(signed_requests),
    TEST(preflight),
    TEST(nothing_can_be_taken),
    TEST(each_rule_alone),
    TEST(rules_in_pairs),
    TEST(odd_but_good),
    TEST(patterns_byte_by_byte),
    TEST(hostile_json),
    TEST(json_test_suite),
    TEST(tolerant),
    TEST(a_large_bad_event_is_kept_in_part),
    TEST(every_fault),
};
CHECK_MAIN(tests)
