/* The JSON scanner and writer; the public JSONTestSuite too where STREAMSTEAM_TESTDATA (or ../shared/data)
 * has it. */
#include <dirent.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>

#include "plugins/common/json.h"
#include "tests/unit/check.h"

/* An own heap copy without slack: a read past the end is an ASan report. */
static bool valid(const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    if (len)
        memcpy(copy, text, len);
    bool ok = json_valid(ss_s(copy, len));
    char *out = malloc(json_compact_bound(len));
    size_t compact = json_put_compact(out, ss_s(copy, len));
    if (ok)
        CHECK(json_valid(ss_s(out, compact)) && !memchr(out, '\n', compact));
    else
        CHECK(compact == 4 && memcmp(out, "null", 4) == 0);
    free(out);
    free(copy);
    return ok;
}

static void accepts_and_refuses(void)
{
    static const char *const good[] = {"1",
                                       "-0",
                                       "0.5",
                                       "1e5",
                                       "1E+5",
                                       "-12.25e-3",
                                       "\"\"",
                                       "true",
                                       "false",
                                       "null",
                                       "[]",
                                       "{}",
                                       " [ ] ",
                                       "{\"a\":1}",
                                       "{\"a\":1,\"a\":2}",
                                       "[1,2,3]",
                                       "[[[]]]",
                                       "[{},{\"b\":[null]}]",
                                       "\"\\u0041\\n\\/\"",
                                       "\"\\ud83d\\ude00\"",
                                       "\"\\ud83d\"",
                                       "\"\xC3\xA4\"",
                                       "\"\xF0\x9F\x98\x80\"",
                                       "\t\n\r 7 ",
                                       "\"0123456789abcdef0123456789abcdef\"",
                                       "\xEF\xBB\xBF[1]",
                                       "\"\x7F\""};
    static const char *const bad[] = {"",
                                      " ",
                                      "01",
                                      "-",
                                      "+1",
                                      ".5",
                                      "1.",
                                      "1e",
                                      "1e+",
                                      "--1",
                                      "0x1",
                                      "NaN",
                                      "tru",
                                      "nulll",
                                      "\"",
                                      "\"\\\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12G4\"",
                                      "\"\n\"",
                                      "\"\t\"",
                                      "[",
                                      "]",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "{",
                                      "}",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "{,}",
                                      "{a:1}",
                                      "{1:2}",
                                      "{\"a\" 1}",
                                      "[}",
                                      "{]",
                                      "1 2",
                                      "[] []",
                                      "\"\xC3\"",
                                      "\"\x80\"",
                                      "\"\xC0\x80\"",
                                      "\"\xED\xA0\x80\"",
                                      "\"\xF4\x90\x80\x80\"",
                                      "\"\xE2\x82\"",
                                      "'a'",
                                      "[1,,2]",
                                      "0123456789abcdef",
                                      "\xEF\xBB\xBF"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!valid(good[i], strlen(good[i]))) {
            printf("# refused: %s\n", good[i]);
            CHECK(false);
        }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (valid(bad[i], strlen(bad[i]))) {
            printf("# accepted: %s\n", bad[i]);
            CHECK(false);
        }
    CHECK(!valid("\"a\0b\"", 5));
    CHECK(!valid("[1]\0", 4));
}

static void limits(void)
{
    char text[2 * JSON_DEPTH_MAX + 4];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        CHECK_INT(valid(text, 2 * depth), depth == JSON_DEPTH_MAX);
    }
    char number[JSON_NUMBER_MAX + 1];
    memset(number, '1', sizeof number);
    CHECK(valid(number, JSON_NUMBER_MAX));
    CHECK(!valid(number, JSON_NUMBER_MAX + 1));
}

static void pulls(void)
{
    const char *text = " {\"requests\" : [\"?a=1\\/2\", {\"idsite\": 7}, null, [1,[2]], 5], "
                       "\"send_im\\u0061ge\":0, \"x\":{\"y\":[1]}} ";
    json_scan s;
    json_value v, key;
    int items = 0, seen = 0;
    json_start(&s, ss_cstr(text));
    REQUIRE(json_read(&s, &v) && v.kind == JSON_OBJECT);
    while (json_member(&s, &key)) {
        if (json_is(&key, "requests")) {
            REQUIRE(json_read(&s, &v) && v.kind == JSON_ARRAY);
            while (json_item(&s)) {
                REQUIRE(json_read(&s, &v));
                static const json_kind want[] = {JSON_STRING, JSON_OBJECT, JSON_NULL, JSON_ARRAY,
                                                 JSON_NUMBER};
                CHECK_INT(v.kind, want[items++]);
                if (v.kind == JSON_STRING) {
                    char out[16];
                    CHECK(v.escaped);
                    out[json_unescape(out, v.text)] = '\0';
                    CHECK_STR(out, "?a=1/2");
                }
                if (v.kind == JSON_OBJECT) {
                    int64_t site = 0;
                    REQUIRE(json_member(&s, &key) && json_is(&key, "idsite") && json_read(&s, &v));
                    CHECK(json_i64(v.text, &site) && site == 7);
                    CHECK(!json_member(&s, &key));
                }
                if (v.kind == JSON_ARRAY)
                    CHECK(json_item(&s) && json_skip(&s, NULL) && json_leave(&s));
            }
        } else if (json_is(&key, "send_image")) {
            REQUIRE(json_read(&s, &v));
            CHECK(ss_eq(v.text, ss_cstr("0")));
            seen++;
        } else {
            ss_str raw;
            REQUIRE(json_skip(&s, &raw));
            CHECK(ss_eq(raw, ss_cstr("{\"y\":[1]}")));
            seen++;
        }
    }
    CHECK(json_finish(&s));
    CHECK_INT(items, 5);
    CHECK_INT(seen, 2);
    json_start(&s, ss_cstr("[1,x]"));
    CHECK(!json_skip(&s, NULL) && s.problem && json_offset(&s) == 3);
    json_start(&s, ss_cstr("[1]"));
    CHECK(json_read(&s, &v) && !json_member(&s, &key) &&
          !json_finish(&s)); /* the wrong call is an error, not a crash */
}

static void unescapes(void)
{
    static const struct {
        const char *raw, *want;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"a\\\"b\\\\c\\/d", "a\"b\\c/d"},
        {"\\b\\f\\n\\r\\t", "\b\f\n\r\t"},
        {"\\u00e4\\u20AC", "\xC3\xA4\xE2\x82\xAC"},
        {"\\ud83d\\ude00!", "\xF0\x9F\x98\x80!"},
        {"\\ud83dx", "\xEF\xBF\xBDx"},
        {"\\ude00", "\xEF\xBF\xBD"},
        {"\\ud83d\\ud83d\\ude00", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
        {"\\ud83d\\n", "\xEF\xBF\xBD\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].raw);
        char *copy = malloc(len + 1);
        memcpy(copy, cases[i].raw, len);
        size_t got = json_unescape(copy, ss_s(copy, len)); /* in place */
        CHECK(got <= len);
        copy[got] = '\0';
        CHECK_STR(copy, cases[i].want);
        free(copy);
    }
}

static void reads_numbers(void)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t want;
    } ints[] = {{"0", true, 0},
                {"-0", true, 0},
                {"12", true, 12},
                {"1.0", true, 1},
                {"1e2", true, 100},
                {"120e-1", true, 12},
                {"1.5", false, 0},
                {"9223372036854775807", true, INT64_MAX},
                {"-9223372036854775808", true, INT64_MIN},
                {"9223372036854775808", false, 0},
                {"1e19", false, 0},
                {"1e-5", false, 0},
                {"0e999999999", true, 0},
                {"100000000000000000000000e-20", true, 1000},
                {"1e999999999", false, 0},
                {"18446744073709551616", false, 0}};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        int64_t got = 0;
        CHECK_INT(json_i64(ss_cstr(ints[i].text), &got), ints[i].ok);
        CHECK_INT(got, ints[i].want);
    }
    static const char *const doubles[] = {"0",
                                          "-0",
                                          "22.5",
                                          "0.1",
                                          "1e22",
                                          "1e23",
                                          "123456789012345678",
                                          "5e-324",
                                          "1.7976931348623157e308",
                                          "0.30000000000000004",
                                          "9007199254740993",
                                          "3.14159265358979323846264338327950288",
                                          "-1e-7",
                                          "100000000000000000000.000001"};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
        double got = -1;
        CHECK(json_double(ss_cstr(doubles[i]), &got));
        CHECK(got == strtod(doubles[i], NULL));
    }
    double d;
    CHECK(!json_double(ss_cstr("1e400"), &d));
    static const char *const no[] = {"", "-", "1x", "1.", ".5", "1e", " 1", "1 ", "0x10", "inf", "nan"};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        CHECK(!json_text_double(ss_cstr(no[i]), &d));
    CHECK(json_text_double(ss_cstr("+2.5"), &d) && d == 2.5);
}

static void check_string(const char *text, size_t len, const char *want)
{
    char *copy = malloc(len ? len : 1), *out = malloc(json_escape_bound(len) + 1);
    if (len)
        memcpy(copy, text, len);
    size_t got = json_put_string(out, ss_s(copy, len));
    out[got] = '\0';
    if (want)
        CHECK_STR(out, want);
    CHECK(json_valid(ss_s(out, got)));
    free(copy);
    free(out);
}

static void writes_strings(void)
{
    check_string("", 0, "\"\"");
    check_string("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    check_string("\n\r\t\b\f\x01\x1f\x7f", 8, "\"\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\"");
    check_string("a\0b", 3, "\"a\\u0000b\"");
    check_string("\xC3\xA4", 2, "\"\xC3\xA4\"");
    check_string("\xC3", 1, "\"\xEF\xBF\xBD\"");
    check_string("\xC3(", 2, "\"\xEF\xBF\xBD(\"");
    check_string("\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    /* Every length around a block, with the odd character at each place. */
    for (size_t len = 1; len <= 40; len++)
        for (size_t at = 0; at < len; at++) {
            char text[40], want[64];
            memset(text, 'x', len);
            text[at] = '"';
            int n = snprintf(want, sizeof want, "\"%.*s\\\"%.*s\"", (int)at,
                             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", (int)(len - at - 1),
                             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
            CHECK(n > 0);
            check_string(text, len, want);
            text[at] = (char)0xFF;
            check_string(text, len, NULL);
            memset(text, '"', len); /* the longest escapes fill the bound */
            check_string(text, len, NULL);
            memset(text, 1, len);
            check_string(text, len, NULL);
        }
}

static void check_double(double value, const char *want)
{
    char out[JSON_DOUBLE_SIZE + 1];
    size_t len = json_put_double(out, value);
    CHECK(len <= JSON_DOUBLE_SIZE);
    out[len] = '\0';
    if (want)
        CHECK_STR(out, want);
    double back = 0;
    CHECK(json_double(ss_s(out, len), &back) && back == value);
    CHECK(json_valid(ss_s(out, len)));
}

static void writes_numbers(void)
{
    static const int64_t ints[] = {0,          1,         9,         10, 99,  100,       101,
                                   1234567890, INT64_MAX, INT64_MIN, -1, -10, 1764550000};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        char out[JSON_I64_SIZE + 1], want[32];
        out[json_put_i64(out, ints[i])] = '\0';
        (void)snprintf(want, sizeof want, "%lld", (long long)ints[i]);
        CHECK_STR(out, want);
    }
    check_double(0, "0");
    check_double(-0.0, "-0");
    check_double(22.5, "22.5");
    check_double(0.1, "0.1");
    check_double(-19, "-19");
    check_double(0.1 + 0.2, "0.30000000000000004");
    check_double(1e300, "1e+300");
    check_double(5e-324, NULL);
    check_double(1e-5, "0.00001");
    check_double(123456.789012, "123456.789012");
    check_double(1.7976931348623157e308, "1.7976931348623157e+308");
    char out[JSON_DOUBLE_SIZE];
    CHECK_INT(json_put_double(out, NAN), 4);
    CHECK_INT(json_put_double(out, INFINITY), 4);
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        double value;
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        memcpy(&value, &state, sizeof value);
        if (isfinite(value))
            check_double(value, NULL);
        check_double((double)(int64_t)(state % 100000000) / 1000.0, NULL);
    }
}

static void ignores_the_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    for (size_t i = 0; i < 3; i++)
        if (setlocale(LC_ALL, names[i]))
            break;
    check_double(0.1 + 0.2, "0.30000000000000004");
    double d;
    CHECK(json_double(ss_cstr("3.14159265358979323846264338327950288"), &d) && d > 3.14 && d < 3.15);
}

static void compacts(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {{" { \"a b\" : [ 1 ,\n2 ] , \"c\" : \"x\\\" y\" } ", "{\"a b\":[1,2],\"c\":\"x\\\" y\"}"},
                 {"\"\\ud83d\"", "\"\\ufffd\""},
                 {"\"\\uDC00 \\ud83d\\ude00 \\uD83Dx\"", "\"\\ufffd \\ud83d\\ude00 \\ufffdx\""},
                 {"[1", "null"},
                 {"", "null"},
                 {"\"0123456789abcdef\\n0123456789abcdef\xC3\xA4\"",
                  "\"0123456789abcdef\\n0123456789abcdef\xC3\xA4\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[128];
        out[json_put_compact(out, ss_cstr(cases[i].text))] = '\0';
        CHECK_STR(out, cases[i].want);
    }
}

static void walk(json_scan *s)
{
    json_value v, key;
    if (!json_read(s, &v))
        return;
    if (v.kind == JSON_OBJECT)
        while (json_member(s, &key))
            walk(s);
    else if (v.kind == JSON_ARRAY)
        while (json_item(s))
            walk(s);
}

/* What is passed over meets the same grammar as what is read: the same problem in the same place. */
static void passing_over_is_reading(void)
{
    static const char from[] =
        "{\"a\":[1,-2.5e3,0,\"x\\u00e4\\n\",{\"long key of more than sixteen bytes\":true}, "
        "[ ] ,{ } ,null,false],\"b\" : \"\xc3\xa4 text of more than sixteen bytes\",\"c\":{\"d\":[[[0.1]]]}}";
    static const char odd[] = "{}[]\",:\\ 0e-.tn\x80\x01/";
    uint32_t seed = 1;
    size_t wrong = 0;
    for (int i = 0; i < 200000; i++) {
        char text[sizeof from];
        memcpy(text, from, sizeof from);
        size_t len = sizeof from - 1;
        for (int changes = i % 4; changes > 0; changes--) {
            seed = seed * 1664525u + 1013904223u;
            size_t at = (seed >> 8) % len;
            seed = seed * 1664525u + 1013904223u;
            if (seed >> 30)
                text[at] = odd[(seed >> 8) % (sizeof odd - 1)];
            else
                len = at + 1;
        }
        json_scan read, passed;
        ss_str given = ss_s(text, len);
        json_start(&read, given);
        walk(&read);
        bool ok = json_finish(&read);
        json_start(&passed, given);
        bool skipped = json_skip(&passed, NULL) && json_finish(&passed);
        if (ok != skipped || read.problem != passed.problem || json_offset(&read) != json_offset(&passed)) {
            printf("# %.*s: %s, %s\n", (int)len, text, read.problem, passed.problem);
            CHECK(false);
            return;
        }
        wrong += !ok;
    }
    CHECK(wrong > 50000 && wrong < 199000);
}

static void public_suite(void)
{
    const char *root = getenv("STREAMSTEAM_TESTDATA");
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/json/test_parsing", root ? root : "../shared/data");
    DIR *dir = opendir(path);
    if (!dir) {
        printf("# skipped: no %s\n", path);
        return;
    }
    static char text[1 << 20];
    int cases = 0;
    for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
        char file[5000];
        (void)snprintf(file, sizeof file, "%s/%s", path, d->d_name);
        FILE *f = strstr(d->d_name, ".json") ? fopen(file, "rb") : NULL;
        if (!f)
            continue;
        size_t len = fread(text, 1, sizeof text, f);
        (void)fclose(f);
        bool ok = valid(text, len);
        cases++;
        if ((d->d_name[0] == 'y' && !ok) || (d->d_name[0] == 'n' && ok)) {
            printf("# %s: %s\n", ok ? "accepted" : "refused", d->d_name);
            CHECK(false);
        }
    }
    (void)closedir(dir);
    printf("# %d cases\n", cases);
    CHECK(cases > 0);
}

static const check_test tests[] = {TEST(accepts_and_refuses),
                                   TEST(limits),
                                   TEST(pulls),
                                   TEST(unescapes),
                                   TEST(reads_numbers),
                                   TEST(writes_strings),
                                   TEST(writes_numbers),
                                   TEST(ignores_the_locale),
                                   TEST(compacts),
                                   TEST(passing_over_is_reading),
                                   TEST(public_suite)};
CHECK_MAIN(tests)
