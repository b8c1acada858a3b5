/* Changes. Each may be sent again without harm: a lost answer is no lost change, and no second one either. */
#include <stdlib.h>
#include <time.h>

#include "core/admin/dynamodb/dynamodb.h"
#include "plugins/common/sha256.h"

#define TOKEN_CHARS 32u /* of a ClientRequestToken, which may have 36 */

static const char *table_of(const dynamodb *d, bool keys)
{
    return keys ? d->options.authorizations : d->options.applications;
}

/* The same change has the same token: DynamoDB then answers a repeat as it answered the first. */
static void put_token(json_t *body, const json_t *items)
{
    unsigned char hash[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    char *text = json_dumps(items, JSON_COMPACT | JSON_SORT_KEYS);
    sha256 *h = text ? sha256_new() : NULL;
    if (h && sha256_add(h, text, strlen(text)) && sha256_end(h, hash)) {
        sha256_hex(hex, hash);
        (void)json_object_set_new(body, "ClientRequestToken", json_stringn(hex, TOKEN_CHARS));
    }
    sha256_free(h);
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* Is the failed part of a transaction the one at `index`? */
static bool is_condition(const json_t *answer, size_t index)
{
    const json_t *reason = json_array_get(json_object_get(answer, "CancellationReasons"), index);
    const char *code = json_string_value(json_object_get(reason, "Code"));
    return code && strcmp(code, "ConditionalCheckFailed") == 0;
}

static enum store_status taken(ss_error *err, const char *what, const char *id)
{
    (void)ss_fail(err, 0, "there is %s %s already", what, id);
    err->code = STORE_CONFLICT;
    return STORE_CONFLICT;
}

static enum store_status missing(ss_error *err, const char *what)
{
    (void)ss_fail(err, 0, "there is no such %s", what);
    err->code = STORE_NOT_FOUND;
    return STORE_NOT_FOUND;
}

/* ---- new ones ---- */

/* Is what stands there what was to be put? Then an answer was lost, and the token forgotten. */
static bool is_there(dynamodb *d, bool keys, json_t *key, const json_t *item)
{
    ss_error ignored = {.struct_size = sizeof ignored};
    json_t *answer = NULL;
    json_t *body =
        json_pack("{s:s,s:o,s:b}", "TableName", table_of(d, keys), "Key", key, "ConsistentRead", 1);
    bool same = dynamodb_call(d, "GetItem", body, &answer, NULL, &ignored) == STORE_OK &&
                json_equal(json_object_get(answer, "Item"), item);
    json_decref(answer);
    return same;
}

enum store_status dynamodb_put_app(void *self, const store_app *app, ss_error *err)
{
    dynamodb *d = self;
    char code[DYNAMODB_CODE_MAX];
    json_t *answer = NULL, *item = dynamodb_app_item(app);
    json_t *items = json_pack("[{s:{s:s,s:O,s:s}}]", "Put", "TableName", table_of(d, false), "Item", item,
                              "ConditionExpression", "attribute_not_exists(application_id)");
    json_t *body = json_pack("{s:O}", "TransactItems", items);
    put_token(body, items);
    json_decref(items);
    enum store_status status = dynamodb_call(d, "TransactWriteItems", body, &answer, code, err);
    if (status != STORE_OK && is_condition(answer, 0))
        status = is_there(d, false, dynamodb_app_key(ss_cstr(app->id)), item)
                     ? STORE_OK
                     : taken(err, "an application", app->id);
    json_decref(answer);
    json_decref(item);
    return status;
}

/* Only beside its application: a delete that runs meanwhile leaves no key behind. */
enum store_status dynamodb_put_key(void *self, const store_key *key, ss_error *err)
{
    dynamodb *d = self;
    char code[DYNAMODB_CODE_MAX];
    ss_str app = ss_cstr(key->app_id), id = ss_cstr(key->id);
    json_t *answer = NULL, *item = dynamodb_key_item(key);
    json_t *items = json_pack("[{s:{s:s,s:o,s:s}},{s:{s:s,s:O,s:s}}]", "ConditionCheck", "TableName",
                              table_of(d, false), "Key", dynamodb_app_key(app), "ConditionExpression",
                              "attribute_exists(application_id)", "Put", "TableName", table_of(d, true),
                              "Item", item, "ConditionExpression", "attribute_not_exists(api_key_id)");
    json_t *body = json_pack("{s:O}", "TransactItems", items);
    put_token(body, items);
    json_decref(items);
    enum store_status status = dynamodb_call(d, "TransactWriteItems", body, &answer, code, err);
    if (status != STORE_OK && is_condition(answer, 0))
        status = missing(err, "application");
    else if (status != STORE_OK && is_condition(answer, 1))
        status = is_there(d, true, dynamodb_key_key(app, id), item) ? STORE_OK : taken(err, "a key", key->id);
    json_decref(answer);
    json_decref(item);
    return status;
}

/* ---- changed ones ---- */

typedef struct update {
    json_t *values;
    char text[512];
    size_t len;
} update;

static void set_value(update *u, const char *attribute, const char *name, json_t *value)
{
    u->len += (size_t)snprintf(u->text + u->len, sizeof u->text - u->len, "%s%s = %s", u->len ? ", " : "SET ",
                               attribute, name);
    (void)json_object_set_new(u->values, name, value);
}

static void set_number(update *u, const char *attribute, const char *name, const int64_t *number)
{
    char text[24];
    if (!number)
        return;
    (void)snprintf(text, sizeof text, "%lld", (long long)*number);
    set_value(u, attribute, name, json_pack("{s:s}", "N", text));
}

static void begin_update(update *u, const int64_t *rate, const int64_t *burst, const int64_t *quota,
                         int64_t updated_s)
{
    char time[STORE_TIME_SIZE];
    *u = (update){.values = json_object()};
    store_put_time(updated_s, time);
    set_value(u, "updated_at", ":u", dynamodb_text(ss_cstr(time)));
    set_number(u, "streamsteam_rate", ":r", rate);
    set_number(u, "streamsteam_burst", ":b", burst);
    set_number(u, "streamsteam_quota", ":q", quota);
}

static enum store_status run_update(dynamodb *d, bool keys, json_t *key, const update *u, ss_error *err)
{
    char code[DYNAMODB_CODE_MAX];
    json_t *answer = NULL;
    json_t *body = json_pack("{s:s,s:o,s:s,s:o,s:s}", "TableName", table_of(d, keys), "Key", key,
                             "UpdateExpression", u->text, "ExpressionAttributeValues", u->values,
                             "ConditionExpression", "attribute_exists(application_id)");
    enum store_status status = dynamodb_call(d, "UpdateItem", body, &answer, code, err);
    json_decref(answer);
    if (status != STORE_OK && strcmp(code, "ConditionalCheckFailedException") == 0)
        return missing(err, keys ? "key" : "application");
    return status;
}

enum store_status dynamodb_set_app(void *self, ss_str id, const store_app_change *change, int64_t updated_s,
                                   ss_error *err)
{
    update u;
    int64_t flags = change->flags ? (int64_t)*change->flags : 0;
    begin_update(&u, change->rate, change->burst, change->quota, updated_s);
    set_number(&u, "streamsteam_flags", ":f", change->flags ? &flags : NULL);
    return run_update(self, false, dynamodb_app_key(id), &u, err);
}

enum store_status dynamodb_set_key(void *self, ss_str app_id, ss_str key_id, const store_key_change *change,
                                   int64_t updated_s, ss_error *err)
{
    update u;
    begin_update(&u, change->rate, change->burst, change->quota, updated_s);
    if (change->enabled)
        set_value(&u, "enabled", ":e", json_pack("{s:b}", "BOOL", *change->enabled));
    return run_update(self, true, dynamodb_key_key(app_id, key_id), &u, err);
}

/* ---- gone ones ---- */

static enum store_status drop(dynamodb *d, bool keys, json_t *key, ss_error *err)
{
    json_t *answer = NULL;
    json_t *body =
        json_pack("{s:s,s:o,s:s}", "TableName", table_of(d, keys), "Key", key, "ReturnValues", "ALL_OLD");
    enum store_status status = dynamodb_call(d, "DeleteItem", body, &answer, NULL, err);
    if (status == STORE_OK && !json_object_get(answer, "Attributes"))
        status = missing(err, keys ? "key" : "application");
    json_decref(answer);
    return status;
}

enum store_status dynamodb_drop_key(void *self, ss_str app_id, ss_str key_id, ss_error *err)
{
    return drop(self, true, dynamodb_key_key(app_id, key_id), err);
}

static void pause_ms(int64_t ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

/* requests: stolen. What was left unprocessed is sent again, after longer and longer pauses. */
static enum store_status delete_batch(dynamodb *d, json_t *requests, ss_error *err)
{
    json_t *left = json_pack("{s:o}", d->options.authorizations, requests);
    enum store_status status = STORE_OK;
    int64_t pause = DYNAMODB_PAUSE_MS;
    for (unsigned round = 0; json_object_size(left) > 0 && status == STORE_OK; round++) {
        json_t *answer = NULL;
        if (round == DYNAMODB_ROUNDS_MAX) {
            (void)ss_fail(err, 0, "DynamoDB: %s leaves deletes unprocessed again and again; try later",
                          d->options.authorizations);
            err->code = STORE_BUSY;
            status = STORE_BUSY;
            break;
        }
        if (round > 0)
            pause_ms(pause);
        pause = round > 0 && pause < DYNAMODB_PAUSE_MAX_MS ? pause * 2 : pause;
        status =
            dynamodb_call(d, "BatchWriteItem", json_pack("{s:o}", "RequestItems", left), &answer, NULL, err);
        left = json_incref(json_object_get(answer, "UnprocessedItems"));
        json_decref(answer);
    }
    json_decref(left);
    return status;
}

static json_t *delete_request(const json_t *item)
{
    return json_pack("{s:{s:{s:O,s:O}}}", "DeleteRequest", "Key", "api_key_id",
                     json_object_get(item, "api_key_id"), "application_id",
                     json_object_get(item, "application_id"));
}

static enum store_status delete_items(dynamodb *d, const json_t *items, ss_error *err)
{
    enum store_status status = STORE_OK;
    size_t count = json_array_size(items);
    for (size_t at = 0; at < count && status == STORE_OK; at += DYNAMODB_BATCH_MAX) {
        json_t *requests = json_array();
        for (size_t i = at; i < count && i < at + DYNAMODB_BATCH_MAX; i++)
            (void)json_array_append_new(requests, delete_request(json_array_get(items, i)));
        status = delete_batch(d, requests, err);
    }
    return status;
}

/* The index follows the table after a moment: a key that is younger stays, and opens nothing without its
   application. */
static enum store_status drop_keys(dynamodb *d, ss_str app_id, ss_error *err)
{
    json_t *from = NULL;
    enum store_status status = STORE_OK;
    do {
        json_t *answer = NULL;
        json_t *body = json_pack("{s:s,s:s,s:s,s:{s:o},s:s}", "TableName", d->options.authorizations,
                                 "IndexName", DYNAMODB_INDEX_BY_APP, "KeyConditionExpression",
                                 "application_id = :a", "ExpressionAttributeValues", ":a",
                                 dynamodb_text(app_id), "ProjectionExpression", "api_key_id, application_id");
        if (from)
            (void)json_object_set_new(body, "ExclusiveStartKey", from);
        status = dynamodb_call(d, "Query", body, &answer, NULL, err);
        if (status == STORE_OK)
            status = delete_items(d, json_object_get(answer, "Items"), err);
        from = json_incref(json_object_get(answer, "LastEvaluatedKey"));
        json_decref(answer);
    } while (status == STORE_OK && from);
    json_decref(from);
    return status;
}

enum store_status dynamodb_drop_app(void *self, ss_str id, ss_error *err)
{
    dynamodb *d = self;
    enum store_status status = drop_keys(d, id, err);
    return status == STORE_OK ? drop(d, false, dynamodb_app_key(id), err) : status;
}
