/* The pull scanner and the readers of its values. Numbers: json_number.c, writing: json_put.c. */
#include "plugins/common/json.h"

#include "plugins/common/block.h"
#include "plugins/common/utf8.h"

static bool scan_fail(json_scan *s, const char *problem)
{
    if (!s->problem)
        s->problem = problem;
    return false;
}

static inline void scan_space(json_scan *s)
{
    /* Mostly there is none: one comparison says so. */
    while (s->at < s->end && (unsigned char)*s->at <= ' ' &&
           (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r')) {
        s->at++;
        s->spaced = true;
    }
}

static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits, or -1. */
static int32_t hex_unit(const char *p)
{
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

void json_start(json_scan *s, ss_str text)
{
    *s = (json_scan){.start = text.ptr, .at = text.ptr, .end = text.ptr + text.len};
    if (text.len > JSON_TEXT_MAX)
        (void)scan_fail(s, "the text is too large");
    else if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0)
        s->at += 3; /* a byte order mark: RFC 8259 lets a reader pass over it */
}

size_t json_offset(const json_scan *s)
{
    return (size_t)(s->at - s->start);
}

/* Bytes up to the first that needs a look: a quote, a backslash, a control character, not ASCII, or the end.
 */
static inline const char *scan_plain(const char *at, const char *end)
{
    for (; at + BLOCK_BYTES <= end; at += BLOCK_BYTES) {
        uint32_t special = block_special(block_load(at));
        if (special)
            return at + block_first(special);
    }
    size_t rest = (size_t)(end - at);
    uint32_t special = block_special(block_load_short(at, rest)) & ((1u << rest) - 1);
    return special ? at + block_first(special) : end;
}

static bool scan_escape(json_scan *s)
{
    if (s->end - s->at < 2)
        return scan_fail(s, "the text ends inside a string");
    char c = s->at[1];
    if (c == 'u') {
        if (s->end - s->at < 6 || hex_unit(s->at + 2) < 0)
            return scan_fail(s, "\\u is not followed by four hexadecimal digits");
        s->halves |= (s->at[2] | 0x20) == 'd' && s->at[3] >= '8';
        s->at += 6;
        return true;
    }
    if (c != '"' && c != '\\' && c != '/' && c != 'b' && c != 'f' && c != 'n' && c != 'r' && c != 't')
        return scan_fail(s, "an unknown escape in a string");
    s->at += 2;
    return true;
}

/* From a byte in a string that is neither plain nor the closing quote, on to behind that quote. */
static __attribute__((noinline)) bool scan_string_on(json_scan *s, json_value *v, const char *from)
{
    for (;;) {
        s->at = scan_plain(s->at, s->end);
        if (s->at == s->end)
            return scan_fail(s, "the text ends inside a string");
        unsigned char c = (unsigned char)*s->at;
        if (c == '"')
            break;
        if (c == '\\') {
            v->escaped = true;
            if (!scan_escape(s))
                return false;
        } else if (c >= 0x80) {
            size_t len = utf8_sequence(s->at, (size_t)(s->end - s->at));
            if (len == 0)
                return scan_fail(s, "a string is not UTF-8");
            s->at += len;
        } else {
            return scan_fail(s, "a control character in a string");
        }
    }
    v->text = ss_s(from, (size_t)(s->at - from));
    s->at++;
    return true;
}

/* at: behind the opening quote; left behind the closing one. Most strings are plain and short: their end is
   in the first block. */
static inline __attribute__((always_inline)) bool scan_string_inline(json_scan *s, json_value *v)
{
    const char *from = s->at;
    v->kind = JSON_STRING;
    v->escaped = false;
    if (__builtin_expect((size_t)(s->end - from) >= BLOCK_BYTES, 1)) {
        uint32_t special = block_special(block_load(from));
        const char *stop = special ? from + block_first(special) : from;
        if (__builtin_expect(special && *stop == '"', 1)) {
            v->text = ss_s(from, (size_t)(stop - from));
            s->at = stop + 1;
            return true;
        }
        s->at = special ? stop : from + BLOCK_BYTES;
    }
    return scan_string_on(s, v, from);
}

static inline bool scan_digits(json_scan *s)
{
    const char *from = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > from || scan_fail(s, "a number lacks digits");
}

static bool scan_number(json_scan *s, json_value *v)
{
    const char *from = s->at;
    if (*s->at == '-')
        s->at++;
    if (s->at < s->end && *s->at == '0')
        s->at++;
    else if (!scan_digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!scan_digits(s))
            return false;
    }
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        if (!scan_digits(s))
            return false;
    }
    v->kind = JSON_NUMBER;
    v->text = ss_s(from, (size_t)(s->at - from));
    return v->text.len <= JSON_NUMBER_MAX || scan_fail(s, "a number is too long");
}

static bool scan_word(json_scan *s, json_value *v, const char *word, json_kind kind)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return scan_fail(s, "not a JSON value");
    v->kind = kind;
    v->text = ss_s(s->at, len);
    s->at += len;
    return true;
}

static bool scan_open(json_scan *s, json_value *v, json_kind kind)
{
    if (s->depth == JSON_DEPTH_MAX)
        return scan_fail(s, "too many containers within each other");
    uint64_t bit = (uint64_t)1 << s->depth;
    s->objects = kind == JSON_OBJECT ? s->objects | bit : s->objects & ~bit;
    s->started &= ~bit;
    s->depth++;
    s->at++;
    v->kind = kind;
    return true;
}

bool json_read(json_scan *s, json_value *v)
{
    *v = (json_value){.text = {"", 0}};
    if (s->problem)
        return false;
    if (s->depth == 0 && s->done)
        return scan_fail(s, "more than one value");
    scan_space(s);
    if (s->at == s->end)
        return scan_fail(s, "the text ends where a value should be");
    bool ok;
    switch (*s->at) {
    case '{':
        return scan_open(s, v, JSON_OBJECT);
    case '[':
        return scan_open(s, v, JSON_ARRAY);
    case '"':
        s->at++;
        ok = scan_string_inline(s, v);
        break;
    case 't':
        ok = scan_word(s, v, "true", JSON_TRUE);
        break;
    case 'f':
        ok = scan_word(s, v, "false", JSON_FALSE);
        break;
    case 'n':
        ok = scan_word(s, v, "null", JSON_NULL);
        break;
    default:
        if (*s->at != '-' && (*s->at < '0' || *s->at > '9'))
            return scan_fail(s, "not a JSON value");
        ok = scan_number(s, v);
        break;
    }
    if (!ok)
        v->kind = JSON_NONE;
    s->done |= s->depth == 0;
    return ok;
}

static void scan_close(json_scan *s)
{
    s->at++;
    s->depth--;
    s->done |= s->depth == 0;
}

/* What members and items share: the end, or the comma before all but the first. true: one more follows. */
static inline bool scan_more(json_scan *s, bool object)
{
    if (s->problem)
        return false;
    if (s->depth == 0 || (s->objects >> (s->depth - 1) & 1u) != object)
        return scan_fail(s, "the scanner is not inside such a container");
    scan_space(s);
    if (s->at == s->end)
        return scan_fail(s, "the text ends inside a container");
    uint64_t bit = (uint64_t)1 << (s->depth - 1);
    if (*s->at == (object ? '}' : ']')) {
        scan_close(s);
        return false;
    }
    if (s->started & bit) {
        if (*s->at != ',')
            return scan_fail(s, object ? "a comma or } should be here" : "a comma or ] should be here");
        s->at++;
    }
    s->started |= bit;
    return true;
}

/* A key with its colon, and the white space behind it. */
static inline __attribute__((always_inline)) bool scan_key(json_scan *s, json_value *key)
{
    if (s->at == s->end || *s->at != '"')
        return scan_fail(s, "a key in quotes should be here");
    s->at++;
    if (!scan_string_inline(s, key))
        return false;
    scan_space(s);
    if (s->at == s->end || *s->at != ':')
        return scan_fail(s, "a colon should be here");
    s->at++;
    scan_space(s);
    return true;
}

bool json_member(json_scan *s, json_value *key)
{
    *key = (json_value){.text = {"", 0}};
    if (!scan_more(s, true))
        return false;
    scan_space(s);
    return scan_key(s, key);
}

bool json_item(json_scan *s)
{
    return scan_more(s, false);
}

/* A string of which nobody wants to know anything; at: behind the opening quote. NULL: s->problem. */
static inline __attribute__((always_inline)) const char *pass_string(json_scan *s, const char *at)
{
    json_value unused;
    if (__builtin_expect((size_t)(s->end - at) >= BLOCK_BYTES, 1)) {
        uint32_t special = block_special(block_load(at));
        if (__builtin_expect(special && at[block_first(special)] == '"', 1))
            return at + block_first(special) + 1;
    }
    s->at = at;
    return scan_string_on(s, &unused, at) ? s->at : NULL;
}

static inline const char *pass_space(json_scan *s, const char *at)
{
    if (__builtin_expect(at < s->end && (unsigned char)*at > ' ', 1))
        return at;
    s->at = at;
    scan_space(s);
    return s->at;
}

/* Digits alone, as most numbers are; others, and words, the long way. NULL: s->problem. */
static inline __attribute__((always_inline)) const char *pass_scalar(json_scan *s, const char *at)
{
    json_value unused;
    if (*at >= '1' && *at <= '9') {
        const char *p = at + 1;
        while (p < s->end && *p >= '0' && *p <= '9')
            p++;
        if (p < s->end && *p != '.' && (*p | 0x20) != 'e' && p - at <= (ptrdiff_t)JSON_NUMBER_MAX)
            return p;
    }
    s->at = at;
    bool ok = *at == 't'                                 ? scan_word(s, &unused, "true", JSON_TRUE)
              : *at == 'f'                               ? scan_word(s, &unused, "false", JSON_FALSE)
              : *at == 'n'                               ? scan_word(s, &unused, "null", JSON_NULL)
              : *at == '-' || (*at >= '0' && *at <= '9') ? scan_number(s, &unused)
                                                         : scan_fail(s, "not a JSON value");
    return ok ? s->at : NULL;
}

/* Behind a value or an opening bracket, up to where the next value (in an object: its key) begins; closes
   what ends before it. NULL: s->problem, or that depth was reached, with s->at there. */
static inline __attribute__((always_inline)) const char *pass_between(json_scan *s, const char *at,
                                                                      uint32_t depth)
{
    for (;;) {
        at = pass_space(s, at);
        bool object = s->objects >> (s->depth - 1) & 1u;
        uint64_t bit = (uint64_t)1 << (s->depth - 1);
        s->at = at;
        if (at == s->end)
            return scan_fail(s, "the text ends inside a container"), NULL;
        if (*at == (object ? '}' : ']')) {
            scan_close(s);
            at = s->at;
            if (s->depth == depth)
                return NULL;
            continue;
        }
        if (s->started & bit) {
            if (*at != ',')
                return scan_fail(s, object ? "a comma or } should be here" : "a comma or ] should be here"),
                       NULL;
            at = pass_space(s, at + 1);
        }
        s->started |= bit;
        return at;
    }
}

/* Walks until the container at that depth is closed. The same grammar as json_member() and json_read(), in
   one loop: most of what is stored passes here, some of it twice. */
static bool scan_down_to(json_scan *s, uint32_t depth)
{
    json_value unused;
    const char *at = s->at;
    if (s->problem || s->depth <= depth)
        return !s->problem;
    while ((at = pass_between(s, at, depth)) != NULL) {
        if (s->objects >> (s->depth - 1) & 1u) {
            s->at = at;
            if (at == s->end || *at != '"')
                return scan_fail(s, "a key in quotes should be here");
            if ((at = pass_string(s, at + 1)) == NULL)
                return false;
            s->at = at = pass_space(s, at);
            if (at == s->end || *at != ':')
                return scan_fail(s, "a colon should be here");
            at = pass_space(s, at + 1);
        }
        s->at = at;
        if (at == s->end)
            return scan_fail(s, "the text ends where a value should be");
        if (*at == '{' || *at == '[') {
            if (!scan_open(s, &unused, *at == '{' ? JSON_OBJECT : JSON_ARRAY))
                return false;
            at = s->at;
            continue;
        }
        at = *at == '"' ? pass_string(s, at + 1) : pass_scalar(s, at);
        if (!at)
            return false;
    }
    return !s->problem;
}

bool json_skip(json_scan *s, ss_str *raw)
{
    scan_space(s);
    const char *from = s->at;
    uint32_t depth = s->depth;
    json_value v;
    if (!json_read(s, &v) || (s->depth > depth && !scan_down_to(s, depth)))
        return false;
    if (raw)
        *raw = ss_s(from, (size_t)(s->at - from));
    return true;
}

bool json_leave(json_scan *s)
{
    if (s->depth == 0)
        return scan_fail(s, "the scanner is not inside a container");
    return scan_down_to(s, s->depth - 1);
}

bool json_finish(json_scan *s)
{
    if (s->problem)
        return false;
    if (s->depth > 0 || !s->done)
        return scan_fail(s, "the value was not read to its end");
    scan_space(s);
    return s->at == s->end || scan_fail(s, "something follows the value");
}

bool json_valid(ss_str text)
{
    json_scan s;
    json_start(&s, text);
    return json_skip(&s, NULL) && json_finish(&s);
}

/* p: behind "\u". Writes what the escape (and the one behind it, where both make a pair) stands for. */
static size_t unescape_unicode(char *out, const char **at, const char *end)
{
    const char *p = *at;
    int32_t unit = end - p >= 4 ? hex_unit(p) : -1;
    *at = unit < 0 ? end : p + 4;
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return utf8_put(out, 0xFFFD);
    if (unit < 0xD800 || unit > 0xDFFF)
        return utf8_put(out, (uint32_t)unit);
    int32_t low = end - p >= 10 && p[4] == '\\' && p[5] == 'u' ? hex_unit(p + 6) : -1;
    if (low < 0xDC00 || low > 0xDFFF)
        return utf8_put(out, 0xFFFD);
    *at = p + 10;
    return utf8_put(out, 0x10000u + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00));
}

size_t json_unescape(char *out, ss_str raw)
{
    static const char plain[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    const char *at = raw.ptr, *end = raw.ptr + raw.len;
    char *to = out;
    while (at < end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        size_t run = (size_t)((slash ? slash : end) - at);
        if (to != at)
            memmove(to, at, run);
        to += run;
        at += run;
        if (!slash || end - at < 2)
            break;
        char c = at[1];
        at += 2;
        if (c == 'u') {
            to += unescape_unicode(to, &at, end);
            continue;
        }
        for (const char *p = plain; *p; p += 2)
            if (*p == c)
                *to++ = p[1];
    }
    return (size_t)(to - out);
}

bool json_is(const json_value *string, const char *name)
{
    size_t len = strlen(name);
    if (!string->escaped)
        return string->text.len == len && memcmp(string->text.ptr, name, len) == 0;
    char plain[256];
    if (string->text.len > sizeof plain)
        return false;
    return json_unescape(plain, string->text) == len && memcmp(plain, name, len) == 0;
}
