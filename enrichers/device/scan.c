#include "enrichers/device/scan.h"

#include <stdlib.h>

#define TRIMMED     " \t\n\r\v"
#define MATCHES_MAX 200u /* expressions tried on one user agent; real ones need 50 at the most */

scan *scan_new(rules *r)
{
    scan *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->r = r;
    if (matcher_init(&s->matcher) && subject_init(&s->plain, r->count) && subject_init(&s->filled, r->count))
        return s;
    scan_free(s);
    return NULL;
}

void scan_free(scan *s)
{
    matcher_free(&s->matcher);
    subject_free(&s->plain);
    subject_free(&s->filled);
    free(s);
}

/* ---- matching ---- */

const rule *scan_first_of(scan *s, rule_list list, const subject *on)
{
    uint32_t id = rules_first(s->r, list, on, &s->matcher, &s->groups);
    return id < list.end ? &s->r->rules[id] : NULL;
}

const rule *scan_first(scan *s, enum rule_file file, const subject *on)
{
    return scan_first_of(s, s->r->lists[file], on);
}

bool scan_own(scan *s, enum own_rule own, const subject *on)
{
    return rules_own(s->r, own, on, &s->matcher);
}

bool scan_hides_desktop(scan *s, const subject *on)
{
    return scan_own(s, OWN_DESKTOP, on) && !scan_own(s, OWN_NOT_DESKTOP, on);
}

bool scan_hides_android(scan *s, const subject *on)
{
    return scan_own(s, OWN_HINTED_ANDROID, on) && !strstr(on->lower, "telegram-android/");
}

/* ---- texts ---- */

ss_str scan_keep(scan *s, ss_str text)
{
    if (text.len > sizeof s->room - s->used)
        return ss_s("", 0);
    char *out = s->room + s->used;
    memcpy(out, text.ptr, text.len);
    s->used += text.len;
    return ss_s(out, text.len);
}

ss_str scan_group(const scan *s, int number, const subject *on)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(s->matcher.data);
    if (number >= s->groups || at[2 * number] == PCRE2_UNSET)
        return ss_s("", 0);
    return ss_s(on->text + at[2 * number], at[2 * number + 1] - at[2 * number]);
}

ss_str scan_expand(scan *s, uint32_t text, const subject *on)
{
    const char *p = texts_get(&s->r->texts, text);
    const char *dollar = strchr(p, '$');
    if (!dollar)
        return text_trim(ss_cstr(p), TRIMMED);
    char *out = s->room + s->used;
    size_t n = 0, room = sizeof s->room - s->used;
    for (; *p; p++) {
        ss_str part = ss_s(p, 1);
        /* $n stays as it is where the expression has no group that far, as in the original. */
        if (p[0] == '$' && p[1] >= '1' && p[1] <= '9' && p[1] - '0' <= s->groups)
            part = scan_group(s, *++p - '0', on);
        if (part.len > room - n)
            return ss_s("", 0);
        memcpy(out + n, part.ptr, part.len);
        n += part.len;
    }
    s->used += n;
    return text_trim(ss_s(out, n), TRIMMED);
}

ss_str scan_clean_version(scan *s, ss_str version)
{
    if (version.len && memchr(version.ptr, '_', version.len)) {
        version = scan_keep(s, version);
        char *p = s->room + (version.ptr - s->room);
        for (size_t i = 0; i < version.len; i++)
            p[i] = p[i] == '_' ? '.' : p[i];
    }
    while (version.len && (*version.ptr == ' ' || *version.ptr == '.'))
        version.ptr++, version.len--;
    while (version.len && (version.ptr[version.len - 1] == ' ' || version.ptr[version.len - 1] == '.'))
        version.len--;
    return version;
}

ss_str scan_version(scan *s, uint32_t text, const subject *on)
{
    return scan_clean_version(s, scan_expand(s, text, on));
}

/* ---- the model that client hints name ---- */

typedef struct filling {
    char bytes[SUBJECT_MAX];
    size_t len;
} filling;

static void put(filling *f, ss_str text)
{
    size_t room = sizeof f->bytes - f->len;
    size_t len = text.len < room ? text.len : room;
    memcpy(f->bytes + f->len, text.ptr, len);
    f->len += len;
}

/* The length of "Android 10; K" or "Android 13" at p, 0 where it is none. */
static size_t hidden_android(ss_str p)
{
    const size_t word = sizeof "Android " - 1;
    if (!text_starts(p, "Android 1") || p.len <= word + 1)
        return 0;
    size_t n = word + 2;
    if (p.ptr[word + 1] >= '1' && p.ptr[word + 1] <= '7')
        return n;
    if (p.ptr[word + 1] != '0')
        return 0;
    while (n < p.len && (p.ptr[n] == '.' || text_is_digit(p.ptr[n])))
        n++;
    return p.len - n >= 3 && memcmp(p.ptr + n, "; K", 3) == 0 ? n + 3 : 0;
}

static void fill_android(const scan *s, ss_str text, filling *out)
{
    ss_str version = HINT(s, HINT_PLATFORM_VERSION);
    while (text.len > 0) {
        size_t n = hidden_android(text);
        if (n > 0) {
            put(out, SS_LIT("Android "));
            put(out, version.len ? version : SS_LIT("10"));
            put(out, SS_LIT("; "));
            put(out, HINT(s, HINT_MODEL));
        } else {
            n = 1;
            put(out, ss_s(text.ptr, 1));
        }
        text.ptr += n;
        text.len -= n;
    }
}

static void fill_desktop(const scan *s, ss_str text, filling *out)
{
    static const char *const systems[] = {"X11; Linux x86_64", "Windows NT 10.0; Win64; x64"};
    while (text.len > 0) {
        size_t n = 1;
        bool system = false;
        for (size_t i = 0; i < sizeof systems / sizeof systems[0] && !system; i++) {
            system = text_starts(text, systems[i]);
            n = system ? strlen(systems[i]) : 1;
        }
        put(out, ss_s(text.ptr, n));
        if (system) {
            put(out, SS_LIT("; "));
            put(out, HINT(s, HINT_MODEL));
        }
        text.ptr += n;
        text.len -= n;
    }
}

static void restore(scan *s)
{
    filling f = {.len = 0};
    s->restored = &s->plain;
    if (!s->hints.given || HINT(s, HINT_MODEL).len == 0)
        return;
    if (scan_hides_android(s, &s->plain)) {
        fill_android(s, ss_s(s->plain.text, s->plain.len), &f);
        subject_set(&s->filled, &s->r->filter, ss_s(f.bytes, f.len));
        s->restored = &s->filled;
    }
    if (!scan_hides_desktop(s, s->restored))
        return;
    f.len = 0;
    fill_desktop(s, ss_s(s->restored->text, s->restored->len), &f);
    subject_set(&s->filled, &s->r->filter, ss_s(f.bytes, f.len));
    s->restored = &s->filled;
}

/* ---- all of it ---- */

void scan_begin(scan *s, ss_str user_agent, ss_str hints_json, device_result *result)
{
    s->used = 0;
    s->groups = 0;
    s->matcher.left = MATCHES_MAX;
    s->result = result;
    *result = (device_result){.kind = KIND_NONE};
    hints_read(&s->hints, hints_json);
    subject_set(&s->plain, &s->r->filter, user_agent);
    restore(s);
}

bool scan_bot(scan *s)
{
    const rule *one = scan_first(s, FILE_BOTS, &s->plain);
    if (!one)
        return false;
    const rule_bot *bot = &s->r->bots[one->more];
    s->result->is_bot = true;
    TEXT(s, RESULT_BOT_NAME) = scan_expand(s, one->name, &s->plain);
    TEXT(s, RESULT_BOT_CATEGORY) = texts_str(&s->r->texts, bot->category);
    TEXT(s, RESULT_BOT_URL) = texts_str(&s->r->texts, bot->url);
    TEXT(s, RESULT_BOT_PRODUCER) = texts_str(&s->r->texts, bot->producer);
    TEXT(s, RESULT_BOT_PRODUCER_URL) = texts_str(&s->r->texts, bot->producer_url);
    return true;
}

static bool has_letter(ss_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text_lower(text.ptr[i]) >= 'a' && text_lower(text.ptr[i]) <= 'z')
            return true;
    return false;
}

void scan_run(scan *s, ss_str user_agent, ss_str hints_json, device_result *result)
{
    scan_begin(s, user_agent, hints_json, result);
    if ((!s->hints.given && !has_letter(user_agent)) || scan_bot(s))
        return;
    scan_os(s);
    scan_client(s);
    scan_device(s);
}
