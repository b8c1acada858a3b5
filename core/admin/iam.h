/* Access keys for requests that are signed with SigV4, as AWS' IAM has them: an id that is public, a secret
   that signs, policies that say what they may do. They lie beside the applications in the same database;
   secrets must be there in clear, because a signature can only be checked by making it again.
   Everything but the pure functions at the end blocks on the database. Any thread. */
#ifndef ADMIN_IAM_H
#define ADMIN_IAM_H

#include "core/admin/database.h"

#define IAM_ID_LEN        20u /* AKIA or ASIA, and 16 of A-Z 2-7 */
#define IAM_ID_SIZE       (IAM_ID_LEN + 1u)
#define IAM_SECRET_LEN    40u
#define IAM_SECRET_SIZE   (IAM_SECRET_LEN + 1u)
#define IAM_TOKEN_LEN     88u
#define IAM_TOKEN_SIZE    (IAM_TOKEN_LEN + 1u)
#define IAM_POLICIES_SIZE 512u
#define IAM_NAME_SIZE     129u
#define IAM_KEYS_MAX      4096u  /* a keyring holds no more, and none more can be created */
#define IAM_SEEN_MAX      262144 /* signatures of changing calls that are remembered at the same time */
#define IAM_LIFE_MAX_S    (366 * 86400)

typedef struct iam_key {
    char id[IAM_ID_SIZE], secret[IAM_SECRET_SIZE];
    char token[IAM_TOKEN_SIZE]; /* "": none, it is a lasting key; else requests must bring it */
    char policies[IAM_POLICIES_SIZE];
    char name[IAM_NAME_SIZE];
    bool enabled;
    int64_t created_s, updated_s, expires_s; /* expires_s 0: never */
} iam_key;

/* policies: see iam_policies_problem(). life_s: 0 = a lasting key; else a temporary one, with a session
   token. *out has the secret: the only time that it is shown. */
enum store_status iam_create(database *db, ss_str name, ss_str policies, int64_t life_s, iam_key *out,
                             ss_error *err);
/* STORE_NOT_FOUND: no such key. */
enum store_status iam_get(database *db, ss_str id, iam_key *out, ss_error *err);
enum store_status iam_set_enabled(database *db, ss_str id, bool enabled, ss_error *err);
enum store_status iam_delete(database *db, ss_str id, ss_error *err);
/* In the order of their creation. key->secret is there: for keyrings; whoever prints leaves it out. */
enum store_status iam_each(database *db, void (*visit)(void *arg, const iam_key *key), void *arg,
                           ss_error *err);
enum store_status iam_count(database *db, int64_t *count, ss_error *err);

/* Notes that the signature was used. STORE_CONFLICT: it was used before. until_s: when it is worthless
   anyhow. STORE_FULL: too many are remembered just now. */
enum store_status iam_use_once(database *db, ss_str signature, int64_t until_s, int64_t now_s, ss_error *err);
/* The call did not happen: the same signature may come again. */
void iam_unuse(database *db, ss_str signature);

/* ---- pure ---- */

enum iam_action { IAM_READ = 1, IAM_CHANGE = 2, IAM_EVENTS = 3 };

/* "admin", "read-only", "events:<application id>", "events:*", joined by commas. NULL, or what is wrong. */
const char *iam_policies_problem(ss_str policies);
/* app: for IAM_EVENTS. */
bool iam_allows(const iam_key *key, enum iam_action action, ss_str app);
void iam_forget(iam_key *key); /* overwrites the secret in memory */

#endif
