/* The schema: bookkeeping, the tables of receivers with their indexes, the views. All of it can be made again
   at any time. */
#ifndef WAREHOUSE_TABLES_H
#define WAREHOUSE_TABLES_H

#include "modules/warehouse/db.h"

#define TABLES_MAX 256u
#define SQL_MAX    (4u << 20) /* bytes of one statement */

typedef struct tables {
    db *db;
    const ss_host *host;
    const ss_config *cfg;  /* tables, indexes, views */
    const char *age_index; /* the column by which old rows are looked for, or NULL */
    table *first;          /* owned */
    size_t count;
    table *last_used;
} tables;

void tables_init(tables *s, db *d, const ss_host *host, const ss_config *cfg);
void tables_free(tables *s);
/* After the database was opened: bookkeeping, the tables that the configuration names, the views. */
int32_t tables_make(tables *s, ss_error *err);
void tables_forget(tables *s); /* the database was closed */
/* That of a receiver, ready to take rows. It is made where it is not there: never inside a transaction. */
int32_t tables_of(tables *s, ss_str receiver, table **out, ss_error *err);
int32_t tables_drop_views(tables *s, ss_error *err);
bool tables_name_valid(ss_str name);

/* Between the files of the schema. */
int32_t tables_schema_begin(tables *s, ss_error *err);
int32_t tables_schema_end(tables *s, int32_t rc, ss_error *err);
bool tables_has_columns(const table *t, ss_str names);
/* tables_latest.c: is it a table of documents, of which the newest counts? Then t->id and t->version say
 * where. */
void tables_find_id(table *t);
int32_t tables_make_unique(tables *s, table *t, ss_error *err);
int32_t tables_make_views(tables *s, table *t, ss_error *err);

#endif
