// with: receivers/matomo/*.c -lpcre2-8
/* Where visitors come from: type, name and keyword of referrers. */
#include <stdint.h>

#include "plugins/common/url.h"
#include "plugins/sdk/testkit/testkit.h"
#include "receivers/matomo/sources.h"
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

static bool visit(testkit *k, const char *url, const char *urlref, const char *more)
{
    char target[32768], a[3 * 1024], b[3 * 4096];
    size_t a_len = url_encode(a, ss_cstr(url)), b_len = url_encode(b, ss_cstr(urlref));
    (void)snprintf(target, sizeof target, "/matomo.php?idsite=1&rec=1&url=%.*s&urlref=%.*s%s", (int)a_len, a,
                   (int)b_len, b, more);
    (void)testkit_receive(k, &(testkit_request){.target = target});
    CHECK_INT(testkit_http(k), 200);
    return testkit_event_count(k) == 1;
}

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

typedef struct referrer_case {
    const char *urlref, *type, *name, *keyword; /* NULL: absent */
    const char *url;                            /* NULL: http://site.example/ */
} referrer_case;

static void run(const char *options, const referrer_case *cases, size_t count)
{
    testkit *k = open_kit(options);
    for (size_t i = 0; i < count; i++) {
        const referrer_case *c = &cases[i];
        bool ok = visit(k, c->url ? c->url : "http://site.example/", c->urlref, "");
        if (!ok || !field_is(k, "referrer_type", c->type) || !field_is(k, "referrer_name", c->name) ||
            !field_is(k, "referrer_keyword", c->keyword)) {
            printf("# ... of %s to %s\n", c->urlref, c->url ? c->url : "the site");
            CHECK(false);
        }
    }
    close_kit(k);
}

static void search_engines(void)
{
    static const referrer_case cases[] = {
        {"https://www.google.com/", "search", "Google", NULL, NULL},
        {"https://www.google.com", "search", "Google", NULL, NULL},
        {"https://www.google.de/search?q=Rote+Schuhe&ie=utf-8", "search", "Google", "rote schuhe", NULL},
        {"https://www.google.co.uk/url?sa=t&q=&esrc=s", "search", "Google", NULL, NULL},
        {"https://google.com.br/search?q=x", "search", "Google", "x", NULL},
        {"https://www.google.fr/#q=dans+le+fragment", "search", "Google", "dans le fragment", NULL},
        {"https://www.google.com/maps", "website", "www.google.com", NULL, NULL},
        {"https://www.google.com/search?as_q=one+two&as_epq=a+phrase&as_oq=x+y&as_eq=no", "search", "Google",
         "one two x or y \\\"a phrase\\\" -no", NULL},
        {"https://www.google.com/search?q=cats&tbm=isch", "search", "Google Images", "cats", NULL},
        {"https://images.google.de/imghp?q=cats", "search", "Google Images", "cats", NULL},
        {"https://www.google.com/imgres?imgurl=x", "search", "Google Images", NULL, NULL},
        {"android-app://com.google.android.googlequicksearchbox/https/www.google.com", "search", "Google",
         NULL, NULL},
        {"https://www.bing.com/search?q=B%C3%9CCHER&cvid=1", "search", "Bing",
         "b\xC3\xBC"
         "cher",
         NULL},
        {"https://de.bing.com/search?q=x", "search", "Bing", "x", NULL},
        {"https://www.bing.com/images/search?q=x", "search", "Bing Images", "x", NULL},
        {"https://duckduckgo.com/", "search", "DuckDuckGo", NULL, NULL},
        {"https://www.ecosia.org/", "search", "Ecosia", NULL, NULL},
        {"https://www.ecosia.org/about", "website", "www.ecosia.org", NULL, NULL},
        {"https://de.search.yahoo.com/search?p=x", "search", "Yahoo!", "x", NULL},
        {"https://new.search.yahoo.com/search?p=x", "search", "Yahoo!", "x", NULL},
        {"https://r.search.yahoo.com/_ylt=abc/RV=2", "search", "Yahoo!", NULL, NULL},
        {"https://yandex.ru/", "search", "Yandex", NULL, NULL},
        {"https://yandex.com.tr/search/?text=x", "search", "Yandex", "x", NULL},
        {"http://www.baidu.com/s?wd=x", "search", "Baidu", "x", NULL},
        {"http://1.cz/s/hledat+to/", "search", "1.cz", "hledat to", NULL},
        {"http://1.cz/other", "website", "1.cz", NULL, NULL},
        {"http://www.so.com/s?q=", "search", "360search", NULL, NULL},
        {"http://www.so.com/s?src=x", "website", "www.so.com", NULL, NULL},
        {"http://WWW.GOOGLE.DE/search?q=x", "search", "Google", "x", NULL},
        {"http://1.cz/?q=%D8e%E8", "search", "1.cz",
         "\xC5\x99"
         "e\xC4\x8D",
         NULL},                                                                        /* iso-8859-2 */
        {"http://www.so.com/s?q=%C4%E3", "search", "360search", "\xE4\xBD\xA0", NULL}, /* gb2312 */
        {"http://www.so.com/s?q=%E4%BD%A0", "search", "360search", "\xE4\xBD\xA0", NULL},
        {"http://search.example/?cx=partner-pub-1&q=x", "search", "Google Custom Search", "x", NULL},
        {"http://search.example/?x=1", "website", "search.example", NULL, NULL},
        {"http://google.evil.example/search?q=x", "website", "google.evil.example", NULL, NULL},
        {"http://xgoogle.com/search?q=x", "website", "xgoogle.com", NULL, NULL},
    };
    run(NULL, cases, sizeof cases / sizeof *cases);
}

static void networks_and_others(void)
{
    static const referrer_case cases[] = {
        {"https://www.facebook.com/", "social", "Facebook", NULL, NULL},
        {"https://l.facebook.com/l.php?u=x", "social", "Facebook", NULL, NULL},
        {"https://t.co/abc", "social", "Twitter", NULL, NULL},
        {"https://old.reddit.com/r/x", "social", "reddit", NULL, NULL},
        {"https://notfacebook.com/", "website", "notfacebook.com", NULL, NULL},
        {"https://facebook.com.evil.example/", "website", "facebook.com.evil.example", NULL, NULL},
        {"https://evil.example/facebook.com/", "website", "evil.example", NULL, NULL},
        {"https://chatgpt.com/", "ai_assistant", "ChatGPT", NULL, NULL},
        {"https://www.perplexity.ai/search/x", "ai_assistant", "Perplexity", NULL, NULL},
        {"https://x.com/i/grok", "ai_assistant", "Grok", NULL, NULL},
        {"https://x.com/i/grok/share/1", "ai_assistant", "Grok", NULL, NULL},
        {"https://x.com/i/groks", "social", "Twitter", NULL, NULL},
        {"https://gemini.google.com/app", "ai_assistant", "Gemini", NULL, NULL},
        {"https://Blog.Example:8080/path?q=x", "website", "blog.example", NULL, NULL},
        {"http://user@blog.example/", "website", "blog.example", NULL, NULL},
        {"", "direct", NULL, NULL, NULL},
        {"not a url", "direct", NULL, NULL, NULL},
        {"javascript://x", "direct", NULL, NULL, NULL},
        {"http://", "direct", NULL, NULL, NULL},
        {"http://site.example/other", "direct", NULL, NULL, NULL},
        {"https://SITE.example:8080/other", "direct", NULL, NULL, NULL},
        {"http://www.site.example/", "website", "www.site.example", NULL, NULL},
        {"https://www.google.com/search?q=x", "direct", NULL, NULL, "http://site.example/?ignore_referrer=1"},
        {"https://www.google.com/search?q=x", "direct", NULL, NULL,
         "http://site.example/?ignore_referer=1&mtm_campaign=c"},
        {"https://www.google.com/search?q=x", "search", "Google", "x",
         "http://site.example/?ignore_referrer=0"},
    };
    run(NULL, cases, sizeof cases / sizeof *cases);
}

static void campaigns(void)
{
    static const referrer_case cases[] = {
        {"", "campaign", "spring", NULL, "http://site.example/?mtm_campaign=Spring"},
        {"", "campaign", "spring", "shoes", "http://site.example/?utm_campaign=Spring&utm_term=Shoes"},
        {"https://www.google.com/search?q=Red+Shoes", "campaign", "spring", "red shoes",
         "http://site.example/?utm_campaign=Spring"},
        {"https://www.google.com/", "campaign", "spring", "www.google.com",
         "http://site.example/?utm_campaign=Spring"},
        {"https://news.example/x", "campaign", "spring", "news.example",
         "http://site.example/?utm_campaign=Spring"},
        {"https://news.example/x", "campaign", "spring", "own",
         "http://site.example/?utm_campaign=Spring&mtm_kwd=Own"},
        {"http://site.example/x", "campaign", "spring", NULL, "http://site.example/?utm_campaign=Spring"},
        {"", "campaign", "frag", NULL, "http://site.example/#mtm_campaign=Frag"},
        {"", "campaign", "query", NULL, "http://site.example/?mtm_campaign=Query#mtm_campaign=Frag"},
        {"", "campaign", "news", NULL, "http://site.example/?utm_source=News"},
        {"", "direct", NULL, NULL, "http://site.example/?utm_content=only"},
        {"", "campaign", "first", NULL, "http://site.example/?utm_medium=last&pk_cpn=First"},
    };
    run(NULL, cases, sizeof cases / sizeof *cases);
    testkit *k = open_kit(NULL);
    REQUIRE(visit(k, "http://site.example/?mtm_campaign=url", "", "&pk_campaign=Param&matomo_kwd=W"));
    CHECK(field_is(k, "referrer_name", "param") && field_is(k, "referrer_keyword", "w"));
    REQUIRE(visit(k, "http://site.example/", "", "&_rcn=Summer%2520Sale&_rck=%25C3%2584"));
    CHECK(field_is(k, "attribution_campaign_name", "summer sale") &&
          field_is(k, "attribution_campaign_keyword", "\xC3\xA4") && field_is(k, "referrer_type", "direct"));
    close_kit(k);
}

static void own_sites(void)
{
    static const char options[] = "{\"excluded_referrers\":[\"pay.example\"],\"sites\":{\"1\":{\"hosts\":["
                                  "\"one.example\",\"shared.example/a\"],"
                                  "\"excluded_referrers\":[\"*.bank.example\"]},\"2\":{\"hosts\":[\"shared."
                                  "example/b/c\",\"*.two.example\"]}}}";
    static const referrer_case cases[] = {
        {"http://one.example/x", "direct", NULL, NULL, "http://elsewhere.example/"},
        {"http://shared.example/a/x", "direct", NULL, NULL, "http://one.example/"},
        {"http://shared.example/b/c/d", "website", "shared.example/b/c", NULL, "http://one.example/"},
        {"http://shared.example/other", "website", "shared.example", NULL, "http://one.example/"},
        {"http://www.two.example/", "website", "www.two.example", NULL, "http://one.example/"},
        /* of another site, although it is the page's host */
        {"http://shared.example/b/c", "website", "shared.example/b/c", NULL, "http://shared.example/a"},
        /* of no site, and the page's host */
        {"http://unknown.example/", "direct", NULL, NULL, "http://unknown.example/a"},
        {"http://pay.example/", "direct", NULL, NULL, "http://one.example/"},
        {"http://www.bank.example/", "direct", NULL, NULL, "http://one.example/"},
        {"http://bank.example.org/", "website", "bank.example.org", NULL, "http://one.example/"},
        {"http://pay.example/", "campaign", "c", NULL, "http://one.example/?mtm_campaign=c"},
    };
    run(options, cases, sizeof cases / sizeof *cases);
    static const referrer_case strict[] = {
        {"http://one.example/", "direct", NULL, NULL, "http://one.example/a"},
        {"http://sub.one.example/", "website", "sub.one.example", NULL, "http://one.example/a"},
    };
    run("{\"exclude_unknown_urls\":true,\"sites\":{\"1\":{\"hosts\":[\"one.example\"]}}}", strict, 2);
}

static void without_noise(void)
{
    static const char *const cases[][2] = {
        {"https://www.google.com/search?q=x&ved=1&ei=2&usg=3&hl=de&sxsrf=4",
         "https://www.google.com/search?q=x&hl=de"},
        {"https://www.google.de/url?sa=t&rct=j&q=&esrc=s&source=web&cd=1&ved=1&url=u",
         "https://www.google.de/url?q=&url=u"},
        {"https://www.google.com/?ved=1#q=x", "https://www.google.com/#q=x"},
        {"https://l.facebook.com/l.php?u=x&h=AT0&p=1&fbclid=2", "https://l.facebook.com/l.php?u=x"},
        {"https://www.bing.com/search?q=x&FORM=1&cvid=2&qs=n", "https://www.bing.com/search?q=x"},
        {"https://other.example/?ved=1&h=2", "https://other.example/?ved=1&h=2"},
        {" https://other.example/ ", "https://other.example/"},
        {"nonsense", NULL},
    };
    testkit *k = open_kit(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        REQUIRE(visit(k, "http://site.example/", cases[i][0], ""));
        if (!field_is(k, "referral_url_normalized", cases[i][1]) ||
            !field_is(k, "referral_url", cases[i][0])) {
            printf("# ... of %s\n", cases[i][0]);
            CHECK(false);
        }
    }
    char url[4096] = "https://www.google.com/search?q=x&ved=1&";
    memset(url + strlen(url), 'x', 3000);
    REQUIRE(visit(k, "http://site.example/", url, ""));
    const char *got = testkit_value(k, 0, "referral_url_normalized");
    CHECK(got && strlen(got) == 1500 + 2 - strlen("&ved=1"));
    close_kit(k);
}

static void countries(void)
{
    static const char *const cases[][2] = {
        {"www.google.co.uk", "google.{}"},
        {"google.com", "google.com"},
        {"google.com.br", "google.{}"},
        {"www2.example.de", "example.{}"},
        {"de.search.yahoo.com", "{}.search.yahoo.com"},
        {"search.abc.de", "abc.{}"},
        {"m.example.fr", "example.{}"},
        {"example", "example"},
        {"co.uk", "{}.{}"},
        {"de", "de"},
        {"web.de", "web.{}"},
        {"a.b.c.d.e.f.g.h.i.de", "a.b.c.d.e.f.g.h.i.de"},
        {"www.example.zz", "example.zz"},
        {"", ""},
        {"...", "..."},
    };
    ss_error err = {.struct_size = sizeof err};
    sources *s = sources_new(&err);
    REQUIRE(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[URL_HOST_MAX];
        ss_str got = sources_any_country(s, out, ss_cstr(cases[i][0]));
        if (!ss_eq(got, ss_cstr(cases[i][1]))) {
            printf("# %s: %.*s\n", cases[i][0], (int)got.len, got.ptr);
            CHECK(false);
        }
    }
    sources_free(s);
}

/* Each place of the table is found again by itself. */
static void every_place(void)
{
    ss_error err = {.struct_size = sizeof err};
    sources *s = sources_new(&err);
    REQUIRE(s);
    for (size_t i = 0; i < referrer_place_count; i++) {
        const referrer_place *p = &referrer_places[i];
        char host[URL_HOST_MAX];
        size_t slash = strcspn(p->text, "/"), len = 0;
        for (size_t c = 0; c < slash; c++) /* any country will do */
            host[len++] = p->text[c] == '{' ? 'd' : p->text[c] == '}' ? 'e' : p->text[c];
        ss_str path = ss_s(p->text + slash, p->len - slash);
        const known_source *found =
            p->kind == REFERRER_ENGINE      ? sources_engine(s, ss_s(host, len), path, ss_s("", 0))
            : p->kind == REFERRER_SOCIAL    ? sources_social(s, ss_s(host, len))
            : p->kind == REFERRER_ASSISTANT ? sources_assistant(s, ss_s(host, len), path)
                                            : NULL;
        bool paths = p->kind == REFERRER_ENGINE_PATHS || p->kind == REFERRER_ASSISTANT_PATHS;
        bool hidden =
            strncmp(p->text, "www.", 4) == 0 && strchr(p->text, '{'); /* www goes before the country does */
        if (!paths && !hidden && (!found || !ss_eq(found->name, ss_cstr(referrer_sources[p->source].name)))) {
            printf("# %s: %.*s\n", p->text, found ? (int)found->name.len : 0, found ? found->name.ptr : "");
            CHECK(false);
        }
    }
    sources_free(s);
}

/* Any bytes as a referrer: nothing but an answer is wanted. */
static void nonsense(void)
{
    static const char *const cases[] = {"//",
                                        "///",
                                        "//.",
                                        "//..google.de/?q=",
                                        "//[/?q=x",
                                        "//[::1",
                                        "//@/",
                                        "//:80/",
                                        "//a@b@c",
                                        "//google.de?",
                                        "//google.de#",
                                        "//google.de/?#",
                                        "//www.google.de/search?q=%",
                                        "//www.google.de/search?q=%zz",
                                        "//x.com/i/grok?",
                                        "//\xFF\xFE/\xFF",
                                        "//1.cz/s/%FF%FE/"};
    testkit *k = open_kit("{\"sites\":{\"1\":{\"hosts\":[\"a.b\"]}}}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(visit(k, "http://site.example/", cases[i], "&mtm_campaign=%FF"));
    char dots[1200] = "http://";
    memset(dots + 7, '.', 1000);
    CHECK(visit(k, dots, dots, ""));
    close_kit(k);
}

static const check_test tests[] = {
    TEST(search_engines), TEST(networks_and_others), TEST(campaigns),   TEST(own_sites),
    TEST(without_noise),  TEST(countries),           TEST(every_place), TEST(nonsense)};
CHECK_MAIN(tests)
