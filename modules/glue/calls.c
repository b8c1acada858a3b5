#include "modules/glue/calls.h"

#include "plugins/common/json.h"

/* Runs one call. found (or NULL): false where Glue knows no such thing. took (or NULL): false where somebody
   else was first. answer may be NULL. */
static int32_t run(const calls *c, const char *operation, const buf *body, bool *found, bool *took,
                   buf *answer, ss_error *err)
{
    if (body->failed)
        return ss_fail(err, SS_REJECT, "glue: the table is larger than %u bytes", TABLE_BYTES_MAX);
    aws_call *call = aws_json(c->aws, AWS_GLUE, operation, buf_str(body), c->deadline_us, NULL);
    if (!call)
        return ss_fail(err, SS_RETRY, "glue: no memory");
    const aws_reply *r = aws_wait(call);
    int32_t rc = aws_status(r->result);
    bool absent = strcmp(r->code, "EntityNotFoundException") == 0;
    if (found)
        *found = r->result == AWS_OK;
    if (took)
        *took = r->result != AWS_CONFLICT;
    if (r->result == AWS_OK && answer)
        buf_add(answer, r->body.ptr, r->body.len);
    if ((found && absent) || (took && r->result == AWS_CONFLICT))
        rc = SS_OK;
    else if (rc != SS_OK)
        rc = ss_fail(err, rc == SS_REJECT ? SS_PAUSE : rc, "database %s: %s", c->database, r->text);
    aws_call_free(call);
    return rc;
}

static void begin(const calls *c, buf *body, const char *database_member)
{
    buf_init(body, TABLE_BYTES_MAX);
    buf_addf(body, "{\"%s\": ", database_member);
    glue_put_text(body, ss_cstr(c->database));
}

int32_t calls_get_database(const calls *c, bool *found, ss_error *err)
{
    buf body;
    begin(c, &body, "Name");
    buf_adds(&body, "}");
    int32_t rc = run(c, "GetDatabase", &body, found, NULL, NULL, err);
    buf_fini(&body);
    return rc;
}

int32_t calls_create_database(const calls *c, const char *description, ss_error *err)
{
    buf body;
    bool took;
    buf_init(&body, TABLE_BYTES_MAX);
    buf_adds(&body, "{\"DatabaseInput\": {\"Name\": ");
    glue_put_text(&body, ss_cstr(c->database));
    buf_addf(&body, ", \"Description\": \"%s\"}}", description);
    int32_t rc = run(c, "CreateDatabase", &body, NULL, &took, NULL, err);
    buf_fini(&body);
    return rc;
}

int32_t calls_get_table(const calls *c, const char *table, bool *found, buf *answer, ss_error *err)
{
    buf body;
    begin(c, &body, "DatabaseName");
    buf_addf(&body, ", \"Name\": \"%s\"}", table);
    int32_t rc = run(c, "GetTable", &body, found, NULL, answer, err);
    buf_fini(&body);
    return rc;
}

int32_t calls_create_table(const calls *c, const buf *input, ss_error *err)
{
    buf body;
    bool took = true;
    begin(c, &body, "DatabaseName");
    buf_addf(&body, ", \"TableInput\": %.*s}", (int)input->len, input->ptr);
    int32_t rc = run(c, "CreateTable", &body, NULL, &took, NULL, err);
    buf_fini(&body);
    return rc == SS_OK && !took ? SS_DECLINE : rc;
}

int32_t calls_update_table(const calls *c, const buf *input, ss_str version, ss_error *err)
{
    buf body;
    bool took = true;
    begin(c, &body, "DatabaseName");
    buf_addf(&body, ", \"TableInput\": %.*s", (int)input->len, input->ptr);
    if (version.len)
        buf_addf(&body, ", \"VersionId\": %.*s", (int)version.len, version.ptr);
    buf_adds(&body, "}");
    int32_t rc = run(c, "UpdateTable", &body, NULL, &took, NULL, err);
    buf_fini(&body);
    return rc == SS_OK && !took ? SS_DECLINE : rc;
}

int32_t calls_delete_table(const calls *c, const char *table, ss_error *err)
{
    buf body;
    bool found;
    begin(c, &body, "DatabaseName");
    buf_addf(&body, ", \"Name\": \"%s\"}", table);
    int32_t rc = run(c, "DeleteTable", &body, &found, NULL, NULL, err);
    buf_fini(&body);
    return rc;
}

/* {"Errors": [{"PartitionValues": [...], "ErrorDetail": {"ErrorCode": "...", "ErrorMessage": "..."}}]} */
static int32_t read_errors(const calls *c, const char *table, ss_str answer, ss_error *err)
{
    json_scan s;
    json_value v;
    ss_str raw, list = table_member(answer, "Errors");
    json_start(&s, list.len ? list : SS_LIT("[]"));
    if (!json_read(&s, &v) || v.kind != JSON_ARRAY)
        return SS_OK;
    while (json_item(&s) && json_skip(&s, &raw)) {
        ss_str detail = table_member(raw, "ErrorDetail"), code = table_member(detail, "ErrorCode");
        if (table_text_is(code, "AlreadyExistsException"))
            continue;
        ss_str plain = code.len > 2 ? ss_s(code.ptr + 1, code.len - 2) : ss_s("", 0);
        enum aws_result result = aws_classify(400, plain);
        int32_t rc = aws_status(result);
        return ss_fail(err, rc == SS_REJECT ? SS_RETRY : rc,
                       "database %s, table %s: a partition was refused: %.200s", c->database, table,
                       detail.len ? detail.ptr : "");
    }
    return SS_OK;
}

int32_t calls_create_partitions(const calls *c, const char *table, const buf *list, ss_error *err)
{
    buf body, answer;
    begin(c, &body, "DatabaseName");
    buf_init(&answer, TABLE_BYTES_MAX);
    buf_addf(&body, ", \"TableName\": \"%s\", \"PartitionInputList\": %.*s}", table, (int)list->len,
             list->ptr);
    int32_t rc = run(c, "BatchCreatePartition", &body, NULL, NULL, &answer, err);
    if (rc == SS_OK)
        rc = read_errors(c, table, buf_str(&answer), err);
    buf_fini(&body);
    buf_fini(&answer);
    return rc;
}
