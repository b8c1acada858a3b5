// with: receivers/matomo/*.c -lpcre2-8
/* Hits that the receiver answers and does not keep, the cookies that it reads and sets, and who needs a
 * token. */
#include <stdint.h>

#include "plugins/sdk/testkit/testkit.h"
#include "receivers/matomo/address.h"
#include "receivers/matomo/cookie.h"
#include "receivers/matomo/pattern.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

#define TOKENS                                                                                               \
    "\"tokens\":[{\"secret\":\"super0123\",\"role\":\"superuser\"},{\"secret\":\"write0123\",\"sites\":[1]}" \
    "]"

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

static void ask(testkit *k, const char *method, const char *query, const char *headers, const char *body)
{
    char target[2048];
    (void)snprintf(target, sizeof target, "/matomo.php%s%s", query ? "?" : "", query ? query : "");
    (void)testkit_receive(
        k, &(testkit_request){.method = method, .target = target, .headers = headers, .body = body});
}

static void write_file(char path[64], const void *bytes, size_t len)
{
    strcpy(path, "/tmp/ss-matomo-XXXXXX");
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    (void)close(fd);
}

typedef struct excluded_case {
    const char *options, *query, *headers;
    const char *code; /* NULL: stored */
} excluded_case;

static void run_cases(const excluded_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const excluded_case *c = &cases[i];
        testkit *k = open_kit(c->options);
        char query[1024];
        (void)snprintf(query, sizeof query, "idsite=1&rec=1&%s", c->query);
        ask(k, "GET", query, c->headers, NULL);
        const char *code = testkit_reject_code(k, 0);
        if (testkit_http(k) != 200 || testkit_event_count(k) != (c->code ? 0 : 1) ||
            (c->code ? !code || strcmp(code, c->code) != 0 : code != NULL)) {
            printf("# %s %s %s: %u, %s\n", c->options ? c->options : "", c->query,
                   c->headers ? c->headers : "", testkit_http(k), code ? code : "stored");
            CHECK(false);
        }
        if (c->code) { /* the same in the other two forms of an answer */
            const char *why = testkit_reject_text(k, 0);
            CHECK(why && strlen(why) > 10);
            (void)snprintf(query, sizeof query, "idsite=1&rec=1&send_image=0&%s", c->query);
            ask(k, "POST", query, c->headers, NULL);
            CHECK_INT(testkit_http(k), 204);
            CHECK_INT(testkit_event_count(k), 0);
            char body[1200];
            (void)snprintf(body, sizeof body, "{\"requests\":[\"?idsite=1&rec=1&%s\"]}", c->query);
            ask(k, "POST", NULL, c->headers, body);
            CHECK_STR(testkit_body(k, NULL), "{\"status\":\"success\",\"tracked\":1,\"invalid\":0}");
            CHECK_INT(testkit_event_count(k), 0);
        }
        close_kit(k);
    }
}

static void by_list(void)
{
    static const excluded_case cases[] = {
        /* the client of the testkit is 192.0.2.7 */
        {"{\"excluded_ips\":[\"192.0.2.7\"]}", "", NULL, "excluded_ip"},
        {"{\"excluded_ips\":[\"192.0.2.8\"]}", "", NULL, NULL},
        {"{\"excluded_ips\":[\"10.0.0.0/8\",\"192.0.2.0/24\"]}", "", NULL, "excluded_ip"},
        {"{\"excluded_ips\":[\"192.0.*.*\"]}", "", NULL, "excluded_ip"},
        {"{\"excluded_ips\":[\"::ffff:192.0.2.0/120\"]}", "", NULL, "excluded_ip"},
        {"{\"excluded_ips\":[\"0.0.0.0/0\"]}", "", NULL, "excluded_ip"},
        {"{\"sites\":{\"1\":{\"excluded_ips\":[\"192.0.2.7\"]}}}", "", NULL, "excluded_ip"},
        {"{\"sites\":{\"1\":{},\"2\":{\"excluded_ips\":[\"192.0.2.7\"]}}}", "", NULL, NULL},
        {"{\"sites\":{\"1\":{}},\"excluded_ips\":[\"192.0.2.7\"]}", "", NULL, "excluded_ip"},
        {"{\"excluded_ips\":[\"1.2.3.4\"]," TOKENS "}", "cip=1.2.3.4&token_auth=super0123", NULL,
         "excluded_ip"},
        {"{\"excluded_ips\":[\"192.0.2.7\"]," TOKENS "}", "cip=1.2.3.4&token_auth=super0123", NULL, NULL},
        {"{\"excluded_ips\":[\"2001:db8::/32\"]," TOKENS "}", "cip=2001:db8:1::9&token_auth=super0123", NULL,
         "excluded_ip"},
        {"{\"excluded_user_agents\":[\"SiteChecker\"]}", "", "User-Agent: Mozilla sitechecker/2\n",
         "excluded_agent"},
        {"{\"excluded_user_agents\":[\"SiteChecker\"]}", "ua=SITECHECKER", NULL, "excluded_agent"},
        {"{\"excluded_user_agents\":[\"SiteChecker\"]}", "ua=other", "User-Agent: SiteChecker\n", NULL},
        {"{\"excluded_user_agents\":[\"SiteChecker\"]}", "", NULL, NULL},
        {"{\"excluded_user_agents\":[\"/^my-?app\\\\/\\\\d+$/i\"]}", "ua=MyApp/17", NULL, "excluded_agent"},
        {"{\"excluded_user_agents\":[\"/^my-?app\\\\/\\\\d+$/\"]}", "ua=MyApp/17", NULL, NULL},
        {"{\"sites\":{\"1\":{\"excluded_user_agents\":[\"x\",\"/b(o)t/\"]}}}", "ua=abotb", NULL,
         "excluded_agent"},
        {"{\"excluded_user_agents\":[\"/(a+)+$/\"]}", "ua=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
         NULL, NULL},
        {"{\"exclude_unknown_urls\":true}", "url=http://any.example/", NULL, NULL}, /* nothing is known */
        {"{\"exclude_unknown_urls\":true,\"sites\":{\"1\":{\"hosts\":[\"a.example\"]}}}",
         "url=http://A.example:80/x", NULL, NULL},
        {"{\"exclude_unknown_urls\":true,\"sites\":{\"1\":{\"hosts\":[\"a.example\"]}}}",
         "url=http://b.example/x", NULL, "unknown_url"},
        {"{\"sites\":{\"1\":{\"hosts\":[\"a.example/de\"],\"exclude_unknown_urls\":true}}}",
         "url=http://a.example/x", NULL, "unknown_url"},
        {"{\"sites\":{\"1\":{\"hosts\":[\"a.example/de\"],\"exclude_unknown_urls\":true}}}",
         "url=https://a.example/de?x", NULL, NULL},
        {"{\"sites\":{\"1\":{\"hosts\":[\"a.example\"],\"exclude_unknown_urls\":true}}}", "", NULL,
         "unknown_url"},
        {"{\"exclude_unknown_urls\":true,\"sites\":{\"1\":{\"hosts\":[\"a\"],\"exclude_unknown_urls\":false}}"
         "}",
         "url=http://b/", NULL, NULL},
        {"{\"exclude_requests\":[\"e_c==te%20st\"]}", "e_c=TE+ST&e_a=a", NULL, "excluded_request"},
        {"{\"exclude_requests\":[\"e_c==test\"]}", "e_c=tests&e_a=a", NULL, NULL},
        {"{\"exclude_requests\":[\"e_c!=test\"]}", "e_c=tests&e_a=a", NULL, "excluded_request"},
        {"{\"exclude_requests\":[\"e_c!=test\"]}", "e_c=test&e_a=a", NULL, NULL},
        {"{\"exclude_requests\":[\"action_name =@ \\u00c4PF\"]}", "action_name=ein+%C3%A4pfel", NULL,
         "excluded_request"},
        {"{\"exclude_requests\":[\"action_name!@test\"]}", "action_name=a+test", NULL, NULL},
        {"{\"exclude_requests\":[\"url=^https://staging.\"]}", "url=https://staging.example/", NULL,
         "excluded_request"},
        {"{\"exclude_requests\":[\"url=$.pdf\"]}", "url=https://a/b.PDF", NULL, "excluded_request"},
        {"{\"exclude_requests\":[\"url=$.pdf\"]}", "url=pdf", NULL, NULL},
        {"{\"exclude_requests\":[\"dimension3==x\"]}", "dimension3=X", NULL, "excluded_request"},
        {"{\"exclude_requests\":[\"mine==x\"]}", "mine=x", NULL, "excluded_request"},
        {"{\"exclude_requests\":[\"mine==x\",\"e_c==y\"]}", "", NULL, NULL},
    };
    run_cases(cases, sizeof cases / sizeof *cases);
}

static void by_header(void)
{
    static const char ignore[] = "Cookie: a=b; matomo_ignore=ignore%3DKg%3D%3D; c=d\n";
    static const excluded_case cases[] = {
        {NULL, "", "X-Purpose: preview\n", "prefetch"},
        {NULL, "", "X-Purpose: instant\n", "prefetch"},
        {NULL, "", "X-Purpose: other\n", NULL},
        {NULL, "", "X-Moz: prefetch\n", "prefetch"},
        {NULL, "", "Sec-Purpose: prefetch;prerender\n", "prefetch"},
        {NULL, "", ignore, "ignore_cookie"},
        {NULL, "", "Cookie: matomo_ignore=ignore%3Dno\n", NULL},
        {NULL, "", "Cookie: xmatomo_ignore=ignore%3DKg%3D%3D\n", NULL},
        {NULL, "", "Cookie: _pk_id.1.1fff=0123456789abcdef.1795310590.; _pk_ses.1.1fff=1\n", NULL},
        {NULL, "", "DNT: 1\n", NULL},
        {NULL, "", "Sec-GPC: 1\n", NULL},
        {"{\"respect_dnt\":true}", "", "DNT: 1\n", "no_track"},
        {"{\"respect_dnt\":true}", "", "DNT: 0\n", NULL},
        {"{\"respect_dnt\":true}", "", "X-Do-Not-Track: 1\n", "no_track"},
        {"{\"respect_dnt\":true}", "", "Sec-GPC: 1\n", NULL},
        {"{\"respect_gpc\":true}", "", "Sec-GPC: 1\n", "no_track"},
        {"{\"respect_gpc\":true}", "", "DNT: 1\n", NULL},
    };
    run_cases(cases, sizeof cases / sizeof *cases);
}

static void by_spam_list(void)
{
    static const char list[] = "# a comment\n\nspam-one.example\r\n  BUTTONS.example \nxn--abc.example/path";
    char path[64], options[128];
    write_file(path, list, sizeof list - 1);
    (void)snprintf(options, sizeof options, "{\"referrer_spam\":\"%s\"}", path);
    const excluded_case cases[] = {
        {options, "urlref=http://spam-one.example/x", NULL, "referrer_spam"},
        {options, "urlref=http://www.SPAM-one.example", NULL, "referrer_spam"},
        {options, "urlref=http://buttons.example", NULL, "referrer_spam"},
        {options, "urlref=http://x/?y=xn--abc.example/path", NULL, "referrer_spam"},
        {options, "urlref=http://xn--abc.example/pat", NULL, NULL},
        {options, "urlref=http://good.example", NULL, NULL},
        {options, "urlref=spa", NULL, NULL},
        {options, "url=http://spam-one.example/x", NULL, NULL},
    };
    run_cases(cases, sizeof cases / sizeof *cases);
    (void)unlink(path);
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK(!testkit_instance(k) && strstr(testkit_error(k), path));
    testkit_free(k);
    write_file(path, "fine.example\nab\n", 16);
    (void)snprintf(options, sizeof options, "{\"referrer_spam\":\"%s\"}", path);
    k = testkit_new(ss_plugin_v0(), options);
    CHECK(!testkit_instance(k) && strstr(testkit_error(k), "line 2"));
    testkit_free(k);
    (void)unlink(path);
}

static void refused_options(void)
{
    static const char *const cases[][2] = {
        {"{\"excluded_ips\":[\"1.2.3\"]}", "excluded_ips: \"1.2.3\""},
        {"{\"excluded_ips\":[\"1.2.3.4/33\"]}", "excluded_ips"},
        {"{\"excluded_ips\":[\"1.*.3.4\"]}", "excluded_ips"},
        {"{\"excluded_ips\":[\"\"]}", "excluded_ips"},
        {"{\"sites\":{\"4\":{\"excluded_ips\":[\"x\"]}}}", "sites.4.excluded_ips: \"x\""},
        {"{\"excluded_user_agents\":[\"\"]}", "excluded_user_agents"},
        {"{\"excluded_user_agents\":[\"/(/\"]}", "no regular expression"},
        {"{\"sites\":{\"4\":{\"excluded_user_agents\":[\"/[z-a]/\"]}}}", "sites.4.excluded_user_agents"},
        {"{\"exclude_requests\":[\"e_c\"]}", "exclude_requests: \"e_c\""},
        {"{\"exclude_requests\":[\"e_c=x\"]}", "exclude_requests"},
        {"{\"exclude_requests\":[\"==x\"]}", "exclude_requests"},
        {"{\"exclude_requests\":[\"e_c==\"]}", "exclude_requests"},
        {"{\"custom_image\":\"/nowhere/at/all\"}", "custom_image: /nowhere/at/all"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        testkit *k = testkit_new(ss_plugin_v0(), cases[i][0]);
        if (testkit_instance(k) || !strstr(testkit_error(k), cases[i][1])) {
            printf("# %s: %s\n", cases[i][0], testkit_error(k));
            CHECK(false);
        }
        testkit_free(k);
    }
}

static void ranges(void)
{
    static const struct {
        const char *range, *address;
        bool in;
    } cases[] = {{"1.2.3.4", "1.2.3.4", true},
                 {"1.2.3.4", "1.2.3.5", false},
                 {"1.2.3.4/31", "1.2.3.5", true},
                 {"1.2.3.4/31", "1.2.3.6", false},
                 {"1.2.3.4/0", "255.1.1.1", true},
                 {"1.2.3.4/0", "2001:db8::1", false},
                 {"1.2.3.*", "1.2.3.77", true},
                 {"1.2.3.*", "1.2.4.77", false},
                 {"1.*.*.*", "1.9.9.9", true},
                 {"*.*.*.*", "9.9.9.9", true},
                 {"2001:db8::/32", "2001:db8:ffff::", true},
                 {"2001:db8::/32", "2001:db9::", false},
                 {"2001:db8::1", "2001:db8::1", true},
                 {"2001:db8::/65", "2001:db8:0:0:7fff::", true},
                 {"2001:db8::/65", "2001:db8:0:0:8000::", false},
                 {"::/0", "1.2.3.4", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        address_range r;
        address a;
        bool ok =
            address_range_read(&r, ss_cstr(cases[i].range)) && address_read(&a, ss_cstr(cases[i].address));
        if (!ok || address_in(&r, 1, &a) != cases[i].in) {
            printf("# %s %s\n", cases[i].range, cases[i].address);
            CHECK(false);
        }
    }
    address_range r;
    static const char *const bad[] = {"",  "1",         "1.2.3.4/", "1.2.3.4/x", "1.2.3.4/1234", "1.2.*.4",
                                      "*", "1.2.*.*/8", "::/129",   "2001:*",    "1.2.3.4 "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!address_range_read(&r, ss_cstr(bad[i])));
}

static void patterns(void)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {{"/a/", true}, {"/a/i", true}, {"/a/ims", true}, {"/a/g", false}, {"a", false},
                 {"/a", false}, {"//", false},  {"/", false},     {"/a/b/", true}, {"", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (pattern_is(ss_cstr(cases[i].text)) != cases[i].is) {
            printf("# %s\n", cases[i].text);
            CHECK(false);
        }
    ss_error err = {.struct_size = sizeof err};
    pattern *p = pattern_new(SS_LIT("/^\xC3\xA4.$/u"), &err);
    REQUIRE(p);
    CHECK(pattern_matches(p, SS_LIT("\xC3\xA4\xC3\xB6")) && !pattern_matches(p, SS_LIT("\xFF\xFE")) &&
          !pattern_matches(p, SS_LIT("")));
    pattern_free(p);
}

/* ---- cookies ---- */

#define COOKIE_ON  "{\"third_party_cookie\":true}"
#define UID_COOKIE "Cookie: x=1; _pk_uid=0%3DMDEyMzQ1Njc4OWFiY2RlZg%3D%3D; y=2\n" /* 0123456789abcdef */

static void visitor_cookie_is_read(void)
{
    static const struct {
        const char *options, *query, *headers, *id, *source;
    } cases[] = {
        {COOKIE_ON, "", UID_COOKIE, "\"0123456789abcdef\"", "\"cookie\""},
        {COOKIE_ON, "&_id=fedcba9876543210", UID_COOKIE, "\"0123456789abcdef\"", "\"cookie\""},
        {COOKIE_ON, "&cid=fedcba9876543210", UID_COOKIE, "\"fedcba9876543210\"", "\"cid\""},
        {COOKIE_ON, "&uid=x", UID_COOKIE, "\"11f6ad8ec52a2984\"", "\"uid\""},
        {COOKIE_ON, "&_id=fedcba9876543210", "Cookie: _pk_uid=0%3Dbroken!\n", "\"fedcba9876543210\"",
         "\"_id\""},
        {COOKIE_ON, "&_id=fedcba9876543210", "Cookie: _pk_uid=0%3DMDEyMw%3D%3D\n", "\"fedcba9876543210\"",
         "\"_id\""},
        {COOKIE_ON, "", "Cookie: _pk_uid=1%3DeA%3D%3D%3A0%3D1234567890123456\n", "\"1234567890123456\"",
         "\"cookie\""},
        {NULL, "&_id=fedcba9876543210", UID_COOKIE, "\"fedcba9876543210\"", "\"_id\""},
        {"{\"third_party_cookie\":true,\"cookieless\":true}", "&_id=fedcba9876543210", UID_COOKIE, NULL,
         "\"generated\""},
        {"{\"cookieless\":true}", "&_id=fedcba9876543210&uid=x", NULL, "\"11f6ad8ec52a2984\"", "\"uid\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        testkit *k = open_kit(cases[i].options);
        char query[256];
        (void)snprintf(query, sizeof query, "idsite=1&rec=1%s", cases[i].query);
        ask(k, "GET", query, cases[i].headers, NULL);
        REQUIRE(testkit_event_count(k) == 1);
        if (cases[i].id)
            CHECK_STR(testkit_value(k, 0, "visitor_id"), cases[i].id);
        CHECK_STR(testkit_value(k, 0, "visitor_id_source"), cases[i].source);
        close_kit(k);
    }
}

static void visitor_cookie_is_set(void)
{
    testkit *k = open_kit(COOKIE_ON);
    ask(k, "GET", "idsite=1&rec=1&_id=0123456789abcdef", NULL, NULL);
    CHECK_STR(testkit_header(k, "Set-Cookie"),
              "_pk_uid=0%3DMDEyMzQ1Njc4OWFiY2RlZg%3D%3D; expires=Tue, 29-Dec-2026 03:24:05 GMT; "
              "Max-Age=33955200; path=/; SameSite=Lax");
    CHECK_STR(testkit_header(k, "Cache-Control"), "no-store");
    ask(k, "GET", "idsite=1&rec=1&cid=0123456789012345", NULL, NULL); /* a number is not base64 */
    CHECK(strncmp(testkit_header(k, "Set-Cookie"), "_pk_uid=0%3D0123456789012345; ", 30) == 0);
    (void)testkit_receive(
        k, &(testkit_request){.method = "POST",
                              .target = "/matomo.php",
                              .scheme = "https",
                              .headers = "Origin: https://o\n",
                              .body = "{\"requests\":[\"?idsite=1&rec=1&_id=0123456789abcdef\"]}"});
    CHECK(strstr(testkit_header(k, "Set-Cookie"), "; SameSite=None; secure"));
    CHECK_STR(testkit_header(k, "Access-Control-Allow-Origin"), "https://o");
    ask(k, "GET", "idsite=1&rec=1&_id=0123456789abcdef", "Cookie: matomo_ignore=ignore%3DKg%3D%3D\n", NULL);
    CHECK(!testkit_header(k, "Set-Cookie"));
    ask(k, "GET", "idsite=1", NULL, NULL); /* not stored */
    CHECK(!testkit_header(k, "Set-Cookie"));
    ask(k, "GET", "rec=1", NULL, NULL);
    CHECK(!testkit_header(k, "Set-Cookie"));
    close_kit(k);
    k = open_kit("{\"third_party_cookie\":true,\"respect_dnt\":true}");
    ask(k, "GET", "idsite=1&rec=1", "DNT: 1\n" UID_COOKIE, NULL);
    CHECK_STR(testkit_header(k, "Tk"), "N");
    CHECK_STR(testkit_header(k, "Set-Cookie"),
              "_pk_uid=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/; SameSite=Lax");
    ask(k, "POST", "idsite=1&rec=1", "DNT: 1\n", NULL);
    CHECK_STR(testkit_header(k, "Tk"), "N");
    CHECK(!testkit_header(k, "Set-Cookie"));
    close_kit(k);
    k = open_kit("{\"third_party_cookie\":true,\"cookieless\":true}");
    ask(k, "GET", "idsite=1&rec=1", UID_COOKIE, NULL);
    CHECK(!testkit_header(k, "Set-Cookie") && !testkit_header(k, "Tk"));
    close_kit(k);
}

static void cookie_round_trip(void)
{
    static const char *const ids[] = {"0123456789abcdef", "0000000000000000", "ffffffffffffffff",
                                      "9999999999999999"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char set[COOKIE_SET_MAX], text[COOKIE_VALUE_MAX];
        size_t len = cookie_put_id(set, "_pk_uid", ss_cstr(ids[i]), true, 1764559445000000);
        ss_str value,
            header = ss_s(set, (size_t)(memchr(set, ';', len) ? (char *)memchr(set, ';', len) - set : 0));
        REQUIRE(cookie_find(header, SS_LIT("_pk_uid"), &value));
        CHECK_INT(cookie_get(value, "0", text), 16);
        CHECK(memcmp(text, ids[i], 16) == 0);
    }
}

/* ---- maintenance, the image, tokens ---- */

static void closed(void)
{
    testkit *k = open_kit("{\"record_statistics\":false}");
    static const struct {
        const char *method, *query, *body;
        uint32_t http;
        const char *type;
    } cases[] = {{"GET", "idsite=1&rec=1", NULL, 503, "image/gif"},
                 {"GET", "idsite=1&rec=1&send_image=0", NULL, 204, ""},
                 {"POST", "rec=1", NULL, 503, "image/gif"},
                 {"GET", NULL, NULL, 503, "image/gif"},
                 {"POST", NULL, "{\"requests\":[\"?idsite=1&rec=1\"]}", 200, "application/json"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(k, cases[i].method, cases[i].query, NULL, cases[i].body);
        CHECK_INT(testkit_http(k), cases[i].http);
        CHECK_STR(testkit_content_type(k), cases[i].type);
        CHECK_INT(testkit_event_count(k), 0);
        CHECK_STR(testkit_reject_code(k, 0), "closed");
    }
    CHECK_STR(testkit_body(k, NULL), "{\"status\":\"success\",\"tracked\":0,\"invalid\":0}");
    close_kit(k);
}

static void own_image(void)
{
    static const char png[] = "\x89PNG\r\n\x1a\n...";
    char path[64], options[128];
    size_t len;
    write_file(path, png, sizeof png - 1);
    (void)snprintf(options, sizeof options, "{\"custom_image\":\"%s\"}", path);
    testkit *k = open_kit(options);
    ask(k, "GET", "idsite=1&rec=1", NULL, NULL);
    CHECK_STR(testkit_content_type(k), "image/png");
    CHECK(memcmp(testkit_body(k, &len), png, sizeof png - 1) == 0 && len == sizeof png - 1);
    ask(k, "GET", "rec=1", NULL, NULL);
    CHECK_INT(testkit_http(k), 400);
    CHECK_STR(testkit_content_type(k), "image/png");
    close_kit(k);
    (void)unlink(path);
    write_file(path, "no image", 8);
    k = testkit_new(ss_plugin_v0(), options);
    CHECK(!testkit_instance(k));
    testkit_free(k);
    (void)unlink(path);
}

static void token_rules(void)
{
    testkit *k = open_kit("{\"tracking_requests_require_authentication\":false}");
    ask(k, "GET", "idsite=1&rec=1&cip=1.2.3.4&cdt=2020-01-01&country=de", NULL, NULL);
    CHECK_INT(testkit_http(k), 200);
    REQUIRE(testkit_event_count(k) == 1);
    CHECK_STR(testkit_value(k, 0, "ip"), "\"1.2.3.4\"");
    CHECK_STR(testkit_value(k, 0, "event_datetime"), "\"2020-01-01 00:00:00\"");
    close_kit(k);

    static const struct {
        const char *body;
        uint32_t http;
        const char *answer;
        size_t stored;
    } cases[] = {
        {"{\"requests\":[\"?idsite=1&rec=1\"]}", 500, "{\"status\":\"error\",\"tracked\":0,\"invalid\":0}",
         0},
        {"{\"requests\":[\"?idsite=1&rec=1\"],\"token_auth\":\"wrong\"}", 500,
         "{\"status\":\"error\",\"tracked\":0,\"invalid\":0}", 0},
        {"{\"requests\":[\"?idsite=1&rec=1\",\"?idsite=2&rec=1\"],\"token_auth\":\"write0123\"}", 500,
         "{\"status\":\"error\",\"tracked\":0,\"invalid\":0}", 0},
        {"{\"requests\":[\"?idsite=1&rec=1\"],\"token_auth\":\"write0123\"}", 200,
         "{\"status\":\"success\",\"tracked\":1,\"invalid\":0}", 1},
        {"{\"requests\":[\"?idsite=1&rec=1&token_auth=write0123\"]}", 200,
         "{\"status\":\"success\",\"tracked\":1,\"invalid\":0}", 1},
        {"{\"requests\":[\"?idsite=1&rec=1\",\"?idsite=2&rec=1\"],\"token_auth\":\"super0123\"}", 200,
         "{\"status\":\"success\",\"tracked\":2,\"invalid\":0}", 2},
    };
    k = open_kit("{\"bulk_requests_require_authentication\":true," TOKENS "}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(k, "POST", NULL, NULL, cases[i].body);
        CHECK_INT(testkit_http(k), cases[i].http);
        CHECK_STR(testkit_body(k, NULL), cases[i].answer);
        CHECK_INT(testkit_event_count(k), cases[i].stored);
    }
    ask(k, "GET", "idsite=1&rec=1", NULL, NULL); /* single hits need none */
    CHECK_INT(testkit_event_count(k), 1);
    close_kit(k);
}

/* Of two things that are wrong the first of this list decides: cdt age, site, location, address, exclusion,
   visitor id, goal, action. */
static void order_of_checks(void)
{
    static const struct {
        const char *part, *code;
        bool excluded; /* answered 200 */
    } wrong[] = {{"cdt=2012-01-01", "old_cdt", false},
                 {"idsite=9", "unknown_site", false},
                 {"country=de", "geo_without_token", false},
                 {"cip=1.2.3.4", "cip_without_token", false},
                 {"rec=0", "no_rec", true},
                 {"ua=excludeme", "excluded_agent", true},
                 {"cid=short", "bad_cid", false},
                 {"idgoal=9", "unknown_goal", false}};
    testkit *k = open_kit("{\"strict_auth\":true,\"excluded_user_agents\":[\"excludeme\"],\"sites\":{\"1\":{"
                          "\"goals\":[{\"id\":1}]}}}");
    size_t count = sizeof wrong / sizeof *wrong;
    for (size_t i = 0; i < count; i++)
        for (size_t n = i; n < count; n++) {
            char query[256];
            (void)snprintf(query, sizeof query, "idsite=1&rec=1&%s&%s", wrong[n].part, wrong[i].part);
            ask(k, "GET", query, NULL, NULL);
            const char *code = testkit_reject_code(k, 0);
            if (!code || strcmp(code, wrong[i].code) != 0 ||
                testkit_http(k) != (wrong[i].excluded ? 200 : 400)) {
                printf("# %s: %s %u\n", query, code ? code : "-", testkit_http(k));
                CHECK(false);
            }
        }
    static const char *const actions[][2] = {
        {"e_c=+&e_a=x", "blank_event"}, {"c_n=+", "blank_content"}, {"pf_net=-2", "bad_performance"}};
    for (size_t i = 0; i < 3; i++) {
        char query[256];
        (void)snprintf(query, sizeof query, "idsite=1&rec=1&%s", actions[i][0]);
        ask(k, "GET", query, NULL, NULL);
        CHECK_STR(testkit_reject_code(k, 0), actions[i][1]);
        (void)snprintf(query, sizeof query, "idsite=1&%s", actions[i][0]);
        ask(k, "GET", query, NULL, NULL);
        CHECK_STR(testkit_reject_code(k, 0), "no_rec");
        (void)snprintf(query, sizeof query, "idsite=1&rec=1&cid=x&%s", actions[i][0]);
        ask(k, "GET", query, NULL, NULL);
        CHECK_STR(testkit_reject_code(k, 0), "bad_cid");
        (void)snprintf(query, sizeof query, "idsite=1&rec=1&idgoal=1&%s", actions[i][0]); /* no action then */
        ask(k, "GET", query, NULL, NULL);
        CHECK_INT(testkit_http(k), 200);
    }
    close_kit(k);
}

static const check_test tests[] = {TEST(by_list),
                                   TEST(by_header),
                                   TEST(by_spam_list),
                                   TEST(refused_options),
                                   TEST(ranges),
                                   TEST(patterns),
                                   TEST(visitor_cookie_is_read),
                                   TEST(visitor_cookie_is_set),
                                   TEST(cookie_round_trip),
                                   TEST(closed),
                                   TEST(own_image),
                                   TEST(token_rules),
                                   TEST(order_of_checks)};
CHECK_MAIN(tests)
