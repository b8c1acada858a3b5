/* Reading a SQLite warehouse: only questions, within limits; and how rows are printed. PostgreSQL's part
   stands in tests/scenario/test_query.py. */
#include <sqlite3.h>
#include <sys/stat.h>

#include "core/cli/query_print.h"
#include "core/cli/query_text.h"
#include "plugins/common/utf8.h"
#include "tests/unit/check.h"

static const warehouse_limits usual = {20000, 64ll << 20};

typedef struct fixture {
    char folder[64], path[128];
    sqlite3 *db; /* the writer, open while others read */
    warehouse_fault fault;
    char *printed;
    size_t printed_len;
} fixture;

static void setup(fixture *f, const char *sql)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/test_query.XXXXXX");
    CHECK(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof f->path, "%s/warehouse.db", f->folder);
    CHECK_INT(sqlite3_open(f->path, &f->db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(f->db, "PRAGMA journal_mode=WAL; CREATE TABLE t(a, b)", NULL, NULL, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_exec(f->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void cleanup(fixture *f)
{
    char command[160];
    (void)sqlite3_close(f->db);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->folder);
    CHECK_INT(system(command), 0);
    free(f->printed);
}

/* What the query prints, or NULL: f->fault says why. */
static const char *ask_within(fixture *f, const char *sql, enum query_format format, int64_t limit,
                              const warehouse_limits *limits)
{
    free(f->printed);
    f->printed = NULL;
    FILE *to = open_memstream(&f->printed, &f->printed_len);
    query_print *p = query_print_new(to, format, limit, 1 << 20);
    warehouse_source from = {SQL_SQLITE, f->path};
    warehouse_rows rows = query_print_rows(p);
    bool good = warehouse_read(&from, sql, limits, &rows, &f->fault);
    if (good)
        CHECK(!query_print_end(p));
    query_print_free(p);
    (void)fclose(to);
    return good ? f->printed : NULL;
}

static const char *ask(fixture *f, const char *sql, enum query_format format)
{
    return ask_within(f, sql, format, 0, &usual);
}

/* ---- what a question may do ---- */

static void only_questions(void)
{
    static const char *const refused[] = {
        "INSERT INTO t VALUES(1, 2)",
        "UPDATE t SET a = 2",
        "DELETE FROM t",
        "DROP TABLE t",
        "CREATE TABLE u(a)",
        "CREATE TEMP TABLE u(a)",
        "CREATE VIEW v AS SELECT 1",
        "ATTACH '/tmp/other.db' AS o",
        "ATTACH ':memory:' AS o",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO '/tmp/test_query_copy.db'",
        "REINDEX",
        "ANALYZE",
        "BEGIN",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "SAVEPOINT s",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only = 0",
        "PRAGMA writable_schema = 1",
        "PRAGMA user_version = 5",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA temp_store_directory = '/tmp'",
        "PRAGMA hard_heap_limit = 0",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE t",
        "EXPLAIN DELETE FROM t",
        "WITH x AS (SELECT 1) DELETE FROM t",
        "SELECT * FROM pragma_wal_checkpoint",
    };
    fixture f;
    setup(&f, "INSERT INTO t VALUES(1, 2)");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        CHECK(!ask(&f, refused[i], QUERY_CSV));
        if (f.fault.kind != WAREHOUSE_REFUSED && f.fault.kind != WAREHOUSE_SQL)
            printf("# %s: kind %u: %s\n", refused[i], f.fault.kind, f.fault.error.text);
        CHECK(f.fault.kind == WAREHOUSE_REFUSED || f.fault.kind == WAREHOUSE_SQL);
        CHECK(f.fault.error.text[0]);
    }
    CHECK_STR(ask(&f, "SELECT * FROM t", QUERY_CSV), "a,b\r\n1,2\r\n");
    CHECK_STR(ask(&f, "SELECT count(*) AS n FROM sqlite_schema", QUERY_CSV), "n\r\n1\r\n");
    cleanup(&f);
}

static void what_is_allowed(void)
{
    static const char *const allowed[] = {
        "SELECT 1",
        " -- first\n SELECT a FROM t; -- last\n ; /* more */",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT sum(i) FROM n",
        "VALUES (1), (2)",
        "EXPLAIN QUERY PLAN SELECT a FROM t ORDER BY b",
        "PRAGMA table_info(t)",
        "SELECT name FROM pragma_table_list",
        "SELECT name, builtin FROM pragma_function_list",
        "SELECT j.value FROM t, json_each('[1, 2]') AS j",
        "SELECT a, row_number() OVER (ORDER BY b) FROM t",
        "SELECT json_extract('{\"a\": 1}', '$.a'), strftime('%Y', 0, 'unixepoch')",
    };
    fixture f;
    setup(&f, "INSERT INTO t VALUES(1, 2)");
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (!ask(&f, allowed[i], QUERY_TABLE))
            printf("# %s: %s\n", allowed[i], f.fault.error.text);
        CHECK(f.fault.kind == 0);
    }
    CHECK_STR(
        ask(&f,
            "SELECT america_new_york(1772953200) AS t, america_new_york(NULL) AS n, america_new_york('x') "
            "AS x, america_new_york(1e300) AS e",
            QUERY_CSV),
        "t,n,x,e\r\n2026-03-08 03:00:00.000 America/New_York,,,\r\n");
    CHECK(ask(&f, warehouse_relations(SQL_SQLITE), QUERY_CSV) && strstr(f.printed, "t,table,\"a, b\""));
    cleanup(&f);
}

static void a_writer_goes_on(void)
{
    fixture f;
    setup(&f, "INSERT INTO t VALUES(1, 2)");
    CHECK_INT(sqlite3_exec(f.db, "BEGIN IMMEDIATE; INSERT INTO t VALUES(3, 4)", NULL, NULL, NULL), SQLITE_OK);
    CHECK_STR(ask(&f, "SELECT count(*) AS n FROM t", QUERY_CSV), "n\r\n1\r\n");
    CHECK_INT(sqlite3_exec(f.db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    CHECK_STR(ask(&f, "SELECT count(*) AS n FROM t", QUERY_CSV), "n\r\n2\r\n");
    cleanup(&f);
}

static void limits_hold(void)
{
    static const char forever[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    fixture f;
    setup(&f, "");
    warehouse_limits small = {100, 4ll << 20};
    CHECK(!ask_within(&f, forever, QUERY_CSV, 0, &small));
    CHECK_INT(f.fault.kind, WAREHOUSE_TIME);
    small.timeout_ms = 20000;
    CHECK(!ask_within(
        &f,
        "SELECT length(group_concat(hex(randomblob(100000)), '')) FROM "
        "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n)",
        QUERY_CSV, 0, &small));
    CHECK_INT(f.fault.kind, WAREHOUSE_MEMORY);
    CHECK(!ask_within(&f, "SELECT zeroblob(900000000)", QUERY_CSV, 0, &small));
    CHECK_INT(f.fault.kind, WAREHOUSE_MEMORY);
    CHECK(!ask_within(&f, "SELECT printf('%.*c', 100000000, 'x')", QUERY_CSV, 0, &small));
    CHECK_INT(f.fault.kind, WAREHOUSE_MEMORY);
    CHECK_STR(ask_within(&f,
                         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
                         QUERY_CSV, 3, &usual),
              "i\r\n1\r\n2\r\n3\r\n");
    cleanup(&f);
}

static void mistakes_have_a_place(void)
{
    fixture f;
    setup(&f, "INSERT INTO t VALUES('{', 2)");
    CHECK(!ask(&f, "SELECT a,\n  levl FROM t", QUERY_CSV));
    CHECK_INT(f.fault.kind, WAREHOUSE_SQL);
    CHECK_INT(f.fault.at, 12);
    CHECK_STR(f.fault.error.text, "no such column: levl");
    CHECK(!ask(&f, "SELEC 1", QUERY_CSV));
    CHECK_INT(f.fault.at, 0);
    CHECK(!ask(&f, "", QUERY_CSV));
    CHECK_INT(f.fault.kind, WAREHOUSE_SQL);
    CHECK(!ask(&f, "SELECT ?1", QUERY_CSV));
    CHECK_INT(f.fault.kind, WAREHOUSE_SQL);
    CHECK(!ask(&f, "SELECT json_extract(a, '$.x') FROM t", QUERY_CSV));
    CHECK_INT(f.fault.kind, WAREHOUSE_FAILED);
    cleanup(&f);
}

static void files_that_are_none(void)
{
    fixture f;
    setup(&f, "");
    (void)snprintf(f.path, sizeof f.path, "%s/other.db", f.folder);
    CHECK(!ask(&f, "SELECT 1", QUERY_CSV));
    CHECK_INT(f.fault.kind, WAREHOUSE_UNREACHABLE);
    CHECK(strstr(f.fault.error.text, "other.db is not there"));
    FILE *file = fopen(f.path, "w");
    REQUIRE(file);
    for (int i = 0; i < 1000; i++)
        (void)fputs("no database at all\n", file);
    (void)fclose(file);
    CHECK(!ask(&f, "SELECT 1", QUERY_CSV));
    CHECK_INT(f.fault.kind, WAREHOUSE_UNREACHABLE);
    (void)snprintf(f.path, sizeof f.path, "%s", f.folder);
    CHECK(!ask(&f, "SELECT 1", QUERY_CSV));
    CHECK_INT(f.fault.kind, WAREHOUSE_UNREACHABLE);
    cleanup(&f);
}

/* ---- formats ---- */

#define ODD                                                                                                  \
    "SELECT NULL AS n, '' AS e, 'NULL' AS t, 'a \"b\", c' AS q, x'00ff' AS b, 1.0 AS r, 9007199254740993 "   \
    "AS i, "                                                                                                 \
    "'x' || char(10) || char(27) || '[31m' AS c, 1e999 AS inf, 'n' AS n"

static void csv_is_rfc_4180(void)
{
    fixture f;
    setup(&f, "");
    CHECK_STR(ask(&f, ODD, QUERY_CSV),
              "n,e,t,q,b,r,i,c,inf,n\r\n"
              ",\"\",NULL,\"a \"\"b\"\", c\",\\x00ff,1.0,9007199254740993,\"x\n\x1b[31m\","
              "Infinity,n\r\n");
    cleanup(&f);
}

static void json_is_json(void)
{
    fixture f;
    setup(&f, "");
    CHECK_STR(ask(&f, ODD, QUERY_JSON),
              "[{\"n\":null,\"e\":\"\",\"t\":\"NULL\",\"q\":\"a \\\"b\\\", c\",\"b\":\"\\\\x00ff\",\"r\":1.0,"
              "\"i\":9007199254740993,\"c\":\"x\\n\\u001b[31m\",\"inf\":\"Infinity\",\"n_2\":\"n\"}]\n");
    CHECK_STR(ask(&f, "SELECT 1 AS a UNION ALL SELECT 2", QUERY_JSON), "[{\"a\":1},\n {\"a\":2}]\n");
    CHECK_STR(ask(&f, "SELECT 1 AS a WHERE 0", QUERY_JSON), "[]\n");
    cleanup(&f);
}

static void tables_are_aligned_and_harmless(void)
{
    fixture f;
    setup(&f, "");
    CHECK_STR(ask(&f,
                  "SELECT 'a' AS text, 1 AS number UNION ALL SELECT '日本', 100 UNION ALL SELECT NULL, NULL "
                  "UNION ALL "
                  "SELECT 'NULL', 5 UNION ALL SELECT '\"NULL\"', 5",
                  QUERY_TABLE),
              " text     | number\n"
              "----------+--------\n"
              " a        |      1\n"
              " 日本     |    100\n"
              " NULL     | NULL\n"
              " \"NULL\"   |      5\n"
              " \"\"NULL\"\" |      5\n"
              "(5 rows)\n");
    CHECK_STR(
        ask(&f, "SELECT 'x' || char(10, 27, 155, 8238) || CAST(x'ff' AS TEXT) || '\\n' AS c", QUERY_TABLE),
        " c\n-------------------------\n x\\n\\x1b\\x9b\\u202e\\xff\\n\n(1 row)\n");
    CHECK_STR(ask_within(&f, "SELECT 1 AS a UNION ALL SELECT 2 UNION ALL SELECT 3", QUERY_TABLE, 2, &usual),
              " a\n---\n 1\n 2\n(2 rows, and there are more: --limit N, or --format csv)\n");
    CHECK_STR(ask(&f, "SELECT 1 AS a WHERE 0", QUERY_TABLE), " a\n---\n(0 rows)\n");
    cleanup(&f);
}

static void long_texts_are_cut(void)
{
    buf out;
    buf_init(&out, 4096);
    CHECK_INT(query_text_put(&out, SS_LIT("0123456789"), 10), 10);
    CHECK_STR(buf_text(&out), "0123456789");
    buf_reset(&out);
    CHECK_INT(query_text_put(&out, SS_LIT("0123456789a"), 10), 10);
    CHECK_STR(buf_text(&out), "012345678\xe2\x80\xa6");
    buf_reset(&out);
    CHECK_INT(query_text_put(&out, SS_LIT("日本日本日本"), 6), 5); /* half of one does not fit */
    CHECK_STR(buf_text(&out), "日本\xe2\x80\xa6");
    buf_reset(&out);
    CHECK_INT(query_text_put(&out, SS_LIT("e\xcc\x81t\xc3\xa9"), 10), 3);
    buf_fini(&out);
}

/* Any bytes: as wide as it says, no more than allowed, nothing in it that a terminal obeys. */
static void any_bytes_are_harmless(void)
{
    uint64_t state = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        char text[40];
        size_t len = state % sizeof text, max = 2 + state / 64 % 50;
        for (size_t i = 0; i < len; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text[i] =
                (char)(state >> (state & 1 ? 24 : 56) | (state & 2 ? 0x80u : 0)); /* many that are no UTF-8 */
        }
        state++;
        state ^= state << 13;
        state ^= state >> 7;
        buf out;
        buf_init(&out, 4096);
        size_t columns = query_text_put(&out, ss_s(text, len), max);
        CHECK(columns <= max && !out.failed);
        const unsigned char *p = (const unsigned char *)buf_text(&out);
        for (size_t i = 0; i < out.len; i++)
            CHECK(p[i] >= 0x20 && p[i] != 0x7f && !(p[i] == 0xC2 && p[i + 1] < 0xA0));
        for (size_t i = 0, step; i < out.len; i += step) {
            step = utf8_sequence((const char *)p + i, out.len - i);
            REQUIRE(step > 0);
        }
        buf_fini(&out);
        if (check_failed)
            return;
    }
}

static void too_many_for_a_table(void)
{
    fixture f;
    setup(&f, "");
    query_print *p = query_print_new(stderr, QUERY_TABLE, 0, 64 * 1024);
    warehouse_source from = {SQL_SQLITE, f.path};
    warehouse_rows rows = query_print_rows(p);
    CHECK(warehouse_read(
        &from, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT i FROM n",
        &usual, &rows, &f.fault));
    const char *why = query_print_end(p);
    CHECK(why && strstr(why, "--memory"));
    query_print_free(p);
    cleanup(&f);
}

static const check_test tests[] = {
    TEST(only_questions),     TEST(what_is_allowed),        TEST(a_writer_goes_on),
    TEST(limits_hold),        TEST(mistakes_have_a_place),  TEST(files_that_are_none),
    TEST(csv_is_rfc_4180),    TEST(json_is_json),           TEST(tables_are_aligned_and_harmless),
    TEST(long_texts_are_cut), TEST(any_bytes_are_harmless), TEST(too_many_for_a_table),
};
CHECK_MAIN(tests)
