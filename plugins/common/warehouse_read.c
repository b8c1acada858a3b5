#include "plugins/common/warehouse_read.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "plugins/common/json.h"
#include "plugins/common/warehouse_read_inside.h"

bool warehouse_read(const warehouse_source *from, const char *sql, const warehouse_limits *limits,
                    const warehouse_rows *to, warehouse_fault *fault)
{
    *fault = (warehouse_fault){.at = -1, .error = {.struct_size = sizeof(ss_error)}};
    return from->dialect == SQL_SQLITE ? warehouse_read_sqlite(from->where, sql, limits, to, fault)
                                       : warehouse_read_postgres(from->where, sql, limits, to, fault);
}

const char *warehouse_relations(enum sql_dialect dialect)
{
    if (dialect == SQL_SQLITE)
        return "SELECT m.name, m.type AS kind, (SELECT group_concat(c.name, ', ') FROM "
               "pragma_table_info(m.name) AS c) "
               "AS columns\n"
               "FROM sqlite_schema AS m\n"
               "WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!'\n"
               "ORDER BY m.type, m.name";
    return "SELECT t.table_name AS name, CASE t.table_type WHEN 'VIEW' THEN 'view' ELSE 'table' END AS kind, "
           "string_agg(c.column_name, ', ' ORDER BY c.ordinal_position) AS columns\n"
           "FROM information_schema.tables AS t JOIN information_schema.columns AS c USING (table_schema, "
           "table_name)\n"
           "WHERE t.table_schema = current_schema()\n"
           "GROUP BY 1, 2\n"
           "ORDER BY 2, 1";
}

bool warehouse_fail(warehouse_fault *fault, uint32_t kind, int64_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(fault->error.text, sizeof fault->error.text, format, args);
    va_end(args);
    fault->kind = kind;
    fault->at = at;
    return false;
}

bool warehouse_late(warehouse_fault *fault, const warehouse_limits *limits)
{
    return warehouse_fail(
        fault, WAREHOUSE_TIME, -1,
        "it was ended after %.3g s; ask for less, for example by event_timestamp, or give it more time",
        (double)limits->timeout_ms / 1000);
}

int64_t warehouse_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

warehouse_cell warehouse_double(double value, char *out, size_t size)
{
    if (!isfinite(value)) {
        const char *text = isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
        return (warehouse_cell){.kind = WAREHOUSE_TEXT, .text = ss_cstr(text)};
    }
    char digits[64];
    size_t len = json_put_double(digits, value);
    bool plain = !memchr(digits, '.', len) && !memchr(digits, 'e', len) && !memchr(digits, 'E', len);
    int n = snprintf(out, size, "%.*s%s", (int)len, digits, plain ? ".0" : "");
    return (warehouse_cell){.kind = WAREHOUSE_NUMBER, .text = ss_s(out, n > 0 ? (size_t)n : 0)};
}
