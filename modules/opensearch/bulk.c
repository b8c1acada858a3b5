#include "modules/opensearch/bulk.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "plugins/common/json.h"

#define ACTIONS_MAX (256u << 20)
#define BODY_ROOM   (8u << 20) /* beyond the option: one document may be larger */
#define STAMP_MAX   64u

static const struct {
    const char *name, *help;
} metric_rows[BULK_METRICS] = {
    [BULK_CALLS] = {"opensearch_calls_total", "_bulk requests"},
    [BULK_DOCS] = {"opensearch_documents_total", "documents sent, again ones included"},
    [BULK_BYTES] = {"opensearch_bytes_total", "bytes of _bulk bodies before gzip"},
    [BULK_AGAIN] = {"opensearch_documents_again_total", "documents that were sent again"},
    [BULK_THERE] = {"opensearch_documents_there_total",
                    "documents that were there already, or in a newer version"},
    [BULK_REFUSED] = {"opensearch_documents_refused_total", "documents that went into quarantine"},
    [BULK_UNKNOWN] = {"opensearch_documents_unknown_total",
                      "documents of calls whose outcome is not known: without ids they may be there twice"},
    [BULK_BUSY] = {"opensearch_busy_total", "calls in which the cluster asked for less"},
};

void bulk_init(bulk *b, const ss_host *host, wire *w, names *n)
{
    b->host = host;
    b->wire = w;
    b->names = n;
    b->bytes_now = b->bytes_max;
    b->actions.limit = ACTIONS_MAX;
    for (uint32_t i = 0; i < BULK_CALLS_MAX; i++)
        b->calls[i].body.limit = b->bytes_max + BODY_ROOM;
    for (size_t i = 0; i < BULK_METRICS; i++)
        b->metrics[i] = host->counter(host->self, metric_rows[i].name, metric_rows[i].help, "");
}

void bulk_fini(bulk *b)
{
    for (uint32_t i = 0; i < BULK_CALLS_MAX; i++) {
        grow_free(&b->calls[i].body);
        grow_free(&b->calls[i].wire.packed);
        free(b->calls[i].items);
    }
    grow_free(&b->actions);
    free(b->items);
}

/* ---- the batch ---- */

static void reject(bulk *b, uint32_t i, const char *why)
{
    b->host->result(b->host->self, b->result, i, SS_RECORD_REJECT, 0, ss_cstr(why));
    b->refused++;
    (void)snprintf(b->refusal, sizeof b->refusal, "%s", why);
    b->host->metric_add(b->metrics[BULK_REFUSED], 1);
}

static bool add(bulk *b, uint32_t i, const ss_record *r)
{
    char why[BULK_TEXT_MAX];
    size_t at = b->actions.len;
    if (r->body.len < 2 || r->body.ptr[0] != '{' || memchr(r->body.ptr, '\n', r->body.len)) {
        reject(b, i, "the document is not one JSON object on one line (option view)");
        return true;
    }
    if (!names_action(b->names, r, &b->actions, why, sizeof why)) {
        b->actions.len = at;
        reject(b, i, why);
        return true;
    }
    b->items[b->count++] = (bulk_item){.record = i,
                                       .action_at = (uint32_t)at,
                                       .action_len = (uint32_t)(b->actions.len - at),
                                       .most = UINT32_MAX};
    return !b->actions.full;
}

static bool begin(bulk *b, const ss_batch *batch, ss_result *result)
{
    b->batch = batch;
    b->result = result;
    b->count = b->open_from = b->failures = b->refused = b->lost = 0;
    b->all_due_ms = 0;
    b->broken = SS_OK;
    b->text[0] = '\0';
    grow_clear(&b->actions);
    if (b->size < batch->count) {
        bulk_item *items = realloc(b->items, batch->count * sizeof *items);
        if (!items)
            return false;
        b->items = items;
        b->size = batch->count;
    }
    for (uint32_t i = 0; i < batch->count; i++)
        if (!add(b, i, ss_record_at(batch, i)))
            return false;
    b->left = b->count;
    return true;
}

/* ---- a call's body ---- */

/* True where the document has the member itself. */
static bool has_timestamp(ss_str json)
{
    json_scan s;
    json_value v, key;
    static const char name[] = "\"@timestamp\"";
    if (!memmem(json.ptr, json.len, name, sizeof name - 1))
        return false;
    json_start(&s, json);
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(&s, &key)) {
        if (json_is(&key, "@timestamp"))
            return true;
        (void)json_skip(&s, NULL);
    }
    return false;
}

static void put_timestamp(bulk *b, grow *body, const ss_record *r)
{
    char text[STAMP_MAX], day[STAMP_MAX];
    int64_t us = names_time(b->names, r);
    time_t s = (time_t)(us / 1000000);
    struct tm tm;
    if (us < 0 || !gmtime_r(&s, &tm) || strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        return;
    int n = snprintf(text, sizeof text, "{\"@timestamp\":\"%s.%03dZ\"%s", day, (int)(us / 1000 % 1000),
                     r->body.ptr[1] == '}' ? "" : ",");
    (void)grow_put(body, ss_s(text, (size_t)n));
}

static void put_document(bulk *b, grow *body, const bulk_item *item)
{
    const ss_record *r = ss_record_at(b->batch, item->record);
    ss_str json = r->body;
    (void)grow_put(body, ss_s(b->actions.at + item->action_at, item->action_len));
    if (b->timestamp && !has_timestamp(json)) {
        size_t before = body->len;
        put_timestamp(b, body, r);
        if (body->len > before)
            json = ss_s(json.ptr + 1, json.len - 1);
    }
    (void)grow_put(body, json);
    (void)grow_puts(body, "\n");
}

static bool add_to(bulk_call *call, uint32_t i)
{
    if (call->count == call->size) {
        uint32_t size = call->size ? call->size * 2 : 256;
        uint32_t *items = realloc(call->items, size * sizeof *items);
        if (!items)
            return false;
        call->items = items;
        call->size = size;
    }
    call->items[call->count++] = i;
    return true;
}

static bool gather(bulk *b, bulk_call *call, int64_t now_ms)
{
    size_t bytes = 0;
    uint32_t most = UINT32_MAX;
    call->count = 0;
    grow_clear(&call->body);
    for (uint32_t i = b->open_from; i < b->count && call->count < most; i++) {
        bulk_item *item = &b->items[i];
        size_t more = item->action_len + ss_record_at(b->batch, item->record)->body.len + 1;
        if (item->state != BULK_WAITING || item->due_ms > now_ms ||
            (call->count > 0 && item->most < call->count + 1))
            continue;
        if (call->count > 0 && bytes + more > b->bytes_now)
            break;
        most = item->most < most ? item->most : most;
        bytes += more;
        if (!add_to(call, i))
            return false;
        put_document(b, &call->body, item);
    }
    return !call->body.full;
}

/* ---- sending ---- */

static void set_state(bulk *b, const bulk_call *call, enum bulk_state state)
{
    for (uint32_t i = 0; i < call->count; i++)
        b->items[call->items[i]].state = state;
}

static int64_t time_left_ms(const bulk *b)
{
    return (b->batch->deadline_us - BULK_MARGIN_US - b->host->now_us(b->host->self)) / 1000;
}

/* False: nothing is due, or broken. */
static bool send_one(bulk *b, bulk_call *call, ss_error *err)
{
    int64_t left_ms = time_left_ms(b);
    bool good = gather(b, call, http_now_ms());
    if (good && call->count == 0)
        return false;
    const wire_request r = {.method = "POST",
                            .path = "/_bulk",
                            /* Answers of 25 bytes a document in place of 200. */
                            .query = b->wire->kind == WIRE_AOSS
                                         ? NULL
                                         : "filter_path=errors%2Citems.%2A.status%2Citems.%2A.error",
                            .type = "application/x-ndjson",
                            .body = grow_str(&call->body),
                            .timeout_ms = left_ms < b->wire->timeout_ms ? (left_ms > 1 ? left_ms : 1) : 0,
                            .pack = true};
    call->open = good && wire_start(b->wire, &call->wire, &r, call);
    if (!call->open) {
        b->broken = ss_fail(err, SS_RETRY, "opensearch: no memory for a request");
        return false;
    }
    set_state(b, call, BULK_FLYING);
    b->host->metric_add(b->metrics[BULK_CALLS], 1);
    b->host->metric_add(b->metrics[BULK_DOCS], call->count);
    b->host->metric_add(b->metrics[BULK_BYTES], (double)call->body.len);
    return true;
}

static void send_all(bulk *b, ss_error *err)
{
    if (b->broken || b->all_due_ms > http_now_ms())
        return;
    uint32_t calls = b->slow ? 1 : b->calls_max; /* one at a time where the cluster is busy */
    if (b->wire->in_flight >= calls)
        return;
    for (uint32_t i = 0; i < calls; i++)
        if (!b->calls[i].open && !send_one(b, &b->calls[i], err))
            return;
}

/* ---- the loop ---- */

static int64_t wait_ms(const bulk *b, int64_t now_ms)
{
    int64_t until = now_ms + BULK_WAIT_MS;
    if (b->all_due_ms > now_ms)
        return b->all_due_ms < until ? b->all_due_ms - now_ms : BULK_WAIT_MS;
    for (uint32_t i = b->open_from; i < b->count; i++)
        if (b->items[i].state == BULK_WAITING && b->items[i].due_ms > now_ms && b->items[i].due_ms < until)
            until = b->items[i].due_ms;
    return until - now_ms;
}

/* Nothing more is sent: the rest comes again with the host's own pauses. */
static bool is_over(const bulk *b)
{
    return b->broken || time_left_ms(b) < BULK_WAIT_MS || b->lost >= BULK_LOST_MAX ||
           (b->failures > 0 && b->host->stopping(b->host->self));
}

static void collect(bulk *b, int64_t ms, ss_error *err)
{
    wire_answer answer;
    for (wire_call *done = wire_poll(b->wire, ms); done; done = wire_poll(b->wire, 0)) {
        bulk_call *call = done->user;
        set_state(b, call, BULK_WAITING);
        wire_read(b->wire, done, &answer);
        bulk_judge(b, call, &answer, err);
        wire_end(b->wire, done);
        call->open = false;
    }
    while (b->open_from < b->count && b->items[b->open_from].state == BULK_DONE)
        b->open_from++;
}

int32_t bulk_run(bulk *b, const ss_batch *batch, ss_result *result, ss_error *err)
{
    if (!begin(b, batch, result))
        return ss_fail(err, SS_RETRY, "opensearch: no memory for a batch of %u records", batch->count);
    while (b->left > 0) {
        bool over = is_over(b);
        if (!over)
            send_all(b, err);
        if (b->wire->in_flight == 0 && (over || b->broken))
            break;
        int64_t ms = wait_ms(b, http_now_ms());
        if (b->wire->in_flight > 0)
            collect(b, ms, err);
        else
            (void)poll(NULL, 0, (int)ms);
    }
    for (uint32_t i = b->open_from; i < b->count; i++)
        if (b->items[i].state != BULK_DONE)
            b->host->result(b->host->self, result, b->items[i].record, SS_RECORD_RETRY, 0, ss_cstr(b->text));
    return b->broken;
}
