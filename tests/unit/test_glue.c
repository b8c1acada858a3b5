/* Glue from inside: which types may become wider, what a partition template means, what becomes of an
 * existing table. */
// with: modules/glue/types.c modules/glue/shape.c modules/glue/table.c
#include "modules/glue/table.h"
#include "modules/glue/types.h"
#include "tests/unit/check.h"

static void types(void)
{
    static const struct {
        const char *have, *want, *result;
        enum types_change change;
    } cases[] = {
        {"string", "string", "string", TYPES_SAME},
        {"int", "bigint", "bigint", TYPES_WIDER},
        {"bigint", "int", "bigint", TYPES_SAME},
        {"float", "double", "double", TYPES_WIDER},
        {"varchar(10)", "string", "string", TYPES_WIDER},
        {"string", "varchar(10)", "string", TYPES_SAME},
        {"STRING", "string", "STRING", TYPES_SAME},
        {"int", "double", "int", TYPES_CONFLICT},
        {"string", "bigint", "string", TYPES_CONFLICT},
        {"boolean", "string", "boolean", TYPES_CONFLICT},
        {"decimal(10,2)", "decimal(10,2)", "decimal(10,2)", TYPES_SAME},
        {"struct<a:int>", "struct<a:int>", "struct<a:int>", TYPES_SAME},
        {"struct<a:int>", "struct<b:string,a:bigint>", "struct<a:bigint,b:string>", TYPES_WIDER},
        {"struct<a:int,c:map<string,int>>", "struct<a:int>", "struct<a:int,c:map<string,int>>", TYPES_SAME},
        {"struct<a:struct<x:int>>", "struct<a:struct<x:int,y:string>>", "struct<a:struct<x:int,y:string>>",
         TYPES_WIDER},
        {"struct<a:int>", "struct<a:string>", "struct<a:int>", TYPES_CONFLICT},
        {"struct<a:int>", "string", "struct<a:int>", TYPES_CONFLICT},
        {"array<int>", "array<bigint>", "array<bigint>", TYPES_WIDER},
        {"struct<", "struct<a:int>", "struct<a:int>", TYPES_WIDER},
        {"", "string", "", TYPES_CONFLICT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf out;
        buf_init(&out, 4096);
        enum types_change change = types_widen(ss_cstr(cases[i].have), ss_cstr(cases[i].want), &out);
        CHECK_STR(buf_text(&out), cases[i].result);
        CHECK_INT(change, cases[i].change);
        if (check_failed)
            printf("# %s -> %s\n", cases[i].have, cases[i].want);
        buf_fini(&out);
    }
}

static void shapes(void)
{
    static shape s;
    ss_error err = {.struct_size = sizeof err};
    buf values;
    char dir[LAYOUT_DIR_MAX];
    const ss_record r = {.receive_us = 1795317840123456,
                         .event_us = 1795317840123456,
                         .app = SS_LIT("a b/c"),
                         .type = SS_LIT("t")};
    REQUIRE(shape_make(&s, SS_LIT("game"), SS_LIT("s3://b/p//"),
                       SS_LIT("raw/{receiver}/%Y/x/app={app}/dt=%Y-%m-%d"), false, &err));
    CHECK_STR(s.location, "s3://b/p/raw/game/");
    CHECK_STR(s.folders, "${year}/x/app=${app}/dt=${dt}/");
    CHECK_INT(s.key_count, 3);
    (void)layout_dir(&s.layout, &r, dir);
    buf_init(&values, 4096);
    shape_put_values(&s, dir, &values);
    CHECK_STR(buf_text(&values), "[\"2026\", \"a b/c\", \"2026-11-22\"]");
    buf_fini(&values);
    REQUIRE(shape_make(&s, SS_LIT("a.b"), SS_LIT("s3://b"), SS_LIT(""), false, &err));
    CHECK_STR(s.location, "s3://b/");
    CHECK_INT(s.key_count, 0);
    static const char *const wrong[] = {"{app}{type}/", "%Y-{app}/",     "A=%d/", "=%d/",
                                        "at%Yx/",       "{app}/app=%d/", "..",    "%"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        err.text[0] = '\0';
        CHECK(!shape_make(&s, SS_LIT("game"), SS_LIT("s3://b/p"), ss_cstr(wrong[i]), false, &err) &&
              err.text[0]);
    }
    CHECK(!shape_make(&s, SS_LIT("game"), SS_LIT("/var/lake"), SS_LIT("%Y/"), false, &err));
}

static void merges(void)
{
    static shape s;
    ss_error err = {.struct_size = sizeof err};
    table_spec t = {.shape = &s, .name = "x", .instance = SS_LIT("glue"), .projected = true};
    REQUIRE(shape_make(&s, SS_LIT("game"), SS_LIT("s3://b/p"), SS_LIT("{receiver}/year=%Y"), false, &err));
    buf_init(&t.columns, 65536);
    buf_init(&t.parameters, 65536);
    buf_adds(&t.columns, "[{\"Name\": \"a\", \"Type\": \"bigint\"}, {\"Name\": \"n\", \"Type\": \"string\", "
                         "\"Comment\": \"new\"}]");
    buf_adds(&t.parameters, "\"case.insensitive\": \"true\", \"mapping.n\": \"N-1\"");
    static const char have[] =
        "{\"Name\":\"x\",\"DatabaseName\":\"d\",\"CreateTime\":1.0,\"Owner\":null,\"Parameters\":{"
        "\"streamsteam.module\":\"glue\"},"
        "\"PartitionKeys\":[{\"Name\":\"year\",\"Type\":\"string\"}],\"StorageDescriptor\":{\"Location\":"
        "\"s3://b/p/game\","
        "\"Columns\":[{\"Name\":\"a\",\"Type\":\"int\",\"Comment\":\"c\"},{\"Name\":\"z\",\"Type\":\"date\"}]"
        ","
        "\"SerdeInfo\":{\"SerializationLibrary\":\"s\",\"Parameters\":{\"case.insensitive\":\"false\"}}}}";
    static const char want[] = "{\"StorageDescriptor\": {\"Columns\": [{\"Name\": \"a\", \"Type\": "
                               "\"bigint\", \"Comment\": \"c\"},{\"Name\":\"z\",\"Type\":\"date\"},"
                               "{\"Name\": \"n\", \"Type\": \"string\", \"Comment\": \"new\"}], "
                               "\"Location\": \"s3://b/p/game\", \"SerdeInfo\": "
                               "{\"Parameters\": {\"case.insensitive\": \"false\", \"mapping.n\": \"N-1\"}, "
                               "\"SerializationLibrary\": \"s\"}}, \"Name\": \"x\", "
                               "\"Parameters\": {\"streamsteam.module\":\"glue\"}, \"PartitionKeys\": "
                               "[{\"Name\":\"year\",\"Type\":\"string\"}]}";
    table_report r = {.added = 0};
    buf out;
    buf_init(&out, TABLE_BYTES_MAX);
    buf_init(&r.text, TABLE_BYTES_MAX);
    CHECK(table_merge(&t, SS_LIT(have), &out, &r));
    CHECK_STR(buf_text(&out), want);
    CHECK(r.added == 1 && r.widened == 1 && r.differs == 0);
    CHECK(table_is_marked(SS_LIT(have), SS_LIT("glue")) && !table_is_marked(SS_LIT(have), SS_LIT("other")));
    for (size_t len = 0; len + 1 < sizeof have - 1; len++) { /* cut anywhere: no table, or one that differs */
        buf_reset(&out);
        (void)table_merge(&t, ss_s(have, len), &out, &r);
    }
    buf_fini(&out);
    buf_fini(&r.text);
    buf_fini(&t.columns);
    buf_fini(&t.parameters);
}

static const check_test tests[] = {TEST(types), TEST(shapes), TEST(merges)};
CHECK_MAIN(tests)
