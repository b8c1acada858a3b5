/* Access keys in memory, for those who must not block: read anew from the database when that changed. Few
   keys, so a sorted list. Any thread; a load on one thread at a time. */
#ifndef ADMIN_KEYRING_H
#define ADMIN_KEYRING_H

#include "core/admin/iam.h"

typedef struct keyring keyring;

keyring *keyring_new(void); /* NULL: out of memory */
void keyring_free(keyring *k);
/* Blocks on the database. What was there before stays where it fails. */
enum store_status keyring_load(keyring *k, database *db, ss_error *err);
/* Never loaded: false, and *known is false. *out is a copy; see iam_forget(). */
bool keyring_find(keyring *k, ss_str id, iam_key *out, bool *known);

#endif
