/* The local copy of a store that others hold: read as a whole now and then, compared with the local tables in
   SQL, and only what differs is changed and noted, so that whoever follows the local database (authorizer,
   other processes of this node) hears of it as of any change.

   A change of this node's goes to the remote store first, then into the local tables, where
   mirror_touch() notes it: a reading that had begun before must not undo it. */
#ifndef ADMIN_MIRROR_H
#define ADMIN_MIRROR_H

#include "core/admin/remote.h"

/* db: SQLite, for writing; not within a transaction. Not STORE_OK: nothing was changed. */
enum store_status mirror_pull(remote *r, database *db, ss_error *err);

/* Within the transaction that changes the row. key_id: empty for an application. */
enum store_status mirror_touch(database *db, ss_str app_id, ss_str key_id, ss_error *err);

#endif
