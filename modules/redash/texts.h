/* The game part's saved queries as Redash gets them: the text in its data source's language, and a chart. */
#ifndef REDASH_TEXTS_H
#define REDASH_TEXTS_H

#include "plugins/common/grow.h"

enum text_dialect { TEXT_SQLITE, TEXT_POSTGRES, TEXT_ATHENA };

typedef struct redash_query {
    const char *name, *doc;
    const char *kind, *x, *y, *series; /* of its chart: column, line; kind NULL: a table alone */
} redash_query;

extern const redash_query redash_queries[]; /* ends with name == NULL */

/* table: "database"."table", for Athena alone. */
bool redash_sql(const redash_query *q, enum text_dialect dialect, ss_str table, grow *out);
void redash_chart(const redash_query *q, grow *out); /* options of a visualization of the type CHART */

#endif
