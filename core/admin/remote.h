/* A store that others hold (DynamoDB): applications and keys are changed there first, and the tables of the
   local database are a copy of it (mirror.h). What talks to it is a shared object of its own beside the
   plugins, loaded when it is first needed: with its HTTP client it costs a process several milliseconds to
   start, and most servers have their store in a file.

   One handle: any thread may call, calls wait for each other and for the network: never from an event loop.
 */
#ifndef ADMIN_REMOTE_H
#define ADMIN_REMOTE_H

#include "core/admin/store.h"

#define REMOTE_TEXT_MAX     512u
#define REMOTE_CALL_MS      10000 /* a change that takes longer is given up: its outcome is not known */
#define REMOTE_OPS_SYMBOL   "store_remote_ops"
#define REMOTE_LIBRARY_NAME "store-dynamodb.so"

typedef struct remote_options {
    char applications[REMOTE_TEXT_MAX], authorizations[REMOTE_TEXT_MAX]; /* tables */
    char region[REMOTE_TEXT_MAX], endpoint[REMOTE_TEXT_MAX],
        profile[REMOTE_TEXT_MAX]; /* "" = as AWS's tools find it */
} remote_options;

/* What the shared object offers. Statuses are the store's; err says where and what may be done. */
typedef struct remote_ops {
    const char *version; /* SS_VERSION that it was built for */
    void *(*open)(const remote_options *options, ss_error *err);
    void (*close)(void *self);
    /* STORE_CONFLICT: the id is taken, by another content. */
    enum store_status (*put_app)(void *self, const store_app *app, ss_error *err);
    enum store_status (*set_app)(void *self, ss_str id, const store_app_change *change, int64_t updated_s,
                                 ss_error *err);
    /* Its keys go first. STORE_NOT_FOUND: there was nothing. */
    enum store_status (*drop_app)(void *self, ss_str id, ss_error *err);
    enum store_status (*put_key)(void *self, const store_key *key,
                                 ss_error *err); /* STORE_NOT_FOUND: no application */
    enum store_status (*set_key)(void *self, ss_str app_id, ss_str key_id, const store_key_change *change,
                                 int64_t updated_s, ss_error *err);
    enum store_status (*drop_key)(void *self, ss_str app_id, ss_str key_id, ss_error *err);
    /* All of them, as they are now or later; a visit that says false ends it. */
    enum store_status (*each_app)(void *self, store_app_visit visit, void *arg, ss_error *err);
    enum store_status (*each_key)(void *self, store_key_visit visit, void *arg, ss_error *err);
    /* Are the tables there, with their keys and the index? */
    enum store_status (*check)(void *self, ss_error *err);
    /* Makes what is missing; says what it did, a line each. */
    enum store_status (*setup)(void *self, void (*say)(void *arg, const char *line), void *arg,
                               ss_error *err);
} remote_ops;

typedef struct remote remote;

/* Opening happens at the first call. NULL: out of memory. Copies the options. */
remote *remote_new(const remote_options *options);
void remote_free(remote *r);

enum store_status remote_put_app(remote *r, const store_app *app, ss_error *err);
enum store_status remote_set_app(remote *r, ss_str id, const store_app_change *change, int64_t updated_s,
                                 ss_error *err);
enum store_status remote_drop_app(remote *r, ss_str id, ss_error *err);
enum store_status remote_put_key(remote *r, const store_key *key, ss_error *err);
enum store_status remote_set_key(remote *r, ss_str app_id, ss_str key_id, const store_key_change *change,
                                 int64_t updated_s, ss_error *err);
enum store_status remote_drop_key(remote *r, ss_str app_id, ss_str key_id, ss_error *err);
enum store_status remote_each_app(remote *r, store_app_visit visit, void *arg, ss_error *err);
enum store_status remote_each_key(remote *r, store_key_visit visit, void *arg, ss_error *err);
enum store_status remote_check(remote *r, ss_error *err);
enum store_status remote_setup(remote *r, void (*say)(void *arg, const char *line), void *arg, ss_error *err);

#endif
