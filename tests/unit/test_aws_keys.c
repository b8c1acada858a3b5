/* Where the AWS client finds credentials, and how it keeps them fresh. */
// libs: -lcurl
#include <fcntl.h>
#include <strings.h>

#include "tests/unit/aws_fixture.h"

#define STS_ANSWER                                                                                           \
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>"                 \
    "<SecretAccessKey>rolesecret</SecretAccessKey><SessionToken>role/token+%s</SessionToken>"                \
    "<Expiration>2025-12-01T04:24:05Z</Expiration></Credentials></AssumeRoleResult>"                         \
    "<ResponseMetadata><RequestId>sts-1</RequestId></ResponseMetadata></AssumeRoleResponse>"

static void path_in(const fixture *f, const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/%s", f->dir, name);
}

static void profiles(const fixture *f, const char *config, const char *credentials)
{
    char path[128];
    path_in(f, "config", path, sizeof path);
    write_text(path, config);
    (void)setenv("AWS_CONFIG_FILE", path, 1);
    path_in(f, "credentials", path, sizeof path);
    write_text(path, credentials);
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
}

static bool keys_are(fixture *f, const char *access, const char *secret, const char *token)
{
    aws_keys_text keys;
    int32_t rc = aws_keys_copy(f->client, &keys, NULL, &f->err);
    if (rc != SS_OK)
        printf("# %s\n", f->err.text);
    return rc == SS_OK && strcmp(keys.access_key, access) == 0 && strcmp(keys.secret, secret) == 0 &&
           strcmp(keys.token, token) == 0;
}

static void none_are_found(void)
{
    fixture f;
    fixture_init(&f);
    REQUIRE(fixture_open(&f));
    CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE);
    CHECK(strstr(f.err.text, "no AWS credentials") != NULL);
    aws_call *call = call_json(&f, "PutRecords", "{}");
    CHECK_INT(aws_reply_of(call)->result, AWS_AUTH);
    CHECK(strstr(aws_reply_of(call)->text, "no AWS credentials") != NULL);
    CHECK_INT(testkit_remote_count(f.remote), 0);
    aws_call_free(call);
    fixture_fini(&f);
}

static void the_environment_comes_first(void)
{
    fixture f;
    fixture_init(&f);
    profiles(&f, "", "[default]\naws_access_key_id = FILE\naws_secret_access_key = filesecret\n");
    fixture_keys();
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, ACCESS, SECRET, ""));
    CHECK_STR(aws_keys_source(f.client), "environment");
    aws_client_free(f.client);
    /* A profile that the options name comes before it; one that AWS_PROFILE names does not. */
    f.settings.profile = SS_LIT("default");
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "FILE", "filesecret", ""));
    aws_client_free(f.client);
    (void)unsetenv("AWS_SECRET_ACCESS_KEY");
    f.settings.profile = SS_LIT("");
    REQUIRE(fixture_open(&f));
    CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE);
    CHECK(strstr(f.err.text, "AWS_SECRET_ACCESS_KEY") != NULL);
    fixture_fini(&f);
}

static int given(void *arg, aws_keys_text *out, ss_error *err)
{
    (void)err;
    (void)snprintf(out->access_key, sizeof out->access_key, "OPTION");
    (void)snprintf(out->secret, sizeof out->secret, "%s", (const char *)arg);
    return 1;
}

static void options_come_before_all(void)
{
    char secret[] = "one";
    fixture f;
    fixture_init(&f);
    fixture_keys();
    f.settings.keys = given;
    f.settings.arg = secret;
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "OPTION", "one", ""));
    fixture_fini(&f);
}

static void profiles_are_read_as_aws_reads_them(void)
{
    fixture f;
    fixture_init(&f);
    profiles(
        &f,
        "# a comment\n[default]\nregion=us-east-1 # home\n[profile work]\nregion = eu-west-1\r\n"
        "aws_access_key_id = CONFIG\naws_secret_access_key = a#b;c=d\n[other work]\nregion = no\n",
        "[work]\naws_access_key_id=CREDENTIALS\naws_secret_access_key=x/y+z=\naws_session_token = tok\n");
    (void)setenv("AWS_PROFILE", "work", 1);
    f.settings.region = SS_LIT("");
    REQUIRE(fixture_open(&f));
    CHECK_STR(aws_region(f.client), "eu-west-1");
    CHECK(keys_are(&f, "CREDENTIALS", "x/y+z=", "tok"));
    aws_client_free(f.client);
    (void)setenv("AWS_REGION", "ap-south-1", 1);
    f.settings.profile = SS_LIT("missing");
    REQUIRE(fixture_open(&f));
    CHECK_STR(aws_region(f.client), "ap-south-1");
    CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE);
    CHECK(strstr(f.err.text, "there is no profile missing") != NULL);
    fixture_fini(&f);
}

/* Damaged and hostile files: an error or nothing, never a crash. */
static void profiles_may_be_damaged(void)
{
    static const char *const texts[] = {"",
                                        "[",
                                        "[]",
                                        "]",
                                        "=",
                                        "a=b\n[default",
                                        "[profile ]\nx=1\n",
                                        "[default]\n = \n   = \n",
                                        "[services]\n\tx",
                                        "[default]\nregion\n"};
    fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        profiles(&f, texts[i], texts[i]);
        aws_profiles *p = aws_profiles_read(&f.err);
        REQUIRE(p != NULL);
        CHECK(!aws_profile_get(p, "default", "region"));
        aws_profiles_free(p);
    }
    char path[128];
    path_in(&f, "config", path, sizeof path);
    FILE *file = fopen(path, "wb");
    (void)fwrite("[default]\nregion=\0x", 1, 19, file);
    (void)fclose(file);
    CHECK(aws_profiles_read(&f.err) == NULL);
    CHECK(strstr(f.err.text, "not a text file") != NULL);
    fixture_fini(&f);
}

static void sts_steps(fixture *f, const char *token)
{
    char body[2048];
    (void)snprintf(body, sizeof body, STS_ANSWER, token);
    step(f, 200, "Content-Type: text/xml\n", body);
    (void)setenv("AWS_ENDPOINT_URL_STS", testkit_remote_url(f->remote), 1);
}

static void a_profile_assumes_a_role(void)
{
    fixture f;
    fixture_init(&f);
    profiles(&f,
             "[profile app]\nrole_arn = arn:aws:iam::1:role/App\nsource_profile = base\nexternal_id = e/1\n"
             "role_session_name = me\nduration_seconds = 900\n",
             "[base]\naws_access_key_id = " ACCESS "\naws_secret_access_key = " SECRET "\n");
    sts_steps(&f, "1");
    f.settings.profile = SS_LIT("app");
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "ASIAROLE", "rolesecret", "role/token+1"));
    CHECK_STR(aws_keys_source(f.client), "role arn:aws:iam::1:role/App");
    testkit_seen seen = testkit_remote_seen(f.remote, 0);
    CHECK_STR(seen.body, "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2FApp&"
                         "RoleSessionName=me&DurationSeconds=900&ExternalId=e%2F1");
    CHECK_INT(verify_seen(&seen, "sts", SECRET, NOW_US, 0), SIGV4_OK);
    fixture_fini(&f);
}

static void an_option_assumes_a_role(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    sts_steps(&f, "2");
    f.settings.role_arn = SS_LIT("arn:aws:iam::2:role/R");
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "ASIAROLE", "rolesecret", "role/token+2"));
    fixture_fini(&f);
}

static void roles_may_be_refused(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    (void)setenv("AWS_ENDPOINT_URL_STS", testkit_remote_url(f.remote), 1);
    step(&f, 403, NULL,
         "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to "
         "assume</Message>"
         "</Error><RequestId>R9</RequestId></ErrorResponse>");
    f.settings.role_arn = SS_LIT("arn:aws:iam::2:role/R");
    REQUIRE(fixture_open(&f));
    CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE);
    CHECK_STR(f.err.text,
              "sts AssumeRole (arn:aws:iam::2:role/R): AccessDenied: not authorized to assume (request R9)");
    CHECK_INT(testkit_remote_count(f.remote), 1);
    fixture_fini(&f);
}

static void sts_may_fail_for_a_moment(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    step(&f, 503, NULL, "");
    step_act(&f, TESTKIT_CUT);
    sts_steps(&f, "3");
    f.settings.role_arn = SS_LIT("arn:aws:iam::2:role/R");
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "ASIAROLE", "rolesecret", "role/token+3"));
    fixture_fini(&f);
}

static void sts_corrects_the_clock(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    f.now_us = NOW_US - 7200LL * 1000000;
    step(&f, 403, "Date: Mon, 01 Dec 2025 03:24:05 GMT\n",
         "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: a is now "
         "earlier than b</Message></Error></ErrorResponse>");
    sts_steps(&f, "4");
    f.settings.role_arn = SS_LIT("arn:aws:iam::2:role/R");
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "ASIAROLE", "rolesecret", "role/token+4"));
    testkit_seen seen = testkit_remote_seen(f.remote, 1);
    CHECK_INT(verify_seen(&seen, "sts", SECRET, NOW_US, 0), SIGV4_OK);
    fixture_fini(&f);
}

static void profiles_in_a_circle(void)
{
    fixture f;
    fixture_init(&f);
    profiles(&f,
             "[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=a\n"
             "[profile m]\nrole_arn=r\nsource_profile=b\nmfa_serial=x\n[profile n]\nrole_arn=r\n"
             "[profile s]\nsso_session=x\n[profile c]\nrole_arn=r\ncredential_source=Nowhere\n",
             "");
    static const char *const rows[][2] = {{"a", "circle"},
                                          {"m", "mfa_serial"},
                                          {"n", "source_profile"},
                                          {"s", "export-credentials"},
                                          {"c", "Nowhere"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        f.settings.profile = ss_cstr(rows[i][0]);
        REQUIRE(fixture_open(&f));
        CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE);
        CHECK(strstr(f.err.text, rows[i][1]) != NULL);
        aws_client_free(f.client);
    }
    f.client = NULL;
    fixture_fini(&f);
}

static void web_identity(void)
{
    fixture f;
    char token[128];
    fixture_init(&f);
    path_in(&f, "token", token, sizeof token);
    write_text(token, "eyJ.first\n");
    (void)setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token, 1);
    REQUIRE(fixture_open(&f));
    CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE); /* AWS_ROLE_ARN is missing */
    aws_client_free(f.client);
    (void)setenv("AWS_ROLE_ARN", "arn:aws:iam::3:role/W", 1);
    (void)setenv("AWS_ROLE_SESSION_NAME", "pod", 1);
    sts_steps(&f, "w1");
    sts_steps(&f, "w2");
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "ASIAROLE", "rolesecret", "role/token+w1"));
    testkit_seen seen = testkit_remote_seen(f.remote, 0);
    CHECK(strstr(seen.body, "AssumeRoleWithWebIdentity") && strstr(seen.body, "WebIdentityToken=eyJ.first") &&
          strstr(seen.body, "RoleSessionName=pod"));
    CHECK(!strcasestr(seen.headers, "authorization"));
    /* Renewed 10 to 15 minutes ahead, with the token that lies there by then. */
    write_text(token, "eyJ.second");
    f.now_us = NOW_US + 44LL * 60 * 1000000;
    CHECK(keys_are(&f, "ASIAROLE", "rolesecret", "role/token+w1"));
    f.now_us = NOW_US + 51LL * 60 * 1000000;
    CHECK(keys_are(&f, "ASIAROLE", "rolesecret", "role/token+w2"));
    seen = testkit_remote_seen(f.remote, 1);
    CHECK(strstr(seen.body, "WebIdentityToken=eyJ.second") != NULL);
    fixture_fini(&f);
}

static void json_keys(char *out, size_t size, const char *n, const char *expires)
{
    (void)snprintf(out, size,
                   "{\"Version\":1,\"RoleArn\":\"x\",\"AccessKeyId\":\"A%s\",\"SecretAccessKey\":\"s%s\","
                   "\"Token\":\"t%s\",\"Expiration\":\"%s\"}",
                   n, n, n, expires);
}

static void a_process_prints_them(void)
{
    fixture f;
    char path[128], text[512], config[1024];
    fixture_init(&f);
    path_in(&f, "answer", path, sizeof path);
    json_keys(text, sizeof text, "1", "2025-12-01T04:24:05Z");
    write_text(path, text);
    (void)snprintf(
        config, sizeof config,
        "[default]\ncredential_process = cat \"%s\"\n[profile bad]\ncredential_process = echo '{}'\n"
        "[profile fails]\ncredential_process = exit 3\n"
        "[profile endless]\ncredential_process = yes 0123456789\n",
        path);
    profiles(&f, config, "");
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "A1", "s1", "t1"));
    CHECK_STR(aws_keys_source(f.client), "credential_process");
    json_keys(text, sizeof text, "2", "2025-12-01T05:24:05Z");
    write_text(path, text);
    f.now_us = NOW_US + 50LL * 60 * 1000000;
    CHECK(keys_are(&f, "A2", "s2", "t2"));
    aws_client_free(f.client);
    static const char *const rows[][2] = {
        {"bad", "printed no JSON"}, {"fails", "ended with a failure"}, {"endless", "64 KiB"}};
    for (size_t i = 0; i < 3; i++) {
        f.settings.profile = ss_cstr(rows[i][0]);
        REQUIRE(fixture_open(&f));
        CHECK(aws_connect(f.client, &f.err) != SS_OK);
        CHECK(strstr(f.err.text, rows[i][1]) != NULL);
        aws_client_free(f.client);
    }
    f.client = NULL;
    fixture_fini(&f);
}

static void a_container_gives_them(void)
{
    fixture f;
    char path[128], text[512], url[256];
    fixture_init(&f);
    path_in(&f, "auth", path, sizeof path);
    write_text(path, "first-token\n");
    (void)snprintf(url, sizeof url, "%s/creds?id=1", testkit_remote_url(f.remote));
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
    (void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path, 1);
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1); /* not for these */
    step(&f, 500, NULL, "");
    json_keys(text, sizeof text, "1", "2025-12-01T04:24:05Z");
    step(&f, 200, NULL, text);
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "A1", "s1", "t1"));
    testkit_seen seen = testkit_remote_seen(f.remote, 1);
    CHECK_STR(seen.target, "/creds?id=1");
    CHECK(seen_header(&seen, "authorization", text, sizeof text));
    CHECK_STR(text, "first-token");
    /* The file's token changes during the run; a refresh that fails keeps the old keys, even past their end.
     */
    write_text(path, "second-token");
    step(&f, 404, NULL, "gone");
    f.now_us = NOW_US + 2 * 3600LL * 1000000;
    CHECK(keys_are(&f, "A1", "s1", "t1"));
    CHECK(strstr(f.log, "were not renewed and are used on") != NULL);
    seen = testkit_remote_seen(f.remote, 2);
    CHECK(seen_header(&seen, "authorization", text, sizeof text));
    CHECK_STR(text, "second-token");
    CHECK(keys_are(&f, "A1", "s1", "t1")); /* and does not ask again at once */
    CHECK_INT(testkit_remote_count(f.remote), 3);
    CHECK(!strstr(f.log, "s1") && !strstr(f.log, "second-token"));
    fixture_fini(&f);
}

static void a_token_does_not_go_to_strangers(void)
{
    static const char *const urls[] = {"http://example.org/creds", "http://127.0.0.1.example.org/",
                                       "http://127.0.0.1@example.org/", "ftp://localhost/", "localhost"};
    fixture f;
    fixture_init(&f);
    (void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t", 1);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", urls[i], 1);
        REQUIRE(fixture_open(&f));
        CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE);
        CHECK(strstr(f.err.text, "must be https") != NULL);
        aws_client_free(f.client);
    }
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", testkit_remote_url(f.remote), 1);
    (void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t\r\nHost: x", 1);
    REQUIRE(fixture_open(&f));
    CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE);
    CHECK(strstr(f.err.text, "line break") != NULL);
    fixture_fini(&f);
}

static void an_instance_gives_them(void)
{
    fixture f;
    char text[512];
    fixture_init(&f);
    (void)setenv("AWS_EC2_METADATA_DISABLED", "false", 1);
    (void)setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", testkit_remote_url(f.remote), 1);
    step(&f, 200, NULL, "imds-token");
    step(&f, 200, NULL, "my-role\n");
    json_keys(text, sizeof text, "1", "2025-12-01T04:24:05Z");
    step(&f, 200, NULL, text);
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "A1", "s1", "t1"));
    CHECK_STR(aws_keys_source(f.client), "instance role my-role");
    testkit_seen seen = testkit_remote_seen(f.remote, 0);
    CHECK_STR(seen.method, "PUT");
    CHECK_STR(seen.target, "/latest/api/token");
    CHECK(seen_header(&seen, "x-aws-ec2-metadata-token-ttl-seconds", text, sizeof text));
    CHECK_STR(text, "21600");
    seen = testkit_remote_seen(f.remote, 2);
    CHECK_STR(seen.target, "/latest/meta-data/iam/security-credentials/my-role");
    CHECK(seen_header(&seen, "x-aws-ec2-metadata-token", text, sizeof text));
    CHECK_STR(text, "imds-token");
    /* Version 1 only: 404 for the token. */
    aws_client_free(f.client);
    step(&f, 404, NULL, "");
    step(&f, 200, NULL, "my-role");
    json_keys(text, sizeof text, "2", "2025-12-01T04:24:05Z");
    step(&f, 200, NULL, text);
    REQUIRE(fixture_open(&f));
    CHECK(keys_are(&f, "A2", "s2", "t2"));
    aws_client_free(f.client);
    (void)setenv("AWS_EC2_METADATA_V1_DISABLED", "true", 1);
    step(&f, 404, NULL, "");
    REQUIRE(fixture_open(&f));
    CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE);
    CHECK(strstr(f.err.text, "AWS_EC2_METADATA_V1_DISABLED") != NULL);
    aws_client_free(f.client);
    /* An instance without a role, and one that hangs: nothing found, within seconds. */
    step(&f, 200, NULL, "imds-token");
    step(&f, 404, NULL, "");
    REQUIRE(fixture_open(&f));
    CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE);
    CHECK(strstr(f.err.text, "no AWS credentials") != NULL);
    aws_client_free(f.client);
    step_act(&f, TESTKIT_HANG);
    int64_t begin = http_now_ms();
    REQUIRE(fixture_open(&f));
    CHECK_INT(aws_connect(f.client, &f.err), SS_PAUSE);
    CHECK(http_now_ms() - begin < 4000);
    fixture_fini(&f);
}

/* ExpiredToken in the middle of a run: the sources are read again and the call goes on. */
static void expired_keys_are_renewed_in_a_call(void)
{
    static const char *const codes[] = {"ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId",
                                        "UnrecognizedClientException", "InvalidSignatureException"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        fixture f;
        char body[256];
        fixture_init(&f);
        profiles(&f, "", "[default]\naws_access_key_id=OLD\naws_secret_access_key=old\n");
        (void)snprintf(body, sizeof body, "{\"__type\":\"%s\",\"message\":\"m\"}", codes[i]);
        step(&f, 200, NULL, "{}");
        step(&f, 400, NULL, body);
        step(&f, 200, NULL, "{}");
        REQUIRE(fixture_open(&f));
        aws_call_free(call_json(&f, "A", "{}"));
        profiles(&f, "", "[default]\naws_access_key_id=" ACCESS "\naws_secret_access_key=" SECRET "\n");
        aws_call *call = call_json(&f, "B", "{}");
        CHECK_INT(aws_reply_of(call)->result, AWS_OK);
        testkit_seen seen = testkit_remote_seen(f.remote, 2);
        CHECK_INT(verify_seen(&seen, "kinesis", SECRET, NOW_US, 0), SIGV4_OK);
        aws_call_free(call);
        fixture_fini(&f);
    }
}

/* The same keys again: one request, an answer that pauses, no loop, and the sources are left alone for a
 * while. */
static void refused_keys_pause(void)
{
    fixture f;
    fixture_init(&f);
    fixture_keys();
    REQUIRE(fixture_open(&f));
    const testkit_step refused = {
        .status = 403,
        .body = "{\"__type\":\"UnrecognizedClientException\",\"message\":\"token invalid\"}",
        .times = 9};
    testkit_remote_step(f.remote, &refused);
    for (int i = 0; i < 3; i++) {
        aws_call *call = call_json(&f, "PutRecords", "{}");
        CHECK_INT(aws_reply_of(call)->result, AWS_AUTH);
        CHECK_INT(aws_status(aws_reply_of(call)->result), SS_PAUSE);
        CHECK_INT(aws_reply_of(call)->attempts, 1);
        aws_call_free(call);
    }
    CHECK_INT(testkit_remote_count(f.remote), 3);
    fixture_fini(&f);
}

static void strange_json_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"AccessKeyId\":\"a\"}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\"",
        "{\"AccessKeyId\":\"a b\",\"SecretAccessKey\":\"b\"}",
        "{\"AccessKeyId\":\"a\\n\",\"SecretAccessKey\":\"b\"}",
        "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Expiration\":\"soon\"}",
        "{\"AccessKeyId\":{},\"SecretAccessKey\":\"b\"}",
        "{\"AccessKeyId\":1,\"SecretAccessKey\":\"b\"}"};
    aws_keys_found found;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        memset(&found, 0, sizeof found);
        CHECK(!aws_keys_json(ss_cstr(texts[i]), &found));
    }
    memset(&found, 0, sizeof found);
    CHECK(aws_keys_json(SS_LIT("{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Token\":null}"), &found));
    CHECK_INT(found.expires_us, 0);
}

static const check_test tests[] = {
    TEST(none_are_found),
    TEST(the_environment_comes_first),
    TEST(options_come_before_all),
    TEST(profiles_are_read_as_aws_reads_them),
    TEST(profiles_may_be_damaged),
    TEST(a_profile_assumes_a_role),
    TEST(an_option_assumes_a_role),
    TEST(roles_may_be_refused),
    TEST(sts_may_fail_for_a_moment),
    TEST(sts_corrects_the_clock),
    TEST(profiles_in_a_circle),
    TEST(web_identity),
    TEST(a_process_prints_them),
    TEST(a_container_gives_them),
    TEST(a_token_does_not_go_to_strangers),
    TEST(an_instance_gives_them),
    TEST(expired_keys_are_renewed_in_a_call),
    TEST(refused_keys_pause),
    TEST(strange_json_is_refused),
};
CHECK_MAIN(tests)
