/* The guidance's two tables in DynamoDB as the store of applications and keys: a shared object that the
   server loads where `store: dynamodb` asks for it (core/admin/remote.h).

   Applications: application_id (S, the key), application_name, description, created_at, updated_at.
   Authorizations: api_key_id (S), application_id (S, both the key), api_key_name, api_key_value,
   api_key_description, enabled (BOOL), created_at, updated_at; index ApplicationAuthorizations by
   application_id. What the guidance has no attribute for stands in attributes of ours, where it is set:
   streamsteam_flags, streamsteam_rate, streamsteam_burst, streamsteam_quota (N). */
#ifndef ADMIN_DYNAMODB_H
#define ADMIN_DYNAMODB_H

#include <jansson.h>

#include "core/admin/remote.h"
#include "plugins/common/aws/aws.h"

#define DYNAMODB_INDEX_BY_APP   "ApplicationAuthorizations"
#define DYNAMODB_INDEX_BY_VALUE "ApiKeyValues"
#define DYNAMODB_BATCH_MAX      25u /* deletes of one BatchWriteItem */
#define DYNAMODB_ROUNDS_MAX     20u /* of what a batch left unprocessed */
#define DYNAMODB_PAUSE_MS       50  /* before the first of them; it doubles */
#define DYNAMODB_PAUSE_MAX_MS   1000

typedef struct dynamodb {
    remote_options options;
    aws_client *aws;
} dynamodb;

/* dynamodb.c: one call. body: stolen. answer: to be freed with json_decref(); may be NULL. code: the
   service's error code where it failed, "" else; may be NULL. */
#define DYNAMODB_CODE_MAX 96u
enum store_status dynamodb_call(dynamodb *d, const char *operation, json_t *body, json_t **answer,
                                char code[DYNAMODB_CODE_MAX], ss_error *err);
enum store_status dynamodb_no_memory(ss_error *err);

/* item.c: rows as items. NULL: no memory. */
json_t *dynamodb_app_item(const store_app *app);
json_t *dynamodb_key_item(const store_key *key);
json_t *dynamodb_app_key(ss_str id);
json_t *dynamodb_key_key(ss_str app_id, ss_str key_id);
json_t *dynamodb_text(ss_str text); /* {"S": text} */
/* Borrowed from the item. False: it has no id, name or value that the store can hold. */
bool dynamodb_read_app(const json_t *item, store_app *out);
bool dynamodb_read_key(const json_t *item, store_key *out);

/* write.c, read.c, setup.c: the operations of remote_ops. */
enum store_status dynamodb_put_app(void *self, const store_app *app, ss_error *err);
enum store_status dynamodb_set_app(void *self, ss_str id, const store_app_change *change, int64_t updated_s,
                                   ss_error *err);
enum store_status dynamodb_drop_app(void *self, ss_str id, ss_error *err);
enum store_status dynamodb_put_key(void *self, const store_key *key, ss_error *err);
enum store_status dynamodb_set_key(void *self, ss_str app_id, ss_str key_id, const store_key_change *change,
                                   int64_t updated_s, ss_error *err);
enum store_status dynamodb_drop_key(void *self, ss_str app_id, ss_str key_id, ss_error *err);
enum store_status dynamodb_each_app(void *self, store_app_visit visit, void *arg, ss_error *err);
enum store_status dynamodb_each_key(void *self, store_key_visit visit, void *arg, ss_error *err);
enum store_status dynamodb_check(void *self, ss_error *err);
enum store_status dynamodb_setup(void *self, void (*say)(void *arg, const char *line), void *arg,
                                 ss_error *err);

#endif
