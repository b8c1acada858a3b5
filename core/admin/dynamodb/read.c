/* Reading both tables as a whole: consistent scans, page by page. */
#include "core/admin/dynamodb/dynamodb.h"

typedef struct scanning {
    store_app_visit app;
    store_key_visit key;
    void *arg;
} scanning;

/* Items that the store cannot hold (an id that is no UUID, no value) open nothing: they are passed by. */
static bool visit_item(const scanning *s, const json_t *item)
{
    store_app app;
    store_key key;
    if (s->app)
        return !dynamodb_read_app(item, &app) || s->app(s->arg, &app);
    return !dynamodb_read_key(item, &key) || s->key(s->arg, &key);
}

static enum store_status scan(dynamodb *d, const char *table, const scanning *s, ss_error *err)
{
    json_t *from = NULL;
    enum store_status status;
    bool more = true;
    do {
        json_t *answer = NULL;
        json_t *body = json_pack("{s:s,s:b}", "TableName", table, "ConsistentRead", 1);
        if (from)
            (void)json_object_set_new(body, "ExclusiveStartKey", from);
        status = dynamodb_call(d, "Scan", body, &answer, NULL, err);
        const json_t *items = json_object_get(answer, "Items");
        for (size_t i = 0; more && i < json_array_size(items); i++)
            more = visit_item(s, json_array_get(items, i));
        from = json_incref(json_object_get(answer, "LastEvaluatedKey"));
        json_decref(answer);
    } while (status == STORE_OK && more && from);
    json_decref(from);
    return status;
}

enum store_status dynamodb_each_app(void *self, store_app_visit visit, void *arg, ss_error *err)
{
    dynamodb *d = self;
    return scan(d, d->options.applications, &(scanning){.app = visit, .arg = arg}, err);
}

enum store_status dynamodb_each_key(void *self, store_key_visit visit, void *arg, ss_error *err)
{
    dynamodb *d = self;
    return scan(d, d->options.authorizations, &(scanning){.key = visit, .arg = arg}, err);
}
