// libs: -lrdkafka -lcurl
/* MSK's tokens, compared with what botocore's SigV4QueryAuth makes of the same keys, region and time. */
#include "plugins/common/aws/aws.h"
#include "plugins/common/kafka_client.h"
#include "tests/unit/check.h"

#define SCOPE "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F"

static const struct {
    const char *region, *token;
    int64_t now_s;
    const char *url;
} vectors[] = {
    {"eu-central-1", "", 1767225600,
     "https://kafka.eu-central-1.amazonaws.com/?Action=kafka-cluster%3AConnect&" SCOPE
     "20260101%2Feu-central-1%2Fkafka-cluster%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=900&"
     "X-Amz-SignedHeaders=host&X-Amz-Signature="
     "42f794d62c0c10d20b5bc9075f7af80c2b7c3fc23d4fd90babfc70162694c110"},
    {"us-east-1", "FwoGZXIvYXdzEXAMPLE+/=token", 1790000000,
     "https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3AConnect&" SCOPE
     "20260921%2Fus-east-1%2Fkafka-cluster%2Faws4_request&X-Amz-Date=20260921T141320Z&X-Amz-Expires=900&"
     "X-Amz-SignedHeaders=host&X-Amz-Security-Token=FwoGZXIvYXdzEXAMPLE%2B%2F%3Dtoken&"
     "X-Amz-Signature=bbcd4f94ffabb1d8dda079daa2e736592f8fe8e89ed96b5a33e9f332acbaaba9"},
    {"cn-north-1", "", 1700000000,
     "https://kafka.cn-north-1.amazonaws.com/?Action=kafka-cluster%3AConnect&" SCOPE
     "20231114%2Fcn-north-1%2Fkafka-cluster%2Faws4_request&X-Amz-Date=20231114T221320Z&X-Amz-Expires=900&"
     "X-Amz-SignedHeaders=host&X-Amz-Signature="
     "94b24c50d84db72f5ecdc371ef065ce2e41f676f0647d54cd9543b12d4077287"},
};

static size_t decode(const char *text, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0, have = 0;
    size_t len = 0;
    for (; *text; text++) {
        const char *at = strchr(digits, *text);
        if (!at)
            return 0;
        bits = bits << 6 | (uint32_t)(at - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[len++] = (char)(bits >> have & 255);
        }
    }
    return len;
}

/* Parameters in any order: the same set. */
static bool has_each(const char *url, const char *wanted)
{
    char copy[4096], *save = NULL;
    (void)snprintf(copy, sizeof copy, "%s", wanted);
    for (char *part = strtok_r(copy, "?&", &save); part; part = strtok_r(NULL, "?&", &save))
        if (!strstr(url, part))
            return false;
    return true;
}

static void tokens_are_botocores(void)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        static aws_keys_text keys;
        static char token[KAFKA_MSK_TOKEN_MAX], url[KAFKA_MSK_TOKEN_MAX];
        (void)snprintf(keys.access_key, sizeof keys.access_key, "AKIDEXAMPLE");
        (void)snprintf(keys.secret, sizeof keys.secret, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        (void)snprintf(keys.token, sizeof keys.token, "%s", vectors[i].token);
        REQUIRE(kafka_msk_token(&keys, vectors[i].region, vectors[i].now_s * 1000000, token));
        size_t len = decode(token, url);
        REQUIRE(len > 0);
        url[len] = '\0';
        CHECK(has_each(url, vectors[i].url));
        CHECK(len == strlen(vectors[i].url) + strlen("&User-Agent=" KAFKA_MSK_AGENT));
        CHECK_STR(url + len - strlen("&User-Agent=" KAFKA_MSK_AGENT), "&User-Agent=" KAFKA_MSK_AGENT);
    }
}

static void keys_that_do_not_fit_are_refused(void)
{
    static aws_keys_text keys;
    static char token[KAFKA_MSK_TOKEN_MAX];
    memset(keys.token, '/', sizeof keys.token - 1); /* three bytes each in a query */
    CHECK(!kafka_msk_token(&keys, "eu-central-1", 0, token));
}

static const check_test tests[] = {TEST(tokens_are_botocores), TEST(keys_that_do_not_fit_are_refused)};
CHECK_MAIN(tests)
