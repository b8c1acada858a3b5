/* Field tables, lines, ids. */
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

#include "core/base/error.h"
#include "core/event/line.h"
#include "core/event/uuid.h"
#include "plugins/common/json.h"
#include "tests/unit/check.h"

enum { F_ID, F_AT, F_KIND, F_NAME, F_COUNT, F_PRICE, F_ON, F_DAY, F_DATA, F_CITY, F_LAST, F_END };

static const ss_field fields[] = {
    {"event_id", SS_FIELD_STRING, 0, "id", NULL},
    {"received_at", SS_FIELD_TIMESTAMP, 0, "when", NULL},
    {"event_type", SS_FIELD_STRING, 0, "type", NULL},
    {"name", SS_FIELD_STRING, 0, "a name", "n"},
    {"count", SS_FIELD_INT, 0, "a count", "c"},
    {"price", SS_FIELD_DOUBLE, 0, "a price", "p"},
    {"on", SS_FIELD_BOOL, 0, "a switch", "o"},
    {"day", SS_FIELD_DATETIME, 0, "a day", "d"},
    {"data", SS_FIELD_JSON, 0, "anything", "x"},
    {"geo.city", SS_FIELD_STRING, 0, "city", NULL},
    {"a_field_with_a_name_that_is_much_longer_than_a_block_of_bytes", SS_FIELD_INT, 0, "long", NULL},
    {NULL, 0, 0, NULL, NULL},
};
static const ss_field more[] = {
    {"geo.loc.lat", SS_FIELD_DOUBLE, 0, "latitude", NULL},  {"os.name", SS_FIELD_STRING, 0, "os", NULL},
    {"geo.country", SS_FIELD_STRING, 0, "country", NULL},   {"name", SS_FIELD_STRING, 0, "again", NULL},
    {"geo.loc.lon", SS_FIELD_DOUBLE, 0, "longitude", NULL}, {NULL, 0, 0, NULL, NULL},
};
static const ss_plugin receiver = {SS_PLUGIN_HEADER, .kind = SS_RECEIVER, .name = "shop", .fields = fields};
static const ss_plugin enricher = {SS_PLUGIN_HEADER, .kind = SS_ENRICHER, .name = "geo", .fields = more};
static const ss_plugin *const enrichers[] = {&enricher};

typedef struct sample {
    event_table *table;
    ss_event event;
    ss_value values[32];
    uint64_t present[1];
} sample;

#define AT_US 1764559445123456 /* 2025-12-01T03:24:05.123456Z */

static void sample_make(sample *s)
{
    ss_error err = error_init();
    memset(s, 0, sizeof *s);
    s->table = event_table_new(&receiver, enrichers, 1, &err);
    CHECK_STR(err.text, "");
    s->event = (ss_event){.struct_size = sizeof s->event,
                          .value_size = sizeof s->values[0],
                          .field_count = (uint32_t)event_table_count(s->table),
                          .values = s->values,
                          .present = s->present,
                          .receive_us = AT_US};
}

/* The bound is exact memory: a byte more is an ASan report. */
static void line_is(sample *s, const char *want)
{
    size_t bound = event_line_bound(s->table, &s->event);
    char *out = malloc(bound);
    size_t len = event_line_write(s->table, &s->event, out);
    CHECK(len <= bound);
    CHECK(json_valid(ss_s(out, len)));
    CHECK(!memchr(out, '\n', len));
    char *text = malloc(len + 1);
    memcpy(text, out, len);
    text[len] = '\0';
    if (want)
        CHECK_STR(text, want);
    free(text);
    free(out);
}

static void table_order(void)
{
    sample s;
    sample_make(&s);
    REQUIRE(s.table);
    CHECK_INT(event_table_count(s.table), F_END + 4);
    CHECK_STR(event_table_at(s.table, F_END)->name, "geo.loc.lat");
    CHECK(event_table_at(s.table, 1000) == NULL);
    static const char *const names[] = {"geo.country", "nothing", "name"};
    uint16_t refs[3];
    event_table_refs(s.table, names, 3, refs);
    CHECK_INT(refs[0], F_END + 2);
    CHECK_INT(refs[1], SS_NO_FIELD);
    CHECK_INT(refs[2], F_NAME);
    event_table_free(s.table);
}

static void table_hash(void)
{
    ss_error err = error_init();
    event_table *a = event_table_new(&receiver, NULL, 0, &err),
                *b = event_table_new(&receiver, enrichers, 1, &err);
    event_table *c = event_table_new(&receiver, NULL, 0, &err);
    CHECK(event_table_hash(a) == event_table_hash(c));
    CHECK(event_table_hash(a) != event_table_hash(b));
    static const ss_field one[] = {{"a", SS_FIELD_INT, 0, "a", NULL}, {NULL, 0, 0, NULL, NULL}};
    static const ss_plugin small = {SS_PLUGIN_HEADER, .kind = SS_RECEIVER, .name = "small", .fields = one};
    event_table *d = event_table_new(&small, NULL, 0, &err);
    /* FNV-1a of "a\0" and 2: the value stands in journals, so it never changes. */
    CHECK(event_table_hash(d) == 0xe5d2f919042709d2u);
    event_table_free(a);
    event_table_free(b);
    event_table_free(c);
    event_table_free(d);
}

static void refusals(void)
{
    static const ss_field bad[][2] = {
        {{"name", SS_FIELD_INT, 0, "other type", NULL}, {NULL, 0, 0, NULL, NULL}},
        {{"geo", SS_FIELD_STRING, 0, "an object already", NULL}, {NULL, 0, 0, NULL, NULL}},
        {{"name.part", SS_FIELD_STRING, 0, "a string already", NULL}, {NULL, 0, 0, NULL, NULL}},
        {{"", SS_FIELD_STRING, 0, "empty", NULL}, {NULL, 0, 0, NULL, NULL}},
        {{"a..b", SS_FIELD_STRING, 0, "empty part", NULL}, {NULL, 0, 0, NULL, NULL}},
        {{"a\"b", SS_FIELD_STRING, 0, "quote", NULL}, {NULL, 0, 0, NULL, NULL}},
        {{"x", 99, 0, "no such type", NULL}, {NULL, 0, 0, NULL, NULL}},
        {{"a.b.c.d.e.f.g.h.i.j", SS_FIELD_INT, 0, "too deep", NULL}, {NULL, 0, 0, NULL, NULL}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ss_plugin other = {SS_PLUGIN_HEADER, .kind = SS_ENRICHER, .name = "other", .fields = bad[i]};
        const ss_plugin *list[] = {&other};
        ss_error err = error_init();
        event_table *t = event_table_new(&receiver, list, 1, &err);
        CHECK(t == NULL);
        CHECK(strstr(err.text, "other") != NULL);
        event_table_free(t);
    }
}

static void line_of_all_types(void)
{
    sample s;
    sample_make(&s);
    REQUIRE(s.table);
    line_is(&s, "{\"received_at\":\"2025-12-01T03:24:05.123Z\"}");
    s.event.id = SS_LIT("0193");
    s.event.type = SS_LIT("pageview");
    ss_set_str(&s.event, F_NAME, SS_LIT("B\xC3\xBC\"ch\n"));
    ss_set_int(&s.event, F_COUNT, -5);
    ss_set_double(&s.event, F_PRICE, 22.5);
    ss_set_bool(&s.event, F_ON, true);
    ss_set_time(&s.event, F_DAY, AT_US);
    ss_set_json(&s.event, F_DATA, SS_LIT("{ \"a\" :\n[1, 2]}"));
    ss_set_int(&s.event, F_LAST, 1);
    const char *flat =
        "{\"event_id\":\"0193\",\"received_at\":\"2025-12-01T03:24:05.123Z\",\"event_type\":\"pageview\","
        "\"name\":\"B\xC3\xBC\\\"ch\\n\",\"count\":-5,\"price\":22.5,\"on\":true,\"day\":\"2025-12-01 "
        "03:24:05\","
        "\"data\":{\"a\":[1,2]},\"a_field_with_a_name_that_is_much_longer_than_a_block_of_bytes\":1}";
    line_is(&s, flat);
    ss_set_str(&s.event, F_CITY, SS_LIT("Ulm"));
    ss_set_double(&s.event, F_END, 48.4);
    ss_set_str(&s.event, F_END + 1, SS_LIT("Linux"));
    ss_set_str(&s.event, F_END + 2, SS_LIT("DE"));
    ss_set_double(&s.event, F_END + 3, 10);
    char want[1024];
    (void)snprintf(want, sizeof want,
                   "%.*s,\"geo\":{\"city\":\"Ulm\",\"country\":\"DE\",\"loc\":{\"lat\":48.4,\"lon\":10}},"
                   "\"os\":{\"name\":\"Linux\"}}",
                   (int)strlen(flat) - 1, flat);
    line_is(&s, want);
    event_table_free(s.table);
}

static void only_nested(void)
{
    static const ss_field deep[] = {{"a.b.c", SS_FIELD_INT, 0, "deep", NULL},
                                    {"a.d", SS_FIELD_INT, 0, "d", NULL},
                                    {"e.f", SS_FIELD_INT, 0, "f", NULL},
                                    {NULL, 0, 0, NULL, NULL}};
    static const ss_plugin p = {SS_PLUGIN_HEADER, .kind = SS_RECEIVER, .name = "deep", .fields = deep};
    sample s;
    ss_error err = error_init();
    memset(&s, 0, sizeof s);
    s.table = event_table_new(&p, NULL, 0, &err);
    REQUIRE(s.table);
    s.event = (ss_event){.value_size = sizeof s.values[0], .values = s.values, .present = s.present};
    line_is(&s, "{}");
    ss_set_int(&s.event, 0, 1);
    line_is(&s, "{\"a\":{\"b\":{\"c\":1}}}");
    ss_set_int(&s.event, 2, 3);
    line_is(&s, "{\"a\":{\"b\":{\"c\":1}},\"e\":{\"f\":3}}");
    ss_set_int(&s.event, 1, 2);
    ss_unset(&s.event, 0);
    line_is(&s, "{\"a\":{\"d\":2},\"e\":{\"f\":3}}");
    event_table_free(s.table);
}

/* An object of nothing but nulls is null, on every level. */
static void null_objects(void)
{
    static const ss_field deep[] = {{"a.d", SS_FIELD_INT, 0, "d", NULL},
                                    {"a.b.c", SS_FIELD_INT, 0, "c", NULL},
                                    {"a.b.e", SS_FIELD_INT, 0, "e", NULL},
                                    {"f.g", SS_FIELD_INT, 0, "g", NULL},
                                    {NULL, 0, 0, NULL, NULL}};
    static const struct {
        const char *set; /* by field: '-' absent, 'n' null, a digit */
        const char *line;
    } rows[] = {
        {"n---", "{\"a\":null}"},
        {"nnn-", "{\"a\":null}"},
        {"nnnn", "{\"a\":null,\"f\":null}"},
        {"--n1", "{\"a\":null,\"f\":{\"g\":1}}"},
        {"n1--", "{\"a\":{\"d\":null,\"b\":{\"c\":1}}}"},
        {"n-n2", "{\"a\":null,\"f\":{\"g\":2}}"},
        {"1nn-", "{\"a\":{\"d\":1,\"b\":null}}"},
        {"1nnn", "{\"a\":{\"d\":1,\"b\":null},\"f\":null}"},
        {"1-n1", "{\"a\":{\"d\":1,\"b\":null},\"f\":{\"g\":1}}"},
        {"-n3-", "{\"a\":{\"b\":{\"c\":null,\"e\":3}}}"},
        {"---n", "{\"f\":null}"},
    };
    static const ss_plugin p = {SS_PLUGIN_HEADER, .kind = SS_RECEIVER, .name = "deep", .fields = deep};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        sample s;
        ss_error err = error_init();
        memset(&s, 0, sizeof s);
        s.table = event_table_new(&p, NULL, 0, &err);
        REQUIRE(s.table);
        s.event = (ss_event){.value_size = sizeof s.values[0], .values = s.values, .present = s.present};
        for (uint32_t i = 0; i < 4; i++)
            if (rows[r].set[i] == 'n')
                ss_set_null(&s.event, i);
            else if (rows[r].set[i] != '-')
                ss_set_int(&s.event, i, rows[r].set[i] - '0');
        line_is(&s, rows[r].line);
        event_table_free(s.table);
    }
}

static void wrong_kinds(void)
{
    sample s;
    sample_make(&s);
    REQUIRE(s.table);
    ss_set_null(&s.event, F_AT);
    ss_set_int(&s.event, F_NAME, 7);
    ss_set_str(&s.event, F_COUNT, SS_LIT("7"));
    ss_set_int(&s.event, F_PRICE, 3);
    ss_set_int(&s.event, F_ON, 1);
    ss_set_int(&s.event, F_DAY, 0);
    ss_set_json(&s.event, F_DATA, SS_LIT("{broken"));
    ss_set_double(&s.event, F_LAST, 4.0);
    line_is(&s, "{\"received_at\":null,\"name\":\"7\",\"count\":null,\"price\":3,\"on\":true,\"day\":null,"
                "\"data\":null,"
                "\"a_field_with_a_name_that_is_much_longer_than_a_block_of_bytes\":4}");
    ss_slot(&s.event, F_NAME)->kind = 77;
    ss_set_str(&s.event, F_DATA, SS_LIT("text"));
    ss_set_double(&s.event, F_LAST, 4.5);
    ss_set_int(&s.event, F_ON, 2);
    line_is(&s, NULL);
    event_table_free(s.table);
}

/* The client's own spelling of a number, where it is one that fits. */
static void numbers_as_written(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {{"1737658977.50", "1737658977.50"},
                 {"-0", "-0"},
                 {"1e400", "1e400"},
                 {"12345678901234567890123456789012", "12345678901234567890123456789012"},
                 {"123456789012345678901234567890123", "null"},
                 {"", "null"},
                 {" 1", "null"},
                 {"1 ", "null"},
                 {"01", "null"},
                 {"1.", "null"},
                 {"\"1\"", "null"},
                 {"[1]", "null"},
                 {"true", "null"},
                 {"1,2", "null"}};
    sample s;
    sample_make(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char want[128];
        ss_set_json(&s.event, F_COUNT, ss_cstr(cases[i].text));
        ss_set_json(&s.event, F_PRICE, ss_cstr(cases[i].text));
        (void)snprintf(want, sizeof want,
                       "{\"received_at\":\"2025-12-01T03:24:05.123Z\",\"count\":%s,\"price\":%s}",
                       cases[i].want, cases[i].want);
        line_is(&s, want);
    }
    event_table_free(s.table);
}

/* The same text from the same place is looked at once; a changed one is not taken for it. */
static void json_that_repeats(void)
{
    char text[256], want[512];
    sample s;
    sample_make(&s);
    for (int i = 0; i < 12; i++) {
        (void)snprintf(text, sizeof text, "{\"a\":\"%0*d\",%s\"b\":[1,2,3]%s", 80, i / 3, i % 2 ? " " : "",
                       i == 7 ? "" : "}");
        ss_set_json(&s.event, F_DATA, ss_cstr(text));
        if (i == 7)
            (void)snprintf(want, sizeof want, "{\"received_at\":\"2025-12-01T03:24:05.123Z\",\"data\":null}");
        else
            (void)snprintf(
                want, sizeof want,
                "{\"received_at\":\"2025-12-01T03:24:05.123Z\",\"data\":{\"a\":\"%0*d\",\"b\":[1,2,3]}}", 80,
                i / 3);
        line_is(&s, want);
        line_is(&s, want);
        line_is(&s, want);
    }
    event_table_free(s.table);
}

/* event_id and its like are the host's where they stand first; behind another field they are fields like
 * others. */
static void an_order_of_ones_own(void)
{
    static const ss_field own[] = {{"metadata", SS_FIELD_JSON, 0, "m", NULL},
                                   {"event_id", SS_FIELD_STRING, 0, "i", NULL},
                                   {"event_type", SS_FIELD_STRING, 0, "t", NULL},
                                   {NULL, 0, 0, NULL, NULL}};
    static const ss_field some[] = {{"event_type", SS_FIELD_STRING, 0, "t", NULL},
                                    {"n", SS_FIELD_INT, 0, "n", NULL},
                                    {"event_id", SS_FIELD_STRING, 0, "i", NULL},
                                    {NULL, 0, 0, NULL, NULL}};
    static const struct {
        const ss_field *fields;
        const char *unset, *set;
    } cases[] = {
        {own, "{\"metadata\":1}", "{\"metadata\":1,\"event_id\":\"x\"}"},
        {some, "{\"event_type\":\"type\",\"n\":1}", "{\"event_type\":\"type\",\"n\":1,\"event_id\":\"x\"}"}};
    for (size_t i = 0; i < 2; i++) {
        ss_error err = error_init();
        ss_plugin p = {SS_PLUGIN_HEADER, .kind = SS_RECEIVER, .name = "own", .fields = cases[i].fields};
        sample s;
        memset(&s, 0, sizeof s);
        s.table = event_table_new(&p, NULL, 0, &err);
        s.event = (ss_event){.struct_size = sizeof s.event,
                             .value_size = sizeof s.values[0],
                             .field_count = 3,
                             .values = s.values,
                             .present = s.present,
                             .id = SS_LIT("id"),
                             .type = SS_LIT("type")};
        if (i == 0)
            ss_set_json(&s.event, 0, SS_LIT("1"));
        else
            ss_set_int(&s.event, 1, 1);
        line_is(&s, cases[i].unset);
        ss_set_str(&s.event, i == 0 ? 1 : 2, SS_LIT("x"));
        line_is(&s, cases[i].set);
        event_table_free(s.table);
    }
}

static void hostile_strings(void)
{
    sample s;
    sample_make(&s);
    REQUIRE(s.table);
    char text[100];
    for (size_t len = 0; len <= sizeof text; len++)
        for (int c = 0; c < 256; c += 5) {
            memset(text, c, len);
            ss_set_str(&s.event, F_NAME, ss_s(text, len));
            line_is(&s, NULL);
        }
    event_table_free(s.table);
}

static void times(void)
{
    static const int64_t seconds[] = {
        0, 1, -1, 951782400, 951868799, 1764559445, -62167219200, 253402300799, 4102444800, 68169600};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        char got[32] = "", want[64];
        struct tm tm;
        time_t t = (time_t)seconds[i];
        REQUIRE(gmtime_r(&t, &tm) != NULL);
        (void)snprintf(want, sizeof want, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                       tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        event_put_datetime(got, seconds[i] * 1000000);
        CHECK_STR(got, want);
    }
    char got[32] = "";
    event_put_timestamp(got, -1);
    CHECK_STR(got, "1969-12-31T23:59:59.999Z");
    event_put_timestamp(got, INT64_MAX);
    event_put_timestamp(got, INT64_MIN);
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, EVENT_UUID_SIZE);
}

#define IDS 20000
static char ids[2][IDS][EVENT_UUID_SIZE];

static void *make_ids(void *arg)
{
    char(*list)[EVENT_UUID_SIZE] = arg;
    for (int i = 0; i < IDS; i++)
        event_uuid7(list[i], AT_US + i / 10000);
    return NULL;
}

static void uuids(void)
{
    pthread_t other;
    REQUIRE(pthread_create(&other, NULL, make_ids, ids[1]) == 0);
    (void)make_ids(ids[0]);
    (void)pthread_join(other, NULL);
    for (int i = 1; i < IDS; i++)
        CHECK(compare_ids(ids[0][i - 1], ids[0][i]) < 0); /* rise within a thread */
    char first[EVENT_UUID_SIZE + 1] = "";
    memcpy(first, ids[0][0], EVENT_UUID_SIZE);
    CHECK(first[14] == '7');
    CHECK(strchr("89ab", first[19]) != NULL);
    CHECK_INT(strspn(first, "0123456789abcdef-"), 36);
    int64_t ms = strtoll((char[]){first[0], first[1], first[2], first[3], first[4], first[5], first[6],
                                  first[7], first[9], first[10], first[11], first[12], 0},
                         NULL, 16);
    CHECK_INT(ms, AT_US / 1000);
    qsort(ids, 2 * IDS, EVENT_UUID_SIZE, compare_ids);
    for (int i = 1; i < 2 * IDS; i++)
        if (compare_ids((char *)ids + (size_t)(i - 1) * EVENT_UUID_SIZE,
                        (char *)ids + (size_t)i * EVENT_UUID_SIZE) == 0) {
            CHECK(false);
            break;
        }
}

static void uuids_after_fork(void)
{
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    char warm[EVENT_UUID_SIZE], mine[EVENT_UUID_SIZE];
    event_uuid7(warm, AT_US);
    pid_t pid = fork();
    if (pid == 0) {
        event_uuid7(shared, AT_US);
        _exit(0);
    }
    (void)waitpid(pid, NULL, 0);
    event_uuid7(mine, AT_US);
    CHECK(memcmp(mine + 19, shared + 19, 17) != 0);
    (void)munmap(shared, 4096);
}

static void empty_without_memory(void)
{
    char line[4096];
    sample s;
    sample_make(&s);
    ss_set_str(&s.event, F_NAME, ss_s(NULL, 0));
    line[event_line_write(s.table, &s.event, line)] = '\0';
    CHECK(strstr(line, "\"name\":\"\"") != NULL);
    event_table_free(s.table);
}

static const check_test tests[] = {TEST(empty_without_memory),
                                   TEST(table_order),
                                   TEST(table_hash),
                                   TEST(refusals),
                                   TEST(line_of_all_types),
                                   TEST(only_nested),
                                   TEST(null_objects),
                                   TEST(wrong_kinds),
                                   TEST(numbers_as_written),
                                   TEST(json_that_repeats),
                                   TEST(an_order_of_ones_own),
                                   TEST(hostile_strings),
                                   TEST(times),
                                   TEST(uuids),
                                   TEST(uuids_after_fork)};
CHECK_MAIN(tests)
