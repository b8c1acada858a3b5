/* Percent decoding and query splitting. */
#include <stdint.h>

#include "plugins/common/url.h"
#include "tests/unit/check.h"

static void decodes(void)
{
    static const struct {
        const char *in, *want, *path;
    } cases[] = {{"", "", ""},
                 {"abc", "abc", "abc"},
                 {"a+b", "a b", "a+b"},
                 {"a%20b", "a b", "a b"},
                 {"%C3%A4", "\xC3\xA4", "\xC3\xA4"},
                 {"%c3%a4", "\xC3\xA4", "\xC3\xA4"},
                 {"%", "%", "%"},
                 {"%4", "%4", "%4"},
                 {"%4g", "%4g", "%4g"},
                 {"%g4", "%g4", "%g4"},
                 {"100%", "100%", "100%"},
                 {"%%41", "%A", "%A"},
                 {"%2B%26%3D", "+&=", "+&="},
                 {"%2541", "%41", "%41"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].in);
        char *copy = malloc(len + 1);
        memcpy(copy, cases[i].in, len);
        copy[url_decode(copy, ss_s(copy, len))] = '\0'; /* in place */
        CHECK_STR(copy, cases[i].want);
        memcpy(copy, cases[i].in, len);
        copy[url_decode_path(copy, ss_s(copy, len))] = '\0';
        CHECK_STR(copy, cases[i].path);
        free(copy);
    }
    char out[4];
    CHECK_INT(url_decode(out, ss_cstr("%00a")), 2);
    CHECK(out[0] == '\0' && out[1] == 'a');
}

/* "key=value|key|..." ; a * marks what needs decoding. */
static void splits_as(const char *query, const char *want)
{
    char got[512] = "", *copy = malloc(strlen(query) + 1);
    size_t len = strlen(query);
    memcpy(copy, query, len);
    url_pairs pairs;
    url_pair p;
    url_pairs_start(&pairs, ss_s(copy, len));
    while (url_pairs_next(&pairs, &p)) {
        size_t at = strlen(got);
        (void)snprintf(got + at, sizeof got - at, "%s%.*s%s%s%.*s%s", at ? "|" : "", (int)p.key.len,
                       p.key.ptr, p.key_encoded ? "*" : "", p.has_value ? "=" : "", (int)p.value.len,
                       p.value.ptr, p.value_encoded ? "*" : "");
    }
    CHECK_STR(got, want);
    free(copy);
}

/* Blocks, tails and runs of codes at every place: apart as in place, and not a byte more. */
static void decodes_apart(void)
{
    static const char *const codes[] = {"%41", "+", "%", "%4", "%41%42", "%%41", "%zz", "%41+%43"};
    for (size_t before = 0; before < 40; before++)
        for (size_t after = 0; after < 40; after += 3)
            for (size_t k = 0; k < sizeof codes / sizeof *codes; k++) {
                size_t len = before + strlen(codes[k]) + after;
                char *text = malloc(len), *apart = malloc(len);
                memset(text, 'x', len);
                memcpy(text + before, codes[k], strlen(codes[k]));
                size_t got = url_decode(apart, ss_s(text, len)), same = url_decode(text, ss_s(text, len));
                CHECK_INT(got, same);
                CHECK(memcmp(text, apart, same) == 0);
                free(text);
                free(apart);
            }
}

static void splits(void)
{
    splits_as("", "");
    splits_as("&&&", "");
    splits_as("a", "a");
    splits_as("a=", "a=");
    splits_as("=b", "=b");
    splits_as("a=1&b=2", "a=1|b=2");
    splits_as("&a=1&&b=2&", "a=1|b=2");
    splits_as("a=1=2", "a=1=2");
    splits_as("a%5B=x+y&b=z", "a%5B*=x+y*|b=z");
    splits_as("averyverylongparameternamehere=averyverylongvaluethatspansblocks%20&x=1",
              "averyverylongparameternamehere=averyverylongvaluethatspansblocks%20*|x=1");
    splits_as("0123456789abcde=f&g=0123456789abcdef0123456789abcdef&h",
              "0123456789abcde=f|g=0123456789abcdef0123456789abcdef|h");
    splits_as("aaaaaaaaaaaaaaaa=b&c=%", "aaaaaaaaaaaaaaaa=b|c=%*");
}

static void gets(void)
{
    char out[8];
    CHECK_INT(url_query_get(ss_cstr("x=1&token_auth=a%2Bb&token_auth=z"), "token_auth", out, sizeof out), 3);
    CHECK(memcmp(out, "a+b", 3) == 0);
    CHECK_INT(url_query_get(ss_cstr("x=1"), "y", out, sizeof out), -1);
    CHECK_INT(url_query_get(ss_cstr("y=123456789"), "y", out, sizeof out), -1);
    CHECK_INT(url_query_get(ss_cstr("y"), "y", out, sizeof out), 0);
}

static void encodes(void)
{
    char out[64];
    out[url_encode(out, ss_cstr("a b&c=\xC3\xA4~._-"))] = '\0';
    CHECK_STR(out, "a%20b%26c%3D%C3%A4~._-");
}

static const check_test tests[] = {TEST(decodes), TEST(decodes_apart), TEST(splits), TEST(gets),
                                   TEST(encodes)};
CHECK_MAIN(tests)
