/* The rows of a query as a table, as CSV or as JSON. */
#ifndef CLI_QUERY_PRINT_H
#define CLI_QUERY_PRINT_H

#include <stdio.h>

#include "plugins/common/warehouse_read.h"

#define QUERY_CELL_COLUMNS_MAX 80 /* of a table, on the screen; what is longer ends with an ellipsis */

enum query_format { QUERY_TABLE, QUERY_CSV, QUERY_JSON };

typedef struct query_print query_print;

/* limit: of rows, 0 = none. bytes: what a table may hold before it is printed, since its columns are as wide
   as their widest cell. NULL: no memory. */
query_print *query_print_new(FILE *to, enum query_format format, int64_t limit, int64_t bytes);
void query_print_free(query_print *p);
warehouse_rows query_print_rows(query_print *p); /* for warehouse_read() */
/* After the last row. 0, or why it could not be printed: a constant sentence. */
const char *query_print_end(query_print *p);

/* "table", "csv", "json" */
bool query_format_read(const char *text, enum query_format *out);

#endif
