/* Module redshift from inside: what Redshift's words mean, the note beside the cursor, where objects go. */
// with: modules/redshift/api.c modules/redshift/stage.c
// libs: -lcurl -lz
#include "modules/redshift/api.h"
#include "modules/redshift/stage.h"
#include "tests/unit/check.h"

static void words_mean_something(void)
{
    static const struct {
        const char *why;
        int32_t rc;
    } cases[] = {
        {"ERROR: Load into table 'x' failed.  Check 'sys_load_error_detail' system table for details.",
         SS_REJECT},
        {"ERROR: Load into table 'x' failed.  Check 'stl_load_errors' system table for details.", SS_REJECT},
        {"ERROR: User arn:aws:redshift:x is not authorized to assume IAM Role arn:aws:iam::1:role/x",
         SS_PAUSE},
        {"ERROR: S3ServiceException:Access Denied,Status 403,Error AccessDenied", SS_PAUSE},
        {"ERROR: permission denied for relation event_data", SS_PAUSE},
        {"FATAL: password authentication failed for user \"x\"", SS_PAUSE},
        {"ERROR: relation \"public.events\" does not exist", SS_FATAL},
        {"ERROR: Serializable isolation violation on table - 1", SS_RETRY},
        {"ERROR: S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey", SS_RETRY},
        {"", SS_RETRY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_INT(api_meaning(cases[i].why), cases[i].rc);
}

static void buckets_have_names(void)
{
    static const char *const bad[] = {
        "",         "s3://",        "s3://ab",         "s3://Bucket/x", "http://bucket/x",
        "bucket/x", "s3://b_c_d/x", "s3://bucket/it's"};
    ss_error err = {.struct_size = sizeof err};
    aws_settings settings = {.region = SS_LIT("eu-central-1")};
    stage s = {.aws = aws_client_new(&settings, &err)};
    REQUIRE(s.aws);
    CHECK(stage_target(&s, SS_LIT("s3://bucket"), &err));
    CHECK_STR(s.bucket, "bucket");
    CHECK_STR(s.prefix, "");
    CHECK(stage_target(&s, SS_LIT("s3://bucket/a/b"), &err));
    CHECK_STR(s.prefix, "a/b/");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!stage_target(&s, ss_cstr(bad[i]), &err));
    aws_client_free(s.aws);
}

static void gzip_is_one_member(void)
{
    buf out;
    buf_init(&out, 1 << 20);
    CHECK(stage_gzip(SS_LIT("{}\n{}\n"), &out));
    CHECK(out.len > 18 && (unsigned char)out.ptr[0] == 0x1f && (unsigned char)out.ptr[1] == 0x8b);
    CHECK_INT((unsigned char)out.ptr[out.len - 4], 6); /* the length of what it holds */
    CHECK_INT(stage_crc(0, SS_LIT("123456789")), 0xcbf43926);
    buf_fini(&out);
}

static const check_test tests[] = {
    TEST(words_mean_something),
    TEST(buckets_have_names),
    TEST(gzip_is_one_member),
};
CHECK_MAIN(tests)
