/* Between the files of the spark store. */
#ifndef COMMON_SPARK_STORE_INSIDE_H
#define COMMON_SPARK_STORE_INSIDE_H

#include <sqlite3.h>

#include "plugins/common/spark_store.h"

/* types: i = int64_t, t = ss_str, c = const char * (NULL is NULL). The texts must live until it is reset. */
sqlite3_stmt *spark_bound(spark_store *s, const char *sql, const char *types, ...);
/* A statement without rows. */
bool spark_done(spark_store *s, sqlite3_stmt *q);
/* How long a manifest's name is up to "-<20 digits>-<20 digits>.json"; 0: it has not that form. */
size_t spark_stream_len(ss_str name);

#endif
