#define PCRE2_CODE_UNIT_WIDTH 8
#include "plugins/common/json_schema_pattern.h"

#include <pcre2.h>
#include <stdlib.h>

#define MATCH_LIMIT    50000u /* steps of one match: nested quantifiers end here, not after years */
#define HEAP_LIMIT_KIB 8192u
#define GROW_FACTOR    64u /* the longest translation of a character */
#define CLASS_NAME_MAX 64u

/* White space and line ends of ECMA-262, for the inside of a class. */
#define SPACES                                                                                               \
    "\\t\\n\\x{b}\\f\\r "                                                                                    \
    "\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NEWLINE "\\n\\r\\x{2028}\\x{2029}"

struct json_schema_pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
};

typedef struct translation {
    const char *at, *end;
    char *out;
    size_t len;
    char *why;
} translation;

static bool refuse(translation *t, const char *what)
{
    if (!t->why[0])
        (void)snprintf(t->why, PATTERN_WHY_SIZE, "%s", what);
    return false;
}

static bool put(translation *t, const char *text)
{
    size_t len = strlen(text);
    memcpy(t->out + t->len, text, len);
    t->len += len;
    return true;
}

static bool put_code(translation *t, uint32_t code)
{
    t->len += (size_t)sprintf(t->out + t->len, "\\x{%x}", code);
    return true;
}

static bool take(translation *t, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(t->end - t->at) < len || memcmp(t->at, text, len) != 0)
        return false;
    t->at += len;
    return true;
}

/* So many hexadecimal digits; -1 where there are fewer. */
static int32_t take_hex(translation *t, int count)
{
    int32_t value = 0;
    for (int i = 0; i < count; i++, t->at++) {
        char c = t->at < t->end ? *t->at : 0, low = (char)(c | 0x20);
        int32_t digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* Behind \u: four digits, a surrogate pair, or {digits}. */
static bool unicode_escape(translation *t)
{
    int32_t code = 0;
    if (take(t, "{")) {
        const char *close = memchr(t->at, '}', (size_t)(t->end - t->at));
        if (!close || close == t->at || close - t->at > 6)
            return refuse(t, "\\u{...} holds 1 to 6 hexadecimal digits");
        code = take_hex(t, (int)(close - t->at));
        t->at = close + 1;
    } else {
        code = take_hex(t, 4);
        if (code >= 0xD800 && code < 0xDC00 && take(t, "\\u")) {
            int32_t low = take_hex(t, 4);
            code = low >= 0xDC00 && low <= 0xDFFF ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : -1;
        }
    }
    if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return refuse(t, "\\u is not followed by a character's code");
    return put_code(t, (uint32_t)code);
}

/* General categories by the long names that ECMA-262 knows and PCRE2 does not. */
static const char *category_short(const char *name)
{
    static const char *const names[][2] = {{"Letter", "L"},
                                           {"Cased_Letter", "L&"},
                                           {"Uppercase_Letter", "Lu"},
                                           {"Lowercase_Letter", "Ll"},
                                           {"Titlecase_Letter", "Lt"},
                                           {"Modifier_Letter", "Lm"},
                                           {"Other_Letter", "Lo"},
                                           {"Mark", "M"},
                                           {"Combining_Mark", "M"},
                                           {"Nonspacing_Mark", "Mn"},
                                           {"Spacing_Mark", "Mc"},
                                           {"Enclosing_Mark", "Me"},
                                           {"Number", "N"},
                                           {"Decimal_Number", "Nd"},
                                           {"digit", "Nd"},
                                           {"Letter_Number", "Nl"},
                                           {"Other_Number", "No"},
                                           {"Punctuation", "P"},
                                           {"punct", "P"},
                                           {"Connector_Punctuation", "Pc"},
                                           {"Dash_Punctuation", "Pd"},
                                           {"Open_Punctuation", "Ps"},
                                           {"Close_Punctuation", "Pe"},
                                           {"Initial_Punctuation", "Pi"},
                                           {"Final_Punctuation", "Pf"},
                                           {"Other_Punctuation", "Po"},
                                           {"Symbol", "S"},
                                           {"Math_Symbol", "Sm"},
                                           {"Currency_Symbol", "Sc"},
                                           {"Modifier_Symbol", "Sk"},
                                           {"Other_Symbol", "So"},
                                           {"Separator", "Z"},
                                           {"Space_Separator", "Zs"},
                                           {"Line_Separator", "Zl"},
                                           {"Paragraph_Separator", "Zp"},
                                           {"Other", "C"},
                                           {"Control", "Cc"},
                                           {"cntrl", "Cc"},
                                           {"Format", "Cf"},
                                           {"Surrogate", "Cs"},
                                           {"Private_Use", "Co"},
                                           {"Unassigned", "Cn"},
                                           {"LC", "L&"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], name) == 0)
            return names[i][1];
    return name;
}

/* Behind \p or \P. */
static bool property_escape(translation *t, char letter)
{
    static const char *const prefixes[][2] = {
        {"General_Category=", ""}, {"gc=", ""},    {"Script_Extensions=", "scx:"},
        {"Script=", "sc:"},        {"sc=", "sc:"}, {"scx=", "scx:"}};
    char name[CLASS_NAME_MAX];
    const char *close = t->at < t->end ? memchr(t->at, '}', (size_t)(t->end - t->at)) : NULL, *prefix = "";
    if (!take(t, "{") || !close || (size_t)(close - t->at) >= sizeof name || close == t->at)
        return refuse(t, "\\p is followed by {Property}");
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (take(t, prefixes[i][0])) {
            prefix = prefixes[i][1];
            break;
        }
    size_t len = (size_t)(close - t->at);
    memcpy(name, t->at, len);
    name[len] = '\0';
    t->at = close + 1;
    if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != len)
        return refuse(t, "\\p{...} holds an unknown property");
    t->len +=
        (size_t)sprintf(t->out + t->len, "\\%c{%s%s}", letter, prefix, *prefix ? name : category_short(name));
    return true;
}

static bool back_reference(translation *t, char first)
{
    uint32_t number = (uint32_t)(first - '0');
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9' && number < 1000; t->at++)
        number = number * 10 + (uint32_t)(*t->at - '0');
    t->len += (size_t)sprintf(t->out + t->len, "\\g{%u}", number);
    return true;
}

static bool named_reference(translation *t)
{
    const char *close = t->at < t->end && *t->at == '<' ? memchr(t->at, '>', (size_t)(t->end - t->at)) : NULL;
    if (!close || close - t->at > 34)
        return refuse(t, "\\k is followed by <name>");
    t->len += (size_t)sprintf(t->out + t->len, "\\k%.*s", (int)(close + 1 - t->at), t->at);
    t->at = close + 1;
    return true;
}

/* at: behind a backslash. */
static bool escape(translation *t, bool in_class)
{
    if (t->at == t->end)
        return refuse(t, "the pattern ends with a backslash");
    char c = *t->at++;
    char two[3] = {'\\', c, 0};
    int32_t code;
    switch (c) {
    case 'd':
    case 'D':
    case 'w':
    case 'W':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return put(t, two);
    case 's':
        return put(t, in_class ? SPACES : "[" SPACES "]");
    case 'S':
        return put(t, in_class ? "\\S" : "[^" SPACES "]");
    case 'v':
        return put_code(t, '\v');
    case 'b':
        return in_class ? put_code(t, '\b') : put(t, two);
    case 'B':
        return in_class ? refuse(t, "\\B has no meaning in a class") : put(t, two);
    case '0':
        return t->at < t->end && *t->at >= '0' && *t->at <= '9' ? refuse(t, "octal escapes are not ECMA-262")
                                                                : put_code(t, 0);
    case 'c':
        code = t->at < t->end ? *t->at++ | 0x20 : 0;
        return code >= 'a' && code <= 'z' ? put_code(t, (uint32_t)code & 31u)
                                          : refuse(t, "\\c is followed by a letter");
    case 'x':
        code = take_hex(t, 2);
        return code >= 0 ? put_code(t, (uint32_t)code)
                         : refuse(t, "\\x is followed by two hexadecimal digits");
    case 'u':
        return unicode_escape(t);
    case 'p':
    case 'P':
        return property_escape(t, c);
    case 'k':
        return in_class ? refuse(t, "\\k has no meaning in a class") : named_reference(t);
    default:
        break;
    }
    if (c >= '1' && c <= '9')
        return in_class ? refuse(t, "octal escapes are not ECMA-262") : back_reference(t, c);
    if ((c & 0x80) || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) {
        (void)snprintf(t->why, PATTERN_WHY_SIZE, "\\%c is not ECMA-262", c & 0x80 ? '?' : c);
        return false;
    }
    return put(t, two);
}

/* at: behind the opening bracket. */
static bool class(translation *t)
{
    (void)put(t, "[");
    if (take(t, "^"))
        (void)put(t, "^");
    while (t->at < t->end && *t->at != ']') {
        char c = *t->at++;
        if (c == '\\' && !escape(t, true))
            return false;
        if (c == '[')
            (void)put(t, "\\[");
        else if (c != '\\')
            t->out[t->len++] = c;
    }
    return take(t, "]") ? put(t, "]") : refuse(t, "a class has no closing bracket");
}

/* at: behind the opening parenthesis. */
static bool group(translation *t)
{
    static const char *const kinds[] = {"?:", "?=", "?!", "?<=", "?<!"};
    (void)put(t, "(");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (take(t, kinds[i]))
            return put(t, kinds[i]);
    if (t->at == t->end || (*t->at != '?' && *t->at != '*'))
        return true;
    if (t->end - t->at < 3 || t->at[0] != '?' || t->at[1] != '<' || t->at[2] == '>')
        return refuse(t, "(? is followed by :, =, !, <=, <! or <name>");
    return true; /* a named group: PCRE2 reads it alike */
}

/* at: on the brace. {n}, {n,} and {n,m} repeat, any other brace is itself. */
static bool brace(translation *t)
{
    const char *p = t->at + 1;
    while (p < t->end && *p >= '0' && *p <= '9')
        p++;
    bool repeats = p > t->at + 1;
    if (p < t->end && *p == ',')
        for (p++; p < t->end && *p >= '0' && *p <= '9';)
            p++;
    repeats = repeats && p < t->end && *p == '}';
    if (!repeats) {
        t->at++;
        return put(t, "\\{");
    }
    memcpy(t->out + t->len, t->at, (size_t)(p + 1 - t->at));
    t->len += (size_t)(p + 1 - t->at);
    t->at = p + 1;
    return true;
}

static bool translate(translation *t)
{
    bool ok = true, repeated = false;
    while (ok && t->at < t->end) {
        char c = *t->at;
        bool repeats = c == '*' || c == '+' || c == '?';
        if (repeats && repeated && c != '?')
            return refuse(t, "nothing to repeat: ECMA-262 has no possessive quantifiers");
        size_t before = t->len;
        if (c == '{') {
            ok = brace(t);
            repeated = ok && t->out[before] == '{';
            continue;
        }
        repeated = repeats && !repeated;
        t->at++;
        if (c == '\\')
            ok = escape(t, false);
        else if (c == '[')
            ok = class(t);
        else if (c == '(')
            ok = group(t);
        else if (c == '.')
            ok = put(t, "[^" NEWLINE "]");
        else if (c == '}' || c == ']')
            ok = put(t, c == '}' ? "\\}" : "\\]");
        else
            t->out[t->len++] = c;
    }
    return ok;
}

static pcre2_code *compile(const char *text, size_t len, char *why)
{
    int number;
    PCRE2_SIZE place;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, len,
                                     PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS |
                                         PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C,
                                     &number, &place, NULL);
    if (!code)
        (void)pcre2_get_error_message(number, (PCRE2_UCHAR *)why, PATTERN_WHY_SIZE);
    return code;
}

static pcre2_code *compile_ecma(ss_str ecma, char *why)
{
    why[0] = '\0';
    if (ecma.len > PATTERN_BYTES_MAX) {
        (void)snprintf(why, PATTERN_WHY_SIZE, "a pattern has at most %u bytes", PATTERN_BYTES_MAX);
        return NULL;
    }
    translation t = {.at = ecma.ptr, .end = ecma.ptr + ecma.len, .why = why};
    t.out = malloc(ecma.len * GROW_FACTOR + GROW_FACTOR);
    pcre2_code *code = NULL;
    if (!t.out)
        (void)refuse(&t, "no memory");
    else if (translate(&t))
        code = compile(t.out, t.len, why);
    free(t.out);
    return code;
}

json_schema_pattern *json_schema_pattern_new(ss_str ecma, char *why)
{
    json_schema_pattern *p = calloc(1, sizeof *p);
    if (!p || !(p->code = compile_ecma(ecma, why)) || !(p->limits = pcre2_match_context_create(NULL))) {
        json_schema_pattern_free(p);
        return NULL;
    }
    (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* where that cannot be, it is interpreted */
    (void)pcre2_set_match_limit(p->limits, MATCH_LIMIT);
    (void)pcre2_set_heap_limit(p->limits, HEAP_LIMIT_KIB);
    return p;
}

void json_schema_pattern_free(json_schema_pattern *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    pcre2_match_context_free(p->limits);
    free(p);
}

bool json_schema_pattern_valid(ss_str ecma)
{
    char why[PATTERN_WHY_SIZE];
    pcre2_code *code = compile_ecma(ecma, why);
    pcre2_code_free(code);
    return code != NULL;
}

/* ---- matching -------------------------------------------------------------------------------- */

static void *lend(PCRE2_SIZE len, void *arg)
{
    const json_schema_matcher *m = arg;
    return m->memory.take(m->memory.arg, len);
}

static void keep(void *memory, void *arg)
{
    (void)memory; /* goes with the lender's */
    (void)arg;
}

static pcre2_match_data *match_data(json_schema_matcher *m)
{
    if (!m->data) {
        pcre2_general_context *memory = pcre2_general_context_create(lend, keep, m);
        m->data = memory ? pcre2_match_data_create(1, memory) : NULL;
    }
    return m->data;
}

enum json_schema_match json_schema_pattern_match(const json_schema_pattern *p, json_schema_matcher *m,
                                                 ss_str text)
{
    pcre2_match_data *data = match_data(m);
    if (!data)
        return PATTERN_GAVE_UP;
    int rc = pcre2_match(p->code, (PCRE2_SPTR)text.ptr, text.len, 0, PCRE2_NO_UTF_CHECK, data, p->limits);
    if (rc >= 0)
        return PATTERN_YES;
    return rc == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_GAVE_UP;
}
