/* Files of lines as a table function of DuckDB: each line as a row of the catalog's columns, as a Parquet
   lake has them. Several scans of one set may run within a query; one thread. */
#ifndef LAKE_QUERY_SCAN_H
#define LAKE_QUERY_SCAN_H

#include "plugins/common/lake_lines.h"
#include "plugins/common/parquet.h"

typedef struct scan_set {
    const char *lake;
    const lake_file **files; /* owned: the list; of lines alone */
    size_t count;
    parquet_columns *columns; /* owned */
} scan_set;

/* The function NAME(). The set must live as long as the instance. false: err. */
bool scan_register(duck *d, const char *name, scan_set *set, ss_error *err);
void scan_set_free(scan_set *set);

#endif
