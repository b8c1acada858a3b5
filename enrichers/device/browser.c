/* The browser and its engine: from the client hints where they name one, corrected by the user agent. */
#include "enrichers/device/scan.h"
#include "enrichers/device/version.h"

typedef struct browser {
    ss_str name, version, engine, engine_version;
} browser;

#define NOTHING ss_s("", 0)

static ss_str family_of(const rules *r, ss_str name)
{
    const rule_name *known = rules_browser(r, name);
    return known ? texts_str(&r->texts, known->family) : NOTHING;
}

/* ---- engines ---- */

static ss_str engine_version(scan *s, ss_str engine)
{
    bool gecko = text_is(engine, "Gecko") || text_is(engine, "Clecko");
    const subject *agent = &s->plain;
    uint32_t own = s->r->lists[FILE_OWN].first + OWN_GECKO;
    if (gecko && (s->groups = rule_match(s->r, own, agent, &s->matcher)) > 1)
        return scan_group(s, 1, agent);
    for (uint32_t i = 0; i < s->r->engine_rule_count; i++)
        if (text_is(engine, texts_get(&s->r->texts, s->r->engine_rules[i].name))) {
            s->groups = rule_match(s->r, s->r->engine_rules[i].rule, agent, &s->matcher);
            return scan_group(s, 1, agent);
        }
    return NOTHING;
}

static ss_str engine_of(scan *s, const rule_engine *given, ss_str version)
{
    const texts *t = &s->r->texts;
    ss_str engine = texts_str(t, given->engine);
    for (uint32_t i = 0; i < given->from_count; i++) {
        const rule_from *from = &s->r->froms[given->from_first + i];
        if (version_compare(version, texts_str(t, from->version)) >= 0)
            engine = texts_str(t, from->engine);
    }
    if (engine.len)
        return engine;
    const rule *one = scan_first(s, FILE_ENGINES, &s->plain);
    return one ? scan_expand(s, one->name, &s->plain) : NOTHING;
}

/* ---- the two sources ---- */

static void read_agent(scan *s, browser *out)
{
    const rule *one = scan_first(s, FILE_BROWSERS, &s->plain);
    *out = (browser){NOTHING, NOTHING, NOTHING, NOTHING};
    if (!one)
        return;
    out->name = scan_expand(s, one->name, &s->plain);
    out->version = scan_version(s, one->version, &s->plain);
    out->engine = engine_of(s, &s->r->engines[one->more], out->version);
    out->engine_version = engine_version(s, out->engine);
}

/* Names that hints use for browsers that the files call something else. */
static ss_str mapped(ss_str brand)
{
    static const struct {
        const char *hint, *name;
    } rows[] = {{"Google Chrome", "Chrome"},
                {"Android WebView", "Chrome Webview"},
                {"DuckDuckGo", "DuckDuckGo Privacy Browser"},
                {"Microsoft Edge WebView2", "Edge WebView"},
                {"Miui Browser", "Mi Browser"},
                {"XiaoMiBrowser", "Mi Browser"},
                {"Edge", "Microsoft Edge"},
                {"Norton Secure Browser", "Norton Private Browser"},
                {"Opera GX Android", "Opera GX"},
                {"Opera Mini Android", "Opera Mini"},
                {"Puffin", "Puffin Cloud Browser"},
                {"Vewd Core", "Vewd Browser"},
                {"YaSearchBrowser", "Yandex Browser"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (text_same_fold(brand, ss_cstr(rows[i].hint)))
            return ss_cstr(rows[i].name);
    return brand;
}

/* The browser of that name, with or without " Browser" at the end of either; the first in the order of the
   names' file where several are. */
static ss_str find_brand(const rules *r, ss_str brand)
{
    static const char word[] = "browser";
    char loose[128 + sizeof word];
    size_t n = 0;
    uint32_t row = DICT_NONE, other;
    for (size_t i = 0; i < brand.len && n < 128; i++)
        if (brand.ptr[i] != ' ')
            loose[n++] = text_lower(brand.ptr[i]);
    memcpy(loose + n, word, sizeof word);
    const size_t lengths[] = {n, n + sizeof word - 1, n >= sizeof word - 1 ? n - (sizeof word - 1) : 0};
    for (size_t i = 0; i < 3; i++) {
        bool cut = i == 2;
        if (cut && (lengths[i] == 0 || memcmp(loose + lengths[i], word, sizeof word - 1) != 0))
            continue;
        other = dict_get(&r->browsers.by_loose, &r->texts, ss_s(loose, lengths[i]));
        row = other < row ? other : row;
    }
    return row == DICT_NONE ? NOTHING : texts_str(&r->texts, r->browsers.rows[row].name);
}

static bool is_common(ss_str name)
{
    static const char *const names[] = {"Chrome", "Chromium", "Microsoft Edge", NULL};
    return name.len == 0 || text_in(name, names);
}

static void read_hints(scan *s, browser *out)
{
    const hints *h = &s->hints;
    *out = (browser){NOTHING, NOTHING, NOTHING, NOTHING};
    if (h->brand_count == 0)
        return;
    for (uint32_t i = 0; i < h->brand_count; i++) {
        bool webview = text_is(h->brands[i].name, "Android WebView");
        if (webview || (text_is(h->brands[i].name, "Chromium") && out->engine.len == 0)) {
            out->engine = SS_LIT("Blink");
            out->engine_version = h->brands[i].version;
        }
    }
    for (uint32_t i = 0; i < h->brand_count && is_common(out->name); i++) {
        ss_str name = find_brand(s->r, mapped(h->brands[i].name));
        if (name.len == 0 || (text_is(out->name, "Chrome") && text_is(name, "Chromium")))
            continue;
        out->name = name;
        out->version = h->brands[i].version;
    }
    if (HINT(s, HINT_FULL_VERSION).len)
        out->version = HINT(s, HINT_FULL_VERSION);
    out->version = scan_clean_version(s, out->version);
}

/* ---- both together ---- */

static bool older(ss_str a, ss_str b)
{
    return version_compare(a, b) < 0;
}

static void take_engine(browser *out, const browser *agent)
{
    out->engine = agent->engine;
    out->engine_version = agent->engine_version;
}

/* Hints whose name or version is known to be wrong. */
static void correct_name(browser *out, const browser *agent)
{
    static const char *const better_in_agent[] = {"Atom",        "Aloha Browser", "Huawei Browser",
                                                  "OJR Browser", "Mi Browser",    "Opera Mobile",
                                                  "Opera",       "Veera",         NULL};
    static const char *const plain_chrome[] = {"Chromium", "Chrome Webview", "Android Browser",
                                               "Chrome Mobile", NULL};
    ss_str v = out->version;
    bool dated = v.len >= 4 && memcmp(v.ptr, "202", 3) == 0 && v.ptr[3] >= '0' && v.ptr[3] <= '4';
    if (dated)
        out->name = SS_LIT("Iridium"); /* it counts by years */
    if (text_starts(v, "15") && text_starts(agent->version, "114")) {
        out->name = SS_LIT("360 Secure Browser");
        take_engine(out, agent);
    }
    if (agent->version.len && text_in(out->name, better_in_agent))
        out->version = agent->version;
    if (text_is(out->name, "Vewd Browser"))
        take_engine(out, agent);
    if (text_is(out->engine, "Blink") && !text_is(out->name, "Iridium") &&
        ss_eq(agent->engine, out->engine) && older(out->engine_version, agent->engine_version))
        out->engine_version = agent->engine_version;
    if ((text_is(out->name, "Chromium") || text_is(out->name, "Chrome Webview")) && agent->name.len &&
        !text_in(agent->name, plain_chrome)) {
        out->name = agent->name;
        if (text_int(agent->version) != text_int(out->version) || !older(agent->version, out->version))
            out->version = agent->version;
    }
    size_t base = out->name.len;
    if (agent->name.len == base + 7 && memcmp(agent->name.ptr, out->name.ptr, base) == 0 &&
        memcmp(agent->name.ptr + base, " Mobile", 7) == 0)
        out->name = agent->name;
}

static void join(scan *s, browser *out, const browser *hint, const browser *agent)
{
    *out = *hint;
    correct_name(out, agent);
    if (ss_eq(out->name, agent->name) || ss_eq(family_of(s->r, out->name), family_of(s->r, agent->name)))
        take_engine(out, agent);
    if (agent->version.len && agent->version.len >= out->version.len &&
        memcmp(agent->version.ptr, out->version.ptr, out->version.len) == 0 &&
        older(out->version, agent->version))
        out->version = agent->version;
    if (text_is(out->name, "DuckDuckGo Privacy Browser"))
        out->version = NOTHING;
    if (!text_is(out->engine, "Blink") || text_is(out->name, "Iridium"))
        return;
    if (older(out->engine_version, hint->version))
        out->engine_version = hint->version;
    if (older(agent->engine_version, hint->engine_version))
        out->engine_version = hint->engine_version;
}

/* An application that embeds a browser says who it is. */
static void correct_by_app(scan *s, browser *out, ss_str *family)
{
    uint32_t id = dict_get(&s->r->browser_apps, &s->r->texts, HINT(s, HINT_APP));
    ss_str app = id == DICT_NONE ? NOTHING : texts_str(&s->r->texts, id);
    if (app.len == 0 || ss_eq(app, out->name))
        return;
    out->name = app;
    out->version = NOTHING;
    if (scan_own(s, OWN_CHROME_SAFARI, &s->plain)) {
        out->engine = SS_LIT("Blink");
        out->engine_version = engine_version(s, out->engine);
        *family = family_of(s->r, app);
        if (family->len == 0)
            *family = SS_LIT("Chrome");
    }
}

/* Browsers that pretend to be others. */
static void correct_family(browser *out, ss_str *family)
{
    bool blink = text_is(out->engine, "Blink"), gecko = text_is(out->engine, "Gecko");
    if (blink && text_is(out->name, "Flow Browser"))
        out->engine_version = NOTHING;
    if (text_is(out->name, "Every Browser") || (gecko && text_is(out->name, "TV-Browser Internet"))) {
        out->engine = SS_LIT("Blink");
        out->engine_version = NOTHING;
        *family = SS_LIT("Chrome");
    }
    if ((blink || gecko) && (text_is(out->name, "Yaani Browser") || text_is(out->name, "Wolvic")))
        *family = blink ? SS_LIT("Chrome") : SS_LIT("Firefox");
}

bool scan_browser(scan *s)
{
    browser hint, agent, both;
    read_hints(s, &hint);
    read_agent(s, &agent);
    if (hint.name.len && hint.version.len)
        join(s, &both, &hint, &agent);
    else
        both = agent;
    ss_str family = family_of(s->r, both.name), whole = ss_s(s->plain.text, s->plain.len);
    correct_by_app(s, &both, &family);
    if (both.name.len == 0 || text_find(whole, "Cypress") || text_find(whole, "PhantomJS"))
        return false;
    correct_family(&both, &family);
    TEXT(s, RESULT_CLIENT_TYPE) = SS_LIT("browser");
    TEXT(s, RESULT_CLIENT_NAME) = both.name;
    TEXT(s, RESULT_CLIENT_VERSION) = both.version;
    TEXT(s, RESULT_CLIENT_FAMILY) = family;
    TEXT(s, RESULT_ENGINE) = both.engine;
    TEXT(s, RESULT_ENGINE_VERSION) = both.engine_version;
    return true;
}
