/* The enricher shape: each action, each condition, and what is refused. */
// with: enrichers/shape/shape.c enrichers/shape/compile.c enrichers/shape/run.c
// libs: -lcrypto
#include "plugins/common/keyed_hash.h"
#include "plugins/sdk/testkit/testkit.h"
#include "tests/unit/check.h"

const ss_plugin *ss_plugin_v0(void);

#define KEY ",\"key\":\"0123456789abcdef\""

static const ss_field fields[] = {
    {"a", SS_FIELD_STRING, 0, "text", NULL},     {"b", SS_FIELD_STRING, 0, "text", NULL},
    {"n", SS_FIELD_INT, 0, "number", NULL},      {"d", SS_FIELD_DOUBLE, 0, "number", NULL},
    {"on", SS_FIELD_BOOL, 0, "bool", NULL},      {"at", SS_FIELD_TIMESTAMP, 0, "time", NULL},
    {"j", SS_FIELD_JSON, 0, "json", NULL},       {"o.x", SS_FIELD_STRING, 0, "nested", NULL},
    {"o.y", SS_FIELD_STRING, 0, "nested", NULL}, {NULL, 0, 0, NULL, NULL}};

static testkit *open_kit(const char *steps, const char *more)
{
    char options[2048];
    (void)snprintf(options, sizeof options, "{\"steps\":[%s]%s}", steps, more);
    testkit *k = testkit_new(ss_plugin_v0(), options);
    CHECK_STR(testkit_error(k), "");
    return k;
}

static void expect(const char *steps, const char *values, const char *line)
{
    testkit *k = open_kit(steps, "");
    const char *got = testkit_enrich(k, fields, values);
    if (line)
        CHECK_STR(got, line);
    else
        CHECK(got == NULL);
    CHECK_STR(testkit_problems(k), "");
    testkit_free(k);
}

static void actions(void)
{
    static const struct {
        const char *steps, *values, *line;
    } rows[] = {
        {"{\"remove\":[\"a\",\"o.x\"]}", "{\"a\":\"1\",\"b\":\"2\",\"o.x\":\"3\",\"o.y\":\"4\"}",
         "{\"b\":\"2\",\"o\":{\"y\":\"4\"}}"},
        {"{\"remove\":[\"a\",\"not_declared\"]}", "{\"b\":\"2\"}", "{\"b\":\"2\"}"},
        {"{\"keep\":[\"n\",\"o.y\",\"not_declared\"]}", "{\"a\":\"1\",\"n\":2,\"o.x\":\"3\",\"o.y\":\"4\"}",
         "{\"n\":2,\"o\":{\"y\":\"4\"}}"},
        {"{\"rename\":{\"a\":\"b\"}}", "{\"a\":\"1\"}", "{\"b\":\"1\"}"},
        {"{\"rename\":{\"a\":\"b\"}}", "{\"a\":\"1\",\"b\":\"2\"}", "{\"b\":\"1\"}"},
        {"{\"rename\":{\"a\":\"b\"}}", "{\"b\":\"2\"}", "{\"b\":\"2\"}"},
        {"{\"rename\":{\"a\":\"o.x\",\"b\":\"a\"}}", "{\"a\":\"1\",\"b\":\"2\"}",
         "{\"a\":\"2\",\"o\":{\"x\":\"1\"}}"},
        {"{\"rename\":{\"a\":\"not_declared\"}}", "{\"a\":\"1\"}", "{\"a\":\"1\"}"},
        {"{\"rename\":{\"a\":\"b\"}}", "{\"a\":null}", "{\"b\":null}"},
        {"{\"set\":{\"a\":\"x\\ny\",\"n\":-5,\"d\":1.5,\"on\":true,\"j\":{\"k\":[1,\"2\"]},\"b\":null}}",
         "{\"a\":\"1\"}",
         "{\"a\":\"x\\ny\",\"b\":null,\"n\":-5,\"d\":1.5,\"on\":true,\"j\":{\"k\":[1,\"2\"]}}"},
        {"{\"default\":{\"a\":\"x\",\"b\":\"y\",\"o.x\":\"z\"}}", "{\"a\":\"1\",\"b\":null}",
         "{\"a\":\"1\",\"b\":\"y\",\"o\":{\"x\":\"z\"}}"},
        {"{\"default\":{\"a\":\"\"}}", "{\"a\":\"\"}", "{\"a\":\"\"}"},
        {"{\"lower\":[\"a\",\"b\",\"n\",\"o.x\"]}", "{\"a\":\"ABC \xC3\x84x Z[]\",\"b\":\"as is\",\"n\":1}",
         "{\"a\":\"abc \xC3\x84x z[]\",\"b\":\"as is\",\"n\":1}"},
        {"{\"trim\":[\"a\",\"b\",\"n\"]}", "{\"a\":\" \\t x y \\r\\n\",\"b\":\"   \",\"n\":1}",
         "{\"a\":\"x y\",\"b\":\"\",\"n\":1}"},
        {"{\"cut\":{\"a\":3,\"b\":3,\"n\":1}}", "{\"a\":\"ab\xC3\xA4x\",\"b\":\"abc\",\"n\":123}",
         "{\"a\":\"ab\",\"b\":\"abc\",\"n\":123}"},
        {"{\"trim\":[\"a\"]},{\"lower\":[\"a\"]},{\"cut\":{\"a\":2}},{\"rename\":{\"a\":\"b\"}},{\"default\":"
         "{\"a\":\"z\"}}",
         "{\"a\":\"  ABC\"}", "{\"a\":\"z\",\"b\":\"ab\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(rows[i].steps, rows[i].values, rows[i].line);
}

static void conditions(void)
{
    static const struct {
        const char *condition, *values;
        bool holds;
    } rows[] = {
        {"\"field\":\"a\",\"equals\":\"x\"", "{\"a\":\"x\"}", true},
        {"\"field\":\"a\",\"equals\":\"x\"", "{\"a\":\"X\"}", false},
        {"\"field\":\"a\",\"equals\":\"x\"", "{\"a\":\"xx\"}", false},
        {"\"field\":\"a\",\"equals\":\"x\"", "{}", false},
        {"\"field\":\"a\",\"equals\":\"\"", "{\"a\":\"\"}", true},
        {"\"field\":\"a\",\"equals\":\"\"", "{}", false},
        {"\"field\":\"a\",\"equals\":\"x\",\"not\":true", "{}", true},
        {"\"field\":\"a\",\"equals\":\"x\",\"not\":true", "{\"a\":\"x\"}", false},
        {"\"field\":\"a\",\"any_of\":[\"x\",\"y\"]", "{\"a\":\"y\"}", true},
        {"\"field\":\"a\",\"any_of\":[\"x\",\"y\"]", "{\"a\":\"z\"}", false},
        {"\"field\":\"a\",\"prefix\":\"http://t.\"", "{\"a\":\"http://t.example\"}", true},
        {"\"field\":\"a\",\"prefix\":\"http://t.\"", "{\"a\":\"http://t\"}", false},
        {"\"field\":\"a\",\"suffix\":\".png\"", "{\"a\":\"/x.png\"}", true},
        {"\"field\":\"a\",\"suffix\":\".png\"", "{\"a\":\"png\"}", false},
        {"\"field\":\"a\",\"contains\":\"test\"", "{\"a\":\"a test of\"}", true},
        {"\"field\":\"a\",\"contains\":\"test\"", "{\"a\":\"tes\"}", false},
        {"\"field\":\"a\",\"contains\":\"test\"", "{\"a\":\"\"}", false},
        {"\"field\":\"a\",\"exists\":true", "{\"a\":\"\"}", true},
        {"\"field\":\"a\",\"exists\":true", "{\"a\":null}", false},
        {"\"field\":\"a\",\"exists\":true", "{}", false},
        {"\"field\":\"a\",\"exists\":false", "{}", true},
        {"\"field\":\"a\",\"exists\":false", "{\"a\":\"1\"}", false},
        {"\"field\":\"a\",\"exists\":false,\"not\":true", "{\"a\":\"1\"}", true},
        {"\"field\":\"at\",\"exists\":true", "{\"at\":1}", true},
        {"\"field\":\"at\",\"equals\":\"1\"", "{\"at\":1}", false},
        {"\"field\":\"n\",\"equals\":\"-7\"", "{\"n\":-7}", true},
        {"\"field\":\"n\",\"equals\":7", "{\"n\":7}", true},
        {"\"field\":\"d\",\"equals\":\"1.5\"", "{\"d\":1.5}", true},
        {"\"field\":\"on\",\"equals\":\"true\"", "{\"on\":true}", true},
        {"\"field\":\"on\",\"equals\":\"false\"", "{\"on\":true}", false},
        {"\"field\":\"j\",\"contains\":\"\\\"k\\\"\"", "{\"j\":{\"k\":1}}", true},
        {"\"field\":\"o.x\",\"equals\":\"1\"", "{\"o.x\":\"1\"}", true},
        {"\"field\":\"not_declared\",\"exists\":true", "{}", false},
        {"\"field\":\"not_declared\",\"exists\":false", "{}", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char steps[256];
        (void)snprintf(steps, sizeof steps, "{\"drop_event\":\"test traffic\",\"if\":{%s}}",
                       rows[i].condition);
        testkit *k = open_kit(steps, "");
        bool dropped = testkit_enrich(k, fields, rows[i].values) == NULL;
        if (dropped != rows[i].holds) {
            printf("# %s %s: %d\n", rows[i].condition, rows[i].values, dropped);
            CHECK(false);
        }
        if (dropped)
            CHECK_STR(testkit_error(k), "test traffic");
        testkit_free(k);
    }
    /* On other actions, and after what was done before. */
    expect("{\"set\":{\"b\":\"big\"},\"if\":{\"field\":\"n\",\"any_of\":[\"1\",\"2\"]}}", "{\"n\":2}",
           "{\"b\":\"big\",\"n\":2}");
    expect("{\"set\":{\"b\":\"big\"},\"if\":{\"field\":\"n\",\"any_of\":[\"1\",\"2\"]}}", "{\"n\":3}",
           "{\"n\":3}");
    expect("{\"lower\":[\"a\"]},{\"drop_event\":\"x\",\"if\":{\"field\":\"a\",\"equals\":\"test\"}}",
           "{\"a\":\"TEST\"}", NULL);
}

static void hashes(void)
{
    keyed_hash h;
    char full[KEYED_HASH_DIGITS + 1], line[256];
    keyed_hash_init(&h, SS_LIT("0123456789abcdef"));
    keyed_hash_put(&h, SS_LIT("ann"), full, KEYED_HASH_DIGITS);
    full[KEYED_HASH_DIGITS] = '\0';
    static const struct {
        const char *step;
        int digits;
    } rows[] = {{"{\"hash\":[\"a\",\"b\"]}", 32},
                {"{\"hash\":[\"a\"],\"length\":8}", 8},
                {"{\"hash\":[\"a\"],\"length\":64}", 64}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        testkit *k = open_kit(rows[i].step, KEY);
        (void)snprintf(line, sizeof line, "{\"a\":\"%.*s\"}", rows[i].digits, full);
        CHECK_STR(testkit_enrich(k, fields, "{\"a\":\"ann\",\"@key\":\"ann\"}"), line);
        CHECK(strncmp(testkit_event_at(k, 0).key, full, (size_t)rows[i].digits) == 0);
        CHECK_STR(testkit_enrich(k, fields, "{\"a\":\"ann\",\"@key\":\"bob\"}"), line);
        CHECK_STR(testkit_event_at(k, 0).key, "bob");
        CHECK_STR(testkit_enrich(k, fields, "{\"a\":null}"), "{\"a\":null}");
        CHECK_STR(testkit_enrich(k, fields, "{}"), "{}");
        testkit_free(k);
    }
    testkit *k = open_kit("{\"hash\":[\"n\"]},{\"rename\":{\"n\":\"a\"}},{\"hash\":[\"at\"]}", KEY);
    keyed_hash_put(&h, SS_LIT("42"), full, KEYED_HASH_DIGITS);
    (void)snprintf(line, sizeof line, "{\"a\":\"%.32s\"}", full);
    CHECK_STR(testkit_enrich(k, fields, "{\"n\":42,\"at\":1}"), line);
    testkit_free(k);
}

static void refuses(void)
{
    static const struct {
        const char *options, *why;
    } rows[] = {
        {"{}", "steps is required"},
        {"{\"steps\":[{}]}", "steps.0: exactly one of drop_event, keep"},
        {"{\"steps\":[{\"trim\":[\"a\"]},{\"trim\":[\"a\"],\"lower\":[\"a\"]}]}",
         "steps.1: exactly one of drop_event, keep"},
        {"{\"steps\":[{\"trimm\":[\"a\"]}]}", "trimm"},
        {"{\"steps\":[{\"trim\":[]}]}", "steps.0.trim: no field is named"},
        {"{\"steps\":[{\"set\":{}}]}", "steps.0.set: no field is named"},
        {"{\"steps\":[{\"trim\":[\"\"]}]}", "steps.0: the name of a field has 1 to 128 bytes"},
        {"{\"steps\":[{\"rename\":{\"a\":\"a\"}}]}", "steps.0.rename: from and to are one name"},
        {"{\"steps\":[{\"rename\":{\"a\":\"\"}}]}", "steps.0: the name of a field"},
        {"{\"steps\":[{\"drop_event\":\"x\"}]}", "steps.0.drop_event: without 'if'"},
        {"{\"steps\":[{\"drop_event\":\"\",\"if\":{\"field\":\"a\",\"exists\":true}}]}",
         "steps.0.drop_event: a reason of 1 to 48"},
        {"{\"steps\":[{\"trim\":[\"a\"],\"if\":{\"field\":\"a\"}}]}", "steps.0.if: exactly one of equals"},
        {"{\"steps\":[{\"trim\":[\"a\"],\"if\":{\"field\":\"a\",\"equals\":\"1\",\"prefix\":\"2\"}}]}",
         "steps.0.if: exactly one of equals"},
        {"{\"steps\":[{\"trim\":[\"a\"],\"if\":{\"field\":\"a\",\"any_of\":[\"1\"],\"exists\":true}}]}",
         "steps.0.if: exactly one of"},
        {"{\"steps\":[{\"trim\":[\"a\"],\"if\":{\"equals\":\"1\"}}]}", "field is required"},
        {"{\"steps\":[{\"trim\":[\"a\"],\"length\":8}]}", "steps.0.length: it belongs to hash"},
        {"{\"steps\":[{\"hash\":[\"a\"]}]}", "key: a secret of 16 to 1023 bytes"},
        {"{\"steps\":[{\"hash\":[\"a\"],\"length\":4}]" KEY "}", "length"},
        {"{\"steps\":[{\"cut\":{\"a\":0}}]}", "out of range"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        testkit *k = testkit_new(ss_plugin_v0(), rows[i].options);
        CHECK(testkit_instance(k) == NULL);
        if (!strstr(testkit_error(k), rows[i].why)) {
            printf("# %s: %s\n", rows[i].options, testkit_error(k));
            CHECK(false);
        }
        testkit_free(k);
    }
    /* One name more than the server gives. */
    static char many[16384];
    size_t len = (size_t)snprintf(many, sizeof many, "{\"steps\":[{\"remove\":[\"f0\"");
    for (int i = 1; i <= 256; i++)
        len += (size_t)snprintf(many + len, sizeof many - len, ",\"f%d\"", i);
    (void)snprintf(many + len, sizeof many - len, "]}]}");
    testkit *k = testkit_new(ss_plugin_v0(), many);
    CHECK(strstr(testkit_error(k), "more than 256 names"));
    testkit_free(k);
}

/* More fields than a word has bits; the envelope is the server's. */
static void keeps_of_many(void)
{
    static ss_field many[201];
    static char names[200][16], values[8192];
    size_t len = 0;
    for (int i = 0; i < 200; i++) {
        (void)snprintf(names[i], sizeof names[i], "f%d", i);
        many[i] = (ss_field){names[i], SS_FIELD_INT, 0, "number", NULL};
        len += (size_t)snprintf(values + len, sizeof values - len, "%c\"f%d\":%d", i ? ',' : '{', i, i);
    }
    (void)snprintf(values + len, sizeof values - len, "}");
    testkit *k = open_kit("{\"keep\":[\"f0\",\"f63\",\"f64\",\"f199\"]}", "");
    CHECK_STR(testkit_enrich(k, many, values), "{\"f0\":0,\"f63\":63,\"f64\":64,\"f199\":199}");
    testkit_free(k);
}

static void fails_closed(void)
{
    testkit *k = open_kit("{\"hash\":[\"a\"]}", KEY);
    testkit_fail(k, TESTKIT_MEM, 1);
    CHECK(testkit_enrich(k, fields, "{\"a\":\"ann\"}") == NULL);
    CHECK_STR(testkit_error(k), "shape: out of memory");
    testkit_free(k);
    k = open_kit("{\"lower\":[\"a\"]}", "");
    testkit_fail(k, TESTKIT_MEM, 1);
    CHECK(testkit_enrich(k, fields, "{\"a\":\"ANN\"}") == NULL);
    testkit_free(k);
}

static const check_test tests[] = {TEST(actions), TEST(conditions),    TEST(hashes),
                                   TEST(refuses), TEST(keeps_of_many), TEST(fails_closed)};
CHECK_MAIN(tests)
