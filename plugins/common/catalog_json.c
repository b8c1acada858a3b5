/* The formats that are JSON: Glue's TableInput and OpenSearch's index template. */
#include <stdlib.h>
#include <strings.h>

#include "plugins/common/catalog_inside.h"
#include "plugins/common/json.h"

#define GLUE_COMMENT_MAX 255u
/* More fields than OpenSearch takes in one index, unless told otherwise. */
#define SEARCH_FIELDS_DEFAULT 1000u

static void put_json(buf *out, ss_str text)
{
    if (!buf_reserve(out, json_escape_bound(text.len)))
        return;
    out->len += json_put_string(out->ptr + out->len, text);
}

static void put_text(buf *out, const char *text)
{
    put_json(out, ss_cstr(text));
}

/* ---- Glue ---- */

/* Athena reads a timestamp only as "2026-11-22 03:24:00": the ISO form with T and Z stays text. */
static const char *const glue_types[CATALOG_TYPES] = {
    [SS_FIELD_STRING] = "string", [SS_FIELD_INT] = "bigint",       [SS_FIELD_DOUBLE] = "double",
    [SS_FIELD_BOOL] = "boolean",  [SS_FIELD_TIMESTAMP] = "string", [SS_FIELD_DATETIME] = "timestamp",
    [SS_FIELD_JSON] = "string"};

static void glue_type(const catalog *c, catalog_name *names, uint16_t n, buf *out)
{
    if (!catalog_is_object(&c->nodes[n])) {
        buf_adds(out, glue_types[c->nodes[n].field.type]);
        return;
    }
    buf_adds(out, "struct<");
    for (uint16_t m = c->nodes[n].first; m != CATALOG_NONE; m = c->nodes[m].next) {
        buf_addf(out, "%s%s:", m == c->nodes[n].first ? "" : ",", names[m]);
        glue_type(c, names, m, out);
    }
    buf_adds(out, ">");
}

/* One line, whole characters, no longer than Glue takes. */
static void glue_comment(const char *text, buf *out)
{
    buf line;
    buf_init(&line, SIZE_MAX);
    catalog_put_line(&line, text);
    size_t len = line.len;
    if (len > GLUE_COMMENT_MAX)
        for (len = GLUE_COMMENT_MAX; len > 0 && ((unsigned char)line.ptr[len] & 0xC0) == 0x80;)
            len--;
    put_json(out, ss_s(line.ptr, len));
    buf_fini(&line);
}

static void glue_columns(const catalog *c, catalog_name *names, buf *out)
{
    for (uint16_t n = c->first; n != CATALOG_NONE; n = c->nodes[n].next) {
        buf_adds(out, n == c->first ? "\n      {\"Name\": " : ",\n      {\"Name\": ");
        put_text(out, names[n]);
        buf_adds(out, ", \"Type\": \"");
        glue_type(c, names, n, out);
        buf_adds(out, "\"");
        if (c->nodes[n].field.doc) {
            buf_adds(out, ", \"Comment\": ");
            glue_comment(c->nodes[n].field.doc, out);
        }
        buf_adds(out, "}");
    }
}

/* Columns that are called otherwise than the key in the line; the serde does not mind capitals. */
static void glue_mappings(const catalog *c, catalog_name *names, buf *out)
{
    for (uint16_t n = 0; n < c->count; n++) {
        const catalog_node *node = &c->nodes[n];
        bool same =
            strlen(names[n]) == node->name.len && strncasecmp(names[n], node->name.ptr, node->name.len) == 0;
        for (uint16_t m = 0; !same && m < n; m++) /* the same name in another object */
            same = strcmp(names[m], names[n]) == 0;
        if (same)
            continue;
        buf_addf(out, ",\n        \"mapping.%s\": ", names[n]);
        put_json(out, node->name);
    }
}

static void put_location(const catalog_target *target, const char *below, buf *out)
{
    buf where;
    catalog_location(target, below, &where);
    put_json(out, buf_str(&where));
    buf_fini(&where);
}

static void glue_projection(const catalog_target *target, buf *out)
{
    buf_adds(out, "  \"Parameters\": {\n"
                  "    \"EXTERNAL\": \"TRUE\",\n"
                  "    \"classification\": \"json\",\n"
                  "    \"compressionType\": \"gzip\",\n"
                  "    \"projection.enabled\": \"true\",\n"
                  "    \"projection.year.type\": \"integer\",\n"
                  "    \"projection.year.range\": \"2020,2039\",\n"
                  "    \"projection.year.digits\": \"4\",\n"
                  "    \"projection.month.type\": \"integer\",\n"
                  "    \"projection.month.range\": \"1,12\",\n"
                  "    \"projection.month.digits\": \"2\",\n"
                  "    \"projection.day.type\": \"integer\",\n"
                  "    \"projection.day.range\": \"1,31\",\n"
                  "    \"projection.day.digits\": \"2\",\n"
                  "    \"storage.location.template\": ");
    put_location(target, "year=${year}/month=${month}/day=${day}", out);
    buf_adds(out, "\n  },\n  \"PartitionKeys\": [");
    for (size_t i = 0; catalog_partitions[i]; i++)
        buf_addf(out, "%s\n    {\"Name\": \"%s\", \"Type\": \"string\"}", i ? "," : "",
                 catalog_partitions[i]);
    buf_adds(out, "\n  ],\n");
}

bool catalog_glue(const catalog *c, const catalog_target *target, buf *out)
{
    static const catalog_rule rule = {.plain = true, .lower = true, .reserved = catalog_partitions};
    catalog_name *names = catalog_names(c, &rule), table;
    if (!names)
        return false;
    catalog_fold(&rule, ss_cstr(target->table), table);
    buf_addf(out, "{\n  \"Name\": \"%s\",\n  \"TableType\": \"EXTERNAL_TABLE\",\n", table);
    glue_projection(target, out);
    buf_adds(out, "  \"StorageDescriptor\": {\n    \"Columns\": [");
    glue_columns(c, names, out);
    buf_adds(out, "\n    ],\n    \"Location\": ");
    put_location(target, "", out);
    buf_adds(out, ",\n    \"InputFormat\": \"org.apache.hadoop.mapred.TextInputFormat\",\n"
                  "    \"OutputFormat\": \"org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat\",\n"
                  "    \"Compressed\": true,\n"
                  "    \"SerdeInfo\": {\n"
                  "      \"SerializationLibrary\": \"org.openx.data.jsonserde.JsonSerDe\",\n"
                  "      \"Parameters\": {\n"
                  "        \"case.insensitive\": \"true\"");
    glue_mappings(c, names, out);
    buf_adds(out, "\n      }\n    }\n  }\n}\n");
    free(names);
    return true;
}

bool catalog_glue_parts(const catalog *c, const char *const *reserved, buf *columns, buf *parameters)
{
    const catalog_rule rule = {.plain = true, .lower = true, .reserved = reserved};
    catalog_name *names = catalog_names(c, &rule);
    if (!names)
        return false;
    buf_adds(columns, "[");
    glue_columns(c, names, columns);
    buf_adds(columns, "]");
    buf_adds(parameters, "\"case.insensitive\": \"true\"");
    glue_mappings(c, names, parameters);
    free(names);
    return !columns->failed && !parameters->failed;
}

/* ---- OpenSearch ---- */

/* JSON that may be anything is kept but not indexed: a flat_object takes objects alone and would refuse the
   document. Lucene's longest term is 32,766 bytes; ignore_above counts characters, of up to four bytes. */
static const char *const search_types[CATALOG_TYPES] = {
    [SS_FIELD_STRING] = "\"type\": \"keyword\", \"ignore_above\": 8191",
    [SS_FIELD_INT] = "\"type\": \"long\"",
    [SS_FIELD_DOUBLE] = "\"type\": \"double\"",
    [SS_FIELD_BOOL] = "\"type\": \"boolean\"",
    [SS_FIELD_TIMESTAMP] = "\"type\": \"date\", \"format\": \"strict_date_time\"",
    [SS_FIELD_DATETIME] = "\"type\": \"date\", \"format\": \"yyyy-MM-dd HH:mm:ss\"",
    [SS_FIELD_JSON] = "\"type\": \"object\", \"enabled\": false"};

static const char *search_type(const ss_field *f)
{
    if (f->type == SS_FIELD_JSON && f->flags & SS_FIELD_OBJECT)
        return "\"type\": \"flat_object\"";
    return search_types[f->type];
}

static void search_properties(const catalog *c, uint16_t first, int level, buf *out)
{
    for (uint16_t n = first; n != CATALOG_NONE; n = c->nodes[n].next) {
        buf_addf(out, "%s\n%*s", n == first ? "" : ",", level * 2, "");
        put_json(out, c->nodes[n].name);
        if (!catalog_is_object(&c->nodes[n])) {
            buf_addf(out, ": {%s}", search_type(&c->nodes[n].field));
            continue;
        }
        buf_adds(out, ": {\"properties\": {");
        search_properties(c, c->nodes[n].first, level + 1, out);
        buf_addf(out, "\n%*s}}", level * 2, "");
    }
}

bool catalog_opensearch(const catalog *c, const catalog_target *target, buf *out)
{
    static const catalog_rule rule = {.lower = true};
    char pattern[CATALOG_NAME_SIZE + 2];
    catalog_name index;
    catalog_fold(&rule, ss_cstr(target->table), index);
    (void)snprintf(pattern, sizeof pattern, "%s-*", index);
    buf_adds(out, "{\n  \"index_patterns\": [");
    put_text(out, pattern);
    buf_adds(out, "],\n  \"template\": {\n");
    if (c->count > SEARCH_FIELDS_DEFAULT)
        buf_addf(out, "    \"settings\": {\"index.mapping.total_fields.limit\": %u},\n", CATALOG_NODES_MAX);
    buf_adds(out, "    \"mappings\": {\n      \"dynamic\": false,\n      \"properties\": {");
    search_properties(c, c->first, 4, out);
    buf_adds(out, "\n      }\n    }\n  }\n}\n");
    return true;
}
