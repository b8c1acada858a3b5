/* From a stored line to the cells of a row: every type, every value that does not fit, nothing lost. */
#include "plugins/common/shape.h"

#include "core/base/error.h"
#include "tests/unit/check.h"

static const ss_field fields[] = {
    {"event_id", SS_FIELD_STRING, 0, "d", NULL},
    {"amount", SS_FIELD_INT, 0, "d", NULL},
    {"price", SS_FIELD_DOUBLE, 0, "d", NULL},
    {"is_new", SS_FIELD_BOOL, 0, "d", NULL},
    {"received_at", SS_FIELD_TIMESTAMP, 0, "d", NULL},
    {"event_datetime", SS_FIELD_DATETIME, 0, "d", NULL},
    {"data", SS_FIELD_JSON, 0, "d", NULL},
    {"geo.city", SS_FIELD_STRING, 0, "d", NULL},
    {"geo.loc.lon", SS_FIELD_DOUBLE, 0, "d", NULL},
    {"od\"d", SS_FIELD_STRING, 0, "d", NULL},
    {NULL, 0, 0, NULL, NULL},
};
enum { ID, AMOUNT, PRICE, IS_NEW, RECEIVED, DATETIME, DATA, CITY, LON, ODD, COLUMNS };

typedef struct fix {
    shape shape;
    row row;
} fix;

static void fix_make(fix *f, const char *format)
{
    ss_error err = error_init();
    bool good = shape_begin(&f->shape, &err);
    for (size_t i = 0; good && fields[i].name; i++)
        good = shape_add(&f->shape, &fields[i], "shop", &err);
    REQUIRE(good && shape_end(&f->shape, format, &err));
    REQUIRE(f->shape.count == COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++)
        f->shape.used[i] = true;
    row_init(&f->row);
}

static void fix_free(fix *f)
{
    shape_free(&f->shape);
    row_fini(&f->row);
}

/* A cell as text: "-" where it is null. */
static const char *text_of(const fix *f, size_t column)
{
    static char out[8][256];
    static unsigned turn;
    char *to = out[turn++ % 8];
    const cell *c = &f->row.cells[column];
    switch (c->kind) {
    case CELL_TEXT:
        (void)snprintf(to, sizeof *out, "%.*s", (int)c->len, c->as.ptr);
        break;
    case CELL_INT:
        (void)snprintf(to, sizeof *out, "%lld", (long long)c->as.i64);
        break;
    case CELL_REAL:
        (void)snprintf(to, sizeof *out, "%g", c->as.f64);
        break;
    default:
        (void)snprintf(to, sizeof *out, "-");
    }
    return to;
}

static const char *extra_of(fix *f)
{
    return buf_text(&f->row.extra);
}

static void every_type(void)
{
    fix f = {0};
    fix_make(&f, "sqlite");
    CHECK(row_read(
        &f.row, &f.shape,
        ss_cstr(
            "{\"event_id\":\"a\\n\\u00fc\",\"amount\":-9223372036854775808,\"price\":1e-3,\"is_new\":true,"
            "\"received_at\":\"2026-11-22T03:24:00.123Z\",\"event_datetime\":\"2024-02-29 03:24:00\","
            "\"data\":{\"a\":[1,{\"b\":null}]},\"geo\":{\"city\":\"Ulm\",\"loc\":{\"lon\":9.5}},\"od\\\"d\":"
            "\"x\"}")));
    CHECK_STR(text_of(&f, ID), "a\n\xC3\xBC");
    CHECK_STR(text_of(&f, AMOUNT), "-9223372036854775808");
    CHECK_STR(text_of(&f, PRICE), "0.001");
    CHECK_STR(text_of(&f, IS_NEW), "1");
    CHECK_STR(text_of(&f, RECEIVED), "2026-11-22T03:24:00.123Z");
    CHECK_STR(text_of(&f, DATETIME), "2024-02-29 03:24:00");
    CHECK_STR(text_of(&f, DATA), "{\"a\":[1,{\"b\":null}]}");
    CHECK_STR(text_of(&f, CITY), "Ulm");
    CHECK_STR(text_of(&f, LON), "9.5");
    CHECK_STR(text_of(&f, ODD), "x");
    CHECK_STR(extra_of(&f), "");
    fix_free(&f);
}

static void absent_and_null(void)
{
    fix f = {0};
    fix_make(&f, "postgres");
    static const char *const lines[] = {
        "{}", "{\"event_id\":null,\"data\":null,\"geo\":null,\"amount\":null}", "{\"geo\":{}}"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        CHECK(row_read(&f.row, &f.shape, ss_cstr(lines[i])));
        for (size_t k = 0; k < COLUMNS; k++)
            CHECK_STR(text_of(&f, k), "-");
        CHECK_STR(extra_of(&f), "");
    }
    fix_free(&f);
}

/* Each of them: the cell is null (or a text), the value as it came is in the extra object. */
static void what_does_not_fit(void)
{
    static const struct {
        const char *line;
        size_t column;
        const char *cell, *extra;
    } cases[] = {
        {"{\"amount\":1.5}", AMOUNT, "1", "{\"amount\":1.5}"},
        {"{\"amount\":9223372036854775808}", AMOUNT, "-", "{\"amount\":9223372036854775808}"},
        {"{\"amount\":\"12\"}", AMOUNT, "-", "{\"amount\":\"12\"}"},
        {"{\"amount\":{\"a\":[1]}}", AMOUNT, "-", "{\"amount\":{\"a\":[1]}}"},
        {"{\"amount\":1.0}", AMOUNT, "1", ""},
        {"{\"price\":1e999}", PRICE, "-", "{\"price\":1e999}"},
        {"{\"price\":true}", PRICE, "-", "{\"price\":true}"},
        {"{\"is_new\":1}", IS_NEW, "-", "{\"is_new\":1}"},
        {"{\"event_id\":12.50}", ID, "12.50", ""},
        {"{\"event_id\":[1,\"a\"]}", ID, "[1,\"a\"]", ""},
        {"{\"received_at\":\"yesterday\"}", RECEIVED, "-", "{\"received_at\":\"yesterday\"}"},
        {"{\"received_at\":\"2026-02-29T03:24:00Z\"}", RECEIVED, "-",
         "{\"received_at\":\"2026-02-29T03:24:00Z\"}"},
        {"{\"received_at\":\"0000-01-01T00:00:00Z\"}", RECEIVED, "-",
         "{\"received_at\":\"0000-01-01T00:00:00Z\"}"},
        {"{\"event_datetime\":\"2026-01-01 24:00:00\"}", DATETIME, "-",
         "{\"event_datetime\":\"2026-01-01 24:00:00\"}"},
        {"{\"event_datetime\":\"2026-01-01 23:59:60\"}", DATETIME, "-",
         "{\"event_datetime\":\"2026-01-01 23:59:60\"}"},
        {"{\"geo\":{\"city\":\"Ulm\",\"zip\":[7]},\"x\":{\"y\":1},\"z\":\"\\\"\"}", CITY, "Ulm",
         "{\"geo.zip\":[7],\"x\":{\"y\":1},\"z\":\"\\\"\"}"},
        {"{\"geo\":7}", CITY, "-", "{\"geo\":7}"},
        {"{\"geo\":[{\"city\":1}]}", CITY, "-", "{\"geo\":[{\"city\":1}]}"},
        {"{\"amount\":1,\"amount\":2}", AMOUNT, "1", "{\"amount\":2}"},
        {"{\"event_id\":\"a\\u0000b\"}", ID,
         "a\xEF\xBF\xBD"
         "b",
         "{\"event_id\":\"a\\u0000b\"}"},
        {"{\"event_id\":\"a\\\\u0000b\"}", ID, "a\\u0000b", ""},
        {"{\"data\":{\"\\u0000\":\"x\\\\\\u0000\"}}", DATA, "{\"\\ufffd\":\"x\\\\\\ufffd\"}",
         "{\"data\":{\"\\u0000\":\"x\\\\\\u0000\"}}"},
    };
    fix f = {0};
    fix_make(&f, "sqlite");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(row_read(&f.row, &f.shape, ss_cstr(cases[i].line)));
        CHECK_STR(text_of(&f, cases[i].column), cases[i].cell);
        CHECK_STR(extra_of(&f), cases[i].extra);
        CHECK(f.row.extra.len == 0 || json_valid(buf_str(&f.row.extra)));
    }
    fix_free(&f);
}

/* A column that the table does not have (of a type that is none of ours): its value is kept beside. */
/* Objects stay objects, and finer times than its own do not fit. */
static void parquet_shape(void)
{
    fix f;
    fix_make(&f, "parquet");
    f.shape.micros = true;
    CHECK_STR(f.shape.columns[LON].name, "geo.loc.lon");
    CHECK_STR(f.shape.columns[ODD].name, "od_d");
    CHECK_STR(f.shape.columns[DATETIME].type, "TIMESTAMPTZ");
    CHECK(row_read(&f.row, &f.shape, ss_cstr("{\"received_at\":\"2026-11-22T03:24:00.123456Z\"}")));
    CHECK_STR(text_of(&f, RECEIVED), "2026-11-22T03:24:00.123456Z");
    CHECK(row_read(&f.row, &f.shape, ss_cstr("{\"received_at\":\"2026-11-22T03:24:00.1234567Z\"}")));
    CHECK_STR(text_of(&f, RECEIVED), "-");
    CHECK_STR(buf_text(&f.row.extra), "{\"received_at\":\"2026-11-22T03:24:00.1234567Z\"}");
    fix_free(&f);
}

static void no_such_column(void)
{
    fix f = {0};
    fix_make(&f, "sqlite");
    f.shape.used[AMOUNT] = f.shape.used[LON] = false;
    CHECK(row_read(&f.row, &f.shape, ss_cstr("{\"amount\":7,\"geo\":{\"loc\":{\"lon\":1.5}}}")));
    CHECK_STR(extra_of(&f), "{\"amount\":7,\"geo.loc.lon\":1.5}");
    fix_free(&f);
}

static void any_order_and_size(void)
{
    enum { BIG = 1 << 20 };
    fix f = {0};
    fix_make(&f, "sqlite");
    CHECK(row_read(
        &f.row, &f.shape,
        ss_cstr(
            "{\"geo\":{\"loc\":{\"lon\":2},\"city\":\"b\"},\"price\":2,\"event_id\":\"x\",\"amount\":3}")));
    CHECK_STR(text_of(&f, LON), "2");
    CHECK_STR(text_of(&f, CITY), "b");
    CHECK_STR(text_of(&f, PRICE), "2");
    CHECK_STR(text_of(&f, ID), "x");
    CHECK_STR(text_of(&f, AMOUNT), "3");
    char *line = malloc(BIG + 64);
    REQUIRE(line);
    int n = snprintf(line, 64, "{\"event_id\":\"");
    for (size_t i = 0; i < BIG; i += 2)
        memcpy(line + n + i, "\\t", 2);
    memcpy(line + n + BIG, "\"}", 3);
    CHECK(row_read(&f.row, &f.shape, ss_s(line, (size_t)n + BIG + 2)));
    CHECK_INT(f.row.cells[ID].len, BIG / 2);
    free(line);
    fix_free(&f);
}

static void not_json(void)
{
    static const char *const lines[] = {"", "nonsense", "[1]", "{\"event_id\":\"a\"", "{\"event_id\":\"a\"}x",
                                        "7"};
    fix f = {0};
    fix_make(&f, "sqlite");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        CHECK(row_read(&f.row, &f.shape, ss_cstr(lines[i])));
        CHECK_STR(text_of(&f, ID), "-");
        CHECK(strstr(extra_of(&f), "ss_line") != NULL && json_valid(buf_str(&f.row.extra)));
    }
    CHECK(row_bare(&f.row, &f.shape, ss_cstr("{\"event_id\":\"a\"}")));
    CHECK_STR(extra_of(&f), "{\"ss_line\":{\"event_id\":\"a\"}}");
    fix_free(&f);
}

/* Texts that look like lines: whatever they are, cells lie inside the line or the scratch memory (the
   sanitizer looks on), and the extra object is JSON. */
static void odd_lines(void)
{
    static const char *const pieces[] = {
        "{",       "}",    "[",    "]",         ":",           ",",         "\"",
        "\\u0000", "\\\"", "\\\\", "\"geo\":{", "\"amount\":", "\"data\":", "\"event_id\":\"",
        "1e9",     "-1",   "null", "true",      "\xC3\xBC",    "\"x\":",    "\"geo\":null,"};
    fix f = {0};
    fix_make(&f, "sqlite");
    unsigned state = 11;
    for (int round = 0; round < 20000; round++) {
        char line[400] = "{";
        size_t len = 1;
        for (int i = 0; i < 14; i++) {
            state = state * 1103515245u + 12345u;
            const char *piece = pieces[(state >> 16) % (sizeof pieces / sizeof *pieces)];
            memcpy(line + len, piece, strlen(piece));
            len += strlen(piece);
        }
        line[len++] = '}';
        char *exact = malloc(len);
        REQUIRE(exact);
        memcpy(exact, line, len);
        CHECK(row_read(&f.row, &f.shape, ss_s(exact, len)));
        CHECK(f.row.extra.len == 0 || json_valid(buf_str(&f.row.extra)));
        free(exact);
    }
    fix_free(&f);
}

static const check_test tests[] = {TEST(every_type),    TEST(absent_and_null), TEST(what_does_not_fit),
                                   TEST(parquet_shape), TEST(no_such_column),  TEST(any_order_and_size),
                                   TEST(not_json),      TEST(odd_lines)};
CHECK_MAIN(tests)
