/* The fields of one receiver and its enrichers as schemas for others: DDL, mappings, the manual. Fields in,
   text out: where the list comes from (plugins, the configuration, host->catalog) is the caller's affair.
   Texts are borrowed for the catalog's life. Not thread-safe. docs/catalog.md tells how names and types are
   mapped. */
#ifndef EVENT_CATALOG_H
#define EVENT_CATALOG_H

#include "core/base/buf.h"
#include "streamsteam/plugin.h"

#define CATALOG_FIELDS_MAX 1024u /* as many as an event can have            */
#define CATALOG_BYTES_MAX  (4u * 1024 * 1024)

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

#endif
