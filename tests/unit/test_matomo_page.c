// with: receivers/matomo/*.c -lpcre2-8
/* The page's URL as Matomo normalises it, searches on the site, and which kind of action a hit is. */
#include <stdint.h>

#include "plugins/common/url.h"
#include "plugins/sdk/testkit/testkit.h"
#include "receivers/matomo/entity.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

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

/* A hit with this url (encoded here) and these other parameters. */
static bool visit(testkit *k, const char *url, const char *more)
{
    char target[16384], encoded[3 * 4096];
    size_t len = url_encode(encoded, ss_cstr(url));
    (void)snprintf(target, sizeof target, "/matomo.php?idsite=1&rec=1&url=%.*s&%s", (int)len, encoded, more);
    (void)testkit_receive(k, &(testkit_request){.target = target});
    CHECK_INT(testkit_http(k), 200);
    return testkit_event_count(k) == 1;
}

/* "text" or NULL = absent; true where it is as wanted. */
static bool field_is(testkit *k, const char *name, const char *want)
{
    char json[2048];
    const char *got = testkit_value(k, 0, name);
    (void)snprintf(json, sizeof json, "\"%s\"", want ? want : "");
    if (want ? got && strcmp(got, json) == 0 : got == NULL)
        return true;
    printf("# %s: got %s, want %s\n", name, got ? got : "(absent)", want ? json : "(absent)");
    return false;
}

typedef struct url_case {
    const char *url, *normalized; /* NULL: not a URL */
} url_case;

static void run_urls(const char *options, const url_case *cases, size_t count)
{
    testkit *k = open_kit(options);
    for (size_t i = 0; i < count; i++)
        if (!visit(k, cases[i].url, "") || !field_is(k, "page_view_url_normalized", cases[i].normalized)) {
            printf("# ... of %s\n", cases[i].url);
            CHECK(false);
        }
    close_kit(k);
}

static void normalized(void)
{
    static const url_case cases[] = {
        /* entities */
        {"http://a/?x=1&amp;y=2", "http://a/?x=1&y=2"},
        {"http://a/?x=1&#38;y=2", "http://a/?x=1&y=2"},
        {"http://a/?x=1&#x26;y=2", "http://a/?x=1&y=2"},
        {"http://a/?x=&quot;1&quot;", "http://a/?x=\\\"1\\\""},
        {"http://a/caf&eacute;", "http://a/caf\xC3\xA9"},
        {"http://a/&#252;&#xFC;&uuml;", "http://a/\xC3\xBC\xC3\xBC\xC3\xBC"},
        {"http://a/&hellip;&euro;", "http://a/\xE2\x80\xA6\xE2\x82\xAC"},
        {"http://a/?copy=1&copy=2", "http://a/?copy=1&copy=2"}, /* no semicolon */
        {"http://a/?&nonsense;", "http://a/?nonsense;"},
        {"http://a/?x=1&#xD800;", "http://a/?x=1"}, /* the rest is a fragment then */
        {"http://a/b;c", "http://a/b?c"},
        {"http://a/?&amp;amp;x", "http://a/?amp;x"}, /* once */
        {"http://a/b&#10;c", "http://a/bc"},
        /* white space and control characters */
        {" \t http://a/b \n", "http://a/b"},
        {"http://a/b\nc\rd", "http://a/bcd"},
        /* matrix */
        {"http://a/b;x=1;y=2", "http://a/b?x=1&y=2"},
        {"http://a/b;x=1?y=2", "http://a/b?x=1&y=2"},
        {"http://a/b?x=1;y=2", "http://a/b?x=1;y=2"},
        {"http://a/b;gclid=1", "http://a/b"},
        {"http://a/b#c;d=1", "http://a/b"},
        /* host */
        {"HTTP://EXAMPLE.Org/Path", "HTTP://example.org/Path"},
        {"http://User:Pass@EXAMPLE.org:8080/X", "http://User:Pass@example.org:8080/X"},
        {"http://[2001:DB8::1]:80/X", "http://[2001:db8::1]:80/X"},
        {"//A/b", "//a/b"},
        {"http://a", "http://a"},
        {"http://a?x=1", "http://a?x=1"},
        /* what goes out */
        {"http://a/?gclid=1", "http://a/"},
        {"http://a/?GCLID=1&x=2", "http://a/?x=2"},
        {"http://a/?x=2&fbclid=1&msclkid=2&twclid=3&wbraid=4&gbraid=5&yclid=6", "http://a/?x=2"},
        {"http://a/?PHPSESSID=1&jsessionid=2&sessionid=3&aspsessionid=4&sid=5&doing_wp_cron=6&pk_vid=7",
         "http://a/"},
        {"http://a/?fb_xd_fragment=1&fb_comment_id=2&ignore_referrer=1&ignore_referer=0", "http://a/"},
        {"http://a/?mtm_campaign=1&utm_source=2&pk_kwd=3&mtm_placement=4&utm_id=5&x", "http://a/?x"},
        {"http://a/?%67clid=1&x=1", "http://a/?x=1"},
        {"http://a/?sid%5B%5D=1&x=1", "http://a/?x=1"},
        {"http://a/?siding=1", "http://a/?siding=1"},
        {"http://a/?&&x=1&&", "http://a/?x=1"},
        {"http://a/?", "http://a/"},
        {"http://a/?=1", "http://a/?=1"},
        {"http://a/?x", "http://a/?x"},
        {"http://a/?x=a%20b+c", "http://a/?x=a%20b+c"},
        {"http://a/b#frag", "http://a/b"},
        {"http://a/#", "http://a/"},
        /* not URLs */
        {"javascript://x/y", NULL},
        {"VBScript://x", NULL},
        {"data://x", NULL},
        {"data:text/html,x", NULL},
        {"/path", NULL},
        {"a.example/x", NULL},
        {"http:/a", NULL},
        {"http://", NULL},
        {"://a", NULL},
        {"app://screen/one", "app://screen/one"},
    };
    run_urls(NULL, cases, sizeof cases / sizeof *cases);
}

static void fragments_kept(void)
{
    static const url_case cases[] = {
        {"http://a/b#frag", "http://a/b#frag"},
        {"http://a/b?x=1#frag", "http://a/b?x=1#frag"},
        {"http://a/b#", "http://a/b"},
        {"http://a/b#c#", "http://a/b#c"},
        {"http://a/b#x=1&gclid=2&y=3", "http://a/b#x=1&y=3"},
        {"http://a/b#gclid=2", "http://a/b"},
        {"http://a/#/route?x=1&sid=2", "http://a/#/route?x=1"},
        {"http://a/#/route?sid=2", "http://a/#/route"},
        {"http://a/#!/route", "http://a/#!/route"},
        {"http://a/?gclid=1#mtm_campaign=x", "http://a/"},
        {"http://a/#q=shoes&x=1", "http://a/#x=1"},
    };
    run_urls("{\"keep_fragment\":true}", cases, sizeof cases / sizeof *cases);
    static const url_case own[] = {{"http://a/b#frag", "http://a/b#frag"}};
    run_urls("{\"sites\":{\"1\":{\"keep_fragment\":true}}}", own, 1);
    static const url_case not_own[] = {{"http://a/b#frag", "http://a/b"}};
    run_urls("{\"keep_fragment\":true,\"sites\":{\"1\":{\"keep_fragment\":false}}}", not_own, 1);
}

static void own_parameters(void)
{
    static const char options[] = "{\"excluded_parameters\":[\"everywhere\"],\"sites\":{\"1\":{\"excluded_"
                                  "parameters\":[\"Mine\",\"/^x-\\\\d+$/\","
                                  "\"a_name_of_more_than_sixteen_bytes\",\"q\"]}}}";
    static const url_case cases[] = {
        {"http://a/?mine=1&z=2", "http://a/?z=2"},
        {"http://a/?MINE=1", "http://a/"},
        {"http://a/?everywhere=1", "http://a/"},
        {"http://a/?x-12=1&x-y=2", "http://a/?x-y=2"},
        {"http://a/?X-12=1", "http://a/?X-12=1"},
        {"http://a/?A_Name_of_more_than_sixteen_bytes=1&b=2", "http://a/?b=2"},
        {"http://a/?a_name_of_more_than_sixteen_bytesx=1", "http://a/?a_name_of_more_than_sixteen_bytesx=1"},
        {"http://a/?gclid=1", "http://a/"},
    };
    run_urls(options, cases, sizeof cases / sizeof *cases);
    static const url_case other[] = {{"http://a/?mine=1", "http://a/?mine=1"}};
    run_urls("{\"sites\":{\"1\":{},\"2\":{\"excluded_parameters\":[\"mine\"]}}}", other, 1);
}

static void many_parameters(void)
{
    char options[8192] = "{\"excluded_parameters\":[", url[64];
    for (int i = 0; i < 250; i++)
        (void)sprintf(options + strlen(options), "%s\"name%d\"", i ? "," : "", i);
    (void)strcat(options, "]}");
    testkit *k = open_kit(options);
    for (int i = 0; i < 260; i++) {
        char want[64] = "http://a/";
        (void)snprintf(url, sizeof url, "http://a/?NAME%d=1", i);
        REQUIRE(visit(k, url, ""));
        CHECK(field_is(k, "page_view_url_normalized", i < 250 ? want : url));
    }
    close_kit(k);
    (void)strcpy(options, "{\"search_parameters\":[");
    for (int i = 0; i < 250; i++) /* the names that are built in no longer fit into the table */
        (void)sprintf(options + strlen(options), "%s\"name%d\"", i ? "," : "", i);
    (void)strcat(options, "]}");
    k = open_kit(options);
    REQUIRE(visit(k, "http://a/?name249=last&name3=third&gclid=1&sid=2&x=3", ""));
    CHECK(field_is(k, "page_view_url_normalized", "http://a/?x=3") && field_is(k, "search_keyword", "third"));
    close_kit(k);
}

static void long_urls(void)
{
    char url[4096] = "http://a/";
    testkit *k = open_kit(NULL);
    memset(url + 9, 'x', 3000);
    url[3009] = '\0';
    REQUIRE(visit(k, url, ""));
    CHECK_INT(strlen(testkit_value(k, 0, "page_view_url_normalized")), 1024 + 2);
    CHECK_INT(strlen(testkit_value(k, 0, "page_view_url")), 3009 + 2);
    memcpy(url + 1023, "\xC3\xA4", 2); /* a letter across the border goes out whole */
    REQUIRE(visit(k, url, ""));
    CHECK_INT(strlen(testkit_value(k, 0, "page_view_url_normalized")), 1023 + 2);
    for (size_t i = 9; i + 5 < 3000; i += 5)
        memcpy(url + i, "&amp;", 5); /* cut after the entities are gone */
    REQUIRE(visit(k, url, ""));
    CHECK(strlen(testkit_value(k, 0, "page_view_url_normalized")) < 1024);
    close_kit(k);
}

/* ---- searches on the site ---- */

static void searches(void)
{
    static const struct {
        const char *options, *url, *more;
        const char *keyword, *category, *count; /* keyword NULL: no search */
        const char *normalized;
    } cases[] = {
        {NULL, "http://a/f?q=red+shoes&p=2", "", "red shoes", NULL, NULL, "http://a/f?p=2"},
        {NULL, "http://a/f?Q=x", "", "x", NULL, NULL, "http://a/f"},
        {NULL, "http://a/f?keywords=k&q=first", "", "first", NULL, NULL, "http://a/f"},
        {NULL, "http://a/f?q=&s=second", "", "second", NULL, NULL, "http://a/f"},
        {NULL, "http://a/f?q=one&q=two", "", "two", NULL, NULL, "http://a/f"},
        {NULL, "http://a/f?q[]=one&q[]=two", "", "one", NULL, NULL, "http://a/f"},
        {NULL, "http://a/f?q%5B0%5D=one", "", "one", NULL, NULL, "http://a/f"},
        {NULL, "http://a/f#q=frag", "", "frag", NULL, NULL, "http://a/f"},
        {NULL, "http://a/f?q=%20", "", NULL, NULL, NULL, "http://a/f?q=%20"},
        {NULL, "http://a/f?q=x&search_count=7", "", "x", NULL, "7", "http://a/f"},
        {NULL, "http://a/f?q=x&search_count=-7", "", "x", NULL, NULL, "http://a/f"},
        {NULL, "http://a/f?q=x&search_count=7", "search_count=3", "x", NULL, "3", "http://a/f"},
        {NULL, "http://a/f?q=x", "search=y&search_cat=c&search_count=0", "y", "c", "0", NULL},
        {NULL, "http://a/f", "search=+y+", "y", NULL, NULL, "http://a/f"},
        {NULL, "http://a/f", "search=+", NULL, NULL, NULL, "http://a/f"},
        {NULL, "http://a/f?q=x", "ca=1", "x", NULL, NULL, "http://a/f"},
        {NULL, "http://a/f?q=x&cat=c", "", "x", NULL, NULL, "http://a/f?cat=c"},
        {"{\"search_category_parameters\":[\"cat\"]}", "http://a/f?q=x&cat=c+d", "", "x", "c d", NULL,
         "http://a/f"},
        {"{\"search_category_parameters\":[\"cat\"]}", "http://a/f?q=x&cat=c", "search_cat=own", "x", "own",
         NULL, "http://a/f"},
        {"{\"search_category_parameters\":[\"cat\"]}", "http://a/f?cat=c", "", NULL, NULL, NULL,
         "http://a/f?cat=c"},
        {"{\"search_parameters\":[\"find\"]}", "http://a/f?find=x", "", "x", NULL, NULL, "http://a/f"},
        {"{\"search_parameters\":[\"find\"]}", "http://a/f?q=x", "", NULL, NULL, NULL, "http://a/f?q=x"},
        {"{\"search_parameters\":[\"b\"],\"sites\":{\"1\":{\"search_parameters\":[\"c\"]}}}",
         "http://a/f?b=1&c=2", "", "2", NULL, NULL, "http://a/f?b=1"},
        {"{\"search_parameters\":[\"b\"],\"sites\":{\"1\":{\"search_category_parameters\":[\"c\"]}}}",
         "http://a/f?b=1&c=2", "", "1", "2", NULL, "http://a/f"},
        {"{\"site_search\":false}", "http://a/f?q=x", "", NULL, NULL, NULL, "http://a/f?q=x"},
        {"{\"site_search\":false}", "http://a/f", "search=x", NULL, NULL, NULL, "http://a/f"},
        {"{\"site_search\":false,\"sites\":{\"1\":{\"site_search\":true}}}", "http://a/f?q=x", "", "x", NULL,
         NULL, "http://a/f"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        testkit *k = open_kit(cases[i].options);
        bool ok = visit(k, cases[i].url, cases[i].more);
        ok = ok && field_is(k, "event_type", cases[i].keyword ? "site_search" : "pageview");
        if (cases[i].keyword || !strstr(cases[i].more, "search="))
            ok = ok && field_is(k, "search_keyword", cases[i].keyword);
        ok = ok && field_is(k, "search_category", cases[i].category);
        if (cases[i].normalized)
            ok = ok && field_is(k, "page_view_url_normalized", cases[i].normalized);
        const char *count = ok ? testkit_value(k, 0, "search_count") : NULL;
        ok = ok && (cases[i].count ? count && strcmp(count, cases[i].count) == 0 : !count);
        if (!ok) {
            printf("# %s %s %s\n", cases[i].options ? cases[i].options : "", cases[i].url, cases[i].more);
            CHECK(false);
        }
        close_kit(k);
    }
}

/* What is not UTF-8 is read as the page's charset has it. */
static void charsets(void)
{
    static const struct {
        const char *cs, *raw, *keyword;
    } cases[] = {{"iso-8859-1", "%FCber",
                  "\xC3\xBC"
                  "ber"},
                 {"ISO-8859-15", "%A4", "\xE2\x82\xAC"},
                 {"windows-1251", "%C4%E0", "\xD0\x94\xD0\xB0"},
                 {"Shift_JIS", "%93%FA", "\xE6\x97\xA5"},
                 {"utf-8", "%C3%BC", "\xC3\xBC"},
                 {"iso-8859-1", "%C3%BC", "\xC3\xBC"}, /* UTF-8 all the same */
                 {"utf-8", "%FC", "\xEF\xBF\xBD"},
                 {"UTF-16", "%FC", "\xEF\xBF\xBD"},
                 {"../../x", "%FC", "\xEF\xBF\xBD"},
                 {"Shift_JIS", "%93", "\xEF\xBF\xBD"},
                 {"", "%FC", "\xEF\xBF\xBD"}};
    testkit *k = open_kit(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[128], more[128];
        (void)snprintf(url, sizeof url, "http://a/?q=%s&utm_source=%s", cases[i].raw, cases[i].raw);
        (void)snprintf(more, sizeof more, "cs=%s", cases[i].cs);
        if (!visit(k, url, more) || !field_is(k, "search_keyword", cases[i].keyword) ||
            !field_is(k, "campaign_source", cases[i].keyword)) {
            printf("# ... of %s %s\n", cases[i].cs, cases[i].raw);
            CHECK(false);
        }
    }
    char url[2000] = "http://a/?q=";
    for (int i = 0; i < 400; i++)
        (void)strcat(url, "%FC");
    REQUIRE(visit(k, url, "cs=latin1"));
    CHECK_INT(strlen(testkit_value(k, 0, "search_keyword")), 254 + 2); /* 255 would cut a letter */
    close_kit(k);
}

/* ---- which action (b11) ---- */

/* Every set of the candidates, with and without what stands above them. */
static void actions(void)
{
    static const struct {
        const char *query, *type;
    } parts[] = {{"search=s", "site_search"},
                 {"c_n=n", "content_impression"},
                 {"e_c=c&e_a=a", "event"},
                 {"link=http://o/", "outlink"},
                 {"download=http://o/f", "download"}},
      above[] = {{"", NULL},
                 {"ca=1", "custom"},
                 {"idgoal=3", "goal"},
                 {"idgoal=0", "ecommerce_cart"},
                 {"idgoal=0&ec_id=A", "ecommerce_order"},
                 {"ping=1", "ping"},
                 {"idgoal=3&ping=1", "ping"},
                 {"recMode=1", "bot"},
                 {"idgoal=-1", NULL},
                 {"idgoal=x", NULL},
                 {"ping=0", NULL},
                 {"recMode=2", NULL}};
    testkit *k = open_kit("{\"visits\":0}");
    for (unsigned set = 0; set < 32; set++)
        for (size_t a = 0; a < sizeof above / sizeof *above; a++) {
            char query[256] = "";
            const char *want = "pageview";
            for (unsigned i = 0; i < 5; i++)
                if (set >> i & 1u) {
                    (void)sprintf(query + strlen(query), "&%s", parts[i].query);
                    want = parts[i].type; /* the last one wins */
                }
            (void)sprintf(query + strlen(query), "&%s", above[a].query);
            if (above[a].type && !(set && strcmp(above[a].type, "custom") == 0))
                want = above[a].type;
            if (!visit(k, "http://a/", query) || !field_is(k, "event_type", want)) {
                printf("# ... of %s\n", query);
                CHECK(false);
            }
        }
    REQUIRE(visit(k, "http://a/", "c_n=n&c_i=click"));
    CHECK(field_is(k, "event_type", "content_interaction"));
    REQUIRE(visit(k, "http://a/", "c_n=n&c_i=click&link=http://o/")); /* a link inside a block of content */
    CHECK(field_is(k, "event_type", "outlink"));
    REQUIRE(visit(k, "http://a/", "c_n=n&c_i="));
    CHECK(field_is(k, "event_type", "content_impression"));
    REQUIRE(visit(k, "http://a/", "e_c=c&e_a="));
    CHECK(field_is(k, "event_type", "pageview"));
    REQUIRE(visit(k, "http://a/", "e_c=c&ca=1"));
    CHECK(field_is(k, "event_type", "custom"));
    REQUIRE(visit(k, "http://a/?q=x", "idgoal=2"));
    CHECK(field_is(k, "event_type", "goal") && field_is(k, "search_keyword", NULL));
    close_kit(k);
}

static void entities(void)
{
    static const struct {
        const char *text, *want; /* NULL: none */
    } cases[] = {{"&amp;", "&"},
                 {"&lt;x", "<"},
                 {"&#39;", "'"},
                 {"&#039;", "'"},
                 {"&#x1F600;", "\xF0\x9F\x98\x80"},
                 {"&nbsp;", "\xC2\xA0"},
                 {"&yuml;", "\xC3\xBF"},
                 {"&", NULL},
                 {"&;", NULL},
                 {"&amp", NULL},
                 {"&#;", NULL},
                 {"&#x;", NULL},
                 {"&#12x;", NULL},
                 {"&AMP;", NULL},
                 {"&thetasym;", NULL},
                 {"&averyveryverylong;", NULL},
                 {"&#99999999999;", NULL},
                 {"&#x7F;", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[4];
        size_t len = 0, used = entity_read(out, cases[i].text, cases[i].text + strlen(cases[i].text), &len);
        if (cases[i].want ? used == 0 || len != strlen(cases[i].want) || memcmp(out, cases[i].want, len) != 0
                          : used != 0) {
            printf("# %s\n", cases[i].text);
            CHECK(false);
        }
    }
}

static void refused_options(void)
{
    static const char *const cases[][2] = {
        {"{\"excluded_parameters\":[\"\"]}", "\"\" is no name of a parameter"},
        {"{\"excluded_parameters\":[\"/(/\"]}", "excluded_parameters"},
        {"{\"sites\":{\"3\":{\"excluded_parameters\":[\"/[/\"]}}}", "sites.3.excluded_parameters"},
        {"{\"sites\":{\"3\":{\"search_parameters\":[\"\"]}}}", "sites.3."},
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

static const check_test tests[] = {TEST(normalized),      TEST(fragments_kept), TEST(own_parameters),
                                   TEST(many_parameters), TEST(long_urls),      TEST(searches),
                                   TEST(charsets),        TEST(actions),        TEST(entities),
                                   TEST(refused_options)};
CHECK_MAIN(tests)
