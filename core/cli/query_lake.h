/* streamsteam query --lake: the question goes to a module lake, which has DuckDB read its files. */
#ifndef CLI_QUERY_LAKE_H
#define CLI_QUERY_LAKE_H

#include "core/config/config.h"
#include "plugins/common/warehouse_read.h"

/* module: the instance, or NULL where there is one. CLI_OK; else *fault says why, or it was said already and
   fault->kind is 0. */
int query_lake(const config *c, const char *module, const char *sql, const warehouse_limits *limits,
               int64_t from_us, int64_t to_us, const warehouse_rows *rows, warehouse_fault *fault);

#endif
