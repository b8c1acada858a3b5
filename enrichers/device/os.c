/* The operating system: what the client hints say, corrected and completed by what the user agent says. */
#include "enrichers/device/scan.h"
#include "enrichers/device/version.h"

typedef struct os {
    ss_str name, version;
    ss_str family_of; /* the system whose family it has: mostly itself */
} os;

ss_str os_family(const rules *r, ss_str name)
{
    const rule_name *known = rules_system(r, name);
    return known ? texts_str(&r->texts, known->family) : ss_s("", 0);
}

bool os_is_desktop(const rules *r, ss_str name)
{
    static const char *const families[] = {"AmigaOS", "IBM",  "GNU/Linux", "Mac",     "Unix",
                                           "Windows", "BeOS", "Chrome OS", "OpenVMS", NULL};
    return text_in(os_family(r, name), families);
}

/* ---- versions that other systems count differently ---- */

typedef struct version_row {
    const char *android, *own;
} version_row;

static const version_row fire_versions[] = {
    {"16", "16"},   {"15", "16"},   {"14", "14"},   {"13", "14"}, {"12", "14"},       {"11", "8"},
    {"10", "8"},    {"9", "7"},     {"7", "6"},     {"5", "5"},   {"4.4.3", "4.5.1"}, {"4.4.2", "4"},
    {"4.2.2", "3"}, {"4.0.3", "3"}, {"4.0.2", "3"}, {"4", "2"},   {"2", "1"},         {NULL, NULL}};
static const version_row lineage_versions[] = {
    {"17", "24"},      {"16", "23"},      {"15", "22"},      {"14", "21"},       {"13", "20.0"},
    {"12.1", "19.1"},  {"12", "19.0"},    {"11", "18.0"},    {"10", "17.0"},     {"9", "16.0"},
    {"8.1.0", "15.1"}, {"8.0.0", "15.0"}, {"7.1.2", "14.1"}, {"7.1.1", "14.1"},  {"7.0", "14.0"},
    {"6.0.1", "13.0"}, {"6.0", "13.0"},   {"5.1.1", "12.1"}, {"5.0.2", "12.0"},  {"5.0", "12.0"},
    {"4.4.4", "11.0"}, {"4.3", "10.2"},   {"4.2.2", "10.1"}, {"4.0.4", "9.1.0"}, {NULL, NULL}};

/* The version as it stands, else its first number. */
static ss_str translate(const version_row *rows, ss_str version)
{
    char major[12];
    (void)snprintf(major, sizeof major, "%d", (int)text_int(version));
    for (const version_row *row = rows; row->android; row++)
        if (text_is(version, row->android))
            return ss_cstr(row->own);
    for (const version_row *row = rows; row->android; row++)
        if (strcmp(major, row->android) == 0)
            return ss_cstr(row->own);
    return ss_s("", 0);
}

/* ---- from the user agent ---- */

static void set_name(scan *s, os *out, uint32_t name)
{
    out->name = scan_expand(s, name, s->restored);
    const rule_name *known = rules_system(s->r, out->name);
    if (known)
        out->name = texts_str(&s->r->texts, known->name);
    out->family_of = out->name;
}

static void read_agent(scan *s, os *out)
{
    const rule *one = scan_first(s, FILE_OSS, s->restored);
    *out = (os){{"", 0}, {"", 0}, {"", 0}};
    if (!one)
        return;
    set_name(s, out, one->name);
    out->version = scan_version(s, one->version, s->restored);
    const rule *inner = scan_first_of(s, one->inner, s->restored);
    if (!inner)
        return;
    if (inner->name)
        set_name(s, out, inner->name);
    if (inner->has_version)
        out->version = scan_version(s, inner->version, s->restored);
}

/* ---- from the hints ---- */

/* Hints count Windows in a way of their own: 0.x are the old ones, 1 to 10 is Windows 10, above is 11. */
static ss_str windows_version(ss_str version)
{
    const char *dot = version.len ? memchr(version.ptr, '.', version.len) : NULL;
    ss_str rest = dot ? ss_s(dot + 1, version.len - (size_t)(dot + 1 - version.ptr)) : ss_s("", 0);
    int32_t major = text_int(version);
    if (major > 0)
        return major < 11 ? SS_LIT("10") : SS_LIT("11");
    switch (text_int(rest)) {
    case 1:
        return SS_LIT("7");
    case 2:
        return SS_LIT("8");
    case 3:
        return SS_LIT("8.1");
    default:
        return version;
    }
}

static ss_str hinted_name(ss_str platform)
{
    static const char *const mac[] = {"macos", "mac os x", "macintel", NULL};
    if (text_same_fold(platform, SS_LIT("Linux")))
        return SS_LIT("GNU/Linux");
    if (text_same_fold(platform, SS_LIT("Cloud Phone 2.4")))
        return SS_LIT("Puffin OS");
    if (text_same_fold(platform, SS_LIT("Win32")))
        return SS_LIT("Windows");
    for (size_t i = 0; mac[i]; i++)
        if (text_same_fold(platform, ss_cstr(mac[i])))
            return SS_LIT("Mac");
    return platform;
}

static const rule_name *find_loose(const rules *r, const rule_names *names, ss_str name)
{
    char out[128];
    size_t n = 0;
    for (size_t i = 0; i < name.len && n < sizeof out; i++)
        if (name.ptr[i] != ' ')
            out[n++] = text_lower(name.ptr[i]);
    uint32_t row = dict_get(&names->by_loose, &r->texts, ss_s(out, n));
    return row == DICT_NONE ? NULL : &names->rows[row];
}

static void read_hints(scan *s, os *out)
{
    ss_str platform = HINT(s, HINT_PLATFORM), version = HINT(s, HINT_PLATFORM_VERSION);
    *out = (os){{"", 0}, {"", 0}, {"", 0}};
    if (platform.len == 0)
        return;
    const rule_name *known = find_loose(s->r, &s->r->systems, hinted_name(platform));
    if (known)
        out->name = out->family_of = texts_str(&s->r->texts, known->name);
    if (text_is(out->name, "Windows"))
        version = windows_version(version);
    else if (!text_is(version, "0.0.0") && text_int(version) == 0)
        version = ss_s("", 0);
    out->version = scan_clean_version(s, version);
}

/* ---- both together ---- */

static void take_detail(os *out, const os *hint, const os *agent)
{
    out->name = agent->name;
    if (text_is(out->name, "LeafOS") || text_is(out->name, "HarmonyOS"))
        out->version = ss_s("", 0);
    else if (text_is(out->name, "PICO OS"))
        out->version = agent->version;
    else if (text_is(out->name, "Fire OS") && hint->version.len)
        out->version = translate(fire_versions, out->version);
}

static void take_other(os *out, const os *agent)
{
    out->name = out->family_of = agent->name;
}

static void join(scan *s, os *out, const os *hint, const os *agent)
{
    ss_str agent_family = os_family(s->r, agent->name);
    *out = *hint;
    if (out->version.len == 0 && ss_eq(os_family(s->r, out->name), agent_family))
        out->version = agent->version;
    if (text_is(out->name, "Windows") && text_is(out->version, "0.0.0"))
        out->version = text_is(agent->version, "10") ? ss_s("", 0) : agent->version;
    if (text_is(out->name, "Puffin OS"))
        out->version = agent->version;
    if (!ss_eq(agent->name, out->name) && ss_eq(agent_family, out->name))
        take_detail(out, hint, agent);
    bool linux_hint = text_is(out->name, "GNU/Linux"), chrome = text_is(agent->name, "Chrome OS");
    if (linux_hint && chrome && ss_eq(hint->version, agent->version)) {
        take_other(out, agent);
    } else if (text_is(out->name, "Android") && chrome) {
        take_other(out, agent);
        out->version = ss_s("", 0);
    } else if (linux_hint && text_is(agent->name, "Meta Horizon")) {
        take_other(out, agent);
    }
}

/* Applications that run on one system only. */
static void correct_by_app(scan *s, os *out, ss_str *family)
{
    static const char *const android[] = {"com.hisense.odinbrowser", "com.seraphic.openinet.pre",
                                          "com.appssppa.idesktoppcbrowser", "every.browser.inc", NULL};
    ss_str app = HINT(s, HINT_APP);
    if (app.len == 0)
        return;
    if (text_in(app, android) && !text_is(out->name, "Android")) {
        out->name = SS_LIT("Android");
        out->version = ss_s("", 0);
    } else if (text_is(app, "org.lineageos.jelly") && !text_is(out->name, "Lineage OS")) {
        out->name = SS_LIT("Lineage OS");
        out->version = translate(lineage_versions, out->version);
    } else if (text_is(app, "org.mozilla.tv.firefox") && !text_is(out->name, "Fire OS")) {
        out->name = SS_LIT("Fire OS");
        out->version = translate(fire_versions, out->version);
    } else {
        return;
    }
    *family = SS_LIT("Android");
}

static ss_str hinted_platform(const scan *s)
{
    static const struct {
        const char *part, *name;
    } parts[] = {{"arm", "ARM"},    {"loongarch64", "LoongArch64"}, {"mips", "MIPS"},
                 {"sh4", "SuperH"}, {"sparc64", "SPARC64"},         {"x64", "x64"}};
    char lower[64];
    ss_str given = HINT(s, HINT_ARCHITECTURE), arch = ss_s(lower, 0);
    for (; arch.len < given.len && arch.len < sizeof lower; arch.len++)
        lower[arch.len] = text_lower(given.ptr[arch.len]);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (text_find(arch, parts[i].part))
            return ss_cstr(parts[i].name);
    if (!text_find(arch, "x86"))
        return ss_s("", 0);
    return text_is(HINT(s, HINT_BITNESS), "64") ? SS_LIT("x64") : SS_LIT("x86");
}

static ss_str platform(scan *s)
{
    static const struct {
        enum own_rule own;
        const char *name;
    } platforms[] = {{OWN_ARM, "ARM"},       {OWN_LOONGARCH, "LoongArch64"}, {OWN_MIPS, "MIPS"},
                     {OWN_SUPERH, "SuperH"}, {OWN_SPARC, "SPARC64"},         {OWN_X64, "x64"},
                     {OWN_X86, "x86"}};
    ss_str hinted = hinted_platform(s);
    for (size_t i = 0; hinted.len == 0 && i < sizeof platforms / sizeof platforms[0]; i++)
        if (scan_own(s, platforms[i].own, s->restored))
            return ss_cstr(platforms[i].name);
    return hinted;
}

void scan_os(scan *s)
{
    os hint, agent, both;
    read_hints(s, &hint);
    read_agent(s, &agent);
    if (hint.name.len)
        join(s, &both, &hint, &agent);
    else if (agent.name.len)
        both = agent;
    else
        return;
    ss_str family = os_family(s->r, both.family_of);
    correct_by_app(s, &both, &family);
    TEXT(s, RESULT_OS_NAME) = both.name;
    TEXT(s, RESULT_OS_VERSION) = both.version;
    TEXT(s, RESULT_OS_FAMILY) = family;
    TEXT(s, RESULT_OS_PLATFORM) = platform(s);
}
