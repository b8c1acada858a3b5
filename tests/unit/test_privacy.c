/* The enricher privacy: what is masked, cut and hashed, and what must not be left over. */
// with: enrichers/privacy/privacy.c enrichers/privacy/mask.c enrichers/privacy/referrer.c
// libs: -lcrypto
#include <arpa/inet.h>

#include "enrichers/privacy/mask.h"
#include "enrichers/privacy/referrer.h"
#include "plugins/common/keyed_hash.h"
#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

#define SALT "\"salt\":\"0123456789abcdef\""

static const ss_field fields[] = {{"ip", SS_FIELD_STRING, 0, "ip", NULL},
                                  {"geo_info.ip", SS_FIELD_STRING, 0, "ip", NULL},
                                  {"geo_info.country", SS_FIELD_STRING, 0, "country", NULL},
                                  {"client", SS_FIELD_STRING, 0, "another address", NULL},
                                  {"user_id", SS_FIELD_STRING, 0, "user", NULL},
                                  {"visitor_id", SS_FIELD_STRING, 0, "visitor", NULL},
                                  {"visitor_id_source", SS_FIELD_STRING, 0, "source", NULL},
                                  {"order_id", SS_FIELD_STRING, 0, "order", NULL},
                                  {"referral_url", SS_FIELD_STRING, 0, "referrer", NULL},
                                  {"attribution_referral_url", SS_FIELD_STRING, 0, "referrer", NULL},
                                  {"referrer_type", SS_FIELD_STRING, 0, "type", NULL},
                                  {"referrer_name", SS_FIELD_STRING, 0, "name", NULL},
                                  {"referrer_keyword", SS_FIELD_STRING, 0, "keyword", NULL},
                                  {"campaign_name", SS_FIELD_STRING, 0, "campaign", NULL},
                                  {"port", SS_FIELD_INT, 0, "number", NULL},
                                  {NULL, 0, 0, NULL, NULL}};

/* One event through a fresh enricher. */
static void expect(const char *options, const char *values, const char *line)
{
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK_STR(testkit_error(k), "");
    CHECK_STR(testkit_enrich(k, fields, values), line);
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static void masks_by_level(void)
{
    static const struct {
        const char *ip, *level[MASK_LEVEL_MAX + 1];
    } rows[] = {
        {"192.0.2.7", {"192.0.2.7", "192.0.2.0", "192.0.0.0", "192.0.0.0", "0.0.0.0"}},
        {"10.200.30.40", {"10.200.30.40", "10.200.30.0", "10.200.0.0", "10.0.0.0", "0.0.0.0"}},
        {"::ffff:10.200.30.40",
         {"::ffff:10.200.30.40", "::ffff:10.200.30.0", "::ffff:10.200.0.0", "::ffff:10.0.0.0",
          "::ffff:0.0.0.0"}},
        {"2001:db8:1234:5678:9abc:def0:1234:5678",
         {"2001:db8:1234:5678:9abc:def0:1234:5678",
          "2001:db8:1234:5678::", "2001:db8:1234::", "2001:d00::", "::"}},
        {"::1", {"::1", "::", "::", "::", "::"}},
        {"255.255.255.255", {"255.255.255.255", "255.255.255.0", "255.255.0.0", "255.0.0.0", "0.0.0.0"}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
        for (unsigned level = 0; level <= MASK_LEVEL_MAX; level++) {
            char options[32], values[128], line[128];
            (void)snprintf(options, sizeof options, "{\"ip_mask\":%u}", level);
            (void)snprintf(values, sizeof values, "{\"ip\":\"%s\"}", rows[r].ip);
            (void)snprintf(line, sizeof line, "{\"ip\":\"%s\"}", rows[r].level[level]);
            expect(options, values, line);
        }
    expect(NULL, "{\"ip\":\"192.0.2.7\"}", "{\"ip\":\"192.0.0.0\"}"); /* the default */
}

/* Our own reader against the C library's, over texts that almost are addresses. */
static void reads_as_the_library_does(void)
{
    static const char letters[] = "0012255.....::af9";
    uint64_t random = 1;
    unsigned good = 0;
    for (unsigned n = 0; n < 300000; n++) {
        char text[24], back[IP_TEXT_MAX];
        unsigned char bytes[16];
        ip_address ip;
        size_t len = 0, want = 1 + n % 16;
        for (; len < want; len++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            text[len] = len % 2 == 1 && n % 2 == 0 ? '.' : letters[(random >> 40) % (sizeof letters - 1)];
        }
        text[len] = '\0';
        bool v4 = inet_pton(AF_INET, text, bytes) == 1, v6 = !v4 && inet_pton(AF_INET6, text, bytes) == 1;
        bool ours = ip_parse(ss_s(text, len), &ip);
        if (ours != (v4 || v6) ||
            (ours && memcmp(v4 ? ip.bytes + IP_V4_AT : ip.bytes, bytes, v4 ? 4 : 16) != 0)) {
            printf("# %s\n", text);
            CHECK(false);
            return;
        }
        if (!ours)
            continue;
        good++;
        back[ip_put(back, &ip)] = '\0';
        CHECK(inet_ntop(v4 ? AF_INET : AF_INET6, bytes, text, sizeof text) && strcmp(text, back) == 0);
    }
    CHECK(good > 1000);
}

/* What is not understood could be an address all the same. */
static void removes_what_is_no_address(void)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.256",
                                      "01.2.3.4",
                                      "1.2.3.4 ",
                                      "1.2.3.4:80",
                                      "[::1]",
                                      "fe80::1%eth0",
                                      ":::",
                                      "1.2.3.4, 5.6.7.8",
                                      "1.2.3.-4",
                                      "1..2.3",
                                      "2001:db8:1234:5678:9abc:def0:1234:5678:1",
                                      "::ffff:1.2.3.4.5",
                                      "11111111111111111111111111111111111111111111111111"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char values[128];
        (void)snprintf(values, sizeof values, "{\"ip\":\"%s\"}", bad[i]);
        expect("{\"ip_mask\":1}", values, "{}");
    }
    expect("{\"ip_mask\":1}", "{\"ip\":\"1.2.3.4\\u0000\"}", "{}");
    expect("{\"ip_mask\":1}", "{\"ip\":null}", "{\"ip\":null}");
    expect("{\"ip_mask\":1,\"ip_fields\":[\"port\"]}", "{\"port\":16909060}", "{}");
    expect("{\"ip_mask\":0}", "{\"ip\":\"x\"}", "{\"ip\":\"x\"}");
}

static void masks_every_field_that_is_named(void)
{
    expect(
        NULL,
        "{\"ip\":\"1.2.3.4\",\"client\":\"1.2.3.4\",\"geo_info.ip\":\"1.2.3.4\",\"geo_info.country\":\"X\"}",
        "{\"ip\":\"1.2.0.0\",\"client\":\"1.2.3.4\",\"geo_info\":{\"ip\":\"1.2.0.0\",\"country\":\"X\"}}");
    expect("{\"ip_fields\":[\"client\",\"not_there\"]}", "{\"ip\":\"1.2.3.4\",\"client\":\"1.2.3.4\"}",
           "{\"ip\":\"1.2.3.4\",\"client\":\"1.2.0.0\"}");
    expect("{\"ip_fields\":[]}", "{\"ip\":\"1.2.3.4\"}", "{\"ip\":\"1.2.3.4\"}");
}

static void cuts_referrers(void)
{
    static const struct {
        const char *url, *no_query, *no_path;
    } rows[] = {
        {"https://a.example/p/q?x=1#f", "https://a.example/p/q", "https://a.example/"},
        {"https://a.example", "https://a.example/", "https://a.example/"},
        {"https://a.example?q=1", "https://a.example/", "https://a.example/"},
        {"https://a.example:8443/", "https://a.example:8443/", "https://a.example:8443/"},
        {"https://me:secret@a.example/p?q", "https://a.example/p", "https://a.example/"},
        {"https://a@b@c/p", "https://c/p", "https://c/"},
        {"//a.example/p#x", "//a.example/p", "//a.example/"},
        {"http://a.example/me@home?x", "http://a.example/me@home", "http://a.example/"},
        {"http://a.example\\\\p?x", "http://a.example\\\\p", "http://a.example/"},
        {"android-app://com.example/x?y", "android-app://com.example/x", "android-app://com.example/"},
        {"just words?q", "just words", NULL},
        {"/path//x?y", "/path//x", NULL},
        {"?q=//a", NULL, NULL},
        {"#", NULL, NULL},
        {"h", "h", NULL},
        {"http://", "http:///", "http:///"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        char values[256], line[256];
        (void)snprintf(values, sizeof values, "{\"referral_url\":\"%s\"}", rows[r].url);
        const char *want[] = {rows[r].no_query, rows[r].no_path, NULL};
        static const char *const options[] = {"{\"referrer\":\"exclude_query\"}",
                                              "{\"referrer\":\"exclude_path\"}",
                                              "{\"referrer\":\"exclude_all\"}"};
        for (size_t level = 0; level < 3; level++) {
            (void)snprintf(line, sizeof line, want[level] ? "{\"referral_url\":\"%s\"}" : "{}", want[level]);
            expect(options[level], values, line);
        }
        expect(NULL, values, values);
    }
}

static void keeps_campaigns(void)
{
    const char *search =
        "{\"attribution_referral_url\":\"https://s.example/?q=my+name\",\"referrer_type\":\"search\","
        "\"referrer_name\":\"S\",\"referrer_keyword\":\"my name\",\"campaign_name\":\"c\"}";
    expect("{\"referrer\":\"exclude_query\"}", search,
           "{\"attribution_referral_url\":\"https://s.example/"
           "\",\"referrer_type\":\"search\",\"referrer_name\":\"S\","
           "\"campaign_name\":\"c\"}");
    const char *campaign =
        "{\"referrer_type\":\"campaign\",\"referrer_name\":\"c\",\"referrer_keyword\":\"k\"}";
    expect("{\"referrer\":\"exclude_all\"}", campaign, campaign);
    expect("{\"referrer\":\"exclude_all\"}",
           "{\"referrer_type\":\"website\",\"referrer_name\":\"my.home.example\"}",
           "{\"referrer_type\":\"website\"}");
    expect("{\"referrer\":\"exclude_path\"}",
           "{\"referrer_type\":\"website\",\"referrer_name\":\"my.home.example\"}",
           "{\"referrer_type\":\"website\",\"referrer_name\":\"my.home.example\"}");
}

static void hash_of(const char *text, char out[KEYED_HASH_DIGITS + 1])
{
    keyed_hash h;
    keyed_hash_init(&h, SS_LIT("0123456789abcdef"));
    keyed_hash_put(&h, ss_cstr(text), out, KEYED_HASH_DIGITS);
    out[KEYED_HASH_DIGITS] = '\0';
}

static void hash_is_hmac(void)
{
    /* RFC 4231, test cases 1, 2, 6 and 7. */
    static const struct {
        const char *key;
        size_t key_len;
        int key_byte;
        const char *text, *digest;
    } rows[] = {
        {NULL, 20, 0x0b, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 4, 0, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {NULL, 131, 0xaa, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {NULL, 131, 0xaa,
         "This is a test using a larger than block-size key and a larger than block-size data. The key needs "
         "to be "
         "hashed before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char key[160], out[KEYED_HASH_DIGITS + 1];
        keyed_hash h;
        memset(key, rows[i].key_byte, sizeof key);
        if (rows[i].key)
            memcpy(key, rows[i].key, rows[i].key_len);
        keyed_hash_init(&h, ss_s(key, rows[i].key_len));
        keyed_hash_put(&h, ss_cstr(rows[i].text), out, KEYED_HASH_DIGITS);
        out[KEYED_HASH_DIGITS] = '\0';
        CHECK_STR(out, rows[i].digest);
    }
}

/* The visitor id that the receiver makes of a user id must go with it, also out of the record's key. */
static void hides_users(void)
{
    char user[KEYED_HASH_DIGITS + 1], visitor[KEYED_HASH_DIGITS + 1], line[256];
    hash_of("ann", user);
    hash_of("0a1b2c3d4e5f6071", visitor);
    const char *values =
        "{\"user_id\":\"ann\",\"visitor_id\":\"0a1b2c3d4e5f6071\",\"visitor_id_source\":\"uid\",\"@key\":"
        "\"0a1b2c3d4e5f6071\"}";
    testkit *k = testkit_new(ss_plugin_v0(), "{\"user_id\":\"hash\"," SALT "}");
    (void)snprintf(line, sizeof line,
                   "{\"user_id\":\"%.32s\",\"visitor_id\":\"%.16s\",\"visitor_id_source\":\"uid\"}", user,
                   visitor);
    CHECK_STR(testkit_enrich(k, fields, values), line);
    CHECK(strncmp(testkit_event_at(k, 0).key, visitor, 16) == 0 && strlen(testkit_event_at(k, 0).key) == 16);
    /* An id of its own is no secret. */
    CHECK_STR(
        testkit_enrich(k, fields, "{\"visitor_id\":\"0a1b2c3d4e5f6071\",\"visitor_id_source\":\"_id\"}"),
        "{\"visitor_id\":\"0a1b2c3d4e5f6071\",\"visitor_id_source\":\"_id\"}");
    testkit_free(k);
    k = testkit_new(ss_plugin_v0(), "{\"user_id\":\"remove\"," SALT "}");
    (void)snprintf(line, sizeof line, "{\"visitor_id\":\"%.16s\",\"visitor_id_source\":\"uid\"}", visitor);
    CHECK_STR(testkit_enrich(k, fields, values), line);
    CHECK_STR(testkit_enrich(k, fields, "{\"user_id\":\"ann\",\"@key\":\"ann\"}"), "{}");
    CHECK(strncmp(testkit_event_at(k, 0).key, user, 32) == 0);
    testkit_free(k);
    expect(NULL, "{\"user_id\":\"ann\",\"order_id\":\"A1\"}", "{\"user_id\":\"ann\",\"order_id\":\"A1\"}");
}

static void hides_orders(void)
{
    char order[KEYED_HASH_DIGITS + 1], line[128];
    hash_of("A1", order);
    (void)snprintf(line, sizeof line, "{\"user_id\":\"ann\",\"order_id\":\"%.32s\"}", order);
    expect("{\"order_id\":\"hash\"," SALT "}", "{\"user_id\":\"ann\",\"order_id\":\"A1\"}", line);
    expect("{\"order_id\":\"remove\"," SALT "}", "{\"user_id\":\"ann\",\"order_id\":\"A1\"}",
           "{\"user_id\":\"ann\"}");
    expect("{\"order_id\":\"hash\"," SALT "}", "{\"order_id\":\"\"}", "{\"order_id\":\"\"}");
    (void)snprintf(line, sizeof line, "{\"client\":\"%.32s\"}", order);
    expect("{\"order_id\":\"hash\",\"order_id_fields\":[\"client\"]," SALT "}", "{\"client\":\"A1\"}", line);
}

static void refuses_weak_salts(void)
{
    static const char *const bad[] = {"{\"user_id\":\"hash\"}", "{\"order_id\":\"remove\"}",
                                      "{\"user_id\":\"hash\",\"salt\":\"short\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        testkit *k = testkit_new(ss_plugin_v0(), bad[i]);
        CHECK(testkit_instance(k) == NULL);
        CHECK(strstr(testkit_error(k), "salt: a secret of 16 to 1023 bytes") != NULL);
        CHECK(!strstr(testkit_error(k), "short"));
        testkit_free(k);
    }
    testkit *k = testkit_new(ss_plugin_v0(), "{\"user_id\":\"hash\"," SALT "}");
    testkit_free(k);
    k = testkit_new(ss_plugin_v0(), "{\"ip_mask\":5}");
    CHECK(testkit_instance(k) == NULL);
    testkit_free(k);
}

/* Where geoip comes later it would look masked addresses up. */
static void tells_of_the_wrong_order(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    (void)testkit_enrich(k, fields, "{\"ip\":\"1.2.3.4\",\"geo_info.ip\":\"1.2.3.4\"}");
    (void)testkit_enrich(k, fields, "{\"ip\":\"10.2.3.4\",\"geo_info.ip\":null}");
    CHECK(testkit_alarm(k, "order") == NULL);
    (void)testkit_enrich(k, fields, "{\"ip\":\"1.2.3.4\"}");
    CHECK(testkit_alarm(k, "order") && strstr(testkit_alarm(k, "order"), "[geoip, device, bots, privacy]"));
    testkit_free(k);
    k = testkit_new(ss_plugin_v0(), "{\"masked_lookups\":true}");
    (void)testkit_enrich(k, fields, "{\"ip\":\"1.2.3.4\"}");
    CHECK(testkit_alarm(k, "order") == NULL);
    testkit_free(k);
    k = testkit_new(ss_plugin_v0(), "{\"ip_mask\":0}");
    (void)testkit_enrich(k, fields, "{\"ip\":\"1.2.3.4\"}");
    CHECK(testkit_alarm(k, "order") == NULL);
    testkit_free(k);
}

/* What cannot be made anonymous is not stored. */
static void fails_closed(void)
{
    const char *values =
        "{\"ip\":\"1.2.3.4\",\"user_id\":\"u\",\"visitor_id\":\"v\",\"visitor_id_source\":\"uid\","
        "\"referral_url\":\"http://a/b\",\"order_id\":\"o\"}";
    const char *options =
        "{\"user_id\":\"hash\",\"order_id\":\"hash\",\"referrer\":\"exclude_path\"," SALT "}";
    for (uint32_t nth = 1; nth <= 5; nth++) {
        testkit *k = testkit_new(ss_plugin_v0(), options);
        testkit_fail(k, TESTKIT_MEM, nth);
        CHECK(testkit_enrich(k, fields, values) == NULL);
        CHECK_STR(testkit_error(k), "privacy: out of memory");
        testkit_free(k);
    }
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK(testkit_enrich(k, fields, values) != NULL);
    CHECK_INT(testkit_calls(k, TESTKIT_MEM), 5);
    testkit_free(k);
}

static const check_test tests[] = {
    TEST(masks_by_level),
    TEST(reads_as_the_library_does),
    TEST(removes_what_is_no_address),
    TEST(masks_every_field_that_is_named),
    TEST(cuts_referrers),
    TEST(keeps_campaigns),
    TEST(hash_is_hmac),
    TEST(hides_users),
    TEST(hides_orders),
    TEST(refuses_weak_salts),
    TEST(tells_of_the_wrong_order),
    TEST(fails_closed),
};
CHECK_MAIN(tests)
