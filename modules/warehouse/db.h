/* The database behind the tables: SQLite or PostgreSQL, in the few words that the rest of the module needs.
   Statements have $1, $2, ... in order, which both understand. One thread.

   Results are enum ss_status: SS_RETRY (busy, full, away: may work later), SS_PAUSE (damaged, no rights,
   wrong password: somebody has to mend it), SS_REJECT (these values are not taken), SS_FATAL (the statement
   is wrong: the schema is not what it was). */
#ifndef WAREHOUSE_DB_H
#define WAREHOUSE_DB_H

#include <limits.h>

#include "plugins/common/shape.h"

#define DB_NAME_MAX 128u

typedef struct db db;

typedef struct table {
    ss_str receiver;        /* owned */
    char name[DB_NAME_MAX]; /* not quoted */
    shape shape;
    bool ready; /* made and looked at since the database was opened */
    /* Documents with a name and a version have one row each, the newest: the shape's columns. SHAPE_NONE:
       rows are events, each stays. */
    uint16_t id, version;
    void *statement, *older; /* SQLite's: INSERT; the DELETE before it, of tables with an id */
    buf pending;             /* PostgreSQL's: rows for COPY */
    uint64_t rows;           /* in this transaction */
    struct table *next;
} table;

typedef struct db_row { /* what every row has beside its cells */
    uint64_t seq, load;
    int64_t receive_us, event_us;
} db_row;

typedef void db_visit(void *arg, const char *const *cells, int count); /* texts, NULL = null */

typedef struct db_ops {
    const char *format;          /* of the catalog: "sqlite" */
    const char *bookkeeping;     /* the tables beside the receivers' */
    const char *own_columns;     /* how each table begins: ss_seq ... */
    const char *table_tail;      /* what follows its last column */
    const char *lock;            /* behind a SELECT that reads the position */
    const char *schema_lock;     /* first statement of a transaction that changes the schema, or NULL */
    const char *row_name;        /* what tells rows of a table apart */
    const char *columns_of;      /* SELECT name, type of the columns of the table $1 */
    const char *object_of;       /* SELECT of one row where a table or view $1 exists */
    const char *delete_received; /* of the quoted table (%s, three times) $2 rows that came before $1 */
    const char *delete_event;
    void (*close)(db *d);
    int32_t (*open)(db *d, ss_error *err);
    bool (*is_open)(const db *d);
    int32_t (*run)(db *d, const char *sql, ss_error *err);
    int32_t (*ask)(db *d, const char *sql, const char *const *values, int count, db_visit *visit, void *arg,
                   uint64_t *changed, ss_error *err);
    int32_t (*prepare)(db *d, table *t, ss_error *err);
    void (*forget)(db *d, table *t);
    int32_t (*begin)(db *d, ss_error *err);
    int32_t (*put)(db *d, table *t, const row *r, const db_row *own, ss_error *err);
    int32_t (*flush)(db *d, table *t, ss_error *err); /* what put() keeps back */
    int32_t (*commit)(db *d, ss_error *err);
    void (*rollback)(db *d);
    void (*rest)(db *d); /* little is loaded now: memory that only a flood needs goes back */
    /* After rows were deleted; false: nothing more to do for now. */
    bool (*shrink)(db *d, ss_error *err);
    uint32_t (*type_of)(
        const char *type); /* of an existing column: enum ss_field_type; 0 = not one of ours */
} db_ops;

struct db {
    const db_ops *ops;
    const ss_host *host;
    const ss_config *cfg;
    char path[PATH_MAX]; /* SQLite */
    uint64_t wal_max;
    bool in_transaction;
};

extern const db_ops db_sqlite, db_postgres;

db *db_new_sqlite(void);
db *db_new_postgres(void);
void db_free(db *d);

/* The first cell of the first row as a number; found (or NULL) says whether there is one. */
int32_t db_number(db *d, const char *sql, const char *const *values, int count, uint64_t *out, bool *found,
                  ss_error *err);
uint32_t db_hash(ss_str name); /* PostgreSQL cuts names: the number keeps them apart */
int32_t db_do(db *d, const char *sql, const char *const *values, int count, ss_error *err);

#endif
