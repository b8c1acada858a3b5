/* The formats that are DDL. SQLite has flat columns; Redshift keeps an object in a SUPER column, Flink and
   Spark in a row or struct. Every name is quoted. */
#include <stdlib.h>

#include "plugins/common/catalog_inside.h"

#define RESERVED_MAX 64u /* names that a flat table may not have */

enum comment_style { COMMENT_BEHIND, COMMENT_CLAUSE, COMMENT_STATEMENT };

typedef struct dialect {
    catalog_rule rule;
    const char *types[CATALOG_TYPES]; /* of an object: how its type begins, or the whole of it */
    char quote;
    bool nested;     /* the type of an object lists its members                 */
    bool backslash;  /* the dialect reads \ in texts as an escape               */
    bool adjacent;   /* two texts side by side are one: '' would be no quote    */
    bool partitions; /* the lake's folders are columns                          */
    const char *member_colon, *member_comment;
    enum comment_style comments;
} dialect;

static const dialect sqlite = {
    .rule = {.flat = true},
    .quote = '"',
    .comments = COMMENT_BEHIND,
    .types = {[SS_FIELD_STRING] = "TEXT",
              [SS_FIELD_INT] = "INTEGER",
              [SS_FIELD_DOUBLE] = "REAL",
              [SS_FIELD_BOOL] = "INTEGER",
              [SS_FIELD_TIMESTAMP] = "TEXT",
              [SS_FIELD_DATETIME] = "TEXT",
              [SS_FIELD_JSON] = "TEXT"},
};

/* Its own columns of every table. */
static const char *const postgres_system[] = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", NULL};

/* Not cased: the columns have the same names as SQLite's, so that one query serves both. */
static const dialect postgres = {
    .rule = {.flat = true, .longest = 63, .reserved = postgres_system},
    .quote = '"',
    .comments = COMMENT_STATEMENT,
    .types = {[SS_FIELD_STRING] = "text",
              [SS_FIELD_INT] = "bigint",
              [SS_FIELD_DOUBLE] = "double precision",
              [SS_FIELD_BOOL] = "boolean",
              [SS_FIELD_TIMESTAMP] = "timestamptz",
              [SS_FIELD_DATETIME] = "timestamp",
              [SS_FIELD_JSON] = "jsonb"},
};

static const dialect redshift = {
    .rule = {.lower = true}, /* as Redshift folds them */
    .quote = '"',
    .backslash = true,
    .comments = COMMENT_STATEMENT,
    .types = {[CATALOG_OBJECT] = "SUPER",
              [SS_FIELD_STRING] = "VARCHAR(65535)",
              [SS_FIELD_INT] = "BIGINT",
              [SS_FIELD_DOUBLE] = "DOUBLE PRECISION",
              [SS_FIELD_BOOL] = "BOOLEAN",
              [SS_FIELD_TIMESTAMP] = "TIMESTAMPTZ",
              [SS_FIELD_DATETIME] = "TIMESTAMP",
              [SS_FIELD_JSON] = "SUPER"},
};

/* One column a field, objects and all, as the guidance's tables have them: JSON is a text that
   JSON_EXTRACT_PATH_TEXT reads. For the module redshift; the lake's lines are loaded into the one above. */
static const char *const redshift_system[] = {"oid",  "tableoid", "xmin",      "cmin",      "xmax",
                                              "cmax", "ctid",     "deletexid", "insertxid", NULL};

static const dialect redshift_flat = {
    .rule = {.flat = true, .lower = true, .longest = 63, .reserved = redshift_system},
    .quote = '"',
    .types = {[SS_FIELD_STRING] = "VARCHAR(65535)",
              [SS_FIELD_INT] = "BIGINT",
              [SS_FIELD_DOUBLE] = "DOUBLE PRECISION",
              [SS_FIELD_BOOL] = "BOOLEAN",
              [SS_FIELD_TIMESTAMP] = "TIMESTAMPTZ",
              [SS_FIELD_DATETIME] = "TIMESTAMP",
              [SS_FIELD_JSON] = "VARCHAR(65535)"},
};

/* One standard for all texts of a table: with ISO-8601 the form without T stays a STRING. */
static const dialect flink = {
    .rule = {.cased = true},
    .quote = '`',
    .nested = true,
    .partitions = true,
    .member_colon = " ",
    .member_comment = " ",
    .comments = COMMENT_CLAUSE,
    .types = {[CATALOG_OBJECT] = "ROW<",
              [SS_FIELD_STRING] = "STRING",
              [SS_FIELD_INT] = "BIGINT",
              [SS_FIELD_DOUBLE] = "DOUBLE",
              [SS_FIELD_BOOL] = "BOOLEAN",
              [SS_FIELD_TIMESTAMP] = "TIMESTAMP_LTZ(3)",
              [SS_FIELD_DATETIME] = "STRING",
              [SS_FIELD_JSON] = "STRING"},
};

static const dialect spark = {
    .quote = '`',
    .nested = true,
    .partitions = true,
    .backslash = true,
    .adjacent = true,
    .member_colon = ": ",
    .member_comment = " COMMENT ",
    .comments = COMMENT_CLAUSE,
    .types = {[CATALOG_OBJECT] = "STRUCT<",
              [SS_FIELD_STRING] = "STRING",
              [SS_FIELD_INT] = "BIGINT",
              [SS_FIELD_DOUBLE] = "DOUBLE",
              [SS_FIELD_BOOL] = "BOOLEAN",
              [SS_FIELD_TIMESTAMP] = "TIMESTAMP",
              [SS_FIELD_DATETIME] = "TIMESTAMP_NTZ",
              [SS_FIELD_JSON] = "STRING"},
};

/* ---- words ---- */

static void put_name(const dialect *d, const char *name, buf *out)
{
    buf_add(out, &d->quote, 1);
    for (const char *p = name; *p; p++) {
        if (*p == d->quote)
            buf_add(out, p, 1);
        buf_add(out, p, 1);
    }
    buf_add(out, &d->quote, 1);
}

/* A text between single quotes. */
static void put_literal(const dialect *d, const char *text, buf *out)
{
    buf_adds(out, "'");
    for (const char *p = text; *p; p++) {
        if (*p == '\'')
            buf_adds(out, d->adjacent ? "\\" : "'");
        else if (*p == '\\' && d->backslash)
            buf_adds(out, "\\");
        catalog_put_char(out, *p);
    }
    buf_adds(out, "'");
}

static void put_type(const catalog *c, const dialect *d, catalog_name *names, uint16_t n, buf *out)
{
    const catalog_node *node = &c->nodes[n];
    buf_adds(out, d->types[node->field.type]);
    if (!catalog_is_object(node) || !d->nested)
        return;
    for (uint16_t m = node->first; m != CATALOG_NONE; m = c->nodes[m].next) {
        buf_adds(out, m == node->first ? "" : ", ");
        put_name(d, names[m], out);
        buf_adds(out, d->member_colon);
        put_type(c, d, names, m, out);
        if (!c->nodes[m].field.doc)
            continue;
        buf_adds(out, d->member_comment);
        put_literal(d, c->nodes[m].field.doc, out);
    }
    buf_adds(out, ">");
}

/* ---- columns ---- */

/* The nodes that are columns: of a flat rule all fields, else what stands at the top. */
static bool is_column(const catalog *c, const dialect *d, uint16_t n)
{
    return d->rule.flat ? !catalog_is_object(&c->nodes[n]) : c->nodes[n].parent == CATALOG_NONE;
}

static void put_column(const catalog *c, const dialect *d, catalog_name *names, uint16_t n, buf *out)
{
    put_name(d, names[n], out);
    buf_adds(out, " ");
    put_type(c, d, names, n, out);
    if (d->comments == COMMENT_CLAUSE && c->nodes[n].field.doc) {
        buf_adds(out, " COMMENT ");
        put_literal(d, c->nodes[n].field.doc, out);
    }
}

/* Lines of columns, the last without a comma unless more follow. Folders of the lake hide fields of their
 * name. */
static void put_columns(const catalog *c, const dialect *d, catalog_name *names, bool more, buf *out)
{
    uint16_t last = CATALOG_NONE;
    for (uint16_t n = 0; n < c->count; n++)
        if (is_column(c, d, n) && !(d->partitions && catalog_is_partition(names[n])))
            last = n;
    for (uint16_t n = 0; n < c->count; n++) {
        if (!is_column(c, d, n))
            continue;
        if (d->partitions && catalog_is_partition(names[n])) {
            buf_addf(out, "  -- the lake's folder %s hides the field of that name\n", names[n]);
            continue;
        }
        buf_adds(out, "  ");
        put_column(c, d, names, n, out);
        buf_adds(out, more || n != last ? "," : "");
        if (d->comments == COMMENT_BEHIND) {
            buf_adds(out, " -- ");
            catalog_put_line(out, c->nodes[n].field.doc);
        }
        buf_adds(out, "\n");
    }
}

static void put_head(const dialect *d, const char *table, buf *out)
{
    buf_adds(out, "CREATE TABLE IF NOT EXISTS ");
    put_name(d, table, out);
    buf_adds(out, " (\n");
}

/* The folders as a list of columns, with their type or without. */
static void put_partitions(const dialect *d, const char *type, const char *between, buf *out)
{
    for (size_t i = 0; catalog_partitions[i]; i++) {
        buf_adds(out, i ? between : "");
        put_name(d, catalog_partitions[i], out);
        buf_adds(out, type);
    }
}

/* The field that the host fills for every event, or CATALOG_NONE. */
static uint16_t find_received_at(const catalog *c)
{
    for (uint16_t n = c->first; n != CATALOG_NONE; n = c->nodes[n].next)
        if (ss_eq(c->nodes[n].name, SS_LIT("received_at")) && c->nodes[n].field.type == SS_FIELD_TIMESTAMP)
            return n;
    return CATALOG_NONE;
}

/* ---- the dialects ---- */

bool catalog_sqlite(const catalog *c, const catalog_target *target, buf *out)
{
    catalog_name *names = catalog_names(c, &sqlite.rule);
    if (!names)
        return false;
    put_head(&sqlite, target->table, out);
    put_columns(c, &sqlite, names, false, out);
    buf_adds(out, ") STRICT;\n");
    free(names);
    return true;
}

/* Behind the table: what each column means. */
static void put_comments(const catalog *c, const dialect *d, const char *table, catalog_name *names, buf *out)
{
    for (uint16_t n = 0; n < c->count; n++) {
        if (!is_column(c, d, n) || !c->nodes[n].field.doc)
            continue;
        buf_adds(out, "COMMENT ON COLUMN ");
        put_name(d, table, out);
        buf_adds(out, ".");
        put_name(d, names[n], out);
        buf_adds(out, " IS ");
        put_literal(d, c->nodes[n].field.doc, out);
        buf_adds(out, ";\n");
    }
}

bool catalog_postgres(const catalog *c, const catalog_target *target, buf *out)
{
    catalog_name *names = catalog_names(c, &postgres.rule);
    if (!names)
        return false;
    put_head(&postgres, target->table, out);
    put_columns(c, &postgres, names, false, out);
    buf_adds(out, ");\n");
    put_comments(c, &postgres, target->table, names, out);
    free(names);
    return true;
}

bool catalog_redshift(const catalog *c, const catalog_target *target, buf *out)
{
    catalog_name *names = catalog_names(c, &redshift.rule);
    if (!names)
        return false;
    put_head(&redshift, target->table, out);
    put_columns(c, &redshift, names, false, out);
    uint16_t key = find_received_at(c);
    buf_adds(out, key == CATALOG_NONE ? ");\n" : ")\nDISTSTYLE AUTO\nSORTKEY (\"received_at\");\n");
    put_comments(c, &redshift, target->table, names, out);
    free(names);
    return true;
}

/* Its folder in the lake, as a text. */
static void put_location(const dialect *d, const catalog_target *target, buf *out)
{
    buf where;
    catalog_location(target, "", &where);
    put_literal(d, buf_text(&where), out);
    buf_fini(&where);
}

/* What is a text only because of the one standard can be read as a time under another name. */
static void flink_times(const catalog *c, catalog_name *names, buf *out)
{
    for (uint16_t n = c->first; n != CATALOG_NONE; n = c->nodes[n].next) {
        if (c->nodes[n].field.type != SS_FIELD_DATETIME)
            continue;
        char name[CATALOG_NAME_SIZE + 8];
        (void)snprintf(name, sizeof name, "%s$time", names[n]);
        buf_adds(out, ",\n  ");
        put_name(&flink, name, out);
        buf_adds(out, " AS TO_TIMESTAMP(");
        put_name(&flink, names[n], out);
        buf_adds(out, ")");
    }
    if (find_received_at(c) != CATALOG_NONE)
        buf_adds(out, ",\n  WATERMARK FOR `received_at` AS `received_at` - INTERVAL '5' SECOND");
}

bool catalog_flink(const catalog *c, const catalog_target *target, buf *out)
{
    catalog_name *names = catalog_names(c, &flink.rule);
    if (!names)
        return false;
    put_head(&flink, target->table, out);
    put_columns(c, &flink, names, true, out);
    buf_adds(out, "  ");
    put_partitions(&flink, " STRING", ",\n  ", out);
    flink_times(c, names, out);
    buf_adds(out, "\n) PARTITIONED BY (");
    put_partitions(&flink, "", ", ", out);
    buf_adds(out, ") WITH (\n  'connector' = 'filesystem',\n  'path' = ");
    put_location(&flink, target, out);
    buf_adds(out, ",\n  'format' = 'json',\n  'json.timestamp-format.standard' = 'ISO-8601'\n);\n");
    free(names);
    return true;
}

bool catalog_spark(const catalog *c, const catalog_target *target, buf *out)
{
    catalog_name *names = catalog_names(c, &spark.rule);
    if (!names)
        return false;
    put_head(&spark, target->table, out);
    put_columns(c, &spark, names, true, out);
    buf_adds(out, "  ");
    put_partitions(&spark, " STRING", ",\n  ", out);
    buf_adds(out, "\n) USING JSON\nPARTITIONED BY (");
    put_partitions(&spark, "", ", ", out);
    buf_adds(out, ")\nLOCATION ");
    put_location(&spark, target, out);
    buf_adds(out, ";\nMSCK REPAIR TABLE ");
    put_name(&spark, target->table, out);
    buf_adds(out, ";\n");
    free(names);
    return true;
}

/* ---- for modules that make their tables themselves ---- */

static const dialect parquet = {
    .rule = {.plain = true},
    .types = {[SS_FIELD_STRING] = "VARCHAR",
              [SS_FIELD_INT] = "BIGINT",
              [SS_FIELD_DOUBLE] = "DOUBLE",
              [SS_FIELD_BOOL] = "BOOLEAN",
              [SS_FIELD_TIMESTAMP] = "TIMESTAMPTZ",
              [SS_FIELD_DATETIME] = "TIMESTAMPTZ",
              [SS_FIELD_JSON] = "JSON"},
};

/* With the names of the objects that it lies in, where the format has objects. */
static void column_name(const catalog *c, const catalog_rule *rule, catalog_name *names, uint16_t n,
                        char out[CATALOG_NAME_SIZE])
{
    size_t len = strlen(names[n]);
    memcpy(out, names[n], len + 1);
    while (!rule->flat && (n = c->nodes[n].parent) != CATALOG_NONE) {
        size_t more = strlen(names[n]) + 1;
        if (len + more + 1 > CATALOG_NAME_SIZE)
            return;
        memmove(out + more, out, len + 1);
        memcpy(out, names[n], more - 1);
        out[more - 1] = '.';
        len += more;
    }
}

static const char *const *both(const char *const *a, const char *const *b, const char *out[], size_t size)
{
    size_t n = 0;
    for (; a && *a && n + 1 < size; a++)
        out[n++] = *a;
    for (; b && *b && n + 1 < size; b++)
        out[n++] = *b;
    out[n] = NULL;
    return out;
}

catalog_column *catalog_columns(const catalog *c, const char *format, const char *const *reserved,
                                size_t *count)
{
    const dialect *d = strcmp(format, "sqlite") == 0          ? &sqlite
                       : strcmp(format, "postgres") == 0      ? &postgres
                       : strcmp(format, "redshift_flat") == 0 ? &redshift_flat
                       : strcmp(format, "parquet") == 0       ? &parquet
                                                              : NULL;
    const char *taken[RESERVED_MAX];
    if (!d)
        return NULL;
    catalog_rule rule = d->rule;
    rule.reserved = both(d->rule.reserved, reserved, taken, RESERVED_MAX);
    catalog_name *names = catalog_names(c, &rule);
    catalog_column *columns = calloc(c->count + 1u, sizeof *columns);
    *count = 0;
    for (uint16_t n = 0; names && columns && n < c->count; n++) {
        const catalog_node *node = &c->nodes[n];
        if (catalog_is_object(node))
            continue;
        catalog_column *column = &columns[(*count)++];
        column_name(c, &rule, names, n, column->name);
        column->type = d->types[node->field.type];
        column->field_type = node->field.type;
        column->flags = node->field.flags;
        column->path = node->path;
        column->doc = node->field.doc;
    }
    if (!names) {
        free(columns);
        columns = NULL;
    }
    free(names);
    return columns;
}

void catalog_put_name(buf *out, const char *name)
{
    put_name(&postgres, name, out);
}

void catalog_put_text(buf *out, const char *text)
{
    put_literal(&postgres, text, out);
}
