/* One question to a warehouse, SQLite file or PostgreSQL database, that changes nothing: read-only, one
   SELECT, bounded in time and memory, while the server goes on writing. For programs that ask once and end:
   SQLite's limit of memory holds for the whole process. Not thread-safe. */
#ifndef COMMON_WAREHOUSE_READ_H
#define COMMON_WAREHOUSE_READ_H

#include "plugins/common/game_sql.h"
#include "streamsteam/plugin.h"

#define WAREHOUSE_MEMORY_MIN (4ll * 1024 * 1024) /* less than this and SQLite cannot even begin */

typedef struct warehouse_source {
    enum sql_dialect dialect;
    const char *where; /* SQLite: path of the file. PostgreSQL: conninfo, may hold a password */
} warehouse_source;

typedef struct warehouse_limits {
    int64_t timeout_ms;
    int64_t memory_bytes; /* SQLite: everything; PostgreSQL: one row on our side, its server has limits of its
                             own */
} warehouse_limits;

enum warehouse_cell_kind {
    WAREHOUSE_NULL = 0,
    WAREHOUSE_NUMBER = 1, /* text is a number as JSON writes it */
    WAREHOUSE_BOOL = 2,   /* "true", "false"                    */
    WAREHOUSE_TEXT = 3,
    WAREHOUSE_BYTES = 4
};

typedef struct warehouse_cell {
    uint32_t kind;
    ss_str text; /* borrowed for the call of row() */
} warehouse_cell;

typedef struct warehouse_rows {                                         /* who takes them */
    bool (*columns)(void *arg, const char *const *names, size_t count); /* once, before the rows */
    bool (*row)(void *arg, const warehouse_cell *cells, size_t count);
    void *arg; /* both: false = enough, which is no failure */
} warehouse_rows;

enum warehouse_fault_kind {
    WAREHOUSE_UNREACHABLE = 1, /* no such file or database, no right to it, not a warehouse */
    WAREHOUSE_SQL = 2,         /* the text is wrong                                         */
    WAREHOUSE_REFUSED = 3,     /* it is more than one SELECT                                */
    WAREHOUSE_TIME = 4,
    WAREHOUSE_MEMORY = 5,
    WAREHOUSE_FAILED = 6 /* while it ran: damage, an impossible value */
};

typedef struct warehouse_fault {
    uint32_t kind;
    int64_t at; /* byte of the SQL text that it is about; -1: unknown */
    ss_error error;
} warehouse_fault;

/* false: fault says why. */
bool warehouse_read(const warehouse_source *from, const char *sql, const warehouse_limits *limits,
                    const warehouse_rows *to, warehouse_fault *fault);

/* The tables and views that there are, as a query of that dialect: name, kind, columns. */
const char *warehouse_relations(enum sql_dialect dialect);

#endif
