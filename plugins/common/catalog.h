/* The fields of one receiver and its enrichers as schemas for others: DDL, mappings, the manual. Fields in,
   text out: where the list comes from (plugins, the configuration, host->catalog) is the caller's affair.
   Texts are borrowed for the catalog's life. Not thread-safe. docs/catalog.md tells how names and types are
   mapped. */
#ifndef COMMON_CATALOG_H
#define COMMON_CATALOG_H

#include "plugins/common/buf.h"
#include "streamsteam/plugin.h"

#define CATALOG_FIELDS_MAX      1024u /* as many as an event can have            */
#define CATALOG_BYTES_MAX       (4u * 1024 * 1024)
#define CATALOG_FIELD_NAME_MAX  128u                           /* bytes of a field's name, dots included    */
#define CATALOG_FIELD_DEPTH_MAX 8u                             /* objects within objects                    */
#define CATALOG_NAME_SIZE       (CATALOG_FIELD_NAME_MAX + 16u) /* a name, a suffix that makes it unique, NUL */

typedef struct catalog catalog;

catalog *catalog_new(void); /* NULL: no memory */
void catalog_free(catalog *c);
/* A dotted name goes into its objects, which are made as needed. from: what declares it, for the manual.
   false with err: too many, the name is no field name, or it stands in the catalog already. */
bool catalog_add(catalog *c, const ss_field *field, const char *from, ss_error *err);

typedef struct catalog_target {
    const char *receiver;
    const char *table;    /* name of the table, index or message               */
    const char *location; /* root of the lake, for formats that read its files */
} catalog_target;

/* The names of all formats, NULL at the end: text, markdown, then the machines'. */
extern const char *const catalog_formats[];
/* true where a second catalog may not follow in one text: the format is one JSON value. */
bool catalog_is_single(const char *format);
/* false: no such format, or no memory. out->failed where the text is larger than its limit. */
bool catalog_print(const catalog *c, const char *format, const catalog_target *target, buf *out);

/* ---- for those who make the tables themselves ---- */

typedef struct catalog_column {
    char name[CATALOG_NAME_SIZE]; /* as the format names it, not quoted; dotted where it has objects */
    const char *type;             /* in the format's words: "TEXT"        */
    uint32_t field_type, flags;   /* enum ss_field_type, ss_field_flag    */
    ss_str path;                  /* geo_info.loc.longitude: the field    */
    const char *doc;              /* or NULL                              */
} catalog_column;

/* The columns of a flat format (sqlite, postgres, redshift_flat) or of parquet, the same as in its DDL unless
   reserved (NULL at the end, or NULL) takes a name. Owned by the caller: free(). NULL: another format, or no
   memory. */
catalog_column *catalog_columns(const catalog *c, const char *format, const char *const *reserved,
                                size_t *count);
/* Glue: the table's columns as a JSON list, and members of SerdeInfo's Parameters, as in its TableInput.
   reserved: names of partition keys, NULL at the end. false: no memory. */
bool catalog_glue_parts(const catalog *c, const char *const *reserved, buf *columns, buf *parameters);
/* A name in double quotes, a text in single ones, as SQLite and PostgreSQL have them. */
void catalog_put_name(buf *out, const char *name);
void catalog_put_text(buf *out, const char *text);

#endif
