/* One file, in WAL mode: readers never wait for a writer, and other processes see a commit at once. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/admin/database_inside.h"
#include "core/base/file.h"
#include "plugins/common/wal_sync.h"

#define FILE_MODE 0600 /* keys stand in it */
#define DIR_MODE  0750

static const char pragmas[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                              "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-2048;"
                              "PRAGMA journal_size_limit=4194304; PRAGMA trusted_schema=OFF;";

static enum store_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return STORE_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STORE_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STORE_DAMAGED;
    case SQLITE_FULL:
        return STORE_FULL;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return STORE_AWAY;
    case SQLITE_CONSTRAINT:
        return STORE_CONFLICT;
    default:
        return STORE_FAILED;
    }
}

static enum store_status fail(database *db, const char *doing, ss_error *err)
{
    sqlite3 *c = db->connection;
    int code = c ? sqlite3_errcode(c) : SQLITE_NOMEM;
    enum store_status status = status_of(code);
    return database_fail(db, status == STORE_OK ? STORE_FAILED : status, doing,
                         c ? sqlite3_errmsg(c) : "out of memory", err);
}

/* ---- the file --------------------------------------------------------------------------------- */

/* Made here and not by SQLite, so that nobody else can read it at any time. A person who runs a verb as root
   leaves a file that the server's user may open. */
static int make_file(const char *path)
{
    char dir[PATH_MAX];
    struct stat st;
    (void)snprintf(dir, sizeof dir, "%s", path);
    const char *parent = dirname(dir);
    if (file_make_dirs(parent, DIR_MODE) != 0)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return errno == EEXIST ? 0 : -1;
    if (geteuid() == 0 && stat(parent, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) != 0)
        errno = 0; /* it stays root's */
    (void)close(fd);
    return file_sync_dir(parent);
}

static enum store_status find_file(database *db, ss_error *err)
{
    const char *path = db->options.path;
    struct stat st;
    bool there = stat(path, &st) == 0;
    if (!there && errno == ENOENT && !db->options.existing)
        there = make_file(path) == 0 && stat(path, &st) == 0;
    if (!there) {
        enum store_status status = errno == ENOENT && db->options.existing ? STORE_NOT_FOUND
                                   : errno == ENOSPC                       ? STORE_FULL
                                                                           : STORE_AWAY;
        return database_fail(db, status, "open it", strerror(errno), err);
    }
    if (st.st_mode & 077)
        (void)chmod(path, FILE_MODE); /* not ours: then it stays as its owner wanted it */
    db->device = st.st_dev;
    db->inode = st.st_ino;
    return STORE_OK;
}

static enum store_status connect_file(database *db, ss_error *err)
{
    sqlite3 *c = NULL;
    enum store_status status = find_file(db, err);
    if (status != STORE_OK)
        return status;
    int rc = sqlite3_open_v2(db->options.path, &c, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    db->connection = c;
    if (rc != SQLITE_OK)
        return fail(db, "open it", err);
    (void)sqlite3_extended_result_codes(c, 1);
    (void)sqlite3_busy_timeout(c, DATABASE_BUSY_MS);
    db->data_version = -1;
    bool ready = sqlite3_exec(c, pragmas, NULL, NULL, NULL) == SQLITE_OK && wal_sync_first(c) == SQLITE_OK;
    return ready ? STORE_OK : fail(db, "open it", err);
}

/* One at a time: closing a descriptor of a file drops the locks that another handle of this process has on
   it, so that the one of make_file() must be closed before anybody else opens the file. */
static enum store_status sqlite_open(database *db, ss_error *err)
{
    static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
    (void)pthread_mutex_lock(&opening);
    enum store_status status = connect_file(db, err);
    (void)pthread_mutex_unlock(&opening);
    return status;
}

static void sqlite_close(database *db)
{
    for (size_t i = 0; i < db->statement_count; i++)
        (void)sqlite3_finalize(db->statements[i].prepared);
    (void)sqlite3_close(db->connection);
    db->connection = NULL;
}

static bool sqlite_same(database *db)
{
    struct stat st;
    return stat(db->options.path, &st) == 0 && st.st_dev == db->device && st.st_ino == db->inode;
}

/* ---- statements ------------------------------------------------------------------------------- */

static enum store_status sqlite_script(database *db, const char *sql, ss_error *err)
{
    if (strcmp(sql, "ROLLBACK") == 0 && sqlite3_get_autocommit(db->connection))
        return STORE_OK; /* SQLite rolled back itself, as it does on a full disk */
    return sqlite3_exec(db->connection, sql, NULL, NULL, NULL) == SQLITE_OK ? STORE_OK
                                                                            : fail(db, "write", err);
}

static sqlite3_stmt *statement(database *db, const char *sql)
{
    for (size_t i = 0; i < db->statement_count; i++)
        if (db->statements[i].sql == sql)
            return db->statements[i].prepared;
    sqlite3_stmt *made = NULL;
    if (db->statement_count == DATABASE_STATEMENTS_MAX ||
        sqlite3_prepare_v3(db->connection, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, NULL) != SQLITE_OK)
        return NULL;
    db->statements[db->statement_count].sql = sql;
    db->statements[db->statement_count++].prepared = made;
    return made;
}

static void bind(sqlite3_stmt *stmt, const database_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "$%zu", i + 1);
        int at = sqlite3_bind_parameter_index(stmt, name); /* 0: not in the statement, and not bound */
        if (at > 0 && values[i].kind == DATABASE_INT)
            (void)sqlite3_bind_int64(stmt, at, values[i].number);
        else if (at > 0 && values[i].kind == DATABASE_TEXT)
            (void)sqlite3_bind_text64(stmt, at, values[i].text.len ? values[i].text.ptr : "",
                                      values[i].text.len, SQLITE_STATIC, SQLITE_UTF8);
    }
}

static enum store_status sqlite_run(database *db, const char *sql, const database_value *values, size_t count,
                                    database_visit visit, void *arg, int64_t *changed, ss_error *err)
{
    sqlite3_stmt *stmt = statement(db, sql);
    if (!stmt)
        return fail(db, "read or write", err);
    bind(stmt, values, count);
    database_row row = {.backend = &database_sqlite, .result = stmt};
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && visit && visit(arg, &row))
        ;
    enum store_status status =
        rc == SQLITE_DONE || rc == SQLITE_ROW ? STORE_OK : fail(db, "read or write", err);
    if (changed)
        *changed = sqlite3_changes64(db->connection);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return status;
}

static bool sqlite_null(const database_row *row, int column)
{
    return sqlite3_column_type(row->result, column) == SQLITE_NULL;
}

static int64_t sqlite_int(const database_row *row, int column)
{
    return sqlite3_column_int64(row->result, column);
}

static ss_str sqlite_text(const database_row *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row->result, column);
    return ss_s(text ? text : "", text ? (size_t)sqlite3_column_bytes(row->result, column) : 0);
}

static bool take_number(void *arg, const database_row *row)
{
    *(int64_t *)arg = sqlite3_column_int64(row->result, 0);
    return false;
}

static bool sqlite_moved(database *db)
{
    int64_t version = -1;
    ss_error ignored = error_init();
    if (sqlite_run(db, "PRAGMA data_version", NULL, 0, take_number, &version, NULL, &ignored) != STORE_OK)
        return true; /* the next statement says why */
    bool moved = version != db->data_version;
    db->data_version = version;
    return moved;
}

const database_backend database_sqlite = {.open = sqlite_open,
                                          .close = sqlite_close,
                                          .script = sqlite_script,
                                          .run = sqlite_run,
                                          .same = sqlite_same,
                                          .moved = sqlite_moved,
                                          .null = sqlite_null,
                                          .number = sqlite_int,
                                          .text = sqlite_text,
                                          .begin = "BEGIN IMMEDIATE"};
