#include "plugins/common/catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "plugins/common/catalog_inside.h"

typedef struct catalog_format {
    catalog_writer *write;
    bool single;
} catalog_format;

const char *const catalog_formats[] = {"text",       "markdown", "glue",  "redshift", "sqlite", "postgres",
                                       "opensearch", "parquet",  "flink", "spark",    NULL};
static const catalog_format formats[] = {
    {catalog_text, false},   {catalog_markdown, false}, {catalog_glue, true},       {catalog_redshift, false},
    {catalog_sqlite, false}, {catalog_postgres, false}, {catalog_opensearch, true}, {catalog_parquet, false},
    {catalog_flink, false},  {catalog_spark, false}};
static_assert(sizeof formats / sizeof *formats + 1 == sizeof catalog_formats / sizeof *catalog_formats,
              "a format without a writer");

static const catalog_format *format_find(const char *name)
{
    for (size_t i = 0; catalog_formats[i]; i++)
        if (strcmp(catalog_formats[i], name) == 0)
            return &formats[i];
    return NULL;
}

bool catalog_is_single(const char *format)
{
    const catalog_format *f = format_find(format);
    return f && f->single;
}

bool catalog_print(const catalog *c, const char *format, const catalog_target *target, buf *out)
{
    const catalog_format *f = format_find(format);
    return f && f->write(c, target, out);
}

catalog *catalog_new(void)
{
    catalog *c = malloc(sizeof *c);
    if (c) {
        c->count = 0;
        c->first = c->last = CATALOG_NONE;
    }
    return c;
}

void catalog_free(catalog *c)
{
    free(c);
}

/* ---- the tree ---- */

static uint16_t child_find(const catalog *c, uint16_t parent, ss_str name)
{
    uint16_t n = parent == CATALOG_NONE ? c->first : c->nodes[parent].first;
    while (n != CATALOG_NONE && !ss_eq(c->nodes[n].name, name))
        n = c->nodes[n].next;
    return n;
}

static uint16_t node_append(catalog *c, uint16_t parent, ss_str path, size_t name_at)
{
    uint16_t n = c->count++;
    uint16_t *first = parent == CATALOG_NONE ? &c->first : &c->nodes[parent].first;
    uint16_t *last = parent == CATALOG_NONE ? &c->last : &c->nodes[parent].last;
    c->nodes[n] = (catalog_node){.name = ss_s(path.ptr + name_at, path.len - name_at),
                                 .path = path,
                                 .parent = parent,
                                 .first = CATALOG_NONE,
                                 .last = CATALOG_NONE,
                                 .next = CATALOG_NONE};
    if (*last == CATALOG_NONE)
        *first = n;
    else
        c->nodes[*last].next = n;
    *last = n;
    return n;
}

static bool name_ok(const char *name)
{
    size_t len = strlen(name), depth = 0;
    bool good = len > 0 && len <= CATALOG_FIELD_NAME_MAX && name[0] != '.' && name[len - 1] != '.' &&
                !strstr(name, "..");
    for (const char *p = name; *p; p++) {
        good &= (unsigned char)*p > ' ' && (unsigned char)*p < 127;
        depth += *p == '.';
    }
    return good && depth <= CATALOG_FIELD_DEPTH_MAX;
}

bool catalog_add(catalog *c, const ss_field *field, const char *from, ss_error *err)
{
    const char *name = field->name;
    if (!name_ok(name) || field->type < SS_FIELD_STRING || field->type > SS_FIELD_JSON)
        return ss_fail(err, 0, "the field \"%.128s\" of %s has no valid name, or the unknown type %u", name,
                       from, field->type);
    if (c->count + CATALOG_FIELD_DEPTH_MAX + 1u > CATALOG_NODES_MAX)
        return ss_fail(err, 0, "%s: more fields and objects than a catalog holds (%u)", from,
                       CATALOG_NODES_MAX);
    uint16_t parent = CATALOG_NONE;
    size_t at = 0;
    for (size_t i = 0; name[i]; i++) {
        if (name[i] != '.')
            continue;
        uint16_t object = child_find(c, parent, ss_s(name + at, i - at));
        if (object == CATALOG_NONE)
            object = node_append(c, parent, ss_s(name, i), at);
        if (!catalog_is_object(&c->nodes[object]))
            return ss_fail(err, 0, "the field \"%.128s\" of %s lies within \"%.*s\", which is a value", name,
                           from, (int)i, name);
        parent = object;
        at = i + 1;
    }
    if (child_find(c, parent, ss_cstr(name + at)) != CATALOG_NONE)
        return ss_fail(err, 0, "the field \"%.128s\" of %s stands in the catalog twice", name, from);
    uint16_t n = node_append(c, parent, ss_cstr(name), at);
    c->nodes[n].field = *field;
    c->nodes[n].from = from;
    return true;
}

/* ---- names ---- */

void catalog_put_line(buf *out, const char *text)
{
    for (const char *p = text ? text : ""; *p; p++)
        catalog_put_char(out, *p);
}

const char *const catalog_partitions[] = {"year", "month", "day", NULL};

bool catalog_is_partition(const char *name)
{
    for (size_t i = 0; catalog_partitions[i]; i++)
        if (strcasecmp(catalog_partitions[i], name) == 0)
            return true;
    return false;
}

void catalog_location(const catalog_target *target, const char *below, buf *out)
{
    size_t len = strlen(target->location);
    while (len > 0 && target->location[len - 1] == '/')
        len--;
    buf_init(out, CATALOG_BYTES_MAX);
    buf_add(out, target->location, len);
    buf_addf(out, "/%s/%s", target->receiver, below);
}

void catalog_fold(const catalog_rule *rule, ss_str text, catalog_name out)
{
    size_t len = text.len < CATALOG_FIELD_NAME_MAX ? text.len : CATALOG_FIELD_NAME_MAX;
    for (size_t i = 0; i < len; i++) {
        char b = text.ptr[i];
        bool capital = b >= 'A' && b <= 'Z';
        bool word = capital || (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || b == '_';
        if ((rule->plain && !word) || (rule->flat && b == '.'))
            b = '_';
        out[i] = rule->lower && capital ? (char)(b | 0x20) : b;
    }
    out[len] = '\0';
    if (rule->longest && len > rule->longest)
        out[rule->longest] = '\0';
}

static bool name_same(const catalog_rule *rule, const char *a, const char *b)
{
    return (rule->cased ? strcmp(a, b) : strcasecmp(a, b)) == 0;
}

/* Among those before it that live in the same place; of a flat rule all do. */
static bool name_taken(const catalog *c, const catalog_rule *rule, catalog_name *names, uint16_t n)
{
    for (uint16_t i = 0; i < n; i++)
        if ((rule->flat || c->nodes[i].parent == c->nodes[n].parent) && name_same(rule, names[i], names[n]))
            return true;
    bool top = rule->flat || c->nodes[n].parent == CATALOG_NONE;
    for (size_t i = 0; top && rule->reserved && rule->reserved[i]; i++)
        if (name_same(rule, rule->reserved[i], names[n]))
            return true;
    return false;
}

catalog_name *catalog_names(const catalog *c, const catalog_rule *rule)
{
    catalog_name *names = calloc(c->count + 1u, sizeof *names);
    for (uint16_t n = 0; names && n < c->count; n++) {
        const catalog_node *node = &c->nodes[n];
        if (rule->flat && catalog_is_object(node))
            continue;
        catalog_fold(rule, rule->flat ? node->path : node->name, names[n]);
        size_t len = strlen(names[n]);
        if (rule->longest && len > rule->longest - CATALOG_SUFFIX_MAX)
            len = rule->longest - CATALOG_SUFFIX_MAX;
        for (unsigned more = 2; name_taken(c, rule, names, n); more++)
            (void)snprintf(names[n] + len, sizeof names[n] - len, "_%u", more);
    }
    return names;
}
