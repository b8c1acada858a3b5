/* What the two ways to read a warehouse share. Not for others. */
#ifndef COMMON_WAREHOUSE_READ_INSIDE_H
#define COMMON_WAREHOUSE_READ_INSIDE_H

#include "plugins/common/warehouse_read.h"

#define WAREHOUSE_COLUMNS_MAX 2000u /* SQLite's own limit; PostgreSQL stops at 1,664 */

bool warehouse_read_sqlite(const char *path, const char *sql, const warehouse_limits *limits,
                           const warehouse_rows *to, warehouse_fault *fault);
bool warehouse_read_postgres(const char *conninfo, const char *sql, const warehouse_limits *limits,
                             const warehouse_rows *to, warehouse_fault *fault);

/* Always false, so that it can be returned. */
bool warehouse_fail(warehouse_fault *fault, uint32_t kind, int64_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool warehouse_late(warehouse_fault *fault, const warehouse_limits *limits);
int64_t warehouse_now_ms(void);
/* A double as JSON has it, with a point or an exponent, so that it is seen to be one; infinities are texts.
 */
warehouse_cell warehouse_double(double value, char *out, size_t size);

#endif
