#include "plugins/common/athena.h"

#include <stdlib.h>
#include <time.h>

#include "plugins/common/aws/aws.h"
#include "plugins/common/buf.h"
#include "plugins/common/json.h"

#define BODY_MAX       (2u * 1024 * 1024)
#define TURN_MS        100
#define POLL_FIRST_MS  200 /* between two looks; half as much again each time */
#define POLL_MOST_MS   2000
#define PAGE_ROWS      "1000"
#define COLUMNS_MAX    2000u
#define NAME_MAX_BYTES 512u
#define TOKEN_BYTES    16u /* as hex: 32 characters, the least that Athena takes */
#define CANCEL_MS      5000

typedef struct session {
    aws_client *aws;
    const athena_place *place;
    const athena_ask *ask;
    warehouse_fault *fault;
    int64_t stop_ms;
    char id[160]; /* of the query; empty: not started */
    char next[4096];
    bool first_page;
} session;

static int32_t fail(session *s, uint32_t kind, const char *text)
{
    s->fault->kind = kind;
    s->fault->at = -1;
    return ss_fail(&s->fault->error, SS_REJECT, "%s", text);
}

static void put(buf *out, const char *before, ss_str text)
{
    buf_adds(out, before);
    if (buf_reserve(out, json_escape_bound(text.len)))
        out->len += json_put_string(out->ptr + out->len, text);
}

/* ---- calls ---- */

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* SS_OK: the time has passed, or the call is done. SS_REJECT: enough. */
static int32_t linger(session *s, const aws_call *call, int64_t ms)
{
    int64_t until = now_ms() + ms;
    for (;;) {
        if (s->ask->stopping(s->ask->arg))
            return fail(s, WAREHOUSE_FAILED, "cancelled");
        int64_t now = now_ms();
        if (now >= s->stop_ms)
            return fail(s, WAREHOUSE_TIME, "the query was cancelled when its time was over");
        if (now >= until || (call && aws_done(s->aws) == call))
            return SS_OK;
        int64_t turn = until - now < TURN_MS ? until - now : TURN_MS;
        if (aws_in_flight(s->aws) > 0) {
            (void)aws_poll(s->aws, turn);
        } else {
            const struct timespec t = {.tv_nsec = turn * 1000000};
            (void)nanosleep(&t, NULL);
        }
    }
}

/* *call: to be freed in any case. */
static int32_t run(session *s, const char *operation, const buf *body, aws_call **call, ss_str *answer)
{
    *call = body->failed ? NULL : aws_json(s->aws, AWS_ATHENA, operation, buf_str(body), 0, NULL);
    if (!*call)
        return fail(s, WAREHOUSE_MEMORY, "the text is too long, or memory is short");
    int32_t rc = linger(s, *call, INT64_MAX / 4);
    if (rc != SS_OK)
        return rc;
    const aws_reply *r = aws_reply_of(*call);
    *answer = r->body;
    if (r->result == AWS_OK)
        return SS_OK;
    bool text = strcmp(r->code, "InvalidRequestException") == 0;
    return fail(s, text ? WAREHOUSE_REFUSED : WAREHOUSE_UNREACHABLE, r->text);
}

/* ---- answers ---- */

static bool enter(json_scan *s, ss_str json, json_kind kind)
{
    json_value v;
    json_start(s, json);
    return json.len && json_read(s, &v) && v.kind == kind;
}

static ss_str member(ss_str object, const char *name)
{
    json_scan s;
    json_value key;
    ss_str raw;
    for (bool good = enter(&s, object, JSON_OBJECT); good && json_member(&s, &key) && json_skip(&s, &raw);)
        if (json_is(&key, name))
            return raw;
    return ss_s("", 0);
}

/* false: no text, or too long. */
static bool text_of(ss_str json, char *out, size_t size)
{
    json_scan s;
    json_value v;
    *out = '\0';
    json_start(&s, json);
    if (!json.len || !json_read(&s, &v) || v.kind != JSON_STRING || v.text.len >= size)
        return false;
    out[json_unescape(out, v.text)] = '\0';
    return true;
}

/* ---- the query's life ---- */

static int32_t start(session *s)
{
    unsigned char token[TOKEN_BYTES];
    char hex[2 * TOKEN_BYTES + 1];
    const athena_place *p = s->place;
    aws_call *call = NULL;
    ss_str answer;
    buf body;
    p->random(p->arg, token, sizeof token);
    for (size_t i = 0; i < sizeof token; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", token[i]);
    buf_init(&body, BODY_MAX);
    put(&body, "{\"QueryString\": ", ss_cstr(s->ask->sql));
    put(&body, ", \"ClientRequestToken\": ", ss_cstr(hex)); /* a repeat starts nothing new */
    put(&body, ", \"QueryExecutionContext\": {\"Database\": ", ss_cstr(p->database));
    buf_adds(&body, "}");
    if (*p->workgroup)
        put(&body, ", \"WorkGroup\": ", ss_cstr(p->workgroup));
    if (*p->output) {
        put(&body, ", \"ResultConfiguration\": {\"OutputLocation\": ", ss_cstr(p->output));
        buf_adds(&body, "}");
    }
    buf_adds(&body, "}");
    int32_t rc = run(s, "StartQueryExecution", &body, &call, &answer);
    if (rc == SS_OK && (!text_of(member(answer, "QueryExecutionId"), s->id, sizeof s->id) || !*s->id))
        rc = fail(s, WAREHOUSE_FAILED, "Athena started the query but did not say its id");
    aws_call_free(call);
    buf_fini(&body);
    return rc;
}

static void put_id(const session *s, buf *body)
{
    buf_init(body, BODY_MAX);
    put(body, "{\"QueryExecutionId\": ", ss_cstr(s->id));
}

/* Best effort, with a time of its own: what nobody waits for costs money. */
static void cancel(session *s)
{
    buf body;
    aws_call *call;
    put_id(s, &body);
    buf_adds(&body, "}");
    call = aws_json(s->aws, AWS_ATHENA, "StopQueryExecution", buf_str(&body), 0, NULL);
    for (int64_t until = now_ms() + CANCEL_MS; call && now_ms() < until;) {
        (void)aws_poll(s->aws, TURN_MS);
        if (aws_done(s->aws) == call)
            break;
    }
    aws_call_free(call);
    buf_fini(&body);
}

static int32_t judge_state(session *s, ss_str answer, bool *ready)
{
    char state[64], text[400], reason[320];
    ss_str status = member(member(answer, "QueryExecution"), "Status");
    (void)text_of(member(status, "State"), state, sizeof state);
    *ready = strcmp(state, "SUCCEEDED") == 0;
    if (*ready || strcmp(state, "QUEUED") == 0 || strcmp(state, "RUNNING") == 0)
        return SS_OK;
    if (!text_of(member(status, "StateChangeReason"), reason, sizeof reason))
        (void)snprintf(reason, sizeof reason, "Athena gives no reason that could be shown");
    (void)snprintf(text, sizeof text, "%s: %s", *state ? state : "no state", reason);
    s->id[0] = '\0'; /* it has ended: nothing to cancel */
    return fail(s, WAREHOUSE_FAILED, text);
}

static int32_t await(session *s)
{
    int32_t rc = SS_OK;
    bool ready = false;
    for (int64_t ms = POLL_FIRST_MS; rc == SS_OK && !ready;
         ms = ms * 3 / 2 < POLL_MOST_MS ? ms * 3 / 2 : POLL_MOST_MS) {
        aws_call *call = NULL;
        ss_str answer;
        buf body;
        put_id(s, &body);
        buf_adds(&body, "}");
        rc = run(s, "GetQueryExecution", &body, &call, &answer);
        if (rc == SS_OK)
            rc = judge_state(s, answer, &ready);
        aws_call_free(call);
        buf_fini(&body);
        if (rc == SS_OK && !ready)
            rc = linger(s, NULL, ms);
    }
    return rc;
}

/* ---- rows ---- */

typedef struct page {
    char (*names)[NAME_MAX_BYTES];
    const char *pointers[COLUMNS_MAX];
    uint8_t kinds[COLUMNS_MAX];
    warehouse_cell cells[COLUMNS_MAX];
    size_t count;
} page;

static uint8_t kind_of(const char *type)
{
    static const char *const numbers[] = {"tinyint", "smallint", "integer", "int",     "bigint",
                                          "float",   "real",     "double",  "decimal", NULL};
    for (size_t i = 0; numbers[i]; i++)
        if (strcmp(type, numbers[i]) == 0)
            return WAREHOUSE_NUMBER;
    return strcmp(type, "boolean") == 0 ? WAREHOUSE_BOOL : WAREHOUSE_TEXT;
}

static bool read_columns(page *p, ss_str answer)
{
    json_scan s;
    ss_str raw, list = member(member(member(answer, "ResultSet"), "ResultSetMetadata"), "ColumnInfo");
    p->count = 0;
    for (bool good = enter(&s, list, JSON_ARRAY); good && json_item(&s) && json_skip(&s, &raw);) {
        char type[64];
        if (p->count == COLUMNS_MAX || !text_of(member(raw, "Name"), p->names[p->count], NAME_MAX_BYTES))
            return false;
        (void)text_of(member(raw, "Type"), type, sizeof type);
        p->kinds[p->count] = kind_of(type);
        p->pointers[p->count] = p->names[p->count];
        p->count++;
    }
    return true;
}

/* Unescapes into what the answer itself holds: an answer is read once. */
static warehouse_cell cell_of(ss_str datum, uint8_t kind)
{
    json_scan s;
    json_value v;
    ss_str raw = member(datum, "VarCharValue");
    json_start(&s, raw);
    if (!raw.len || !json_read(&s, &v) || v.kind != JSON_STRING)
        return (warehouse_cell){.kind = WAREHOUSE_NULL};
    char *at = (char *)(uintptr_t)v.text.ptr;
    ss_str text = ss_s(at, json_unescape(at, v.text));
    bool number = kind != WAREHOUSE_NUMBER || json_valid(text); /* NaN is none of JSON's */
    return (warehouse_cell){.kind = number ? kind : WAREHOUSE_TEXT, .text = text};
}

static bool is_header(const page *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (!ss_eq(p->cells[i].text, ss_cstr(p->names[i])))
            return false;
    return p->count > 0;
}

/* false: enough. */
static bool hand_on(session *s, page *p, ss_str row)
{
    json_scan scan;
    ss_str raw;
    size_t n = 0;
    for (bool good = enter(&scan, member(row, "Data"), JSON_ARRAY);
         good && json_item(&scan) && json_skip(&scan, &raw);)
        if (n < p->count) {
            p->cells[n] = cell_of(raw, p->kinds[n]);
            n++;
        }
    for (; n < p->count; n++)
        p->cells[n] = (warehouse_cell){.kind = WAREHOUSE_NULL};
    bool header = s->first_page && is_header(p);
    s->first_page = false;
    return header || s->ask->rows->row(s->ask->rows->arg, p->cells, p->count);
}

static int32_t read_page(session *s, page *p, ss_str answer, bool *more)
{
    json_scan scan;
    ss_str raw;
    *more = text_of(member(answer, "NextToken"), s->next, sizeof s->next) && *s->next;
    if (s->first_page) {
        if (!read_columns(p, answer))
            return fail(s, WAREHOUSE_FAILED, "Athena's answer cannot be read, or has too many columns");
        if (!s->ask->rows->columns(s->ask->rows->arg, p->pointers, p->count))
            *more = false;
    }
    for (bool good = enter(&scan, member(member(answer, "ResultSet"), "Rows"), JSON_ARRAY);
         good && json_item(&scan) && json_skip(&scan, &raw);)
        if (!hand_on(s, p, raw)) {
            *more = false;
            break;
        }
    return SS_OK;
}

static int32_t fetch(session *s, page *p)
{
    int32_t rc = SS_OK;
    s->first_page = true;
    for (bool more = true; rc == SS_OK && more;) {
        aws_call *call = NULL;
        ss_str answer;
        buf body;
        put_id(s, &body);
        if (*s->next)
            put(&body, ", \"NextToken\": ", ss_cstr(s->next));
        buf_adds(&body, ", \"MaxResults\": " PAGE_ROWS "}");
        rc = run(s, "GetQueryResults", &body, &call, &answer);
        if (rc == SS_OK)
            rc = read_page(s, p, answer, &more);
        aws_call_free(call);
        buf_fini(&body);
    }
    return rc;
}

int32_t athena_read(aws_client *aws, const athena_place *place, const athena_ask *ask, warehouse_fault *fault)
{
    session s = {
        .aws = aws, .place = place, .ask = ask, .fault = fault, .stop_ms = now_ms() + ask->timeout_ms};
    *fault = (warehouse_fault){.at = -1, .error = {.struct_size = sizeof fault->error}};
    if (strlen(ask->sql) > ATHENA_SQL_MAX)
        return fail(&s, WAREHOUSE_REFUSED, "the text is longer than Athena takes (256 KiB)");
    page *p = calloc(1, sizeof *p);
    if (p)
        p->names = calloc(COLUMNS_MAX, sizeof *p->names);
    int32_t rc = p && p->names ? start(&s) : fail(&s, WAREHOUSE_MEMORY, "out of memory");
    if (rc == SS_OK)
        rc = await(&s);
    bool running = rc != SS_OK && s.id[0];
    if (running)
        cancel(&s);
    if (rc == SS_OK)
        rc = fetch(&s, p);
    if (p)
        free(p->names);
    free(p);
    return rc;
}
