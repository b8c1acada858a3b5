/* May this request send to that application? Answered from memory by any thread, without a lock and without
   the disk: a background thread keeps applications (name, flags, limits) and keyed 16-byte hashes of all keys
   in memory and follows the store's changes. While the store cannot be read at all, answers are SS_RETRY;
   once it was read, the last known state goes on to answer and an alarm says that it is stale. */
#ifndef ADMIN_AUTHORIZER_H
#define ADMIN_AUTHORIZER_H

#include "core/admin/store.h"

typedef struct authorizer authorizer;

/* Verifies the execute-api signature of a request for `events:<app>`: SS_OK, SS_REJECT with a sentence for
   the log, SS_RETRY (credentials cannot be read now). header: the first of that name, any case. Must not
   block: credentials are in memory, and authorizer_on_change() tells when to read them anew. */
typedef struct authorizer_signature {
    void *arg;
    int32_t (*verify)(void *arg, const ss_request *request,
                      ss_str (*header)(const ss_request *request, const char *name), ss_str app,
                      ss_error *err);
} authorizer_signature;

typedef struct authorizer_options {
    int64_t ttl_ms;                        /* of cached answers; 0 = none are kept */
    bool seed_cache;                       /* answers live for ttl_ms whatever an administrator changes */
    int64_t poll_ms;                       /* how often the store is asked for changes of others */
    store_limits app_default, key_default; /* 0 = none */
    /* Brings the database up to date with a remote store; called every pull_ms, by the background thread.
       NULL: there is none. */
    enum store_status (*pull)(void *arg, ss_error *err);
    void *pull_arg;
    int64_t pull_ms;
    /* Raises (text) or clears (NULL) an alarm; may be NULL. */
    void (*alarm)(void *arg, const char *text);
    void *alarm_arg;
} authorizer_options;

/* db: a connection of its own, borrowed. Starts the thread. */
authorizer *authorizer_new(database *db, const authorizer_options *options, ss_error *err);
void authorizer_free(authorizer *a);
/* Before requests come. */
void authorizer_set_signature(authorizer *a, authorizer_signature signature);
/* Called by the background thread, or by authorizer_refresh(), for changes of other kinds than applications
   and keys ("iam"), and with an empty kind where everything is to be read anew. Before requests come. */
void authorizer_on_change(authorizer *a, void (*changed)(void *arg, const database_change *change),
                          void *arg);
/* Takes over what has been committed, now. Blocks. For store_on_change(). */
void authorizer_refresh(void *a);
/* True once the store was read for the first time; waits at most so long. */
bool authorizer_wait(authorizer *a, int64_t timeout_ms);

#define AUTHORIZER_TEXT_SIZE (STORE_ID_SIZE + STORE_NAME_MAX) /* room for an application's id and name */

/* The calls of the plugin contract. text: where id and name are copied to. */
int32_t authorizer_check(authorizer *a, const ss_request *request, ss_str authorization,
                         ss_str (*header)(const ss_request *request, const char *name), ss_str app,
                         uint32_t proofs, uint32_t events, ss_app *out, char text[AUTHORIZER_TEXT_SIZE],
                         ss_error *err);
int32_t authorizer_get(authorizer *a, ss_str app, ss_app *out, char text[AUTHORIZER_TEXT_SIZE]);
int32_t authorizer_auth(authorizer *a, ss_str key, ss_str app);
int32_t authorizer_list(authorizer *a, void (*visit)(void *arg, ss_str app, ss_str name), void *arg);

typedef struct authorizer_stats {
    uint64_t apps, keys, bytes; /* bytes: of what is held in memory */
    uint64_t hits, misses, loads, changes;
} authorizer_stats;
void authorizer_read_stats(authorizer *a, authorizer_stats *out);

#endif
