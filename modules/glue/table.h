/* A table of the Glue catalog: what it should be, and what an existing one needs to become that. Columns are
   added and widened; nothing else of an existing table is changed, and what differs is told. */
#ifndef GLUE_TABLE_H
#define GLUE_TABLE_H

#include "modules/glue/shape.h"
#include "plugins/common/catalog.h"

#define TABLE_BYTES_MAX (4u * 1024 * 1024)
#define TABLE_MARK      "streamsteam.module" /* a parameter of tables that setup made: the instance's name */

typedef struct table_spec {
    const shape *shape;
    const char *name;
    ss_str instance;
    bool projected;
    buf columns, parameters; /* of the catalog: catalog_glue_parts() */
} table_spec;

typedef struct table_report {
    buf text; /* a line for each difference */
    uint32_t added, widened, differs;
} table_report;

ss_str table_member(ss_str object, const char *name); /* raw JSON; empty: there is none */
bool table_text_is(ss_str json, const char *text);    /* is this JSON string that text? */
void table_input(const table_spec *t, buf *out);      /* TableInput of a new one */
/* have: the JSON of GetTable's Table. out: the TableInput to update it with. false: it is no table. */
bool table_merge(const table_spec *t, ss_str have, buf *out, table_report *r);
bool table_is_marked(ss_str have, ss_str instance);
/* The StorageDescriptor of a partition: the table's, at another place. */
void table_put_storage(ss_str storage, const char *location, buf *out);

#endif
