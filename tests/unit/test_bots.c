/* The enricher bots: whom it takes for one, and whom it must not. */
// with: enrichers/bots/bots.c enrichers/bots/networks.c enrichers/bots/words.c
#include "enrichers/bots/networks.h"
#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

static const ss_field fields[] = {{"ip", SS_FIELD_STRING, 0, "ip", NULL},
                                  {"user_agent", SS_FIELD_STRING, 0, "ua", NULL},
                                  {"is_bot", SS_FIELD_BOOL, 0, "as the receiver has it", NULL},
                                  {"bots_allowed", SS_FIELD_BOOL, 0, "bots=1", NULL},
                                  {"bot_reason", SS_FIELD_STRING, 0, "of another bots", NULL},
                                  {"device_info.crawler.is_crawler", SS_FIELD_BOOL, 0, "of device", NULL},
                                  {"device_info.crawler.category", SS_FIELD_STRING, 0, "of device", NULL},
                                  {"device_info.crawler.name", SS_FIELD_STRING, 0, "of device", NULL},
                                  {NULL, 0, 0, NULL, NULL}};

/* What was added: "" = no bot, "reason name", or NULL = dropped. */
static void expect(testkit *k, const char *values, const char *verdict)
{
    char want[256] = "";
    const char *line = testkit_enrich(k, fields, values);
    if (!verdict) {
        CHECK(line == NULL);
        return;
    }
    const char *space = strchr(verdict, ' ');
    if (!*verdict)
        (void)snprintf(want, sizeof want, "\"is_bot\":false");
    else if (!space)
        (void)snprintf(want, sizeof want, "\"bot_reason\":\"%s\"", verdict);
    else
        (void)snprintf(want, sizeof want, "\"bot_reason\":\"%.*s\",\"bot_name\":\"%s\"",
                       (int)(space - verdict), verdict, space + 1);
    CHECK(line && strstr(line, want) && (!*verdict || strstr(line, "\"is_bot\":true")));
    CHECK(line && (*verdict || !strstr(line, "bot_")));
    if (check_failed)
        printf("# %s: %s, want %s\n", values, line ? line : "dropped", verdict);
    CHECK_STR(testkit_problems(k), "");
}

/* Both ends of each fixed range, and their neighbours outside. */
static void known_networks(void)
{
    static const struct {
        const char *first, *last, *name;
    } rows[] = {
        {"216.239.32.0", "216.239.63.255", "Google"},    {"64.233.160.0", "64.233.191.255", "Google"},
        {"66.249.80.0", "66.249.95.255", "Google"},      {"72.14.192.0", "72.14.255.255", "Google"},
        {"209.85.128.0", "209.85.255.255", "Google"},    {"66.102.0.0", "66.102.15.255", "Google"},
        {"74.125.0.0", "74.125.255.255", "Google"},      {"64.18.0.0", "64.18.15.255", "Google"},
        {"207.126.144.0", "207.126.159.255", "Google"},  {"173.194.0.0", "173.194.255.255", "Google"},
        {"64.4.0.0", "64.4.63.255", "Microsoft"},        {"65.52.0.0", "65.55.255.255", "Microsoft"},
        {"157.54.0.0", "157.60.255.255", "Microsoft"},   {"207.46.0.0", "207.46.255.255", "Microsoft"},
        {"207.68.128.0", "207.68.207.255", "Microsoft"}, {"131.253.16.0", "131.253.31.255", "Microsoft"},
        {"72.30.192.0", "72.30.207.255", "Yahoo"},       {"98.137.192.0", "98.137.207.255", "Yahoo"},
        {"1.202.218.8", "1.202.218.8", "1.202.218.8"},
    };
    networks n = {0};
    CHECK_INT(networks_add_known(&n), SS_OK);
    networks_seal(&n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ip_address first, last;
        REQUIRE(ip_parse(ss_cstr(rows[i].first), &first) && ip_parse(ss_cstr(rows[i].last), &last));
        const network *a = networks_find(&n, &first), *b = networks_find(&n, &last);
        CHECK(a && ss_eq(a->name, ss_cstr(rows[i].name)));
        CHECK(b && ss_eq(b->name, ss_cstr(rows[i].name)));
        for (size_t k = IP_BYTES; k-- > IP_V4_AT;) /* one below, one above */
            if (first.bytes[k]-- != 0)
                break;
        for (size_t k = IP_BYTES; k-- > IP_V4_AT;)
            if (++last.bytes[k] != 0)
                break;
        if (networks_find(&n, &first) || networks_find(&n, &last)) {
            printf("# beside %s\n", rows[i].first);
            CHECK(false);
        }
    }
    networks_free(&n);
}

/* Against looking at every range. */
static void nested_networks(void)
{
    static const char *const texts[] = {"10.0.0.0/8",    "10.1.0.0/16",    "10.1.2.0/24", "10.1.2.3",
                                        "10.1.*.*",      "10.200.0.0/14",  "0.0.0.0/1",   "::/0",
                                        "2001:db8::/32", "2001:db8:1::/48"};
    static const char *const asked[] = {"10.1.2.3",   "10.1.2.4",     "10.1.3.1",        "10.2.0.0",
                                        "11.0.0.0",   "10.203.255.1", "200.1.1.1",       "2001:db8:1::5",
                                        "2001:db8::", "2002::",       "::ffff:10.1.2.3", "127.255.255.255",
                                        "128.0.0.0"};
    for (unsigned set = 1; set < 1u << 10; set++) {
        networks n = {0};
        ip_range range;
        for (size_t i = 0; i < 10; i++) {
            if (!(set >> i & 1u))
                continue;
            REQUIRE(ip_range_parse(ss_cstr(texts[i]), &range));
            CHECK_INT(networks_add(&n, &range, ss_cstr(texts[i])), SS_OK);
        }
        networks_seal(&n);
        for (size_t a = 0; a < sizeof asked / sizeof *asked; a++) {
            ip_address ip;
            bool in = false;
            REQUIRE(ip_parse(ss_cstr(asked[a]), &ip));
            for (size_t i = 0; i < 10; i++)
                if ((set >> i & 1u) && ip_range_parse(ss_cstr(texts[i]), &range))
                    in |= memcmp(range.low, ip.bytes, IP_BYTES) <= 0 &&
                          memcmp(range.high, ip.bytes, IP_BYTES) >= 0;
            CHECK_INT(networks_find(&n, &ip) != NULL, in);
        }
        networks_free(&n);
    }
}

static void ranges_as_text(void)
{
    static const char *const good[] = {"1.2.3.4",        "1.2.3.4/0",    "1.2.3.4/32", "1.2.3.*",
                                       "1.*.*.*",        "*.*.*.*",      "::",         "::1/128",
                                       "::ffff:1.2.3.4", "2001:DB8::/32"};
    static const char *const bad[] = {
        "",  "/",      "1.2.3",      "1.2.3.4/33",      "1.2.3.4/", "1.2.3.4/x", "1.*.3.*", "1.2.*",
        "*", "::/129", "1.2.3.4/08", "1.2.3.4-1.2.3.9", "x",        "1.2.3.**",  "2001:*",  "1.2.3.4/-1"};
    ip_range range;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(ip_range_parse(ss_cstr(good[i]), &range));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ip_range_parse(ss_cstr(bad[i]), &range)) {
            printf("# %s is taken\n", bad[i]);
            CHECK(false);
        }
}

static void flags(void)
{
    testkit *k = testkit_new(ss_plugin_v0(),
                             "{\"user_agents\":[\"ExampleBot\",\"exact\",\"Uptime\"],\"networks\":"
                             "{\"Lab\":[\"192.0.2.0/24\",\"2001:db8::/32\"],\"One\":[\"198.51.100.7\"]}}");
    CHECK_STR(testkit_error(k), "");
    expect(k, "{}", "");
    expect(k, "{\"ip\":\"203.0.113.1\",\"user_agent\":\"Mozilla/5.0\"}", "");
    expect(k, "{\"ip\":\"66.249.80.1\"}", "address Google");
    expect(k, "{\"ip\":\"::ffff:66.249.80.1\"}", "address Google");
    expect(k, "{\"ip\":\"192.0.2.77\"}", "address Lab");
    expect(k, "{\"ip\":\"2001:db8::1\"}", "address Lab");
    expect(k, "{\"ip\":\"198.51.100.7\"}", "address One");
    expect(k, "{\"ip\":\"198.51.100.8\"}", "");
    expect(k, "{\"ip\":\"nonsense\"}", "");
    expect(k, "{\"user_agent\":\"Mozilla/5.0 (compatible; examplebot/1.0)\"}", "user_agent examplebot");
    expect(k, "{\"user_agent\":\"an UPTIME checker\"}", "user_agent UPTIME");
    expect(k, "{\"user_agent\":\"exac\"}", "");
    expect(k, "{\"user_agent\":\"exexact\"}", "user_agent exact");
    expect(k, "{\"user_agent\":\"\"}", "");
    expect(k,
           "{\"device_info.crawler.is_crawler\":true,\"device_info.crawler.name\":\"Bingbot\",\"ip\":\"66."
           "249.80.1\"}",
           "crawler Bingbot");
    expect(k, "{\"device_info.crawler.is_crawler\":true}", "crawler");
    expect(k, "{\"device_info.crawler.is_crawler\":false,\"ip\":\"66.249.80.1\"}", "address Google");
    CHECK(testkit_metric(k, "bots_flagged_total", "reason=\"address\"") == 6);
    CHECK(testkit_metric(k, "bots_flagged_total", "reason=\"user_agent\"") == 3);
    CHECK(testkit_metric(k, "bots_flagged_total", "reason=\"crawler\"") == 2);
    /* Without the fields of others it works on what is there. */
    static const ss_field few[] = {{"ip", SS_FIELD_STRING, 0, "ip", NULL}, {NULL, 0, 0, NULL, NULL}};
    CHECK_STR(testkit_enrich(k, few, "{\"ip\":\"66.249.80.1\"}"),
              "{\"ip\":\"66.249.80.1\",\"is_bot\":true,\"bot_name\":\"Google\",\"bot_reason\":\"address\"}");
    testkit_free(k);
}

/* Matomo takes none of these for bots. */
static void not_bots(void)
{
    static const char headless[] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                                   "HeadlessChrome/120.0 Safari/537.36";
    static const char *const agents[] = {"", "curl/7.88.1", "python-requests/2.31.0", headless};
    testkit *k = testkit_new(ss_plugin_v0(), "{\"action\":\"drop\"}");
    for (size_t i = 0; i < sizeof agents / sizeof *agents; i++) {
        char values[512];
        (void)snprintf(values, sizeof values, "{\"user_agent\":\"%s\",\"ip\":\"192.0.2.1\"}", agents[i]);
        expect(k, values, "");
    }
    testkit_free(k);
}

static void drops(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), "{\"action\":\"drop\",\"user_agents\":[\"examplebot\"]}");
    expect(k, "{\"ip\":\"66.249.80.1\"}", NULL);
    CHECK_STR(testkit_error(k), "bot: address");
    expect(k, "{\"user_agent\":\"ExampleBot\"}", NULL);
    CHECK_STR(testkit_error(k), "bot: user_agent");
    expect(k, "{\"device_info.crawler.is_crawler\":true}", NULL);
    CHECK_STR(testkit_error(k), "bot: crawler");
    expect(k, "{\"ip\":\"192.0.2.1\"}", "");
    testkit_free(k);
}

/* bots=1: the hit is as good as any other. recMode=1: the client is a tracker for bots. */
static void the_client_may_decide(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), "{\"action\":\"drop\"}");
    CHECK_STR(testkit_enrich(k, fields, "{\"ip\":\"66.249.80.1\",\"bots_allowed\":true}"),
              "{\"ip\":\"66.249.80.1\",\"bots_allowed\":true}");
    expect(k, "{\"ip\":\"66.249.80.1\",\"bots_allowed\":false}", NULL);
    expect(k, "{\"ip\":\"66.249.80.1\",\"is_bot\":true}", "declared Google");
    expect(k, "{\"ip\":\"192.0.2.1\",\"is_bot\":true}", "declared");
    expect(
        k,
        "{\"device_info.crawler.is_crawler\":true,\"device_info.crawler.name\":\"GPTBot\",\"is_bot\":true}",
        "declared GPTBot");
    testkit_free(k);
}

/* What another one of this plugin found out stays. */
static void judged_before(void)
{
    static const char values[] = "{\"ip\":\"66.249.80.1\",\"is_bot\":true,\"bot_reason\":\"user_agent\"}";
    testkit *k = testkit_new(ss_plugin_v0(), NULL);
    CHECK_STR(testkit_enrich(k, fields, values), values);
    testkit_free(k);
}

static void switches(void)
{
    testkit *k = testkit_new(ss_plugin_v0(), "{\"crawlers\":false,\"known_networks\":false}");
    expect(k, "{\"ip\":\"66.249.80.1\",\"device_info.crawler.is_crawler\":true}", "");
    testkit_free(k);
    k = testkit_new(ss_plugin_v0(),
                    "{\"ip_field\":\"user_agent\",\"allow_field\":\"device_info.crawler.is_crawler\"}");
    expect(k, "{\"user_agent\":\"66.249.80.1\",\"bots_allowed\":true}", "address Google");
    testkit_free(k);
}

static void refuses(void)
{
    static const struct {
        const char *options, *why;
    } rows[] = {
        {"{\"networks\":{\"Lab\":[\"10.0.0.0/8\",\"10.0.0.0/99\"]}}",
         "networks.Lab: '10.0.0.0/99' is no network"},
        {"{\"networks\":{\"Lab\":[\"\"]}}", "networks.Lab: '' is no network"},
        {"{\"user_agents\":[\"ab\"]}", "user_agents: 'ab': 3 to 128 bytes"},
        {"{\"user_agents\":[\"good\",\"\"]}", "user_agents: '': 3 to 128 bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        testkit *k = testkit_new(ss_plugin_v0(), rows[i].options);
        CHECK(testkit_instance(k) == NULL);
        CHECK(strstr(testkit_error(k), rows[i].why) != NULL);
        testkit_free(k);
    }
}

static const check_test tests[] = {
    TEST(known_networks), TEST(nested_networks),       TEST(ranges_as_text), TEST(flags),    TEST(not_bots),
    TEST(drops),          TEST(the_client_may_decide), TEST(judged_before),  TEST(switches), TEST(refuses)};
CHECK_MAIN(tests)
