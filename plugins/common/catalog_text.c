/* The formats for people, and Parquet's message type. */
#include <stdlib.h>

#include "plugins/common/catalog_inside.h"

/* ---- the manual ---- */

static const char *const type_names[CATALOG_TYPES] = {
    [CATALOG_OBJECT] = "object",      [SS_FIELD_STRING] = "string", [SS_FIELD_INT] = "int",
    [SS_FIELD_DOUBLE] = "double",     [SS_FIELD_BOOL] = "bool",     [SS_FIELD_TIMESTAMP] = "timestamp",
    [SS_FIELD_DATETIME] = "datetime", [SS_FIELD_JSON] = "json"};

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

bool catalog_text(const catalog *c, const catalog_target *target, buf *out)
{
    size_t widths[3] = {strlen("field"), strlen("timestamp"), strlen("source")};
    for (uint16_t n = 0; n < c->count; n++) {
        const catalog_node *node = &c->nodes[n];
        if (catalog_is_object(node))
            continue;
        if (node->path.len > widths[0])
            widths[0] = node->path.len;
        size_t source = strlen(or_empty(node->field.source));
        if (source > widths[2])
            widths[2] = source;
    }
    buf_addf(out, "%s\n\n%-*s  %-*s  %-*s  %s\n", target->receiver, (int)widths[0], "field", (int)widths[1],
             "type", (int)widths[2], "source", "meaning");
    for (uint16_t n = 0; n < c->count; n++) {
        const catalog_node *node = &c->nodes[n];
        if (catalog_is_object(node))
            continue;
        buf_addf(out, "%-*s  %-*s  %-*s  ", (int)widths[0], node->field.name, (int)widths[1],
                 type_names[node->field.type], (int)widths[2], or_empty(node->field.source));
        catalog_put_line(out, node->field.doc);
        buf_addf(out, " [%s]\n", or_empty(node->from));
    }
    return true;
}

/* A cell: | and line breaks would end it, the rest that Markdown reads is escaped. */
static void put_cell(const char *text, buf *out)
{
    buf_adds(out, " ");
    for (const char *p = or_empty(text); *p; p++) {
        if (strchr("|\\`*_<>[]", *p))
            buf_adds(out, "\\");
        catalog_put_char(out, *p);
    }
    buf_adds(out, " |");
}

bool catalog_markdown(const catalog *c, const catalog_target *target, buf *out)
{
    buf_adds(out, "## ");
    buf_adds(out, target->receiver);
    buf_adds(out, "\n\n| Field | Type | Source | Meaning | Declared by |\n|---|---|---|---|---|\n");
    for (uint16_t n = 0; n < c->count; n++) {
        const catalog_node *node = &c->nodes[n];
        if (catalog_is_object(node))
            continue;
        buf_adds(out, "|");
        put_cell(node->field.name, out);
        put_cell(type_names[node->field.type], out);
        put_cell(node->field.source, out);
        put_cell(node->field.doc, out);
        put_cell(node->from, out);
        buf_adds(out, "\n");
    }
    buf_adds(out, "\n");
    return true;
}

/* ---- Parquet ---- */

static const struct {
    const char *physical, *logical;
} parquet_types[CATALOG_TYPES] = {
    [SS_FIELD_STRING] = {"binary", " (STRING)"},
    [SS_FIELD_INT] = {"int64", ""},
    [SS_FIELD_DOUBLE] = {"double", ""},
    [SS_FIELD_BOOL] = {"boolean", ""},
    [SS_FIELD_TIMESTAMP] = {"int64", " (TIMESTAMP(MICROS,true))"},
    [SS_FIELD_DATETIME] = {"int64", " (TIMESTAMP(MICROS,true))"},
    [SS_FIELD_JSON] = {"binary", " (JSON)"},
};

static void parquet_fields(const catalog *c, catalog_name *names, uint16_t first, int level, buf *out)
{
    for (uint16_t n = first; n != CATALOG_NONE; n = c->nodes[n].next) {
        uint32_t type = c->nodes[n].field.type;
        if (catalog_is_object(&c->nodes[n])) {
            buf_addf(out, "%*soptional group %s {\n", level * 2, "", names[n]);
            parquet_fields(c, names, c->nodes[n].first, level + 1, out);
            buf_addf(out, "%*s}\n", level * 2, "");
        } else {
            buf_addf(out, "%*soptional %s %s%s;\n", level * 2, "", parquet_types[type].physical, names[n],
                     parquet_types[type].logical);
        }
    }
}

bool catalog_parquet(const catalog *c, const catalog_target *target, buf *out)
{
    static const catalog_rule rule = {.plain = true};
    catalog_name *names = catalog_names(c, &rule), message;
    if (!names)
        return false;
    catalog_fold(&rule, ss_cstr(target->table), message);
    buf_addf(out, "message %s {\n", message);
    parquet_fields(c, names, c->first, 1, out);
    buf_adds(out, "}\n");
    free(names);
    return true;
}
