/* What the files of the database share: the handle and the two backends. */
#ifndef ADMIN_DATABASE_INSIDE_H
#define ADMIN_DATABASE_INSIDE_H

#include <pthread.h>
#include <sys/stat.h>

#include "core/admin/database.h"

#define DATABASE_STATEMENTS_MAX 128u /* different ones of one handle */
#define DATABASE_PARAMS_MAX     16u

typedef struct database_backend {
    /* The connection alone; STORE_NOT_FOUND as database_options.existing says. */
    enum store_status (*open)(database *db, ss_error *err);
    void (*close)(database *db);
    /* Several statements without parameters and rows. */
    enum store_status (*script)(database *db, const char *sql, ss_error *err);
    enum store_status (*run)(database *db, const char *sql, const database_value *values, size_t count,
                             database_visit visit, void *arg, int64_t *changed, ss_error *err);
    /* Is it still the store that was opened? False: it has to be opened anew. */
    bool (*same)(database *db);
    /* False: nothing was written since this was last asked, by others or through this handle. */
    bool (*moved)(database *db);
    bool (*null)(const database_row *row, int column);
    int64_t (*number)(const database_row *row, int column);
    ss_str (*text)(const database_row *row, int column);
    const char *begin, *begin_lock; /* the second one as a statement of its own, or NULL */
} database_backend;

extern const database_backend database_sqlite, database_postgres;

struct database_row {
    const database_backend *backend;
    void *result; /* of the backend */
    int number;   /* PostgreSQL: of the row */
};

struct database {
    const database_backend *backend;
    database_options options;
    pthread_mutex_t lock; /* recursive: a transaction holds it */
    bool is_open, in_transaction, wrote;
    uint64_t epoch;
    int64_t next_try_us, newest;
    enum store_status last; /* why it could not be opened */
    ss_error last_err;
    void *connection; /* the backend's */
    struct {
        const char *sql;
        void *prepared;
    } statements[DATABASE_STATEMENTS_MAX];
    size_t statement_count;
    dev_t device; /* SQLite: the file that is open */
    ino_t inode;
    int64_t data_version;
};

/* schema.c: makes what is missing, one step of a version after the other, in one transaction. */
enum store_status database_upgrade(database *db, ss_error *err);
/* Fills err with "PLACE: cannot DOING: WHY; REMEDY" and gives status back. */
enum store_status database_fail(const database *db, enum store_status status, const char *doing,
                                const char *why, ss_error *err);

#endif
