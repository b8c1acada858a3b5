/* The AWS client: signing, answers, retries, quota, clock, limits, endpoints.
 */
// libs: -lcurl
#include <strings.h>

#include "tests/unit/aws_fixture.h"

static void a_call_is_signed(void)
{
    fixture f;
    char text[512];
    fixture_init(&f);
    fixture_keys();
    (void)setenv("AWS_SESSION_TOKEN", "the/token+=", 1);
    REQUIRE(fixture_open(&f));
    step(&f, 200, "x-amzn-RequestId: id-1\n", "{\"a\":1}");
    aws_call *call = call_json(&f, "PutRecords", "{\"StreamName\":\"s\"}");
    const aws_reply *reply = aws_reply_of(call);
    CHECK_INT(reply->result, AWS_OK);
    CHECK_INT(reply->attempts, 1);
    CHECK(!reply->unknown);
    CHECK(ss_eq(reply->body, SS_LIT("{\"a\":1}")));
    CHECK(ss_eq(aws_header(call, "X-AMZN-requestid"), SS_LIT("id-1")));
    CHECK(reply->user == &f);
    testkit_seen seen = testkit_remote_seen(f.remote, 0);
    CHECK_STR(seen.method, "POST");
    CHECK_STR(seen.body, "{\"StreamName\":\"s\"}");
    CHECK(seen_header(&seen, "x-amz-target", text, sizeof text));
    CHECK_STR(text, "Kinesis_20131202.PutRecords");
    CHECK(seen_header(&seen, "x-amz-security-token", text, sizeof text));
    CHECK_STR(text, "the/token+=");
    CHECK(seen_header(&seen, "content-type", text, sizeof text));
    CHECK_STR(text, "application/x-amz-json-1.1");
    CHECK(!seen_header(&seen, "expect", text, sizeof text));
    CHECK_INT(verify_seen(&seen, "kinesis", SECRET, NOW_US, 0), SIGV4_OK);
    CHECK_INT(verify_seen(&seen, "kinesis", "another secret", NOW_US, 0), SIGV4_MISMATCH);
    CHECK(!strstr(f.log, SECRET) && !strstr(f.log, "the/token"));
    aws_call_free(call);
    fixture_fini(&f);
}

/* S3's form: the path as it is on the wire, the hash of the body as a header, a query, any method. */
static void other_forms_are_signed(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    REQUIRE(fixture_open(&f));
    const ss_pair headers[] = {{SS_LIT("If-None-Match"), SS_LIT("*")},
                               {SS_LIT("Content-Type"), SS_LIT("text/plain")}};
    const aws_request put = {.service = AWS_S3,
                             .method = SS_LIT("PUT"),
                             .path = SS_LIT("/bucket/a%20b//c%3D1"),
                             .query = SS_LIT("partNumber=1&uploadId=x%2Fy"),
                             .headers = headers,
                             .header_count = 2,
                             .body = SS_LIT("hello")};
    static const char *const methods[] = {"GET", "HEAD", "DELETE"};
    aws_call *call = aws_start(f.client, &put);
    CHECK_INT(aws_wait(call)->result, AWS_OK);
    aws_call_free(call);
    testkit_seen seen = testkit_remote_seen(f.remote, 0);
    CHECK_STR(seen.target, "/bucket/a%20b//c%3D1?partNumber=1&uploadId=x%2Fy");
    CHECK_STR(seen.body, "hello");
    CHECK_INT(verify_seen(&seen, "s3", SECRET, NOW_US, SIGV4_RAW_PATH), SIGV4_OK);
    for (size_t i = 0; i < 3; i++) {
        const aws_request r = {.service = AWS_S3, .method = ss_cstr(methods[i]), .path = SS_LIT("/b/k")};
        call = aws_start(f.client, &r);
        CHECK_INT(aws_wait(call)->result, AWS_OK);
        aws_call_free(call);
        seen = testkit_remote_seen(f.remote, i + 1);
        CHECK_STR(seen.method, methods[i]);
        CHECK_INT(verify_seen(&seen, "s3", SECRET, NOW_US, SIGV4_RAW_PATH), SIGV4_OK);
    }
    fixture_fini(&f);
}

static void transient_failures_are_tried_again(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    f.settings.max_attempts = 4;
    REQUIRE(fixture_open(&f));
    step(&f, 503, NULL, "");
    step_act(&f, TESTKIT_CUT);
    step_act(&f, TESTKIT_CLOSE);
    step(&f, 200, NULL, "{}");
    aws_call *call = call_json(&f, "PutRecords", "{}");
    CHECK_INT(aws_reply_of(call)->result, AWS_OK);
    CHECK_INT(aws_reply_of(call)->attempts, 4);
    CHECK(aws_reply_of(call)->unknown); /* the cut one may have been taken */
    CHECK_INT(aws_counted(f.client).unknown, 1);
    CHECK_INT(testkit_remote_count(f.remote), 4);
    aws_call_free(call);
    fixture_fini(&f);
}

static void attempts_have_an_end(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    REQUIRE(fixture_open(&f));
    for (int i = 0; i < 3; i++)
        step(&f, 500, "x-amzn-RequestId: r\n", "{\"__type\":\"InternalFailure\",\"message\":\"it broke\"}");
    aws_call *call = call_json(&f, "GetRecords", "{}");
    const aws_reply *reply = aws_reply_of(call);
    CHECK_INT(reply->result, AWS_RETRY);
    CHECK_INT(reply->attempts, 3);
    CHECK_STR(reply->code, "InternalFailure");
    CHECK_STR(reply->text, "kinesis GetRecords: InternalFailure: it broke (request r)");
    CHECK_INT(aws_status(reply->result), SS_RETRY);
    CHECK_INT(testkit_remote_count(f.remote), 3);
    aws_call_free(call);
    fixture_fini(&f);
}

static void once_means_once(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    REQUIRE(fixture_open(&f));
    step(&f, 500, NULL, "");
    const aws_request r = {
        .service = AWS_S3, .method = SS_LIT("GET"), .path = SS_LIT("/"), .flags = AWS_ONCE | AWS_UNSIGNED};
    aws_call *call = aws_start(f.client, &r);
    CHECK_INT(aws_wait(call)->result, AWS_RETRY);
    testkit_seen seen = testkit_remote_seen(f.remote, 0);
    char text[64];
    CHECK(!seen_header(&seen, "authorization", text, sizeof text));
    CHECK_INT(testkit_remote_count(f.remote), 1);
    aws_call_free(call);
    fixture_fini(&f);
}

typedef struct row {
    uint32_t status;
    const char *headers, *body;
    enum aws_result want;
    const char *code;
} row;

static void answers_are_classified(void)
{
    static const row rows[] = {
        {400, NULL, "{\"__type\":\"com.amazonaws.kinesis.v20131202#ProvisionedThroughputExceededException\"}",
         AWS_THROTTLE, "ProvisionedThroughputExceededException"},
        {400, "x-amzn-ErrorType: LimitExceededException:http://x/\n", "{}", AWS_THROTTLE,
         "LimitExceededException"},
        {429, NULL, "", AWS_THROTTLE, ""},
        {400, NULL, "{\"__type\":\"KMSThrottlingException\",\"Message\":\"m\"}", AWS_THROTTLE,
         "KMSThrottlingException"},
        {400, NULL, "{\"__type\":\"KMSAccessDeniedException\"}", AWS_AUTH, "KMSAccessDeniedException"},
        {400, NULL, "{\"__type\":\"ResourceNotFoundException\",\"message\":\"no stream\"}", AWS_AUTH,
         "ResourceNotFoundException"},
        {400, NULL, "{\"__type\":\"AccessDeniedException\"}", AWS_AUTH, "AccessDeniedException"},
        {403, NULL, "<html>a proxy</html>", AWS_AUTH, ""},
        {404, NULL, "{\"code\":\"Whatever\",\"__type\":{}}", AWS_AUTH, "Whatever"},
        {400, NULL, "not json", AWS_AUTH, ""},
        {302, "Location: http://elsewhere/\n", "", AWS_AUTH, ""},
        {400, NULL, "{\"__type\":\"ValidationException\",\"message\":\"bad\"}", AWS_POISON,
         "ValidationException"},
        {413, NULL, "", AWS_POISON, ""},
        {409, NULL, "{\"__type\":\"ConcurrentModificationException\"}", AWS_CONFLICT,
         "ConcurrentModificationException"},
        {500, NULL, "{\"__type\":\"InternalFailure\"}", AWS_RETRY, "InternalFailure"},
        {504, NULL, "<html>", AWS_RETRY, ""},
        {408, NULL, "", AWS_RETRY, ""},
        {200, NULL, "{\"Records\":[", AWS_RETRY, ""},
    };
    fixture f;
    fixture_init(&f);
    fixture_keys();
    f.settings.max_attempts = 1;
    REQUIRE(fixture_open(&f));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        step(&f, rows[i].status, rows[i].headers, rows[i].body);
        aws_call *call = call_json(&f, "PutRecords", "{}");
        CHECK_INT(aws_reply_of(call)->result, rows[i].want);
        CHECK_STR(aws_reply_of(call)->code, rows[i].code);
        CHECK_INT(aws_reply_of(call)->status, rows[i].status);
        aws_call_free(call);
    }
    fixture_fini(&f);
}

static void xml_errors_are_read(void)
{
    static const row rows[] = {
        {403, NULL,
         "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>No &amp; "
         "no</Message><RequestId>R1</RequestId></Error>",
         AWS_AUTH, "AccessDenied"},
        {412, NULL, "<Error><Code>PreconditionFailed</Code></Error>", AWS_CONFLICT, "PreconditionFailed"},
        {409, NULL, "<Error><Code>ConditionalRequestConflict</Code></Error>", AWS_CONFLICT,
         "ConditionalRequestConflict"},
        {503, NULL, "<Error><Code>SlowDown</Code></Error>", AWS_THROTTLE, "SlowDown"},
        {301, NULL, "<Error><Code>PermanentRedirect</Code></Error>", AWS_AUTH, "PermanentRedirect"},
        {404, NULL, "<Error><Code>NoSuchBucket</Code></Error>", AWS_AUTH, "NoSuchBucket"},
        {200, NULL, "<?xml version=\"1.0\"?>  \n<Error><Code>InternalError</Code></Error>", AWS_RETRY,
         "InternalError"},
        {200, NULL, "<CompleteMultipartUploadResult><Error/></CompleteMultipartUploadResult>", AWS_OK, ""},
        {400, NULL, "<Error><Code>RequestTimeout</Code></Error>", AWS_RETRY, "RequestTimeout"},
        {400, NULL, "<Error><Code>EntityTooLarge</Code></Error>", AWS_POISON, "EntityTooLarge"},
    };
    fixture f;
    fixture_init(&f);
    fixture_keys();
    f.settings.max_attempts = 1;
    REQUIRE(fixture_open(&f));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const aws_request r = {
            .service = AWS_S3, .method = SS_LIT("PUT"), .path = SS_LIT("/b/k"), .body = SS_LIT("x")};
        step(&f, rows[i].status, rows[i].headers, rows[i].body);
        aws_call *call = aws_start(f.client, &r);
        CHECK_INT(aws_wait(call)->result, rows[i].want);
        CHECK_STR(aws_reply_of(call)->code, rows[i].code);
        if (i == 0)
            CHECK_STR(aws_reply_of(call)->text, "s3 /b/k: AccessDenied: No & no (request R1)");
        aws_call_free(call);
    }
    fixture_fini(&f);
}

static void the_quota_ends(void)
{
    aws_quota q;
    uint32_t taken = 0, retries = 0;
    aws_quota_start(&q);
    while ((taken = aws_quota_take(&q, false)) != 0)
        retries++;
    CHECK_INT(retries, AWS_QUOTA_FULL / 5);
    aws_quota_give(&q, 5);
    CHECK_INT(aws_quota_take(&q, false), 5);
    CHECK_INT(aws_quota_take(&q, false), 0);
    for (int i = 0; i < 9; i++)
        aws_quota_give(&q, 0);
    CHECK_INT(aws_quota_take(&q, true), 0);
    aws_quota_give(&q, 0);
    CHECK_INT(aws_quota_take(&q, true), 10);
    for (int i = 0; i < 1000; i++)
        aws_quota_give(&q, 10);
    CHECK_INT(q.tokens, AWS_QUOTA_FULL);
    for (uint32_t attempt = 1; attempt < 12; attempt++)
        for (int i = 0; i < 200; i++) {
            int64_t ms = aws_backoff_ms(attempt, true);
            int64_t most = attempt < 6 ? 1000LL << (attempt - 1) : 20000;
            CHECK(ms >= 0 && ms <= (most < 20000 ? most : 20000));
        }
}

static void a_client_without_quota_does_not_retry(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    REQUIRE(fixture_open(&f));
    const testkit_step broken = {
        .act = TESTKIT_ANSWER, .status = 500, .headers = "Retry-After: 0\n", .times = 1000};
    testkit_remote_step(f.remote, &broken);
    aws_call *calls[120];
    for (size_t i = 0; i < 120; i++)
        calls[i] = aws_json(f.client, AWS_KINESIS, "PutRecords", SS_LIT("{}"), 0, NULL);
    for (size_t i = 0; i < 120; i++) {
        CHECK_INT(aws_wait(calls[i])->result, AWS_RETRY);
        aws_call_free(calls[i]);
    }
    CHECK_INT(testkit_remote_count(f.remote), 120 + 100); /* 500 tokens, 5 each */
    fixture_fini(&f);
}

static void a_wrong_clock_is_corrected(void)
{
    static const struct {
        const char *date, *body;
        int64_t off_s;
    } rows[] = {
        {"Date: Mon, 01 Dec 2025 03:24:05 GMT\n", "{\"__type\":\"RequestTimeTooSkewed\"}", 3600},
        {"Date: Mon, 01 Dec 2025 03:24:05 GMT\n",
         "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired: 1 is now earlier than "
         "2\"}",
         -7200},
        {"Date: Mon, 01 Dec 2025 03:24:05 GMT\n",
         "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature not yet current: 1\"}", 86400},
    };
    for (size_t i = 0; i < 3; i++) {
        fixture f;
        fixture_init(&f);
        fixture_keys();
        REQUIRE(fixture_open(&f));
        f.now_us = NOW_US + rows[i].off_s * 1000000;
        step(&f, 400, rows[i].date, rows[i].body);
        step(&f, 200, NULL, "{}");
        step(&f, 200, NULL, "{}");
        aws_call *call = call_json(&f, "ListShards", "{}");
        CHECK_INT(aws_reply_of(call)->result, AWS_OK);
        aws_call_free(call);
        aws_call_free(call_json(&f, "ListShards", "{}"));
        for (size_t n = 0; n < 3; n++) {
            testkit_seen seen = testkit_remote_seen(f.remote, n);
            CHECK_INT(verify_seen(&seen, "kinesis", SECRET, NOW_US, 0), n ? SIGV4_OK : SIGV4_SKEWED);
        }
        CHECK(strstr(f.log, "the clock of this machine is") != NULL);
        fixture_fini(&f);
    }
}

/* The service says that the time is wrong, but its Date says otherwise: no circle. */
static void a_right_clock_is_kept(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    REQUIRE(fixture_open(&f));
    const testkit_step s = {.status = 403,
                            .headers = "Date: Mon, 01 Dec 2025 03:24:05 GMT\n",
                            .body = "{\"__type\":\"RequestTimeTooSkewed\"}",
                            .times = 10};
    testkit_remote_step(f.remote, &s);
    aws_call *call = call_json(&f, "ListShards", "{}");
    CHECK_INT(aws_reply_of(call)->result, AWS_AUTH);
    CHECK_INT(testkit_remote_count(f.remote), 1);
    aws_call_free(call);
    fixture_fini(&f);
}

static void dates_are_read(void)
{
    CHECK_INT(aws_http_date(SS_LIT("Mon, 01 Dec 2025 03:24:05 GMT")), NOW_US);
    CHECK_INT(aws_http_date(SS_LIT("Thu, 01 Jan 1970 00:00:00 GMT")), 0);
    CHECK_INT(aws_http_date(SS_LIT("")), 0);
    CHECK_INT(aws_http_date(SS_LIT("Mon, 01 Xyz 2025 03:24:05 GMT")), 0);
    CHECK_INT(aws_http_date(SS_LIT("Mon, 01 anF 2025 03:24:05 GMT")), 0);
    CHECK_INT(aws_http_date(SS_LIT("2025-12-01T03:24:05Z and more text")), 0);
}

static void slow_answers_end_at_the_deadline(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    f.settings.timeout_ms = 150;
    f.settings.max_attempts = 2;
    REQUIRE(fixture_open(&f));
    step_act(&f, TESTKIT_HANG);
    step_act(&f, TESTKIT_HANG);
    aws_call *call = call_json(&f, "PutRecords", "{}");
    CHECK_INT(aws_reply_of(call)->result, AWS_RETRY);
    CHECK_INT(aws_reply_of(call)->attempts, 2);
    CHECK(aws_reply_of(call)->unknown);
    CHECK(strstr(aws_reply_of(call)->text, "no answer in time") != NULL);
    CHECK_INT(aws_counted(f.client).timeouts, 2);
    aws_call_free(call);
    /* The batch's deadline comes before the attempt's. */
    step_act(&f, TESTKIT_HANG);
    int64_t begin = http_now_ms();
    call = aws_json(f.client, AWS_KINESIS, "PutRecords", SS_LIT("{}"), f.now_us + 80000, NULL);
    CHECK_INT(aws_wait(call)->result, AWS_RETRY);
    CHECK_INT(aws_reply_of(call)->attempts, 1);
    CHECK(http_now_ms() - begin < 1500);
    aws_call_free(call);
    fixture_fini(&f);
}

static void answers_are_bounded(void)
{
    fixture f;
    char *big = malloc(200001);
    fixture_init(&f);
    fixture_keys();
    REQUIRE(fixture_open(&f));
    memset(big, ' ', 200000);
    big[200000] = '\0';
    step(&f, 200, NULL, big);
    const aws_request r = {
        .service = AWS_KINESIS, .method = SS_LIT("POST"), .path = SS_LIT("/"), .max_body = 100000};
    aws_call *call = aws_start(f.client, &r);
    CHECK_INT(aws_wait(call)->result, AWS_POISON);
    CHECK(strstr(aws_reply_of(call)->text, "larger than its limit") != NULL);
    aws_call_free(call);
    free(big);
    fixture_fini(&f);
}

static void several_are_in_flight(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    f.settings.max_in_flight = 8;
    REQUIRE(fixture_open(&f));
    const testkit_step slow = {.act = TESTKIT_SLOW, .body = "{\"0\":0}", .delay_ms = 30, .times = 100};
    testkit_remote_step(f.remote, &slow);
    int64_t begin = http_now_ms();
    for (size_t i = 0; i < 24; i++)
        CHECK(aws_json(f.client, AWS_KINESIS, "PutRecords", SS_LIT("{}"), 0, NULL) != NULL);
    CHECK_INT(aws_in_flight(f.client), 24);
    size_t done = 0;
    while (done < 24 && http_now_ms() - begin < 20000) {
        (void)aws_poll(f.client, 1000);
        for (aws_call *call; (call = aws_done(f.client)) != NULL; done++) {
            CHECK_INT(aws_reply_of(call)->result, AWS_OK);
            aws_call_free(call);
        }
    }
    CHECK_INT(done, 24);
    CHECK(http_now_ms() - begin <
          24 * 7 * 30 / 2); /* one after the other would take twice as long at least */
    CHECK_INT(aws_in_flight(f.client), 0);
    CHECK_INT(aws_poll(f.client, 0), 0);
    fixture_fini(&f);
}

static void calls_may_be_left(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    REQUIRE(fixture_open(&f));
    step_act(&f, TESTKIT_HANG);
    step(&f, 200, NULL, "{}");
    aws_call *first = aws_json(f.client, AWS_KINESIS, "A", SS_LIT("{}"), 0, NULL);
    (void)aws_poll(f.client, 50);
    aws_call_free(first);
    aws_call *second = call_json(&f, "B", "{}");
    CHECK_INT(aws_reply_of(second)->result, AWS_OK);
    aws_call_free(second);
    (void)aws_json(f.client, AWS_KINESIS, "C", SS_LIT("{}"), 0, NULL); /* the client ends it */
    fixture_fini(&f);
}

static void nobody_listens(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    f.settings.endpoint = SS_LIT("http://127.0.0.1:1");
    f.settings.max_attempts = 1;
    REQUIRE(fixture_open(&f));
    aws_call *call = call_json(&f, "PutRecords", "{}");
    CHECK_INT(aws_reply_of(call)->result, AWS_RETRY);
    CHECK(!aws_reply_of(call)->unknown);
    CHECK(strstr(aws_reply_of(call)->text, "127.0.0.1:1") != NULL);
    aws_call_free(call);
    fixture_fini(&f);
}

/* A header is a line: what comes from outside must not make another. */
static void headers_are_lines(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    REQUIRE(fixture_open(&f));
    const ss_pair evil = {SS_LIT("x-amz-meta-a"), SS_LIT("1\r\nx-amz-acl: public-read")};
    const aws_request r = {.service = AWS_S3,
                           .method = SS_LIT("PUT"),
                           .path = SS_LIT("/b/k"),
                           .headers = &evil,
                           .header_count = 1};
    aws_call *call = aws_start(f.client, &r);
    CHECK_INT(aws_wait(call)->result, AWS_POISON);
    CHECK_INT(testkit_remote_count(f.remote), 0);
    aws_call_free(call);
    fixture_fini(&f);
}

typedef struct place_row {
    const char *region;
    const aws_service *service;
    bool fips, dual;
    const char *url;
} place_row;

static void endpoints_follow_the_region(void)
{
    static const place_row rows[] = {
        {"eu-central-1", AWS_KINESIS, false, false, "https://kinesis.eu-central-1.amazonaws.com"},
        {"us-east-1", AWS_KINESIS, true, false, "https://kinesis-fips.us-east-1.amazonaws.com"},
        {"us-east-1", AWS_KINESIS, false, true, "https://kinesis.us-east-1.api.aws"},
        {"us-east-1", AWS_S3, true, true, "https://s3-fips.dualstack.us-east-1.amazonaws.com"},
        {"cn-north-1", AWS_FIREHOSE, false, false, "https://firehose.cn-north-1.amazonaws.com.cn"},
        {"cn-north-1", AWS_KINESIS, false, true, "https://kinesis.cn-north-1.api.amazonwebservices.com.cn"},
        {"us-gov-west-1", AWS_GLUE, true, false, "https://glue-fips.us-gov-west-1.amazonaws.com"},
    };
    fixture f;
    char url[AWS_URL_MAX];
    fixture_init(&f);
    aws_profiles *none = aws_profiles_read(&f.err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        aws_place place = {.fips = rows[i].fips, .dual_stack = rows[i].dual, .profile = "default"};
        (void)snprintf(place.region, sizeof place.region, "%s", rows[i].region);
        CHECK_INT(aws_place_url(&place, none, rows[i].service, url, sizeof url, &f.err), SS_OK);
        CHECK_STR(url, rows[i].url);
    }
    aws_place bad = {.region = "evil.example/", .profile = "default"}, no_region = {.region = ""};
    CHECK_INT(aws_place_url(&bad, none, AWS_S3, url, sizeof url, &f.err), SS_PAUSE);
    CHECK(strstr(f.err.text, "is not a region") != NULL);
    CHECK_INT(aws_place_url(&no_region, none, AWS_S3, url, sizeof url, &f.err), SS_PAUSE);
    CHECK(strstr(f.err.text, "set `region`") != NULL);
    aws_profiles_free(none);
    fixture_fini(&f);
}

static void endpoints_may_be_set(void)
{
    fixture f;
    char path[128], url[AWS_URL_MAX];
    fixture_init(&f);
    (void)snprintf(path, sizeof path, "%s/config", f.dir);
    (void)setenv("AWS_CONFIG_FILE", path, 1);
    write_text(
        path,
        "[default]\nservices = mine\nendpoint_url = http://profile:1\n\n[services mine]\nkinesis =\n"
        "  endpoint_url = http://service:2/\n  other = 1\nemr_serverless =\n  endpoint_url = https://e:3\n");
    f.settings.endpoint = SS_LIT("");
    REQUIRE(fixture_open(&f));
    CHECK_INT(aws_endpoint(f.client, AWS_KINESIS, url, sizeof url, &f.err), SS_OK);
    CHECK_STR(url, "http://service:2");
    CHECK_INT(aws_endpoint(f.client, AWS_EMR_SERVERLESS, url, sizeof url, &f.err), SS_OK);
    CHECK_STR(url, "https://e:3");
    CHECK_INT(aws_endpoint(f.client, AWS_S3, url, sizeof url, &f.err), SS_OK);
    CHECK_STR(url, "http://profile:1");
    (void)setenv("AWS_ENDPOINT_URL", "http://all:4", 1);
    CHECK_INT(aws_endpoint(f.client, AWS_KINESIS, url, sizeof url, &f.err), SS_OK);
    CHECK_STR(url, "http://all:4");
    (void)setenv("AWS_ENDPOINT_URL_REDSHIFT_DATA", "http://data:5/base", 1);
    CHECK_INT(aws_endpoint(f.client, AWS_REDSHIFT_DATA, url, sizeof url, &f.err), SS_OK);
    CHECK_STR(url, "http://data:5/base");
    (void)setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
    CHECK_INT(aws_endpoint(f.client, AWS_KINESIS, url, sizeof url, &f.err), SS_OK);
    CHECK_STR(url, "https://kinesis.eu-central-1.amazonaws.com");
    (void)unsetenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    (void)setenv("AWS_ENDPOINT_URL_KINESIS", "ftp://x", 1);
    CHECK_INT(aws_endpoint(f.client, AWS_KINESIS, url, sizeof url, &f.err), SS_PAUSE);
    CHECK(strstr(f.err.text, "not a URL") != NULL);
    fixture_fini(&f);
}

/* A reused connection that ends after the request was sent: nobody may send it a second time unseen. */
static char *nothing(void *arg, const testkit_seen *request)
{
    (void)arg, (void)request;
    return strdup("{}");
}

static void a_repeat_is_never_silent(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    f.settings.max_attempts = 1;
    REQUIRE(fixture_open(&f));
    const testkit_step good = {.make = nothing};
    testkit_remote_step(f.remote, &good);
    step_act(&f, TESTKIT_CLOSE);
    aws_call *call = call_json(&f, "PutRecords", "{}");
    CHECK_INT(aws_reply_of(call)->result, AWS_OK);
    aws_call_free(call);
    call = call_json(&f, "PutRecords", "{}");
    CHECK_INT(aws_reply_of(call)->result, AWS_RETRY);
    CHECK(aws_reply_of(call)->unknown);
    CHECK_INT(testkit_remote_count(f.remote), 2);
    aws_call_free(call);
    fixture_fini(&f);
}

static const check_test tests[] = {
    TEST(a_call_is_signed),
    TEST(other_forms_are_signed),
    TEST(transient_failures_are_tried_again),
    TEST(attempts_have_an_end),
    TEST(once_means_once),
    TEST(answers_are_classified),
    TEST(xml_errors_are_read),
    TEST(the_quota_ends),
    TEST(a_client_without_quota_does_not_retry),
    TEST(a_wrong_clock_is_corrected),
    TEST(a_right_clock_is_kept),
    TEST(dates_are_read),
    TEST(slow_answers_end_at_the_deadline),
    TEST(answers_are_bounded),
    TEST(several_are_in_flight),
    TEST(calls_may_be_left),
    TEST(nobody_listens),
    TEST(headers_are_lines),
    TEST(endpoints_follow_the_region),
    TEST(endpoints_may_be_set),
    TEST(a_repeat_is_never_silent),
};
CHECK_MAIN(tests)
