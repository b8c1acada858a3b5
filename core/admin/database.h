/* SQL for the server's own state: the same statements over SQLite (one node) or PostgreSQL (several nodes
   share one store). Text and integers only; parameters are $1, $2, ... and are always bound, never pasted.

   One handle is one connection. It holds a lock of its own: any thread may call, calls wait for each other
   and may block (disk, network): never from an event loop. A transaction keeps the lock from database_begin()
   to database_end(). A handle whose file was damaged, moved away or whose server went away mends itself: each
   call tries again, at most every DATABASE_RETRY_MS. */
#ifndef ADMIN_DATABASE_H
#define ADMIN_DATABASE_H

#include "core/base/error.h"

#define DATABASE_BUSY_MS  3000 /* how long a statement waits for another writer */
#define DATABASE_RETRY_MS 250  /* between attempts to open it again */

enum store_status {
    STORE_OK = 0,
    STORE_NOT_FOUND = 1,
    STORE_CONFLICT = 2, /* a row with that id is there already */
    STORE_INVALID = 3,  /* what was given cannot be stored: too long, not UTF-8 */
    STORE_BUSY = 4,     /* another process holds it, longer than DATABASE_BUSY_MS */
    STORE_DAMAGED = 5,  /* not a database, broken, or of a newer version */
    STORE_FULL = 6,     /* no space on the disk */
    STORE_AWAY = 7,     /* cannot be opened or reached */
    STORE_FAILED = 8    /* anything else; err says what */
};
const char *store_status_name(enum store_status status); /* "busy": for logs and metrics */

typedef struct database database;

typedef struct database_options {
    enum { DATABASE_SQLITE = 1, DATABASE_POSTGRES = 2 } kind;
    const char *path;       /* SQLite: the file, made with mode 0600 where it is missing */
    const char *connection; /* PostgreSQL: libpq's connection string or URL; a secret    */
    bool existing;          /* makes no file: a missing one is STORE_NOT_FOUND            */
} database_options;

/* Always gives a handle (NULL: out of memory only); opening happens at the first call. Copies the options. */
database *database_new(const database_options *options);
void database_free(database *db);
/* Opens now, and brings the tables to the present version (schema.c). */
enum store_status database_open(database *db, ss_error *err);
const char *database_place(const database *db); /* the path, or "PostgreSQL"; never the connection string */
bool database_is_postgres(const database *db);
/* Rises whenever it was opened anew: what was remembered of the store may be of another one. */
uint64_t database_epoch(database *db);

/* ---- statements ------------------------------------------------------------------------------ */

typedef struct database_value {
    enum { DATABASE_NULL = 0, DATABASE_INT = 1, DATABASE_TEXT = 2 } kind;
    int64_t number;
    ss_str text; /* borrowed for the call */
} database_value;

static inline database_value database_int(int64_t number)
{
    return (database_value){.kind = DATABASE_INT, .number = number};
}

static inline database_value database_text(ss_str text)
{
    return (database_value){.kind = DATABASE_TEXT, .text = text};
}

static inline database_value database_null(void)
{
    return (database_value){.kind = DATABASE_NULL};
}

typedef struct database_row database_row; /* valid during the visit */
bool database_row_null(const database_row *row, int column);
int64_t database_row_int(const database_row *row, int column);
ss_str database_row_text(const database_row *row, int column); /* "" for NULL */
/* false: enough, no more rows. Must not call the same handle. */
typedef bool (*database_visit)(void *arg, const database_row *row);

/* sql: a string literal, one statement: it is prepared once and kept by its address. values: $1 is values[0].
   visit may be NULL. changed: rows that were changed; may be NULL. STORE_OK also where there are no rows. */
enum store_status database_run(database *db, const char *sql, const database_value *values, size_t count,
                               database_visit visit, void *arg, int64_t *changed, ss_error *err);

/* A transaction that writes: waits for other writers first. After database_begin() the same thread calls
   database_run(), then database_end(): commit, or roll back (which always succeeds). SQLite syncs before a
   commit returns, PostgreSQL as its synchronous_commit says. */
enum store_status database_begin(database *db, ss_error *err);
enum store_status database_end(database *db, bool commit, ss_error *err);

/* ---- changes that other processes and nodes shall notice -------------------------------------- */

/* Within a transaction that writes: notes that a thing of that kind changed. kind: "app", "key", "iam".
   detail: what a reader needs where the row is gone; may be empty. The newest CHANGES_KEPT are kept. */
enum store_status database_note(database *db, const char *kind, ss_str id, ss_str detail, ss_error *err);
#define DATABASE_CHANGES_KEPT 10000

typedef struct database_change {
    int64_t seq; /* rises by at least 1 with each */
    ss_str kind, id, detail;
} database_change;
/* The number of the newest change. Cheap: SQLite asks the file only where another connection wrote. */
enum store_status database_newest(database *db, int64_t *seq, ss_error *err);
/* Visits those after `after`, oldest first. STORE_NOT_FOUND: some of them are not kept any more (or the store
   is another one): read everything anew. */
enum store_status database_changes(database *db, int64_t after,
                                   void (*visit)(void *arg, const database_change *change), void *arg,
                                   ss_error *err);

#endif
