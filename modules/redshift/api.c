#include "modules/redshift/api.h"

#include <time.h>

#include "plugins/common/json.h"

#define REQUEST_MAX   (8u << 20)
#define ANSWER_MAX    (4u << 20)
#define POLL_FIRST_MS 100
#define POLL_MAX_MS   500
#define ASK_MS        20000

/* ---- requests ---- */

static void put_member(buf *out, const char *name, ss_str value)
{
    if (value.len == 0 || !buf_reserve(out, json_escape_bound(value.len) + strlen(name) + 8))
        return;
    buf_addf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    if (buf_reserve(out, json_escape_bound(value.len)))
        out->len += json_put_string(out->ptr + out->len, value);
}

/* Who runs it, and where. */
static void put_target(const api *a, buf *out)
{
    put_member(out, "WorkgroupName", a->workgroup);
    put_member(out, "ClusterIdentifier", a->cluster);
    put_member(out, "Database", a->database);
    if (a->secret_arn.len)
        put_member(out, "SecretArn", a->secret_arn);
    else
        put_member(out, "DbUser", a->user);
}

/* The answer is the caller's to free, also after a failure. */
static int32_t call(api *a, const char *operation, const buf *body, int64_t deadline_us, aws_call **out,
                    ss_error *err)
{
    a->retry_after_ms = 0;
    a->unknown = false;
    *out = body->failed ? NULL
                        : aws_json(a->aws, AWS_REDSHIFT_DATA, operation, buf_str(body), deadline_us, NULL);
    if (!*out)
        return ss_fail(err, SS_RETRY, "redshift: no memory");
    const aws_reply *reply = aws_wait(*out);
    if (reply->result == AWS_OK)
        return SS_OK;
    a->retry_after_ms = reply->retry_after_ms;
    a->unknown = reply->unknown;
    /* More statements at once than it takes: they end by themselves. */
    int32_t rc = strcmp(reply->code, "ActiveStatementsExceededException") == 0 ||
                         strcmp(reply->code, "ActiveSessionsExceededException") == 0
                     ? SS_THROTTLE
                     : aws_status(reply->result);
    return ss_fail(err, rc == SS_REJECT ? SS_PAUSE : rc, "%s", reply->text);
}

/* ---- answers ---- */

static void take_text(char *out, size_t size, const json_value *v)
{
    size_t len = v->text.len < size - 1 ? v->text.len : size - 1;
    memcpy(out, v->text.ptr, len);
    out[v->escaped ? json_unescape(out, ss_s(out, len)) : len] = '\0';
}

/* A member at the top that is a string. */
static bool top_text(ss_str body, const char *name, char *out, size_t size)
{
    json_scan scan;
    json_value v, key;
    out[0] = '\0';
    json_start(&scan, body);
    if (!json_read(&scan, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(&scan, &key)) {
        if (!json_is(&key, name)) {
            (void)json_skip(&scan, NULL);
            continue;
        }
        if (!json_read(&scan, &v) || v.kind != JSON_STRING)
            return false;
        take_text(out, size, &v);
        return true;
    }
    return false;
}

int32_t api_submit(api *a, const char *const *sqls, size_t count, const char *token, char id[API_ID_SIZE],
                   int64_t deadline_us, ss_error *err)
{
    buf body;
    aws_call *c;
    buf_init(&body, REQUEST_MAX);
    buf_adds(&body, "{");
    put_target(a, &body);
    put_member(&body, "ClientToken", ss_cstr(token));
    if (count == 1)
        put_member(&body, "Sql", ss_cstr(sqls[0]));
    for (size_t i = 0; count > 1 && i < count; i++) {
        buf_adds(&body, i ? "," : ",\"Sqls\":[");
        if (buf_reserve(&body, json_escape_bound(strlen(sqls[i]))))
            body.len += json_put_string(body.ptr + body.len, ss_cstr(sqls[i]));
    }
    buf_adds(&body, count > 1 ? "]}" : "}");
    int32_t rc =
        call(a, count > 1 ? "BatchExecuteStatement" : "ExecuteStatement", &body, deadline_us, &c, err);
    if (rc == SS_OK && (!top_text(aws_reply_of(c)->body, "Id", id, API_ID_SIZE) || !id[0]))
        rc = ss_fail(err, SS_RETRY, "redshift: the Data API gave no Id for a statement");
    aws_call_free(c);
    buf_fini(&body);
    return rc;
}

int32_t api_ask(api *a, const char *id, enum api_state *state, char why[API_TEXT_SIZE], int64_t deadline_us,
                ss_error *err)
{
    char status[32];
    buf body;
    aws_call *c;
    *state = API_RUNNING;
    why[0] = '\0';
    buf_init(&body, REQUEST_MAX);
    buf_adds(&body, "{");
    put_member(&body, "Id", ss_cstr(id));
    buf_adds(&body, "}");
    int32_t rc = call(a, "DescribeStatement", &body, deadline_us, &c, err);
    if (c && rc != SS_OK && strcmp(aws_reply_of(c)->code, "ResourceNotFoundException") == 0) {
        *state = API_GONE;
        rc = SS_OK;
    } else if (rc == SS_OK && top_text(aws_reply_of(c)->body, "Status", status, sizeof status)) {
        bool aborted = strcmp(status, "ABORTED") == 0;
        *state = strcmp(status, "FINISHED") == 0            ? API_FINISHED
                 : aborted || strcmp(status, "FAILED") == 0 ? API_FAILED
                                                            : API_RUNNING;
        if (!top_text(aws_reply_of(c)->body, "Error", why, API_TEXT_SIZE) && *state == API_FAILED)
            (void)snprintf(why, API_TEXT_SIZE, "the statement was %s", aborted ? "aborted" : "refused");
    } else if (rc == SS_OK) {
        rc = ss_fail(err, SS_RETRY, "redshift: the Data API does not say how the statement %s stands", id);
    }
    aws_call_free(c);
    buf_fini(&body);
    return rc;
}

int32_t api_wait(api *a, const char *id, int64_t until_us, enum api_state *state, char why[API_TEXT_SIZE],
                 ss_error *err)
{
    int64_t pause_ms = POLL_FIRST_MS;
    for (;;) {
        int64_t now = a->host->now_us(a->host->self);
        int32_t rc = api_ask(a, id, state, why, now + ASK_MS * 1000, err);
        now = a->host->now_us(a->host->self);
        if (rc != SS_OK || *state != API_RUNNING || now + pause_ms * 1000 > until_us)
            return rc;
        struct timespec t = {.tv_sec = 0, .tv_nsec = pause_ms * 1000000};
        (void)nanosleep(&t, NULL);
        pause_ms = pause_ms * 2 < POLL_MAX_MS ? pause_ms * 2 : POLL_MAX_MS;
    }
}

/* [{"longValue":5}, ...]: the first cell, and past the others. */
static void read_row(json_scan *scan, void (*visit)(void *arg, ss_str text), void *arg)
{
    json_value v, key;
    bool first = true;
    if (!json_read(scan, &v) || v.kind != JSON_ARRAY)
        return;
    while (json_item(scan)) {
        if (!first) {
            (void)json_skip(scan, NULL);
            continue;
        }
        first = false;
        if (!json_read(scan, &v) || v.kind != JSON_OBJECT)
            return;
        while (json_member(scan, &key)) {
            char cell[API_TEXT_SIZE];
            bool null = json_is(&key, "isNull");
            if (!json_read(scan, &v))
                return;
            if (null || v.kind == JSON_NULL || v.kind == JSON_OBJECT || v.kind == JSON_ARRAY)
                continue;
            take_text(cell, sizeof cell, &v);
            visit(arg, ss_cstr(cell));
        }
    }
}

int32_t api_rows(api *a, const char *id, unsigned sub, void (*visit)(void *arg, ss_str text), void *arg,
                 int64_t deadline_us, ss_error *err)
{
    char name[API_ID_SIZE + 12];
    json_scan scan;
    json_value v, key;
    buf body;
    aws_call *c;
    (void)snprintf(name, sizeof name, sub ? "%s:%u" : "%s", id, sub);
    buf_init(&body, REQUEST_MAX);
    buf_adds(&body, "{");
    put_member(&body, "Id", ss_cstr(name));
    buf_adds(&body, "}");
    int32_t rc = call(a, "GetStatementResult", &body, deadline_us, &c, err);
    if (rc == SS_OK) {
        json_start(&scan, aws_reply_of(c)->body);
        if (json_read(&scan, &v) && v.kind == JSON_OBJECT)
            while (json_member(&scan, &key)) {
                if (!json_is(&key, "Records")) {
                    (void)json_skip(&scan, NULL);
                    continue;
                }
                if (!json_read(&scan, &v) || v.kind != JSON_ARRAY)
                    break;
                while (json_item(&scan))
                    read_row(&scan, visit, arg);
            }
        if (!json_finish(&scan))
            rc = ss_fail(err, SS_RETRY, "redshift: the rows of the statement %s cannot be read: %s", name,
                         scan.problem ? scan.problem : "not as documented");
    }
    aws_call_free(c);
    buf_fini(&body);
    return rc;
}

/* ---- what failed ---- */

static bool says(const char *why, const char *const *words)
{
    for (; *words; words++)
        if (strstr(why, *words))
            return true;
    return false;
}

int32_t api_meaning(const char *why)
{
    static const char *const rows[] = {"stl_load_errors", "sys_load_error_detail", "stl_error_detail", NULL};
    static const char *const mend[] = {"permission denied",
                                       "not authorized",
                                       "Access Denied",
                                       "AccessDenied",
                                       "password authentication",
                                       "must be owner",
                                       "IAM_ROLE",
                                       "NoSuchBucket",
                                       "UnauthorizedException",
                                       NULL};
    static const char *const missing[] = {"does not exist", "has no column", NULL};
    if (says(why, rows))
        return SS_REJECT;
    if (says(why, mend))
        return SS_PAUSE;
    /* An object that is gone was deleted by another attempt. */
    return says(why, missing) && !strstr(why, "S3ServiceException") ? SS_FATAL : SS_RETRY;
}
