/* JSON Schema: what fits, what is said of what does not, what is refused at load. */
#include "plugins/common/exact.h"
#include "plugins/common/json_schema.h"
#include "plugins/common/json_schema_format.h"
#include "plugins/common/json_schema_pattern.h"
#include "plugins/common/rfc3339.h"
#include "tests/unit/check.h"

#define ERRORS_MAX 8u

typedef struct memory { /* what one test lends; freed at its end */
    void *list[4096];
    size_t count;
} memory;

static void *take(void *arg, size_t len)
{
    memory *m = arg;
    if (m->count == sizeof m->list / sizeof *m->list)
        return NULL;
    return m->list[m->count++] = malloc(len ? len : 1);
}

static void give_back(memory *m)
{
    while (m->count > 0)
        free(m->list[--m->count]);
}

/* "valid", or the errors as "path keyword expected got;". */
static void judge(const char *schema_text, const char *data, char *out, size_t size)
{
    static memory m;
    json_schema_problem why;
    json_schema_error errors[ERRORS_MAX];
    json_schema *s =
        json_schema_new(ss_cstr(schema_text), &(json_schema_options){.assert_format = true}, &why);
    json_tape tape;
    tape_memory lent = {take, &m};
    json_schema_run run = {.memory = lent, .errors = errors, .max = ERRORS_MAX};
    size_t len = 0;
    out[0] = '\0';
    if (!s) {
        (void)snprintf(out, size, "%s%s", why.unsupported ? "! " : "? ", why.text);
    } else if (!json_tape_read(&tape, ss_cstr(data), lent)) {
        (void)snprintf(out, size, "# %s %zu", tape.problem, tape.offset);
    } else if (json_schema_check(s, &tape, 0, &run)) {
        (void)snprintf(out, size, "valid");
        CHECK_INT(run.count, 0);
    } else {
        CHECK(run.count > 0);
        for (uint32_t i = 0; i < run.count && i < run.max && len < size; i++) {
            char path[64];
            const json_schema_error *e = &errors[i];
            (void)json_schema_path(&tape, e->token, path, sizeof path);
            len += (size_t)snprintf(out + len, size - len, "%s %s %.*s %.*s;", path, e->keyword,
                                    (int)e->expected.len, e->expected.ptr, (int)e->got.len, e->got.ptr);
        }
    }
    /* Only asked whether it fits, the answer is the same. */
    if (s && out[0] != '#') {
        json_schema_run quiet = {.memory = lent};
        CHECK(json_schema_check(s, &tape, 0, &quiet) == (strcmp(out, "valid") == 0));
    }
    json_schema_free(s);
    give_back(&m);
}

typedef struct verdict {
    const char *schema, *data, *want;
} verdict;

static void check_all(const verdict *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char got[2048];
        judge(list[i].schema, list[i].data, got, sizeof got);
        if (strcmp(got, list[i].want) != 0) {
            printf("# %s with %s\n#   got  %s\n#   want %s\n", list[i].schema, list[i].data, got,
                   list[i].want);
            CHECK(false);
        }
    }
}
#define CHECK_ALL(list) check_all(list, sizeof(list) / sizeof *(list))

static void errors_name_place_and_values(void)
{
    static const verdict list[] = {
        {"{\"type\":\"object\",\"required\":[\"a\",\"b\"]}", "{\"a\":1}", " required b nothing;"},
        {"{\"required\":[\"a\",\"b\"]}", "{}", " required a nothing; required b nothing;"},
        {"{\"properties\":{\"a/b\":{\"properties\":{\"c~d\":{\"type\":\"string\"}}}}}",
         "{\"x\":0,\"a/b\":{\"y\":0,\"c~d\":[1]}}", "/a~1b/c~0d type \"string\" [1];"},
        {"{\"items\":{\"minimum\":2}}", "[1,2,[],1.5]", "/0 minimum 2 1;/3 minimum 2 1.5;"},
        {"{\"additionalProperties\":false,\"properties\":{\"a\":true}}", "{\"a\":1,\"b\":{\"c\":1}}",
         "/b additionalProperties no other property {\"c\":1};"},
        {"{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}", "/abc maxLength 2 \"abc\";"},
        {"{\"enum\":[1,\"a\"]}", "2", " enum [1,\"a\"] 2;"},
        {"{\"const\":{\"a\":[1.0]}}", "{\"a\":[1]}", "valid"},
        {"{\"type\":\"string\",\"minLength\":3,\"pattern\":\"^b\"}", "\"a\"",
         " minLength 3 \"a\"; pattern \"^b\" \"a\";"},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "4",
         " anyOf one of several schemas 4; minimum 5 4;"},
        {"{\"oneOf\":[{\"properties\":{\"k\":{\"const\":1}},\"required\":[\"a\",\"b\"]},"
         "{\"properties\":{\"k\":{\"const\":2}},\"required\":[\"c\"]},{\"type\":\"string\"}]}",
         "{\"k\":2}", " oneOf one of several schemas {\"k\":2}; required c nothing;"},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":5}]}", "6",
         " oneOf exactly one of several schemas a value that fits more than one;"},
        {"{\"if\":{\"const\":1},\"then\":false}", "1", " false no value at all 1;"},
        {"{\"dependentRequired\":{\"a\":[\"b\"]},\"dependentSchemas\":{\"a\":{\"required\":[\"c\"]}}}",
         "{\"a\":1}", " dependentRequired b nothing; required c nothing;"},
        {"{\"contains\":{\"const\":1},\"minContains\":2,\"maxContains\":2}", "[1]", " minContains 2 [1];"},
        {"{\"uniqueItems\":true}", "[1,{\"a\":1,\"b\":2},{\"b\":2.0,\"a\":1}]",
         "/2 uniqueItems true {\"b\":2.0,\"a\":1};"},
        {"{\"uniqueItems\":true}", "[0,false,null,\"\",[],{},[[]]]", "valid"},
        {"{\"items\":{\"type\":\"string\"}}", "[1,2,3,4,5,6,7,8,9,10]",
         "/0 type \"string\" 1;/1 type \"string\" 2;/2 type \"string\" 3;/3 type \"string\" 4;/4 type "
         "\"string\" 5;"
         "/5 type \"string\" 6;/6 type \"string\" 7;/7 type \"string\" 8;"}, /* the rest is counted */
    };
    CHECK_ALL(list);
}

static void inputs_are_read_strictly(void)
{
    static const verdict list[] = {
        {"true", "{\"a\":1,\"b\":2,\"a\":3}", "# the same key twice in an object 17"},
        {"true", "{\"a\":{\"x\":1,\"\\u0078\":2}}", "# the same key twice in an object 21"},
        {"true", "{\"a\":{\"a\":1},\"b\":{\"a\":1}}", "valid"},
        {"true", "\"\\ud800\"", "# half a surrogate pair in a string 8"},
        {"true", "\"\\ud83d\\ude00\\udc00\"", "# half a surrogate pair in a string 20"},
        {"true", "\"\\ud83d\\ude00\\\\ud800\"", "valid"},
        {"true", "\"\xff\"", "# a string is not UTF-8 1"},
        {"true", "[1,]", "# not a JSON value 3"},
        {"true", "1 2", "# something follows the value 2"},
        {"{\"maxLength\":1}", "\"\\ud83d\\ude00\"", "valid"},
        {"{\"minLength\":2}", "\"\xf0\x9f\x98\x80\"", " minLength 2 \"\xf0\x9f\x98\x80\";"},
    };
    CHECK_ALL(list);
}

static void numbers_are_exact(void)
{
    static const verdict list[] = {
        {"{\"multipleOf\":0.01}", "4.35", "valid"},
        {"{\"multipleOf\":0.01}", "4.355", " multipleOf 0.01 4.355;"},
        {"{\"multipleOf\":0.1}", "0.3", "valid"},
        {"{\"multipleOf\":3}", "1e400", " multipleOf 3 1e400;"},
        {"{\"multipleOf\":5e-324}", "1.5", "valid"},
        {"{\"multipleOf\":7}", "1000000000000000000000000000005",
         " multipleOf 7 1000000000000000000000000000005;"},
        {"{\"multipleOf\":7}", "7000000000000000000000000000007", "valid"},
        {"{\"maximum\":9007199254740992}", "9007199254740993", " maximum 9007199254740992 9007199254740993;"},
        {"{\"exclusiveMaximum\":1e1000000000000}", "1e999999999999", "valid"},
        {"{\"minimum\":-0.0}", "-1e-400", " minimum -0.0 -1e-400;"},
        {"{\"exclusiveMinimum\":0}", "1e-400", "valid"},
        {"{\"type\":\"integer\"}", "10.0e-1", "valid"},
        {"{\"type\":\"integer\"}", "1e-1", " type \"integer\" 1e-1;"},
        {"{\"type\":\"integer\"}", "123456789012345678901234567890", "valid"},
        {"{\"const\":100}", "1e2", "valid"},
        {"{\"const\":0}", "-0.0e7", "valid"},
        {"{\"enum\":[12345678901234567890123]}", "12345678901234567890124",
         " enum [12345678901234567890123] 12345678901234567890124;"},
    };
    CHECK_ALL(list);
}

static void exact_order(void)
{
    static const char *const rising[] = {"-1e99",
                                         "-100000000000000000000000.5",
                                         "-100000000000000000000000",
                                         "-2",
                                         "-1.5",
                                         "-1e-9",
                                         "0",
                                         "1e-9",
                                         "0.99999999999999999999999",
                                         "1",
                                         "1.00000000000000000000001",
                                         "19",
                                         "2e1",
                                         "1e99"};
    size_t count = sizeof rising / sizeof *rising;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            exact a = exact_read(ss_cstr(rising[i])), b = exact_read(ss_cstr(rising[k]));
            CHECK_INT(exact_compare(&a, &b), i < k ? -1 : i > k);
        }
    exact a = exact_read(SS_LIT("1200.0")), b = exact_read(SS_LIT("12e2")),
          c = exact_read(SS_LIT("0.00012E7"));
    CHECK_INT(exact_compare(&a, &b), 0);
    CHECK_INT(exact_compare(&b, &c), 0);
    CHECK(exact_hash(&a, 7) == exact_hash(&b, 7) && exact_hash(&b, 7) == exact_hash(&c, 7));
}

static void references(void)
{
    static const verdict list[] = {
        {"{\"$id\":\"https://a.example/s\",\"$ref\":\"#/$defs/"
         "a%25b\",\"$defs\":{\"a%b\":{\"type\":\"null\"}}}",
         "1", " type \"null\" 1;"},
        {"{\"$ref\":\"#n\",\"$defs\":{\"x\":{\"$anchor\":\"n\",\"type\":\"null\"}}}", "1",
         " type \"null\" 1;"},
        {"{\"properties\":{\"next\":{\"$ref\":\"#\"},\"v\":{\"type\":\"integer\"}}}",
         "{\"next\":{\"next\":{\"v\":\"x\"}}}", "/next/next/v type \"integer\" \"x\";"},
        {"{\"$id\":\"http://h/a/b.json\",\"$ref\":\"../c.json#x\",\"$defs\":{\"c\":{\"$id\":\"/"
         "c.json\",\"$anchor\":\"x\",\"const\":1}}}",
         "2", " const 1 2;"},
        {"{\"$ref\":\"other.json\"}", "1",
         "! unsupported keyword $ref to another document, \"other.json\", at the root"},
        {"{\"$ref\":\"#/$defs/a\"}", "1", "? $ref \"#/$defs/a\" points at nothing, at the root"},
        {"{\"$ref\":\"#/a/b/c\",\"a\":{\"b\":{\"c\":{\"const\":1}}}}", "2", " const 1 2;"},
        {"{\"allOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#\"}]}}}", "1",
         "? the schema refers to itself without going into the value, at the root"},
        {"{\"$anchor\":\"1x\"}", "1",
         "? $anchor must be a name: a letter or _, then letters, digits, -, _ and . at the root"},
        {"{\"$defs\":{\"a\":{\"$id\":\"x\"},\"b\":{\"$id\":\"x\"}}}", "1",
         "? the same $id twice at /$defs/b"},
    };
    CHECK_ALL(list);
}

static void refused_at_load(void)
{
    static const verdict list[] = {
        {"{\"properties\":{\"a\":{\"unevaluatedItems\":false}}}", "1",
         "! unsupported keyword unevaluatedItems at /properties/a/unevaluatedItems"},
        {"{\"$dynamicRef\":\"#a\"}", "1", "! unsupported keyword $dynamicRef at /$dynamicRef"},
        {"{\"dependencies\":{}}", "1", "! unsupported keyword dependencies at /dependencies"},
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}", "1",
         "! unsupported keyword $schema of value http://json-schema.org/draft-07/schema at /$schema"},
        {"{\"format\":\"idn-hostname\"}", "1",
         "! unsupported keyword format of value \"idn-hostname\" at /format"},
        {"{\"const\":{\"unevaluatedItems\":false}}", "{\"unevaluatedItems\":false}", "valid"},
        {"{\"type\":\"text\"}", "1",
         "? a type is null, boolean, object, array, number, string or integer, at /type"},
        {"{\"type\":[]}", "1", "? a list of types must not be empty, at /type"},
        {"{\"minLength\":-1}", "1", "? minLength must be a whole number, 0 or more, at /minLength"},
        {"{\"maxItems\":1.5}", "1", "? maxItems must be a whole number, 0 or more, at /maxItems"},
        {"{\"required\":\"a\"}", "1", "? required must be a list of names, at /required"},
        {"{\"properties\":[]}", "1", "? properties must be an object, at /properties"},
        {"{\"allOf\":[]}", "1", "? a list of at least one schema must stand here, at /allOf"},
        {"{\"not\":1}", "1", "? a schema must be an object, true or false, at /not"},
        {"{\"uniqueItems\":1}", "1", "? uniqueItems must be true or false, at /uniqueItems"},
        {"{\"multipleOf\":-1}", "1", "? multipleOf must be greater than 0, at /multipleOf"},
        {"{\"multipleOf\":1.234567890123456789012}", "1", "? multipleOf has too many digits, at /multipleOf"},
        {"{\"a\":1,\"a\":2}", "1", "? the schema is not JSON: the same key twice in an object at byte 11"},
        {"{\"patternProperties\":{\"(\":{}}}", "1",
         "? the pattern cannot be used (missing closing parenthesis) at /patternProperties/("},
    };
    CHECK_ALL(list);
}

static void patterns(void)
{
    static const struct {
        const char *pattern, *text;
        int want; /* -1: refused */
    } list[] = {
        {"a.c", "a\nc", 0},
        {"a.c",
         "a\xe2\x80\xa8"
         "c",
         0},
        {"a.c",
         "a\xc3\xa9"
         "c",
         1},
        {"^a$", "a\n", 0},
        {"\\d", "\xd9\xa1", 0},
        {"\\w", "\xc3\xa9", 0},
        {"^\\s$", "\xc2\xa0", 1},
        {"^[\\s]$", "\xef\xbb\xbf", 1},
        {"^\\S$", "\xc2\xa0", 0},
        {"\\v", "\v", 1},
        {"^\\v$", "\n", 0},
        {"\\cC", "\x03", 1},
        {"\\u00e9", "\xc3\xa9", 1},
        {"^\\ud83d\\ude00$", "\xf0\x9f\x98\x80", 1},
        {"\\u{1f600}", "\xf0\x9f\x98\x80", 1},
        {"^\\p{Letter}+$", "a\xc3\xa9", 1},
        {"^\\p{Script=Greek}$", "\xce\xb1", 1},
        {"^\\P{Lu}$", "A", 0},
        {"[^]", "\n", 1},
        {"[]", "a", 0},
        {"[[:alpha:]]", "a]", 1},
        {"[[:alpha:]]", "b", 0},
        {"^{", "{", 1},
        {"a{,2}", "a{,2}", 1},
        {"^a{2}$", "aa", 1},
        {"(a)|\\1b", "b", 1},
        {"(?<n>a)\\k<n>", "aa", 1},
        {"a(?!b)", "ab", 0},
        {"\\/\\-", "/-", 1},
        {"(?i)a", "A", -1},
        {"\\Aa", "a", -1},
        {"a\\Z", "a", -1},
        {"a++", "a", -1},
        {"(?>a)", "a", -1},
        {"(*ACCEPT)", "a", -1},
        {"\\Qa\\E", "a", -1},
        {"\\07", "a", -1},
        {"\\", "a", -1},
        {"[a", "a", -1},
        {"a**", "a", -1},
        {"\\ud83d", "a", -1},
        {"\\p{Nope}", "a", -1},
        {"(?<=a)b", "ab", 1},
        {"^(\\w+\\s?)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", 2},
    };
    static memory m;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char why[PATTERN_WHY_SIZE];
        json_schema_pattern *p = json_schema_pattern_new(ss_cstr(list[i].pattern), why);
        json_schema_matcher matcher = {.memory = {take, &m}};
        int got = p ? (int)json_schema_pattern_match(p, &matcher, ss_cstr(list[i].text)) : -1;
        if (got != list[i].want || (!p && !why[0])) {
            printf("# %s on %s: %d, want %d (%s)\n", list[i].pattern, list[i].text, got, list[i].want,
                   p ? "" : why);
            CHECK(false);
        }
        CHECK(json_schema_pattern_valid(ss_cstr(list[i].pattern)) == (list[i].want >= 0));
        json_schema_pattern_free(p);
        give_back(&m);
    }
}

static void uri_templates(void)
{
    static const struct {
        const char *text;
        bool good;
    } list[] = {{"http://h/{a}{?x,y.z:30,l*}%20", true},
                {"", true},
                {"{a", false},
                {"a}", false},
                {"{}", false},
                {"{a,}", false},
                {"{a:0}", false},
                {"{a:12345}", false},
                {"{.a..b}", false},
                {"{%zz}", false},
                {"{%41_1}", true},
                {"a b", false},
                {"%4", false},
                {"{=a}", true},
                {"{a*:3}", false}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (json_schema_format_ok(FORMAT_URI_TEMPLATE, ss_cstr(list[i].text)) != list[i].good) {
            printf("# %s\n", list[i].text);
            CHECK(false);
        }
}

static void date_times(void)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: not one */
    } list[] = {{"1970-01-01T00:00:00Z", 0},
                {"2026-11-22T03:24:00.123456789Z", 1795317840123456},
                {"2026-11-22t03:24:00+01:30", 1795312440000000},
                {"2000-02-29T00:00:00z", 951782400000000},
                {"1998-12-31T23:59:60Z", 915148800000000},
                {"1998-12-31T15:59:60.5-08:00", 915148800500000},
                {"1998-12-31T22:59:60Z", -1},
                {"1900-02-29T00:00:00Z", -1},
                {"2026-11-22 03:24:00Z", -1},
                {"2026-11-22T24:00:00Z", -1},
                {"2026-11-22T03:24:00", -1},
                {"2026-11-22T03:24:00.Z", -1},
                {"2026-11-22T03:24Z", -1},
                {"", -1}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        int64_t us = -1;
        bool ok = rfc3339_date_time(ss_cstr(list[i].text), &us);
        CHECK(ok == (list[i].us >= 0));
        if (ok)
            CHECK_INT(us, list[i].us);
    }
}

/* Inputs that make careless validators slow. */
static void costs_are_bounded(void)
{
    static char data[400000];
    char got[512];
    size_t len = 0;
    data[len++] = '{';
    for (int i = 0; i < 20000; i++)
        len += (size_t)sprintf(data + len, "%s\"k%d\":%d", i ? "," : "", i, i);
    (void)strcpy(data + len, "}");
    judge("{\"minProperties\":20000}", data, got, sizeof got);
    CHECK_STR(got, "valid");
    len = 0;
    data[len++] = '[';
    for (int i = 0; i < 50000; i++)
        len += (size_t)sprintf(data + len, "%s%d", i ? "," : "", i);
    (void)strcpy(data + len, "]");
    judge("{\"uniqueItems\":true}", data, got, sizeof got);
    CHECK_STR(got, "valid");
    /* Each level asks twice for the next one: 2^30 applications without a limit. */
    len = 0;
    for (int i = 0; i < 30; i++)
        len += (size_t)sprintf(data + len, "{\"a\":");
    len += (size_t)sprintf(data + len, "1");
    for (int i = 0; i < 30; i++)
        data[len++] = '}';
    data[len] = '\0';
    judge("{\"$defs\":{\"n\":{\"properties\":{\"a\":{\"anyOf\":[{\"allOf\":[{\"$ref\":\"#/$defs/"
          "n\"},{\"const\":0}]},"
          "{\"$ref\":\"#/$defs/n\"}]}}}},\"$ref\":\"#/$defs/n\"}",
          data, got, sizeof got);
    CHECK_STR(got, " limit a value that can be checked in a million steps more;");
}

static void note_property(void *arg, const json_schema_property *p)
{
    char *out = arg;
    (void)sprintf(out + strlen(out), "%.*s=%u%s%.*s ", (int)p->name.len, p->name.ptr, p->types,
                  p->date_time ? "t" : "", (int)p->doc.len, p->doc.ptr);
}

static void properties_are_listed(void)
{
    json_schema_problem why;
    char got[512] = "";
    json_schema *s = json_schema_new(SS_LIT("{\"properties\":{\"a\":{\"type\":\"string\",\"title\":\"T\"},"
                                            "\"b\":{\"$ref\":\"#/$defs/b\"},\"no\":false},"
                                            "\"allOf\":[{\"properties\":{\"c\":{\"type\":[\"null\","
                                            "\"integer\"]}}}],\"if\":{\"properties\":{\"d\":true}},"
                                            "\"$defs\":{\"b\":{\"type\":\"string\",\"format\":\"date-time\","
                                            "\"description\":\"D\"}},\"required\":[\"z\"]}"),
                                     &(json_schema_options){.assert_format = true}, &why);
    REQUIRE(s);
    json_schema_properties(s, note_property, got);
    CHECK_STR(got, "a=32T b=32tD d=0 c=65 ");
    json_schema_free(s);
}

static void misspelt_keywords_are_told(void)
{
    json_schema_problem why;
    json_schema *s =
        json_schema_new(SS_LIT("{\"requierd\":[\"a\"],\"x-mine\":1,\"properties\":{\"a\":{\"Minimum\":1}}}"),
                        &(json_schema_options){0}, &why);
    REQUIRE(s);
    CHECK_STR(json_schema_warning(s, 0),
              "unknown keyword 'requierd' at /requierd has no effect, did you mean 'required'?");
    CHECK_STR(json_schema_warning(s, 1),
              "unknown keyword 'Minimum' at /properties/a/Minimum has no effect, did you mean 'minimum'?");
    CHECK(json_schema_warning(s, 2) == NULL);
    json_schema_free(s);
    s = json_schema_new(SS_LIT("{\"multipleOf\":0.10000000000000001}"),
                        &(json_schema_options){.from_doubles = true}, &why);
    REQUIRE(s);
    static memory m;
    json_tape tape;
    json_schema_run run = {.memory = {take, &m}};
    CHECK(json_tape_read(&tape, SS_LIT("0.3"), run.memory) && json_schema_check(s, &tape, 0, &run));
    json_schema_free(s);
    give_back(&m);
}

/* Many validations share what time patterns may take: where it is gone, they give up at once. */
static void patterns_share_their_time(void)
{
    static memory m;
    json_schema_problem why;
    json_schema_error errors[2];
    json_tape tape;
    json_schema *s =
        json_schema_new(SS_LIT("{\"items\":{\"pattern\":\"^(a+)+$\"}}"), &(json_schema_options){0}, &why);
    REQUIRE(s && json_tape_read(&tape, SS_LIT("[\"aa\",\"a\"]"), (tape_memory){take, &m}));
    int64_t left = 1000000000;
    json_schema_run run = {.memory = {take, &m}, .errors = errors, .max = 2, .pattern_us = &left};
    CHECK(json_schema_check(s, &tape, 0, &run));
    CHECK(left <= 1000000000 && left > 0);
    left = 0;
    CHECK(!json_schema_check(s, &tape, 0, &run) && run.count == 2);
    CHECK(left <= 0 && ss_eq(errors[0].got, SS_LIT("a text on which the pattern takes too long")));
    json_schema_free(s);
    give_back(&m);
}

static void *none(void *arg, size_t len)
{
    size_t *left = arg;
    (void)len;
    return *left > 0 ? ((*left)--, malloc(len)) : NULL;
}

static void without_memory_nothing_is_valid(void)
{
    json_schema_problem why;
    json_tape tape;
    size_t left = 0;
    CHECK(!json_tape_read(&tape, SS_LIT("[1,1]"), (tape_memory){none, &left}) && tape.no_memory);
    json_schema *s = json_schema_new(SS_LIT("{\"uniqueItems\":true,\"items\":{\"pattern\":\"a\"}}"),
                                     &(json_schema_options){0}, &why);
    REQUIRE(s);
    static memory m;
    REQUIRE(json_tape_read(&tape, SS_LIT("[\"a\",\"ab\"]"), (tape_memory){take, &m}));
    json_schema_error errors[4];
    json_schema_run run = {.memory = {none, &left}, .errors = errors, .max = 4};
    CHECK(!json_schema_check(s, &tape, 0, &run) && run.count == 3);
    json_schema_free(s);
    give_back(&m);
}

static const check_test tests[] = {
    TEST(errors_name_place_and_values),
    TEST(inputs_are_read_strictly),
    TEST(numbers_are_exact),
    TEST(exact_order),
    TEST(references),
    TEST(refused_at_load),
    TEST(patterns),
    TEST(date_times),
    TEST(uri_templates),
    TEST(costs_are_bounded),
    TEST(properties_are_listed),
    TEST(misspelt_keywords_are_told),
    TEST(patterns_share_their_time),
    TEST(without_memory_nothing_is_valid),
};
CHECK_MAIN(tests)
