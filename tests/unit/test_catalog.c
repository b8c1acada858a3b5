/* The catalog: the tree of fields, names in each dialect, and the texts of all formats against
   tests/golden/catalog. STREAMSTEAM_GOLDEN=write writes those files anew. */
#include <jansson.h>
#include <sqlite3.h>

#include "core/base/error.h"
#include "plugins/common/catalog.h"
#include "tests/unit/check.h"

#define GOLDEN "tests/golden/catalog/"

/* What formats stumble over: quotes, capitals, odd characters, names that fold into one, folders of the lake.
 */
static const ss_field fields[] = {
    {"event_id", SS_FIELD_STRING, 0, "Unique id of the event.", NULL},
    {"received_at", SS_FIELD_TIMESTAMP, 0, "When the server received the request.", NULL},
    {"event_datetime", SS_FIELD_DATETIME, 0, "When it happened, UTC.", "cdt"},
    {"userId", SS_FIELD_STRING, 0, "The site's \"own\" name | for the `user` \\ ü.", "uid"},
    {"user_id", SS_FIELD_STRING, 0, "Another.", NULL},
    {"userid", SS_FIELD_INT, 0, "Differs from userId in capitals alone.", NULL},
    {"price-eur", SS_FIELD_DOUBLE, 0, "Two\nlines -- and */ a comment's end.", "e_v"},
    {"price_eur", SS_FIELD_DOUBLE, 0, "Folds into the same name.", NULL},
    {"geo_info.ip", SS_FIELD_STRING, 0, "Address.", NULL},
    {"geo_info.loc.longitude", SS_FIELD_DOUBLE, 0, "Degrees east.", NULL},
    {"geo_info.loc.latitude", SS_FIELD_DOUBLE, 0, "Degrees north.", NULL},
    {"geo_info.postal", SS_FIELD_STRING, 0, "Postal code, the town's.", NULL},
    {"geo_info_ip", SS_FIELD_STRING, 0, "What flat names make of geo_info.ip.", NULL},
    {"on", SS_FIELD_BOOL, 0, "A reserved word.", NULL},
    {"year", SS_FIELD_INT, 0, "Has the name of a folder.", NULL},
    {"a'b`c;--", SS_FIELD_JSON, 0, "A name that wants to escape.", NULL},
    {"geo_info.timezone", SS_FIELD_STRING, 0, "Comes late, belongs to the object above.", NULL},
    {"data", SS_FIELD_JSON, 0, "Anything.", "data"},
    {"more", SS_FIELD_JSON, SS_FIELD_OBJECT, "All the others, name to text.", NULL},
    {NULL, 0, 0, NULL, NULL},
};
static const catalog_target target = {"shop", "shop", "s3://BUCKET/lake"};

static catalog *make(const ss_field *list)
{
    ss_error err = error_init();
    catalog *c = catalog_new();
    for (; c && list->name; list++)
        CHECK(catalog_add(c, list, "receivers.shop", &err));
    CHECK_STR(err.text, "");
    return c;
}

static void print(const ss_field *list, const char *format, const catalog_target *to, buf *out)
{
    catalog *c = make(list);
    buf_init(out, CATALOG_BYTES_MAX);
    CHECK(c && catalog_print(c, format, to, out));
    CHECK(!out->failed);
    catalog_free(c);
}

static void golden_one(const char *format, const char *text)
{
    static char want[CATALOG_BYTES_MAX];
    char path[128];
    const char *write = getenv("STREAMSTEAM_GOLDEN");
    (void)snprintf(path, sizeof path, GOLDEN "%s", format);
    FILE *f = fopen(path, write && strcmp(write, "write") == 0 ? "w+" : "r");
    if (f && write)
        (void)fputs(text, f);
    if (f)
        rewind(f);
    size_t len = f ? fread(want, 1, sizeof want - 1, f) : 0;
    want[len] = '\0';
    if (f)
        (void)fclose(f);
    if (strcmp(text, want) != 0)
        printf("# format %s is not as in %s\n", format, path);
    CHECK_STR(text, want);
}

static void golden(void)
{
    for (size_t i = 0; catalog_formats[i]; i++) {
        buf out;
        print(fields, catalog_formats[i], &target, &out);
        golden_one(catalog_formats[i], buf_text(&out));
        buf_fini(&out);
    }
}

/* ---- what the real readers say ---- */

static void sqlite_takes_it(void)
{
    /* as sqlite3 names the columns */
    static const char *const want[] = {"event_id",
                                       "received_at",
                                       "event_datetime",
                                       "userId",
                                       "user_id",
                                       "userid_2",
                                       "price-eur",
                                       "price_eur",
                                       "geo_info_ip",
                                       "geo_info_loc_longitude",
                                       "geo_info_loc_latitude",
                                       "geo_info_postal",
                                       "geo_info_ip_2",
                                       "on",
                                       "year",
                                       "a'b`c;--",
                                       "geo_info_timezone",
                                       "data",
                                       "more"};
    buf out;
    sqlite3 *db = NULL;
    sqlite3_stmt *columns = NULL;
    char *why = NULL;
    print(fields, "sqlite", &(catalog_target){"shop", "a \"table\"", ""}, &out);
    REQUIRE(sqlite3_open(":memory:", &db) == SQLITE_OK);
    if (sqlite3_exec(db, buf_text(&out), NULL, NULL, &why) != SQLITE_OK)
        CHECK_STR(why, "");
    CHECK_INT(sqlite3_prepare_v2(db, "select name from pragma_table_info('a \"table\"')", -1, &columns, NULL),
              SQLITE_OK);
    size_t n = 0;
    for (; columns && sqlite3_step(columns) == SQLITE_ROW; n++)
        if (n < sizeof want / sizeof *want)
            CHECK_STR((const char *)sqlite3_column_text(columns, 0), want[n]);
    CHECK_INT(n, sizeof want / sizeof *want);
    CHECK_INT(sqlite3_exec(db, "insert into \"a \"\"table\"\"\" (\"on\") values ('text')", NULL, NULL, NULL),
              SQLITE_CONSTRAINT); /* STRICT */
    (void)sqlite3_finalize(columns);
    (void)sqlite3_close(db);
    sqlite3_free(why);
    buf_fini(&out);
}

/* What modules make their tables of is what the DDL has. */
static void columns_are_the_same(void)
{
    static const char *const flat[] = {"sqlite", "postgres"};
    for (size_t i = 0; i < sizeof flat / sizeof *flat; i++) {
        buf out, line;
        size_t count = 0;
        print(fields, flat[i], &target, &out);
        buf_init(&line, CATALOG_BYTES_MAX);
        catalog *c = make(fields);
        REQUIRE(c);
        catalog_column *columns = catalog_columns(c, flat[i], NULL, &count);
        REQUIRE(columns);
        CHECK_INT(count, 19);
        for (size_t k = 0; k < count; k++) {
            buf_reset(&line);
            buf_adds(&line, "  ");
            catalog_put_name(&line, columns[k].name);
            buf_addf(&line, " %s%s", columns[k].type, k + 1 < count ? "," : "");
            CHECK(strstr(buf_text(&out), buf_text(&line)) != NULL);
        }
        free(columns);
        static const char *const taken[] = {"year", "On", NULL};
        columns = catalog_columns(c, flat[i], taken, &count);
        REQUIRE(columns);
        CHECK_STR(columns[13].name, "on_2");
        CHECK_STR(columns[14].name, "year_2");
        free(columns);
        CHECK(!catalog_columns(c, "glue", NULL, &count));
        catalog_free(c);
        buf_fini(&out);
        buf_fini(&line);
    }
}

/* PostgreSQL would cut them itself, and two would become one. */
static void long_names_stay_apart(void)
{
    char one[100], two[100];
    memset(one, 'x', sizeof one);
    memset(two, 'x', sizeof two);
    one[80] = two[81] = '\0';
    const ss_field list[] = {{one, SS_FIELD_STRING, 0, "One.", NULL},
                             {two, SS_FIELD_STRING, 0, "Two.", NULL},
                             {"ctid", SS_FIELD_STRING, 0, "A name that PostgreSQL has.", NULL},
                             {NULL, 0, 0, NULL, NULL}};
    size_t count = 0;
    catalog *c = make(list);
    REQUIRE(c);
    catalog_column *columns = catalog_columns(c, "postgres", NULL, &count);
    REQUIRE(columns && count == 3);
    CHECK_INT(strlen(columns[0].name), 63);
    CHECK(strlen(columns[1].name) <= 63 && strcmp(columns[0].name, columns[1].name) != 0);
    CHECK_STR(columns[2].name, "ctid_2");
    free(columns);
    catalog_free(c);
}

static json_t *parsed(const char *format)
{
    buf out;
    json_error_t why;
    print(fields, format, &target, &out);
    json_t *root = json_loads(buf_text(&out), JSON_REJECT_DUPLICATES, &why);
    if (!root)
        CHECK_STR(why.text, "");
    buf_fini(&out);
    return root;
}

static void glue_is_json(void)
{
    json_t *root = parsed("glue");
    REQUIRE(root);
    const json_t *storage = json_object_get(root, "StorageDescriptor");
    const json_t *columns = json_object_get(storage, "Columns");
    const json_t *more = json_object_get(json_object_get(storage, "SerdeInfo"), "Parameters");
    CHECK_INT(json_array_size(columns), 15);
    CHECK_STR(json_string_value(json_object_get(json_array_get(columns, 8), "Type")),
              "struct<ip:string,loc:struct<longitude:double,latitude:double>,postal:string,timezone:string>");
    CHECK_STR(json_string_value(json_object_get(more, "mapping.price_eur")), "price-eur");
    CHECK_STR(json_string_value(json_object_get(more, "mapping.price_eur_2")), "price_eur");
    CHECK_STR(json_string_value(json_object_get(more, "mapping.year_2")), "year");
    CHECK(!json_object_get(more, "mapping.userid"));
    json_decref(root);
}

static void opensearch_is_json(void)
{
    json_t *root = parsed("opensearch");
    REQUIRE(root);
    const json_t *mappings = json_object_get(json_object_get(root, "template"), "mappings");
    CHECK(json_is_false(json_object_get(mappings, "dynamic")));
    CHECK(json_object_get(json_object_get(mappings, "properties"), "a'b`c;--") != NULL);
    json_decref(root);
}

/* Whatever names and texts a plugin has: SQLite runs one statement that makes all columns, JSON stays JSON.
 */
#define ODD_FIELDS 20u
#define ODD_ROUNDS 200u
#define ODD_BYTES  24u

static unsigned odd_state = 7;

static unsigned odd(unsigned below)
{
    odd_state = odd_state * 1103515245u + 12345u;
    return (odd_state >> 16) % below;
}

static catalog *odd_catalog(char names[ODD_FIELDS][ODD_BYTES], char docs[ODD_FIELDS][ODD_BYTES],
                            size_t *count)
{
    static const char sharp[] = "'\"`\\;-(){}<>,.:#$%*/ab_A1";
    catalog *c = catalog_new();
    for (size_t i = *count = 0; c && i < ODD_FIELDS; i++) {
        ss_error err = error_init();
        size_t len = 1 + odd(8), doc = odd(ODD_BYTES - 1);
        for (size_t k = 0; k < len; k++)
            names[i][k] = sharp[odd(sizeof sharp - 1)];
        for (size_t k = 0; k < doc; k++)
            docs[i][k] = odd(2) ? sharp[odd(sizeof sharp - 1)] : (char)(1 + odd(255));
        names[i][len] = docs[i][doc] = '\0';
        ss_field f = {names[i], 1 + odd(SS_FIELD_JSON), odd(2), docs[i], NULL};
        *count += catalog_add(c, &f, "receivers.odd", &err);
    }
    return c;
}

/* One statement, nothing behind it, and a column for each field. */
static void sqlite_makes(sqlite3 *db, const char *text, size_t count)
{
    const char *tail = NULL;
    sqlite3_stmt *make = NULL, *all = NULL;
    CHECK_INT(sqlite3_prepare_v2(db, text, -1, &make, &tail), SQLITE_OK);
    CHECK_STR(tail, "\n");
    CHECK_INT(make ? sqlite3_step(make) : SQLITE_OK, SQLITE_DONE);
    (void)sqlite3_finalize(make);
    CHECK_INT(sqlite3_prepare_v2(db, "select * from \"o'd\"\"d`\"", -1, &all, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_column_count(all), count);
    (void)sqlite3_finalize(all);
    CHECK_INT(sqlite3_exec(db, "drop table \"o'd\"\"d`\"", NULL, NULL, NULL), SQLITE_OK);
}

static void odd_format(sqlite3 *db, const catalog *c, const char *format, size_t count)
{
    buf out;
    buf_init(&out, CATALOG_BYTES_MAX);
    CHECK(catalog_print(c, format, &(catalog_target){"odd", "o'd\"d`", "s3://b"}, &out) && !out.failed);
    if (catalog_is_single(format)) {
        json_t *root = json_loads(buf_text(&out), JSON_REJECT_DUPLICATES, NULL);
        CHECK(root != NULL);
        json_decref(root);
    } else if (strcmp(format, "sqlite") == 0) {
        sqlite_makes(db, buf_text(&out), count);
    }
    buf_fini(&out);
}

static void odd_names(void)
{
    static char names[ODD_FIELDS][ODD_BYTES], docs[ODD_FIELDS][ODD_BYTES];
    sqlite3 *db = NULL;
    REQUIRE(sqlite3_open(":memory:", &db) == SQLITE_OK);
    for (unsigned round = 0; round < ODD_ROUNDS && !check_failed; round++) {
        size_t count;
        catalog *c = odd_catalog(names, docs, &count);
        REQUIRE(c && count > 0);
        for (size_t f = 0; catalog_formats[f]; f++)
            odd_format(db, c, catalog_formats[f], count);
        catalog_free(c);
    }
    (void)sqlite3_close(db);
}

/* ---- bad input ---- */

static void refused(void)
{
    static const struct {
        const char *name;
        uint32_t type;
        const char *why; /* part of the sentence */
    } cases[] = {
        {"", SS_FIELD_STRING, "no valid name"},
        {".a", SS_FIELD_STRING, "no valid name"},
        {"a.", SS_FIELD_STRING, "no valid name"},
        {"a..b", SS_FIELD_STRING, "no valid name"},
        {"a b", SS_FIELD_STRING, "no valid name"},
        {"\xc3\xbc", SS_FIELD_STRING, "no valid name"},
        {"a\n", SS_FIELD_STRING, "no valid name"},
        {"a.b.c.d.e.f.g.h.i.j", SS_FIELD_STRING, "no valid name"},
        {"ok", 0, "unknown type 0"},
        {"ok", 8, "unknown type 8"},
        {"data", SS_FIELD_JSON, "twice"},
        {"data.x", SS_FIELD_STRING, "\"data\", which is a value"},
        {"geo_info", SS_FIELD_STRING, "twice"},
    };
    catalog *c = make(fields);
    REQUIRE(c);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss_error err = error_init();
        CHECK(!catalog_add(c, &(ss_field){cases[i].name, cases[i].type, 0, "d", NULL}, "enrichers.x", &err));
        CHECK(strstr(err.text, cases[i].why) && strstr(err.text, "enrichers.x"));
    }
    catalog_free(c);
}

static void unknown_format(void)
{
    buf out;
    catalog *c = make(fields);
    buf_init(&out, 1000);
    CHECK(!catalog_print(c, "orc", &target, &out));
    CHECK(catalog_print(c, "markdown", &target, &out) && out.failed); /* larger than its limit */
    CHECK(catalog_is_single("glue") && catalog_is_single("opensearch"));
    CHECK(!catalog_is_single("spark") && !catalog_is_single("orc"));
    buf_fini(&out);
    catalog_free(c);
}

/* As many fields as an event may have, each in an object of its own, names as long as they may be. */
static void the_largest(void)
{
    static char names[CATALOG_FIELDS_MAX][130];
    ss_error err = error_init();
    catalog *c = catalog_new();
    REQUIRE(c);
    for (unsigned i = 0; i < CATALOG_FIELDS_MAX - 8; i++) {
        (void)snprintf(names[i], sizeof names[i], "o%u.%0*u", i,
                       i < 10     ? 125
                       : i < 100  ? 124
                       : i < 1000 ? 123
                                  : 122,
                       7u);
        CHECK(catalog_add(c, &(ss_field){names[i], SS_FIELD_INT, 0, "d", NULL}, "x", &err));
    }
    CHECK_STR(err.text, "");
    for (size_t f = 0; catalog_formats[f]; f++) {
        buf out;
        buf_init(&out, CATALOG_BYTES_MAX);
        CHECK(catalog_print(c, catalog_formats[f], &target, &out) && !out.failed);
        buf_fini(&out);
    }
    bool added = true;
    for (unsigned i = 0; added && i < 16; i++) {
        (void)snprintf(names[i], sizeof names[i], "more%u", i);
        added = catalog_add(c, &(ss_field){names[i], SS_FIELD_INT, 0, "d", NULL}, "x", &err);
    }
    CHECK(!added && strstr(err.text, "more fields"));
    catalog_free(c);
}

static void empty(void)
{
    const ss_field none = {NULL, 0, 0, NULL, NULL};
    for (size_t f = 0; catalog_formats[f]; f++) {
        buf out;
        print(&none, catalog_formats[f], &target, &out);
        CHECK(strlen(buf_text(&out)) > 0);
        buf_fini(&out);
    }
}

static const check_test tests[] = {TEST(golden),
                                   TEST(sqlite_takes_it),
                                   TEST(glue_is_json),
                                   TEST(opensearch_is_json),
                                   TEST(odd_names),
                                   TEST(refused),
                                   TEST(unknown_format),
                                   TEST(the_largest),
                                   TEST(empty),
                                   TEST(columns_are_the_same),
                                   TEST(long_names_stay_apart)};
CHECK_MAIN(tests)
