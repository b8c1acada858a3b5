/* SQLite's write-ahead log on the disk. A process that was killed between a commit and its sync leaves the
   commit in the page cache: whoever opens the file next reads it, and must not build on it (let a journal
   segment go, tell somebody) before it is on the disk, since a power cut still takes it. So whoever opens a
   file that others rely on calls wal_sync_first() before it reads. Source: SQLite's documentation of "PRAGMA
   synchronous" promises durability to the process that commits, not to the one that comes after it. */
#ifndef COMMON_WAL_SYNC_H
#define COMMON_WAL_SYNC_H

#include <sqlite3.h>
#include <stddef.h>

/* Both return SQLite's code. What the log does not have is in the main file, which SQLite syncs before it
   starts a log anew. */
static inline int wal_sync(sqlite3 *handle)
{
    sqlite3_file *wal = NULL;
    int rc = sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (rc == SQLITE_OK && wal && wal->pMethods)
        rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
    return rc;
}

static inline int wal_sync_first(sqlite3 *handle)
{
    /* Reading something opens the log. */
    int rc = sqlite3_exec(handle, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
    return rc == SQLITE_OK ? wal_sync(handle) : rc;
}

#endif
