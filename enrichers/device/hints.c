#include "enrichers/device/hints.h"

#include "enrichers/device/kinds.h"
#include "enrichers/device/texts.h"
#include "plugins/common/json.h"

#define KEY_CHARS 48u

/* Copies a string value without its escapes; empty where there is no room. */
static ss_str keep(hints *h, const json_value *v)
{
    if (v->kind != JSON_STRING || v->text.len > sizeof h->room - h->used)
        return ss_s("", 0);
    char *out = h->room + h->used;
    size_t len = v->text.len;
    if (v->escaped)
        len = json_unescape(out, v->text);
    else
        memcpy(out, v->text.ptr, len);
    h->used += len;
    return ss_s(out, len);
}

/* What PHP calls empty: the original leaves such values out. Nor does a hint hold markup. */
static bool is_void(ss_str text)
{
    return text.len == 0 || text_is(text, "0") || memchr(text.ptr, '<', text.len);
}

/* ---- lists of brands ---- */

static void add_brand(hints *h, ss_str name, ss_str version)
{
    for (uint32_t i = 0; i < h->brand_count; i++)
        if (ss_eq(h->brands[i].name, name)) {
            h->brands[i].version = version;
            return;
        }
    if (h->brand_count < HINT_BRANDS_MAX)
        h->brands[h->brand_count++] = (hint_brand){name, version};
}

/* [{"brand":"Chromium","version":"98"}]: a list with an item that lacks one of both is no list. */
static void read_brand_array(hints *h, json_scan *s)
{
    json_value v, key;
    bool whole = true;
    h->brand_count = 0;
    while (json_item(s)) {
        ss_str name = {0}, version = {0};
        if (!json_read(s, &v))
            return;
        if (v.kind != JSON_OBJECT) {
            whole = false;
            if (v.kind == JSON_ARRAY)
                (void)json_leave(s);
            continue;
        }
        while (json_member(s, &key)) {
            ss_str *to = json_is(&key, "brand") ? &name : json_is(&key, "version") ? &version : NULL;
            if (!to || !json_read(s, &v) || v.kind == JSON_OBJECT || v.kind == JSON_ARRAY) {
                if (!to)
                    (void)json_skip(s, NULL);
                else if (!s->problem)
                    (void)json_leave(s);
                continue;
            }
            *to = keep(h, &v);
        }
        whole = whole && name.ptr && version.ptr;
        if (name.ptr && version.ptr)
            add_brand(h, name, version);
    }
    if (!whole)
        h->brand_count = 0;
}

/* "Chromium";v="98", "Google Chrome";v="98": the text between the quote that it stands at and the next one.
 */
static bool quoted(ss_str *text, ss_str *out)
{
    const char *close = text->len > 1 && *text->ptr == '"' ? memchr(text->ptr + 1, '"', text->len - 1) : NULL;
    if (!close || close == text->ptr + 1)
        return false;
    *out = ss_s(text->ptr + 1, (size_t)(close - text->ptr - 1));
    text->len -= out->len + 2;
    text->ptr = close + 1;
    return true;
}

static bool pass(ss_str *text, const char *part)
{
    if (!text_starts(*text, part))
        return false;
    text->ptr += strlen(part);
    text->len -= strlen(part);
    return true;
}

static void read_brand_header(hints *h, ss_str text)
{
    hints list = {.brand_count = 0};
    ss_str name, version;
    while (quoted(&text, &name) && pass(&text, ";") && (pass(&text, " ") || true) && pass(&text, "v=") &&
           quoted(&text, &version)) {
        add_brand(&list, name, version);
        (void)pass(&text, ", ");
    }
    if (list.brand_count == 0)
        return;
    memcpy(h->brands, list.brands, sizeof list.brands);
    h->brand_count = list.brand_count;
}

/* ---- form factors: the first of this list that is named decides ---- */

static const struct {
    const char *name;
    enum device_kind kind;
} factors[] = {{"automotive", KIND_CAR_BROWSER}, {"watch", KIND_WEARABLE},  {"mobile", KIND_SMARTPHONE},
               {"tablet", KIND_TABLET},          {"desktop", KIND_DESKTOP}, {"eink", KIND_TABLET}};
#define FACTORS (sizeof factors / sizeof factors[0])

static size_t factor_rank(ss_str name)
{
    size_t i = 0;
    while (i < FACTORS && !text_same_fold(name, ss_cstr(factors[i].name)))
        i++;
    return i;
}

static void use_factor(hints *h, size_t rank)
{
    h->kind = rank < FACTORS ? (int8_t)factors[rank].kind : KIND_NONE;
}

static void read_factor_array(hints *h, json_scan *s)
{
    json_value v;
    size_t best = FACTORS;
    bool texts_only = true;
    while (json_item(s) && json_read(s, &v)) {
        if (v.kind == JSON_OBJECT || v.kind == JSON_ARRAY)
            (void)json_leave(s);
        texts_only = texts_only && v.kind == JSON_STRING;
        size_t rank = v.kind == JSON_STRING ? factor_rank(v.text) : FACTORS;
        best = rank < best ? rank : best;
    }
    use_factor(h, texts_only ? best : FACTORS);
}

static void read_factor_header(hints *h, ss_str text)
{
    size_t best = FACTORS;
    ss_str name;
    while (text.len > 0)
        if (quoted(&text, &name)) {
            size_t rank = factor_rank(name);
            best = rank < best ? rank : best;
        } else {
            text.ptr++;
            text.len--;
        }
    use_factor(h, best);
}

/* ---- members ---- */

/* In lower case, _ as -, without "http-": headers and members of uadata alike. */
static ss_str plain_key(const json_value *key, char *out)
{
    size_t n = 0;
    for (; n < key->text.len && n < KEY_CHARS; n++)
        out[n] = key->text.ptr[n] == '_' ? '-' : text_lower(key->text.ptr[n]);
    ss_str name = ss_s(out, n);
    (void)pass(&name, "http-");
    return name;
}

static const struct {
    const char *name;
    enum hint_text text;
} members[] = {{"sec-ch-ua-arch", HINT_ARCHITECTURE},
               {"arch", HINT_ARCHITECTURE},
               {"architecture", HINT_ARCHITECTURE},
               {"sec-ch-ua-bitness", HINT_BITNESS},
               {"bitness", HINT_BITNESS},
               {"sec-ch-ua-model", HINT_MODEL},
               {"model", HINT_MODEL},
               {"sec-ch-ua-full-version", HINT_FULL_VERSION},
               {"uafullversion", HINT_FULL_VERSION},
               {"sec-ch-ua-platform", HINT_PLATFORM},
               {"platform", HINT_PLATFORM},
               {"sec-ch-ua-platform-version", HINT_PLATFORM_VERSION},
               {"platformversion", HINT_PLATFORM_VERSION}};

static void use_text(hints *h, ss_str key, ss_str text)
{
    if (is_void(text))
        return;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (text_is(key, members[i].name)) {
            while (text.len > 0 && *text.ptr == '"')
                text.ptr++, text.len--;
            while (text.len > 0 && text.ptr[text.len - 1] == '"')
                text.len--;
            h->text[members[i].text] = text;
            return;
        }
    if (text_is(key, "sec-ch-ua-mobile") || text_is(key, "mobile"))
        h->mobile = text_is(text, "1") || text_is(text, "?1");
    else if (text_is(key, "sec-ch-ua-full-version-list") || (text_is(key, "sec-ch-ua") && !h->brand_count))
        read_brand_header(h, text);
    else if (text_is(key, "x-requested-with") && !text_same_fold(text, SS_LIT("xmlhttprequest")))
        h->text[HINT_APP] = text;
    else if (text_is(key, "sec-ch-ua-form-factors") || text_is(key, "formfactors"))
        read_factor_header(h, text);
}

static void use_array(hints *h, ss_str key, json_scan *s)
{
    if (text_is(key, "fullversionlist") || (text_is(key, "brands") && h->brand_count == 0))
        read_brand_array(h, s);
    else if (text_is(key, "formfactors") || text_is(key, "sec-ch-ua-form-factors"))
        read_factor_array(h, s);
    else
        (void)json_leave(s);
}

void hints_read(hints *h, ss_str json)
{
    json_scan s;
    json_value v, key;
    char name[KEY_CHARS];
    h->given = h->mobile = false;
    h->brand_count = 0;
    h->used = 0;
    h->kind = KIND_NONE;
    memset(h->text, 0, sizeof h->text);
    if (json.len == 0 || json.len > HINT_BYTES_MAX)
        return;
    json_start(&s, json);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return;
    h->given = true;
    while (json_member(&s, &key)) {
        ss_str plain = plain_key(&key, name);
        if (!json_read(&s, &v))
            break;
        if (v.kind == JSON_ARRAY)
            use_array(h, plain, &s);
        else if (v.kind == JSON_OBJECT)
            (void)json_leave(&s);
        else if (v.kind == JSON_STRING)
            use_text(h, plain, keep(h, &v));
        else if (v.kind == JSON_TRUE && (text_is(plain, "mobile") || text_is(plain, "sec-ch-ua-mobile")))
            h->mobile = true;
    }
}
