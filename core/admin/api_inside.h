/* What the files of the admin API share. */
#ifndef ADMIN_API_INSIDE_H
#define ADMIN_API_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/admin/api.h"

struct admin_api {
    admin_options options;
    database *db;
    _Atomic bool told;    /* the log has said that nobody can be let in */
    pthread_mutex_t lock; /* of the log's limit */
    int64_t log_second;
    uint32_t log_lines, log_left_out;
};

/* Who calls, and what for. */
typedef struct admin_caller {
    char name[IAM_ID_SIZE + 8]; /* for the log: the access key's id, or "bearer" */
    iam_key key;                /* bearer: policies "admin" */
    bool by_signature;
    sigv4_claim claim;
} admin_caller;

/* api_auth.c: false: reply is the refusal. */
bool admin_authenticate(admin_api *api, const admin_call *call, admin_caller *caller, admin_reply *reply);
/* A call that changes something, by a signature: only once. false: reply is the refusal. */
bool admin_once(admin_api *api, const admin_call *call, const admin_caller *caller, admin_reply *reply);
void admin_again(admin_api *api, const admin_caller *caller); /* it did not happen */

/* api_calls.c */
void admin_do(admin_api *api, const admin_target *target, const admin_call *call, admin_reply *reply);

/* api_json.c: what replies are made of */
void admin_put_text(buf *out, ss_str text); /* a JSON string */
void admin_put_app(buf *out, const store_app *app, bool as_get);
void admin_put_key(buf *out, const store_key *key);

/* api_fields.c: the body of a POST or PUT: Name, Description, Enabled. false: reply is the 400. */
typedef struct admin_fields {
    void *root; /* what the texts lie in; admin_fields_fini */
    ss_str name, description;
    bool has_name, has_description, bad_description;
    bool has_enabled, enabled;
} admin_fields;
bool admin_read_fields(ss_str body, admin_fields *out, admin_reply *reply);
void admin_fields_fini(admin_fields *fields);

#endif
