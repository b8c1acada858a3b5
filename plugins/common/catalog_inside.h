/* What the formats of the catalog share; nobody else. */
#ifndef COMMON_CATALOG_INSIDE_H
#define COMMON_CATALOG_INSIDE_H

#include "plugins/common/catalog.h"

#define CATALOG_NONE       0xFFFFu
#define CATALOG_NODES_MAX  (CATALOG_FIELDS_MAX * 2u)
#define CATALOG_SUFFIX_MAX 6u /* _2, _3, ...: fewer than a million fields */
#define CATALOG_OBJECT     0u /* type of an object, beside enum ss_field_type */
#define CATALOG_TYPES      (SS_FIELD_JSON + 1)

typedef struct catalog_node {
    ss_str name;    /* last part of the path */
    ss_str path;    /* geo_info.loc.longitude */
    ss_field field; /* of an object: all zero */
    const char *from;
    uint16_t parent, first, last, next; /* or CATALOG_NONE */
} catalog_node;

struct catalog {
    catalog_node nodes[CATALOG_NODES_MAX];
    uint16_t count, first, last;
};

static inline bool catalog_is_object(const catalog_node *n)
{
    return n->field.type == CATALOG_OBJECT;
}

/* How a format wants names. Where two fold into one, the later gets _2, _3, ... */
typedef struct catalog_rule {
    bool flat;                   /* no objects: parts are joined with '_' */
    bool plain;                  /* letters, digits and '_' alone         */
    bool lower;                  /* no capitals                           */
    bool cased;                  /* names may differ in capitals alone    */
    size_t longest;              /* bytes of a name; 0 = no limit         */
    const char *const *reserved; /* names at the top that are taken, NULL at the end; or NULL */
} catalog_rule;

typedef char catalog_name[CATALOG_NAME_SIZE];
/* One per node; to be freed. Of a flat rule objects have none. NULL: no memory. */
catalog_name *catalog_names(const catalog *c, const catalog_rule *rule);
/* A table's name by the same rule. */
void catalog_fold(const catalog_rule *rule, ss_str text, catalog_name out);

/* The receiver's folder in the lake and what is below; into a buf that it makes. */
void catalog_location(const catalog_target *target, const char *below, buf *out);
/* The folders of the lake's default layout below the receiver's, NULL at the end. */
extern const char *const catalog_partitions[];
bool catalog_is_partition(const char *name);

/* Texts that must stay on one line: control characters become blanks. NULL is empty. */
static inline void catalog_put_char(buf *out, char b)
{
    buf_add(out, (unsigned char)b < ' ' ? " " : &b, 1);
}
void catalog_put_line(buf *out, const char *text);

typedef bool catalog_writer(const catalog *c, const catalog_target *target, buf *out);
catalog_writer catalog_text, catalog_markdown, catalog_parquet, catalog_glue, catalog_opensearch;
catalog_writer catalog_sqlite, catalog_postgres, catalog_redshift, catalog_flink, catalog_spark;

#endif
