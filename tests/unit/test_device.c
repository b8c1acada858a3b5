/* The enricher device over a small directory of regex files of its own: each rule of the algorithm once, the
   filter in front of it, and damaged files. */
// with: enrichers/device/*.c
// libs: -lpcre2-8 -lyaml -lpthread
#include "enrichers/device/load.h"
#include "enrichers/device/scan.h"
#include "enrichers/device/version.h"
#include "tests/unit/check.h"
#include "tests/unit/device_fixture.h"

static char directory[512];

static void set_up(void)
{
    device_make(directory, sizeof directory);
}

static void tear_down(void)
{
    device_remove(directory);
}

/* ---- results as one line ---- */

static void add(char *out, size_t size, const char *key, ss_str text)
{
    size_t n = strlen(out);
    if (text.len)
        (void)snprintf(out + n, size - n, "%s%s=%.*s", n ? " | " : "", key, (int)text.len, text.ptr);
}

static void describe(const device_result *r, char *out, size_t size)
{
    static const struct {
        const char *key;
        enum result_text text;
    } rows[] = {{"bot", RESULT_BOT_NAME},      {"category", RESULT_BOT_CATEGORY},
                {"url", RESULT_BOT_URL},       {"producer", RESULT_BOT_PRODUCER},
                {"os", RESULT_OS_NAME},        {"version", RESULT_OS_VERSION},
                {"family", RESULT_OS_FAMILY},  {"platform", RESULT_OS_PLATFORM},
                {"is", RESULT_CLIENT_TYPE},    {"client", RESULT_CLIENT_NAME},
                {"cv", RESULT_CLIENT_VERSION}, {"cf", RESULT_CLIENT_FAMILY},
                {"engine", RESULT_ENGINE},     {"ev", RESULT_ENGINE_VERSION},
                {"brand", RESULT_BRAND},       {"model", RESULT_MODEL}};
    *out = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        add(out, size, rows[i].key, r->text[rows[i].text]);
    add(out, size, "type", ss_cstr(kind_name((enum device_kind)r->kind)));
    add(out, size, "mobile", r->is_mobile ? SS_LIT("yes") : SS_LIT(""));
}

typedef struct look {
    const char *agent, *hints, *want;
} look;

static void check_looks(const look *looks, size_t count)
{
    ss_error err = {.struct_size = sizeof err};
    set_up();
    rules *r = rules_load(directory, &err);
    CHECK_STR(err.text, "");
    REQUIRE(r);
    scan *s = scan_new(r);
    REQUIRE(s);
    for (size_t i = 0; i < count; i++) {
        device_result found;
        char got[2048];
        scan_run(s, ss_cstr(looks[i].agent), ss_cstr(looks[i].hints ? looks[i].hints : ""), &found);
        describe(&found, got, sizeof got);
        if (strcmp(got, looks[i].want) != 0)
            printf("# %s %s\n", looks[i].agent, looks[i].hints ? looks[i].hints : "");
        CHECK_STR(got, looks[i].want);
    }
    scan_free(s);
    rules_free(r);
    tear_down();
}
#define CHECK_LOOKS(looks) check_looks(looks, sizeof(looks) / sizeof(looks)[0])

#define CHROME_TAIL " AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
#define MOBILE_TAIL " AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36"

static void agents(void)
{
    static const look looks[] = {
        {"ExampleBot/1.0", NULL,
         "bot=ExampleBot | category=Search bot | url=https://bot.example/ | producer=Example Ltd."},
        {"Mozilla/5.0 (compatible; examplespider)", NULL,
         "bot=Examplespider | category=Search bot | url=https://bot.example/ | producer=Example Ltd."},
        {"NotExampleBot/1.0", NULL, ""},
        {"my_probe", NULL, ""},
        {"-probe", NULL, ""},
        {"x-probe 5", NULL, ""},
        {"", NULL, ""},
        {"123 456.7", NULL, ""},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" CHROME_TAIL, NULL,
         "os=Windows | version=10 | family=Windows | platform=x64 | is=browser | client=Chrome | "
         "cv=120.0.0.0 | cf=Chrome | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 6.2; ARM; Trident/7.0; Touch; rv:11.0) like Gecko", NULL,
         "os=Windows RT | family=Windows Mobile | platform=ARM | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Windows NT 6.2; Touch)" CHROME_TAIL, NULL,
         "os=Windows | version=8 | family=Windows | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Windows NT 6.1; MDDRJS; rv:11.0)" CHROME_TAIL, NULL,
         "os=Windows | family=Windows | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | engine=Blink "
         "| ev=120.0.0.0 | brand=Delta | type=desktop"},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)" CHROME_TAIL, NULL,
         "os=Mac | version=10.15.7 | family=Mac | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | brand=Apple | type=desktop"},
        {"Mozilla/5.0 (X11; Ubuntu/22.04; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", NULL,
         "os=Ubuntu | version=22.04 | family=GNU/Linux | platform=x64 | is=browser | client=Firefox | "
         "cv=120.0 | cf=Firefox | engine=Gecko | ev=120.0 | type=desktop"},
        {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)" CHROME_TAIL, NULL,
         "os=Chrome OS | version=120 | family=Chrome OS | platform=x64 | is=browser | client=Chrome | "
         "cv=120.0.0.0 | cf=Chrome | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Linux; Android 13; GM-X5_2)" MOBILE_TAIL, NULL,
         "os=Android | version=13 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | brand=Gamma | model=X 5 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 13; sprd-GM-X5)" MOBILE_TAIL, NULL,
         "os=Android | version=13 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | brand=Gamma | model=X 5 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 13; LGM-X5)" MOBILE_TAIL, NULL,
         "os=Android | version=13 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 13; GMPad)" CHROME_TAIL, NULL,
         "os=Android | version=13 | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | brand=Gamma Pads | model=Pad | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 13; GM-F1)" MOBILE_TAIL, NULL,
         "os=Android | version=13 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | brand=Gamma | model=F1 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 13; GM-B1)" MOBILE_TAIL, NULL,
         "os=Android | version=13 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | brand=Gamma | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 13; GM-Z9)" MOBILE_TAIL, NULL,
         "os=Android | version=13 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | brand=Gamma | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 13; NoName)" MOBILE_TAIL, NULL,
         "os=Android | version=13 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | model=One | type=phablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 13; something else)" CHROME_TAIL, NULL,
         "os=Android | version=13 | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 10; K)" MOBILE_TAIL, NULL,
         "os=Android | version=10 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 1.6; other)", NULL,
         "os=Android | version=1.6 | family=Android | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 3.1; other)", NULL,
         "os=Android | version=3.1 | family=Android | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 4.4; other)", NULL,
         "os=Android | version=4.4 | family=Android | mobile=yes"},
        {"Mozilla/5.0 (Android 9; Tablet; rv:68.0) Gecko/68.0 Firefox/68.0", NULL,
         "os=Android | version=9 | family=Android | is=browser | client=Firefox | cv=68.0 | cf=Firefox | "
         "engine=Gecko | ev=68.0 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Android 9; Mobile; rv:68.0) Gecko/68.0 Firefox/68.0", NULL,
         "os=Android | version=9 | family=Android | is=browser | client=Firefox | cv=68.0 | cf=Firefox | "
         "engine=Gecko | ev=68.0 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 9; Mobile VR; rv:68.0) Gecko/68.0 Firefox/68.0", NULL,
         "os=Android | version=9 | family=Android | is=browser | client=Firefox | cv=68.0 | cf=Firefox | "
         "engine=Gecko | ev=68.0 | type=wearable | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 9; other; Android TV)" CHROME_TAIL, NULL,
         "os=Android | version=9 | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=tv"},
        {"Mozilla/5.0 (Linux; Android 9; other; Pad/APad)" MOBILE_TAIL, NULL,
         "os=Android | version=9 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 9; GM-X1)" CHROME_TAIL " TV Bro/2", NULL,
         "os=Android | version=9 | family=Android | is=browser | client=TV Bro | cv=2 | brand=Gamma | "
         "model=X 1 | type=tv"},
        {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) Plain/3", NULL,
         "os=iOS | version=17.1.2 | family=iOS | is=browser | client=Plain | cv=3 | brand=Apple | "
         "model=iPhone | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) Plain/3", NULL,
         "os=iOS | version=16.0 | family=iOS | is=browser | client=Plain | cv=3 | brand=Apple | model=iPad | "
         "type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 13; iPhone 15)" MOBILE_TAIL, NULL,
         "os=Android | version=13 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; KAIOS/2.5) OurBrowser/20.1", NULL,
         "os=KaiOS | version=2.5 | family=Firefox OS | is=browser | client=Our Browser | cv=20.1 | cf=Chrome "
         "| engine=WebKit | type=feature phone | mobile=yes"},
        {"Opera/9.80 (J2ME; MIDP-2.0)", NULL,
         "os=Java ME | family=Real-time OS | type=feature phone | mobile=yes"},
        {"Mozilla/5.0 (VIDAA; Linux) OurBrowser/30.1", NULL,
         "os=VIDAA | family=GNU/Linux | is=browser | client=Our Browser | cv=30.1 | cf=Chrome | engine=Blink "
         "| type=tv"},
        {"Mozilla/5.0 HbbTV/1.2.1 (AcmeTV; x)", NULL, "brand=Acme | model=Set | type=tv"},
        {"Mozilla/5.0 HbbTV/1.2.1 (Other; x)", NULL, "type=tv"},
        {"Mozilla/5.0 (NinBox) OurBrowser", NULL,
         "is=browser | client=Our Browser | cf=Chrome | engine=WebKit | brand=Nin | model=Box | "
         "type=console"},
        {"Mozilla/5.0 (X11; Linux x86_64) Puffin/9.1AP", NULL,
         "os=GNU/Linux | family=GNU/Linux | platform=x64 | is=browser | client=Puffin Web Browser | cv=9.1 | "
         "type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (unknown) Puffin/9.1AP", NULL,
         "is=browser | client=Puffin Web Browser | cv=9.1 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (unknown) Puffin/9.1WT", NULL,
         "is=browser | client=Puffin Web Browser | cv=9.1 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (unknown) Puffin/9.1WD", NULL,
         "is=browser | client=Puffin Web Browser | cv=9.1 | type=desktop"},
        {"Mozilla/5.0 (SmartTV; x)", NULL, "type=tv"},
        {"Mozilla/5.0 (Tizen; x TV x)", NULL, "type=tv"},
        {"Mozilla/5.0 (TV; x)", NULL, "type=tv"},
        {"Mozilla/5.0 (x) Opera TV Store/1", NULL, "type=tv"},
        {"Mozilla/5.0 (x; Desktop; x)", NULL, "type=desktop"},
        {"Mozilla/5.0 (x86_64; Linux; PhantomJS)" CHROME_TAIL, NULL,
         "os=GNU/Linux | family=GNU/Linux | platform=x64 | type=desktop"},
        {"Feeder/12", NULL, "is=feed reader | client=Feeder | cv=12"},
        {"ChatGo/1.2.3", NULL, "is=messaging | client=Chat Go | cv=1.2.3"},
        {"Chat/4", NULL, "is=messaging | client=Chat | cv=4"},
        {"curl/8.1.2", NULL, "is=library | client=curl | cv=8.1.2"},
        {"Mozilla/5.0 (armv7l; Linux) Plain/1", NULL,
         "os=GNU/Linux | family=GNU/Linux | platform=ARM | is=browser | client=Plain | cv=1 | type=desktop"},
        {"Mozilla/5.0 (mips; Linux) Plain/1", NULL,
         "os=GNU/Linux | family=GNU/Linux | platform=MIPS | is=browser | client=Plain | cv=1 | type=desktop"},
        {"Mozilla/5.0 (aarch64; Linux) OurBrowser/20", NULL,
         "os=GNU/Linux | family=GNU/Linux | platform=ARM | is=browser | client=Our Browser | cv=20 | "
         "cf=Chrome | engine=WebKit | mobile=yes"},
    };
    CHECK_LOOKS(looks);
}

static void client_hints(void)
{
    static const look looks[] = {
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" CHROME_TAIL,
         "{\"platform\":\"Windows\",\"platformVersion\":\"15.0.0\"}",
         "os=Windows | version=11 | family=Windows | platform=x64 | is=browser | client=Chrome | "
         "cv=120.0.0.0 | cf=Chrome | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" CHROME_TAIL,
         "{\"platform\":\"Windows\",\"platformVersion\":\"10.0.0\"}",
         "os=Windows | version=10 | family=Windows | platform=x64 | is=browser | client=Chrome | "
         "cv=120.0.0.0 | cf=Chrome | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 6.2; Win64; x64)" CHROME_TAIL,
         "{\"platform\":\"Windows\",\"platformVersion\":\"0.3.0\"}",
         "os=Windows | version=8.1 | family=Windows | platform=x64 | is=browser | client=Chrome | "
         "cv=120.0.0.0 | cf=Chrome | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 6.2; Win64; x64)" CHROME_TAIL,
         "{\"platform\":\"Windows\",\"platformVersion\":\"0.0.0\"}",
         "os=Windows | version=8 | family=Windows | platform=x64 | is=browser | client=Chrome | cv=120.0.0.0 "
         "| cf=Chrome | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" CHROME_TAIL,
         "{\"platform\":\"Win32\",\"architecture\":\"arm\",\"bitness\":\"64\"}",
         "os=Windows | version=10 | family=Windows | platform=ARM | is=browser | client=Chrome | "
         "cv=120.0.0.0 | cf=Chrome | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)" CHROME_TAIL,
         "{\"platform\":\"macOS\",\"platformVersion\":\"14.1.0\",\"architecture\":\"x86\",\"bitness\":"
         "\"64\"}",
         "os=Mac | version=14.1.0 | family=Mac | platform=x64 | is=browser | client=Chrome | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | brand=Apple | type=desktop"},
        {"Mozilla/5.0 (Linux; Android 10; K)" MOBILE_TAIL,
         "{\"platform\":\"Android\",\"platformVersion\":\"13.0.0\",\"model\":\"GM-X7\",\"mobile\":true}",
         "os=Android | version=13.0.0 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | brand=Gamma | model=X 7 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 10; K)" MOBILE_TAIL,
         "{\"platform\":\"Android\",\"platformVersion\":\"\",\"model\":\"Strange One\"}",
         "os=Android | version=10 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | model=Strange One | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 10; K)" CHROME_TAIL,
         "{\"model\":\"Strange One\",\"formFactors\":[\"Desktop\",\"Tablet\"]}",
         "os=Android | version=10 | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | model=Strange One | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 10; K)" CHROME_TAIL,
         "{\"model\":\"Strange One\",\"formFactors\":[\"Desktop\",5]}",
         "os=Android | version=10 | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | model=Strange One | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 10; K)" CHROME_TAIL,
         "{\"sec-ch-ua-model\":\"\\\"Watch me\\\"\",\"Sec_CH_UA_Form_Factors\":\"\\\"Watch\\\", "
         "\\\"EInk\\\"\"}",
         "os=Android | version=10 | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | model=Watch me | type=wearable | mobile=yes"},
        {"Mozilla/5.0 (X11; Linux x86_64)" CHROME_TAIL, "{\"platform\":\"Linux\",\"model\":\"GM-X7\"}",
         "os=GNU/Linux | family=GNU/Linux | platform=x64 | is=browser | client=Chrome | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | brand=Gamma | model=X 7 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)" CHROME_TAIL,
         "{\"platform\":\"Android\",\"platformVersion\":\"11\"}",
         "os=Chrome OS | family=Chrome OS | platform=x64 | is=browser | client=Chrome | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (X11; Ubuntu/22.04; Linux x86_64)" CHROME_TAIL, "{\"platform\":\"Linux\"}",
         "os=Ubuntu | version=22.04 | family=GNU/Linux | platform=x64 | is=browser | client=Chrome | "
         "cv=120.0.0.0 | cf=Chrome | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Linux; Android 9; Fire TV)" CHROME_TAIL,
         "{\"platform\":\"Android\",\"platformVersion\":\"9\"}",
         "os=Fire OS | version=7 | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 9; x)" CHROME_TAIL, "{\"x-requested-with\":\"org.lineageos.jelly\"}",
         "os=Lineage OS | version=16.0 | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | "
         "cf=Chrome | engine=Blink | ev=120.0.0.0 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 9; x)" CHROME_TAIL, "{\"x-requested-with\":\"org.mozilla.tv.firefox\"}",
         "os=Fire OS | version=7 | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Windows NT 10.0)" CHROME_TAIL, "{\"x-requested-with\":\"every.browser.inc\"}",
         "os=Android | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | engine=Blink "
         "| ev=120.0.0.0 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 9; x)" CHROME_TAIL, "{\"x-requested-with\":\"org.chat.app\"}",
         "os=Android | version=9 | family=Android | is=mobile app | client=Chat | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 9; x)" CHROME_TAIL, "{\"x-requested-with\":\"org.mini\"}",
         "os=Android | version=9 | family=Android | is=browser | client=Our Browser | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Linux; Android 9; x)" CHROME_TAIL, "{\"x-requested-with\":\"XMLHttpRequest\"}",
         "os=Android | version=9 | family=Android | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=tablet | mobile=yes"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" CHROME_TAIL,
         "{\"brands\":[{\"brand\":\"Not "
         "A\",\"version\":\"8\"},{\"brand\":\"Chromium\",\"version\":\"121\"},{\"brand\":\"Google "
         "Chrome\",\"version\":\"121\"}]}",
         "os=Windows | version=10 | family=Windows | platform=x64 | is=browser | client=Chrome | cv=121 | "
         "cf=Chrome | engine=Blink | ev=121 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" CHROME_TAIL,
         "{\"fullVersionList\":[{\"brand\":\"Chromium\",\"version\":\"120.0.6099.1\"},{\"brand\":\"Microsoft "
         "Edge\",\"version\":\"120.0.2210.7\"}],\"brands\":[{\"brand\":\"Chromium\",\"version\":\"120\"}]}",
         "os=Windows | version=10 | family=Windows | platform=x64 | is=browser | client=Microsoft Edge | "
         "cv=120.0.2210.7 | engine=Blink | ev=120.0.6099.1 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" CHROME_TAIL,
         "{\"sec-ch-ua\":\"\\\"Chromium\\\";v=\\\"120\\\", "
         "\\\"Opera\\\";v=\\\"106\\\"\",\"sec-ch-ua-full-version\":\"\\\"106.0.1\\\"\"}",
         "os=Windows | version=10 | family=Windows | platform=x64 | is=browser | client=Opera | cv=120.0.0.0 "
         "| cf=Opera | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Linux; Android 10; K)" MOBILE_TAIL,
         "{\"sec-ch-ua-full-version-list\":\"\\\"Google Chrome\\\";v=\\\"120.0.9\\\", "
         "\\\"Chromium\\\";v=\\\"120.0.9\\\"\",\"sec-ch-ua\":\"\\\"X\\\";v=\\\"1\\\"\"}",
         "os=Android | version=10 | family=Android | is=browser | client=Chrome Mobile | cv=120.0.9 | "
         "cf=Chrome | engine=Blink | ev=120.0.9 | type=smartphone | mobile=yes"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) OurBrowser/30.5",
         "{\"brands\":[{\"brand\":\"Chromium\",\"version\":\"121\"}]}",
         "os=Windows | version=10 | family=Windows | platform=x64 | is=browser | client=Our Browser | "
         "cv=30.5 | cf=Chrome | engine=Blink | ev=121 | mobile=yes"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" CHROME_TAIL,
         "{\"brands\":[{\"brand\":\"Our\",\"version\":\"7\"},{\"brand\":\"Chromium\",\"version\":\"121\"}]}",
         "os=Windows | version=10 | family=Windows | platform=x64 | is=browser | client=Our Browser | cv=7 | "
         "cf=Chrome | engine=Blink | ev=121 | mobile=yes"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" CHROME_TAIL,
         "{\"brands\":[{\"brand\":\"Chromium\"},{\"brand\":\"Opera\",\"version\":\"5\"}]}",
         "os=Windows | version=10 | family=Windows | platform=x64 | is=browser | client=Chrome | "
         "cv=120.0.0.0 | cf=Chrome | engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" CHROME_TAIL,
         "{\"brands\":[{\"brand\":\"Chromium\",\"version\":\"2023.04\"}]}",
         "os=Windows | version=10 | family=Windows | platform=x64 | is=browser | client=Iridium | cv=2023.04 "
         "| engine=Blink | ev=2023.04 | type=desktop"},
        {"", "{\"platform\":\"Android\",\"model\":\"GM-X7\"}",
         "os=Android | family=Android | model=GM-X7 | mobile=yes"},
        {"Mozilla/5.0 (Windows NT 10.0)" CHROME_TAIL, "not json",
         "os=Windows | version=10 | family=Windows | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 10.0)" CHROME_TAIL, "[\"platform\"]",
         "os=Windows | version=10 | family=Windows | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 10.0)" CHROME_TAIL, "{\"platform\":\"<b>Android</b>\"}",
         "os=Windows | version=10 | family=Windows | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=desktop"},
        {"Mozilla/5.0 (Windows NT 10.0)" CHROME_TAIL, "{\"platform\":\"Plan 10\",\"platformVersion\":\"3\"}",
         "os=Windows | version=10 | family=Windows | is=browser | client=Chrome | cv=120.0.0.0 | cf=Chrome | "
         "engine=Blink | ev=120.0.0.0 | type=desktop"},
    };
    CHECK_LOOKS(looks);
}

/* ---- the parts ---- */

static void literals(void)
{
    static const struct {
        const char *regex, *want; /* ^ = only at the start; "-" = nothing is known */
    } rows[] = {{"Foo", "^foo"},
                {"Foo|Barn", "^foo ^barn"},
                {"(?:Foo|Barn) ?Box", "^foo box ^foobox ^barn box ^barnbox"},
                {"Foo(?:/(\\d+[.\\d]+))?", "^foo"},
                {"[\\d.]+Lite Zone", "lite zone"},
                {"SM-G9[02]0", "^sm-g900 ^sm-g920"},
                {"GT-[A-Z]5\\d", "^gt-"},
                {"(?<!like )Geckko", "^geckko"},
                {"Foo(?!bar)baz", "^foobaz"},
                {".*armed$", "armed"},
                {"(Zoo|)", "-"},
                {"Zo+", "^zo"},
                {"Zoo*", "^zo"},
                {"Zo{2}n", "^zo"},
                {"Zo{0,2}nnn", "nnn"},
                {"Zoo{x", "^zoo{x"},
                {"(?(?=a)b|c)Zoo", "zoo"},
                {"\\x41Zoo", "-"},
                {"[[:alpha:]]Zoo", "-"},
                {"a|\\d", "-"},
                {"", "-"},
                {"^Zoo$", "^zoo"},
                {"\\.zoo\\(", "^.zoo("},
                {"(Zoo", "-"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[512] = "";
        literal_set set;
        if (!literals_of(ss_cstr(rows[i].regex), &set))
            (void)strcpy(got, "-");
        for (uint32_t k = 0; k < set.count; k++) {
            size_t n = strlen(got);
            (void)snprintf(got + n, sizeof got - n, "%s%s%.*s", k ? " " : "",
                           set.items[k].at_start ? "^" : "", set.items[k].len, set.items[k].text);
        }
        CHECK_STR(got, rows[i].want);
        literal_set_free(&set);
    }
}

/* The filter never loses a match: each rule of the files is tried without it as well. */
static void filter_loses_nothing(void)
{
    static const char *const agents_[] = {("Mozilla/5.0 (Linux; Android 13; GM-X5_2)" MOBILE_TAIL),
                                          "sprd-GM-X5 MZ-GMPad _ExampleBot __probe -curl/8 ;curl/8",
                                          "Puffin/9.1AP HbbTV/1.2.1 Tizen x TV x Fire TV VIDAA",
                                          "mozilla/5.0 (x11; ubuntu/22.04; linux x86_64) FIREFOX/120.0"};
    ss_error err = {.struct_size = sizeof err};
    set_up();
    rules *r = rules_load(directory, &err);
    REQUIRE(r);
    scan *s = scan_new(r);
    REQUIRE(s);
    for (size_t a = 0; a < sizeof agents_ / sizeof agents_[0]; a++) {
        bool with[4096];
        REQUIRE(r->count <= 4096);
        subject_set(&s->plain, &r->filter, ss_cstr(agents_[a]));
        for (uint32_t i = 0; i < r->count; i++)
            with[i] = rule_match(r, i, &s->plain, &s->matcher) > 0;
        memset(s->plain.candidates, 0xFF, (r->count + 63) / 64 * 8);
        memset(s->plain.from, 0, r->count * sizeof *s->plain.from);
        for (uint32_t i = 0; i < r->count; i++)
            if (with[i] != (rule_match(r, i, &s->plain, &s->matcher) > 0)) {
                printf("# %s on %s\n", texts_get(&r->texts, r->rules[i].regex), agents_[a]);
                CHECK(false);
            }
    }
    scan_free(s);
    rules_free(r);
    tear_down();
}

static void versions(void)
{
    static const struct {
        const char *a, *b;
        int want;
    } rows[] = {{"1.0", "1.0", 0},
                {"1.0", "1.0.0", -1},
                {"1.10", "1.9", 1},
                {"", "1", -1},
                {"1", "", 1},
                {"", "", 0},
                {"1.0rc1", "1.0", -1},
                {"1.0pl1", "1.0", 1},
                {"5.2alpha", "5.2b", -1},
                {"010", "9", 1},
                {"28", "120.0.0.0", -1},
                {"1-2", "1.2", 0},
                {"1.x", "1.0", -1},
                {"99999999999999999999", "5", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_INT(version_compare(ss_cstr(rows[i].a), ss_cstr(rows[i].b)), rows[i].want);
        CHECK_INT(version_compare(ss_cstr(rows[i].b), ss_cstr(rows[i].a)), -rows[i].want);
    }
}

/* Expressions that would take for ever are given up and counted. */
static void steps_are_limited(void)
{
    ss_error err = {.struct_size = sizeof err};
    device_result found;
    char agent[SUBJECT_MAX];
    set_up();
    device_write(directory, "bots.yml", "- regex: '(?:x+x+)+y'\n  name: 'Slow'\n");
    rules *r = rules_load(directory, &err);
    REQUIRE(r);
    scan *s = scan_new(r);
    REQUIRE(s);
    memset(agent, 'x', sizeof agent);
    scan_run(s, ss_s(agent, sizeof agent), SS_LIT(""), &found);
    CHECK(!found.is_bot);
    CHECK(atomic_load(&r->limited) == 0); /* the filter knows: no y */
    agent[SUBJECT_MAX - 2] = ';';
    agent[SUBJECT_MAX - 1] = 'y';
    scan_run(s, ss_s(agent, sizeof agent), SS_LIT(""), &found);
    CHECK(!found.is_bot);
    CHECK(atomic_load(&r->limited) > 0);
    scan_free(s);
    rules_free(r);
    tear_down();
}

/* Nor can a user agent that has a word of every expression keep the server busy. */
static void matches_are_limited(void)
{
    ss_error err = {.struct_size = sizeof err};
    device_result found;
    char bots[65536] = "", agent[SUBJECT_MAX];
    size_t n = 0, len = 0;
    for (unsigned i = 0; i < 250; i++) { /* found each, but a digit is missing */
        char word[4] = {(char)('a' + i / 26), (char)('a' + i % 26), 'q'};
        n += (size_t)snprintf(bots + n, sizeof bots - n, "- regex: '%s\\d'\n  name: 'Bot'\n", word);
        len += (size_t)snprintf(agent + len, sizeof agent - len, "%s;", word);
    }
    set_up();
    device_write(directory, "bots.yml", bots);
    rules *r = rules_load(directory, &err);
    CHECK_STR(err.text, "");
    REQUIRE(r);
    scan *s = scan_new(r);
    REQUIRE(s);
    scan_run(s, ss_s(agent, len), SS_LIT(""), &found);
    CHECK(!found.is_bot);
    CHECK(atomic_load(&r->limited) > 0);
    scan_free(s);
    rules_free(r);
    tear_down();
}

static void damaged_files(void)
{
    static const struct {
        const char *file, *text, *want;
    } rows[] = {
        {"bots.yml", "- regex: 'ok'\n  name: 'a'\n- regex: 'bad('\n  name: 'b'\n", "bots.yml:3: "},
        {"bots.yml", "- name: 'a'\n", "bots.yml:1: an entry without a regex"},
        {"bots.yml", "- regex: 'a'\n  name: ['b']\n", "bots.yml:2: a text belongs here"},
        {"bots.yml", "regex: 'a'\n", "bots.yml:1: a list"},
        {"bots.yml", "- 'a'\n", "bots.yml:1: a mapping"},
        {"bots.yml", "- regex: 'a\n", "bots.yml:2: "},
        {"bots.yml", "", "bots.yml:1: the file is empty"},
        {"bots.yml", "- regex: *a\n", "bots.yml:1: "},
        {"oss.yml", "- regex: 'a'\n  versions:\n    - regex: '(?<n'\n", "oss.yml:3: "},
        {"device/mobiles.yml", "Acme:\n  regex: 'a'\n  models: 'b'\n", "device/mobiles.yml:3: a list"},
        {"vendorfragments.yml", "Acme:\n  - '('\n", "vendorfragments.yml:2: "},
        {"names.yml", "browsers: 5\n", "names.yml:1: a list"},
        {"client/hints/apps.yml", "- 5\n", "client/hints/apps.yml:1: a mapping"},
        {"device/mobiles.yml", NULL, "device/mobiles.yml: no such file; "}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ss_error err = {.struct_size = sizeof err};
        set_up();
        if (rows[i].text) {
            device_write(directory, rows[i].file, rows[i].text);
        } else {
            char path[1024];
            (void)snprintf(path, sizeof path, "%s/%s", directory, rows[i].file);
            (void)unlink(path);
        }
        rules *r = rules_load(directory, &err);
        CHECK(!r);
        if (!strstr(err.text, rows[i].want))
            CHECK_STR(err.text, rows[i].want);
        if (r)
            rules_free(r);
        tear_down();
    }
}

/* A copy of the data may lack what older ones do not have; then families are the names themselves. */
static void old_copy(void)
{
    static const char *const gone[] = {"names.yml", "client/hints/apps.yml", "client/hints/browsers.yml",
                                       "device/televisions.yml", "vendorfragments.yml"};
    ss_error err = {.struct_size = sizeof err};
    device_result found;
    set_up();
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/%s", directory, gone[i]);
        (void)unlink(path);
    }
    rules *r = rules_load(directory, &err);
    CHECK_STR(err.text, "");
    REQUIRE(r);
    CHECK(!r->families);
    scan *s = scan_new(r);
    REQUIRE(s);
    scan_run(s, SS_LIT("Mozilla/5.0 (Windows NT 10.0)" CHROME_TAIL), SS_LIT(""), &found);
    char got[2048];
    describe(&found, got, sizeof got);
    CHECK_STR(got, "os=Windows | version=10 | family=Windows | is=browser | client=Chrome | cv=120.0.0.0 | "
                   "engine=Blink | ev=120.0.0.0 | type=desktop");
    scan_free(s);
    rules_free(r);
    tear_down();
}

static const check_test tests[] = {TEST(agents),
                                   TEST(client_hints),
                                   TEST(literals),
                                   TEST(filter_loses_nothing),
                                   TEST(versions),
                                   TEST(steps_are_limited),
                                   TEST(matches_are_limited),
                                   TEST(damaged_files),
                                   TEST(old_copy)};

CHECK_MAIN(tests)
