#include "receivers/matomo/hints.h"

#include "plugins/common/json.h"

/* Beside the header's own characters: */
#define BRAND_ROOM 80u /* names, quotes and brackets of one brand, and what two strings may scribble */
#define NAMES_ROOM 32u /* the header's name and quotes */

typedef struct writer {
    char *out;
    size_t len;
} writer;

static void put(writer *w, ss_str text)
{
    memcpy(w->out + w->len, text.ptr, text.len);
    w->len += text.len;
}

static void put_string(writer *w, ss_str text)
{
    w->len += json_put_string(w->out + w->len, text);
}

static void put_name(writer *w, const char *name)
{
    put(w, w->len > 1 ? SS_LIT(",\"") : SS_LIT("\""));
    put(w, ss_cstr(name));
    put(w, SS_LIT("\":"));
}

/* The next "string" of a structured header (backslashes undone into out); moves *at behind it. */
static bool next_string(const char **at, const char *end, char *out, ss_str *text)
{
    size_t len = 0;
    while (*at < end && **at != '"')
        ++*at;
    if (*at == end)
        return false;
    for (++*at; *at < end && **at != '"'; ++*at) {
        if (**at == '\\' && *at + 1 < end)
            ++*at;
        out[len++] = **at;
    }
    if (*at == end)
        return false;
    ++*at;
    *text = ss_s(out, len);
    return true;
}

/* "Chromium";v="124", "Not-A.Brand";v="99" -> [{"brand":"Chromium","version":"124"},...] */
static void put_brands(writer *w, const char *name, ss_str header)
{
    char brand[HINTS_HEADER_MAX], version[HINTS_HEADER_MAX];
    const char *at = header.ptr, *end = header.ptr + header.len;
    ss_str b, v;
    size_t count = 0;
    put_name(w, name);
    put(w, SS_LIT("["));
    while (count < HINTS_BRANDS_MAX && next_string(&at, end, brand, &b)) {
        const char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        const char *stop = comma ? comma : end, *from = at;
        bool has_version = next_string(&from, stop, version, &v);
        put(w, count++ ? SS_LIT(",{\"brand\":") : SS_LIT("{\"brand\":"));
        put_string(w, b);
        put(w, SS_LIT(",\"version\":"));
        put_string(w, has_version ? v : ss_s("", 0));
        put(w, SS_LIT("}"));
        at = has_version ? from : stop;
    }
    put(w, SS_LIT("]"));
}

/* "Desktop", "XR" -> ["Desktop","XR"] */
static void put_list(writer *w, const char *name, ss_str header)
{
    char text[HINTS_HEADER_MAX];
    const char *at = header.ptr, *end = header.ptr + header.len;
    ss_str item;
    size_t count = 0;
    put_name(w, name);
    put(w, SS_LIT("["));
    while (count < HINTS_BRANDS_MAX && next_string(&at, end, text, &item)) {
        put(w, count++ ? SS_LIT(",") : SS_LIT(""));
        put_string(w, item);
    }
    put(w, SS_LIT("]"));
}

enum { BRANDS, APP, FULL_LIST, FACTORS, MOBILE, PLATFORM, HEADERS = PLATFORM + 6 };

static const char *const headers[HEADERS][2] = {
    [BRANDS] = {"brands", "Sec-CH-UA"},
    [APP] = {"x-requested-with", "X-Requested-With"}, /* the Android application whose web view it is */
    [FULL_LIST] = {"fullVersionList", "Sec-CH-UA-Full-Version-List"},
    [FACTORS] = {"formFactors", "Sec-CH-UA-Form-Factors"},
    [MOBILE] = {"mobile", "Sec-CH-UA-Mobile"},
    [PLATFORM] = {"platform", "Sec-CH-UA-Platform"},
    {"platformVersion", "Sec-CH-UA-Platform-Version"},
    {"model", "Sec-CH-UA-Model"},
    {"uaFullVersion", "Sec-CH-UA-Full-Version"},
    {"architecture", "Sec-CH-UA-Arch"},
    {"bitness", "Sec-CH-UA-Bitness"}};

static void put_header(writer *w, size_t which, ss_str header)
{
    char text[HINTS_HEADER_MAX];
    ss_str value;
    const char *name = headers[which][0], *at = header.ptr;
    if (which == APP) {
        put_name(w, name);
        put_string(w, header);
    } else if (which == FACTORS) {
        put_list(w, name, header);
    } else if (which <= FULL_LIST) {
        put_brands(w, name, header);
    } else if (which == MOBILE) {
        put_name(w, name);
        put(w, ss_eq(header, SS_LIT("?1")) ? SS_LIT("true") : SS_LIT("false"));
    } else if (next_string(&at, header.ptr + header.len, text, &value)) {
        put_name(w, name);
        put_string(w, value);
    }
}

ss_str hints_read(const ss_host *host, const ss_request *request, bool *ok)
{
    ss_str given[HEADERS];
    size_t bound = 2;
    *ok = true;
    given[BRANDS] = host->header(request, headers[BRANDS][1]);
    given[APP] = host->header(request, headers[APP][1]);
    if (given[BRANDS].len + given[APP].len == 0) /* browsers that have hints send one of these always */
        return ss_s("", 0);
    for (size_t i = 0; i < HEADERS; i++) {
        if (i > APP)
            given[i] = host->header(request, headers[i][1]);
        if (given[i].len > HINTS_HEADER_MAX)
            given[i].len = 0;
        bound +=
            json_escape_bound(given[i].len) + NAMES_ROOM + (i <= FACTORS ? HINTS_BRANDS_MAX * BRAND_ROOM : 0);
    }
    writer w = {.out = host->mem(request->call, bound)};
    *ok = w.out != NULL;
    if (!w.out)
        return ss_s("", 0);
    put(&w, SS_LIT("{"));
    for (size_t i = 0; i < HEADERS; i++)
        if (given[i].len)
            put_header(&w, i, given[i]);
    put(&w, SS_LIT("}"));
    return ss_s(w.out, w.len);
}
