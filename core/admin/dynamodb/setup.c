/* Are the tables there? And making them, as the guidance makes them. */
#include <time.h>

#include "core/admin/dynamodb/dynamodb.h"

#define READY_ROUNDS   120u
#define READY_PAUSE_MS 500

typedef struct table_form {
    const char *partition, *sort; /* sort: NULL = none */
    const char *index[2][3];      /* name, partition, sort */
} table_form;

static const table_form apps_form = {"application_id", NULL, {{NULL}}};
static const table_form keys_form = {"api_key_id",
                                     "application_id",
                                     {{DYNAMODB_INDEX_BY_APP, "application_id", "api_key_id"},
                                      {DYNAMODB_INDEX_BY_VALUE, "api_key_value", "application_id"}}};

/* ---- looking ---- */

static bool has_keys(const json_t *described, const char *partition, const char *sort)
{
    const json_t *schema = json_object_get(described, "KeySchema");
    const char *found[] = {NULL, NULL};
    for (size_t i = 0; i < json_array_size(schema); i++) {
        const json_t *part = json_array_get(schema, i);
        const char *type = json_string_value(json_object_get(part, "KeyType"));
        found[type && strcmp(type, "RANGE") == 0] = json_string_value(json_object_get(part, "AttributeName"));
    }
    return found[0] && strcmp(found[0], partition) == 0 &&
           (sort ? found[1] && strcmp(found[1], sort) == 0 : !found[1]);
}

static bool has_index(const json_t *described, const char *const index[3])
{
    const json_t *all = json_object_get(described, "GlobalSecondaryIndexes");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        const char *name = json_string_value(json_object_get(one, "IndexName"));
        if (name && strcmp(name, index[0]) == 0)
            return has_keys(one, index[1], index[2]);
    }
    return false;
}

static enum store_status describe(dynamodb *d, const char *table, json_t **out, char code[DYNAMODB_CODE_MAX],
                                  ss_error *err)
{
    json_t *answer = NULL;
    enum store_status status =
        dynamodb_call(d, "DescribeTable", json_pack("{s:s}", "TableName", table), &answer, code, err);
    *out = status == STORE_OK ? json_incref(json_object_get(answer, "Table")) : NULL;
    json_decref(answer);
    return status;
}

static enum store_status check_table(dynamodb *d, const char *table, const table_form *form, ss_error *err)
{
    char code[DYNAMODB_CODE_MAX];
    json_t *described = NULL;
    enum store_status status = describe(d, table, &described, code, err);
    /* The index by value is the guidance's authorizer's: this one does not ask it. */
    if (status == STORE_OK && (!has_keys(described, form->partition, form->sort) ||
                               (form->index[0][0] && !has_index(described, form->index[0])))) {
        (void)ss_fail(
            err, 0,
            "DynamoDB: %s does not have the keys %s%s%s%s%s: it is another table than the guidance makes",
            table, form->partition, form->sort ? " and " : "", form->sort ? form->sort : "",
            form->index[0][0] ? ", and the index " : "", form->index[0][0] ? form->index[0][0] : "");
        err->code = STORE_FAILED;
        status = STORE_FAILED;
    }
    json_decref(described);
    return status;
}

enum store_status dynamodb_check(void *self, ss_error *err)
{
    dynamodb *d = self;
    enum store_status status = check_table(d, d->options.applications, &apps_form, err);
    return status == STORE_OK ? check_table(d, d->options.authorizations, &keys_form, err) : status;
}

/* ---- making ---- */

static json_t *key_schema(const char *partition, const char *sort)
{
    json_t *schema = json_pack("[{s:s,s:s}]", "AttributeName", partition, "KeyType", "HASH");
    if (sort)
        (void)json_array_append_new(schema,
                                    json_pack("{s:s,s:s}", "AttributeName", sort, "KeyType", "RANGE"));
    return schema;
}

static void add_attribute(json_t *attributes, const char *name)
{
    for (size_t i = 0; i < json_array_size(attributes); i++) {
        const char *there =
            json_string_value(json_object_get(json_array_get(attributes, i), "AttributeName"));
        if (there && strcmp(there, name) == 0)
            return;
    }
    (void)json_array_append_new(attributes,
                                json_pack("{s:s,s:s}", "AttributeName", name, "AttributeType", "S"));
}

static json_t *table_body(const char *table, const table_form *form)
{
    json_t *attributes = json_array(), *indexes = json_array();
    add_attribute(attributes, form->partition);
    if (form->sort)
        add_attribute(attributes, form->sort);
    for (size_t i = 0; i < 2 && form->index[i][0]; i++) {
        const char *const *index = form->index[i];
        add_attribute(attributes, index[1]);
        add_attribute(attributes, index[2]);
        (void)json_array_append_new(indexes, json_pack("{s:s,s:o,s:{s:s}}", "IndexName", index[0],
                                                       "KeySchema", key_schema(index[1], index[2]),
                                                       "Projection", "ProjectionType", "ALL"));
    }
    json_t *body = json_pack("{s:s,s:o,s:o,s:s}", "TableName", table, "KeySchema",
                             key_schema(form->partition, form->sort), "AttributeDefinitions", attributes,
                             "BillingMode", "PAY_PER_REQUEST");
    if (json_array_size(indexes))
        (void)json_object_set(body, "GlobalSecondaryIndexes", indexes);
    json_decref(indexes);
    return body;
}

static enum store_status await_active(dynamodb *d, const char *table, ss_error *err)
{
    const struct timespec pause = {0, READY_PAUSE_MS * 1000000L};
    for (unsigned i = 0; i < READY_ROUNDS; i++) {
        char code[DYNAMODB_CODE_MAX];
        json_t *described = NULL;
        enum store_status status = describe(d, table, &described, code, err);
        const char *state = json_string_value(json_object_get(described, "TableStatus"));
        bool active = state && strcmp(state, "ACTIVE") == 0;
        json_decref(described);
        if (active)
            return STORE_OK;
        if (status != STORE_OK && strcmp(code, "ResourceNotFoundException") != 0) /* it may show late */
            return status;
        (void)nanosleep(&pause, NULL);
    }
    (void)ss_fail(err, 0, "DynamoDB: %s is being made still; try again in a minute", table);
    err->code = STORE_BUSY;
    return STORE_BUSY;
}

static enum store_status make_table(dynamodb *d, const char *table, const table_form *form,
                                    void (*say)(void *arg, const char *line), void *arg, ss_error *err)
{
    char code[DYNAMODB_CODE_MAX], line[REMOTE_TEXT_MAX + 64];
    json_t *described = NULL;
    enum store_status status = describe(d, table, &described, code, err);
    json_decref(described);
    if (status == STORE_OK)
        (void)snprintf(line, sizeof line, "table %s is there", table);
    if (status != STORE_OK && strcmp(code, "ResourceNotFoundException") == 0) {
        status = dynamodb_call(d, "CreateTable", table_body(table, form), NULL, code, err);
        if (status != STORE_OK && strcmp(code, "ResourceInUseException") == 0)
            status = STORE_OK; /* an answer was lost, or somebody else makes it */
        (void)snprintf(line, sizeof line, "table %s was made", table);
        if (status == STORE_OK)
            status = await_active(d, table, err);
    }
    if (status == STORE_OK)
        say(arg, line);
    return status;
}

enum store_status dynamodb_setup(void *self, void (*say)(void *arg, const char *line), void *arg,
                                 ss_error *err)
{
    dynamodb *d = self;
    enum store_status status = make_table(d, d->options.applications, &apps_form, say, arg, err);
    if (status == STORE_OK)
        status = make_table(d, d->options.authorizations, &keys_form, say, arg, err);
    return status == STORE_OK ? dynamodb_check(d, err) : status;
}
