#include "receivers/matomo/entity.h"

#include "plugins/common/utf8.h"

#define ENTITY_MAX 12u /* bytes, with & and ; */

/* Those of the characters from U+00A0 on, in order. */
static const char *const latin[96] = {
    "nbsp",   "iexcl",  "cent",   "pound",  "curren", "yen",    "brvbar", "sect",   "uml",    "copy",
    "ordf",   "laquo",  "not",    "shy",    "reg",    "macr",   "deg",    "plusmn", "sup2",   "sup3",
    "acute",  "micro",  "para",   "middot", "cedil",  "sup1",   "ordm",   "raquo",  "frac14", "frac12",
    "frac34", "iquest", "Agrave", "Aacute", "Acirc",  "Atilde", "Auml",   "Aring",  "AElig",  "Ccedil",
    "Egrave", "Eacute", "Ecirc",  "Euml",   "Igrave", "Iacute", "Icirc",  "Iuml",   "ETH",    "Ntilde",
    "Ograve", "Oacute", "Ocirc",  "Otilde", "Ouml",   "times",  "Oslash", "Ugrave", "Uacute", "Ucirc",
    "Uuml",   "Yacute", "THORN",  "szlig",  "agrave", "aacute", "acirc",  "atilde", "auml",   "aring",
    "aelig",  "ccedil", "egrave", "eacute", "ecirc",  "euml",   "igrave", "iacute", "icirc",  "iuml",
    "eth",    "ntilde", "ograve", "oacute", "ocirc",  "otilde", "ouml",   "divide", "oslash", "ugrave",
    "uacute", "ucirc",  "uuml",   "yacute", "thorn",  "yuml"};

static const struct {
    const char *name;
    uint32_t code;
} others[] = {
    {"amp", '&'},       {"lt", '<'},        {"gt", '>'},       {"quot", '"'},     {"apos", '\''},
    {"OElig", 0x152},   {"oelig", 0x153},   {"Scaron", 0x160}, {"scaron", 0x161}, {"Yuml", 0x178},
    {"ndash", 0x2013},  {"mdash", 0x2014},  {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"sbquo", 0x201A},
    {"ldquo", 0x201C},  {"rdquo", 0x201D},  {"bdquo", 0x201E}, {"bull", 0x2022},  {"hellip", 0x2026},
    {"lsaquo", 0x2039}, {"rsaquo", 0x203A}, {"euro", 0x20AC},  {"trade", 0x2122}, {"minus", 0x2212}};

static uint32_t numbered(ss_str digits)
{
    bool hex = digits.len > 1 && (digits.ptr[0] | 0x20) == 'x';
    uint32_t code = 0;
    for (size_t i = hex; i < digits.len; i++) {
        unsigned char c = (unsigned char)digits.ptr[i], letter = c | 0x20;
        if (c >= '0' && c <= '9')
            code = code * (hex ? 16 : 10) + (uint32_t)(c - '0');
        else if (hex && letter >= 'a' && letter <= 'f')
            code = code * 16 + (uint32_t)(letter - 'a') + 10;
        else
            return 0;
        if (code > 0x10FFFF)
            return 0;
    }
    bool control =
        (code < 0x20 && code != '\t' && code != '\n' && code != '\r') || (code >= 0x7F && code < 0xA0);
    return control || (code >= 0xD800 && code <= 0xDFFF) ? 0 : code;
}

static uint32_t named(ss_str name)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (ss_eq(name, ss_cstr(others[i].name)))
            return others[i].code;
    for (size_t i = 0; i < sizeof latin / sizeof *latin; i++)
        if (ss_eq(name, ss_cstr(latin[i])))
            return (uint32_t)(0xA0 + i);
    return 0;
}

size_t entity_read(char out[4], const char *at, const char *end, size_t *len)
{
    size_t room = (size_t)(end - at) < ENTITY_MAX ? (size_t)(end - at) : ENTITY_MAX;
    const char *semicolon = room > 3 ? memchr(at, ';', room) : NULL;
    if (!semicolon || semicolon - at < 3)
        return 0;
    bool number = at[1] == '#';
    ss_str name = ss_s(at + 1 + number, (size_t)(semicolon - at) - 1 - number);
    uint32_t code = number ? numbered(name) : named(name);
    if (code == 0)
        return 0;
    *len = utf8_put(out, code);
    return (size_t)(semicolon - at) + 1;
}
