#include "plugins/common/aws/puts.h"

#include <poll.h>

#include "plugins/common/aws/puts_inside.h"
#include "plugins/common/base64.h"
#include "plugins/common/json.h"

/* ---- life ---- */

aws_puts *puts_new(const puts_rules *rules, const ss_host *host, aws_client *client, ss_error *err)
{
    aws_puts *p = calloc(1, sizeof *p);
    if (!p) {
        (void)ss_fail(err, SS_RETRY, "%s: no memory", rules->operation);
        return NULL;
    }
    p->rules = *rules;
    if (p->rules.calls == 0 || p->rules.calls > PUTS_CALLS_MAX)
        p->rules.calls = PUTS_CALLS_MAX;
    p->host = host;
    p->client = client;
    p->head.limit = PUTS_HEAD_MAX;
    p->keys.limit = PUTS_KEYS_MAX;
    p->scratch.limit = PUTS_BODY_MAX;
    for (uint32_t i = 0; i < PUTS_CALLS_MAX; i++)
        p->calls[i].body.limit = PUTS_BODY_MAX;
    p->metrics[PUTS_CALLS] = host->counter(host->self, "put_calls_total", "Calls that were answered.", "");
    p->metrics[PUTS_FULL] = host->counter(host->self, "put_full_calls_total",
                                          "Those of them that held as much as a call may.", "");
    p->metrics[PUTS_ITEMS] = host->counter(host->self, "put_items_total", "Items that were taken.", "");
    p->metrics[PUTS_AGAIN] = host->counter(host->self, "put_items_again_total",
                                           "Items that were refused or not answered, and sent again.", "");
    p->metrics[PUTS_UNKNOWN] = host->counter(
        host->self, "put_items_unknown_total",
        "Items sent again after a call whose outcome is not known: they may be there twice.", "");
    return p;
}

void puts_free(aws_puts *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < PUTS_CALLS_MAX; i++) {
        aws_call_free(p->calls[i].call);
        grow_free(&p->calls[i].body);
        free(p->calls[i].items);
    }
    grow_free(&p->head);
    grow_free(&p->keys);
    grow_free(&p->scratch);
    free(p->items);
    free(p);
}

void puts_works(aws_puts *p)
{
    p->works = true;
}

bool puts_target(aws_puts *p, ss_str head)
{
    grow_clear(&p->head);
    return grow_put(&p->head, head);
}

/* ---- the batch ---- */

bool puts_begin(aws_puts *p, const ss_batch *batch)
{
    p->batch = batch;
    p->count = p->open_from = p->left = 0;
    p->shard_count = 0;
    p->all_due_ms = 0;
    p->failures = p->lost = 0;
    grow_clear(&p->keys);
    if (p->size < batch->count) {
        puts_item *items = realloc(p->items, batch->count * sizeof *items);
        if (!items)
            return false;
        p->items = items;
        p->size = batch->count;
    }
    return true;
}

static uint32_t lane_of(ss_str key)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 16777619u;
    return hash % PUTS_LANES;
}

bool puts_add(aws_puts *p, uint32_t first, uint32_t count, ss_str key, size_t bytes)
{
    size_t at = p->keys.len;
    if (p->count == p->size || !grow_put(&p->keys, key))
        return false;
    p->items[p->count++] = (puts_item){.first = first,
                                       .count = count,
                                       .key_at = (uint32_t)at,
                                       .key_len = (uint32_t)key.len,
                                       .bytes = bytes + key.len,
                                       .most = p->rules.max_items,
                                       .lane = lane_of(key)};
    p->left++;
    return true;
}

/* ---- a call's body ---- */

static void put_data(aws_puts *p, grow *body, const puts_item *item)
{
    grow_clear(&p->scratch);
    for (uint32_t i = 0; i < item->count; i++) {
        (void)grow_put(&p->scratch, ss_record_at(p->batch, item->first + i)->body);
        if (p->rules.newline)
            (void)grow_put(&p->scratch, ss_s(&p->rules.newline, 1));
    }
    ss_str bytes = grow_str(&p->scratch);
    body->full |= p->scratch.full;
    if (grow_room(body, BASE64_SIZE(bytes.len)))
        body->len += base64_put(body->at + body->len, bytes);
}

static void put_key(aws_puts *p, grow *body, const puts_item *item)
{
    ss_str key = ss_s(p->keys.at + item->key_at, item->key_len);
    (void)grow_puts(body, "\",\"PartitionKey\":");
    if (grow_room(body, json_escape_bound(key.len)))
        body->len += json_put_string(body->at + body->len, key);
}

/* {"StreamName":"x","Records":[{"Data":"...","PartitionKey":"..."},...]} */
static bool put_body(aws_puts *p, puts_call *call)
{
    grow *body = &call->body;
    grow_clear(body);
    (void)grow_put(body, grow_str(&p->head));
    (void)grow_puts(body, ",\"Records\":[");
    for (uint32_t i = 0; i < call->count; i++) {
        const puts_item *item = &p->items[call->items[i]];
        (void)grow_puts(body, i ? ",{\"Data\":\"" : "{\"Data\":\"");
        put_data(p, body, item);
        if (p->rules.keys)
            put_key(p, body, item);
        (void)grow_puts(body, p->rules.keys ? "}" : "\"}");
    }
    (void)grow_puts(body, "]}");
    return !body->full;
}

/* ---- what goes into the next call ---- */

static bool is_due(const aws_puts *p, const puts_item *item, int64_t now_ms)
{
    return item->due_ms <= now_ms && (item->shard == 0 || p->shards[item->shard - 1].due_ms <= now_ms);
}

/* Takes items in their order. Ordered: a key whose item is in flight, is waiting or was passed over holds
   back the later ones. */
static void gather(aws_puts *p, puts_call *call, int64_t now_ms)
{
    size_t bytes = 0;
    uint32_t most = p->rules.max_items;
    call->count = 0;
    call->full = false;
    if (p->rules.ordered)
        memcpy(p->held, p->flying, sizeof p->held);
    for (uint32_t i = p->open_from; i < p->count && call->count < most; i++) {
        puts_item *item = &p->items[i];
        if (item->state != PUTS_WAITING)
            continue;
        bool held = p->rules.ordered && (p->held[item->lane / 64] >> (item->lane % 64) & 1u);
        p->held[item->lane / 64] |= (uint64_t)1 << (item->lane % 64);
        if (held || !is_due(p, item, now_ms) || (call->count > 0 && item->most < call->count + 1))
            continue;
        if (call->count > 0 && bytes + item->bytes > p->rules.max_call_bytes) {
            call->full = true;
            break;
        }
        most = item->most < most ? item->most : most;
        bytes += item->bytes;
        call->items[call->count++] = i;
    }
    call->full |= call->count == p->rules.max_items;
}

static void set_flying(aws_puts *p, const puts_call *call, bool on)
{
    for (uint32_t i = 0; i < call->count; i++) {
        puts_item *item = &p->items[call->items[i]];
        uint64_t bit = (uint64_t)1 << (item->lane % 64);
        item->state = on ? PUTS_FLYING : PUTS_WAITING;
        p->flying[item->lane / 64] =
            on ? p->flying[item->lane / 64] | bit : p->flying[item->lane / 64] & ~bit;
    }
}

/* ---- sending ---- */

static bool call_ready(aws_puts *p, puts_call *call)
{
    if (!call->items)
        call->items = malloc(p->rules.max_items * sizeof *call->items);
    return call->items != NULL;
}

/* Once: what is tried again, and when, is decided here, item by item. */
static aws_call *start_call(aws_puts *p, puts_call *call)
{
    char target[PUTS_NAME_MAX * 2];
    (void)snprintf(target, sizeof target, "%s.%s", p->rules.service->target, p->rules.operation);
    const ss_pair headers[] = {{SS_LIT("Content-Type"), SS_LIT("application/x-amz-json-1.1")},
                               {SS_LIT("X-Amz-Target"), ss_cstr(target)}};
    const aws_request request = {.service = p->rules.service,
                                 .method = SS_LIT("POST"),
                                 .path = SS_LIT("/"),
                                 .headers = headers,
                                 .header_count = sizeof headers / sizeof *headers,
                                 .body = grow_str(&call->body),
                                 .deadline_us = p->batch->deadline_us - PUTS_MARGIN_US,
                                 .flags = AWS_ONCE,
                                 .user = call};
    return aws_start(p->client, &request);
}

/* False: nothing is due, or no memory (err). */
static bool send_one(aws_puts *p, puts_call *call, ss_error *err)
{
    if (!call_ready(p, call)) {
        p->broken = ss_fail(err, SS_RETRY, "%s: no memory", p->rules.operation);
        return false;
    }
    gather(p, call, http_now_ms());
    if (call->count == 0)
        return false;
    if (put_body(p, call))
        call->call = start_call(p, call);
    if (!call->call) {
        p->broken = ss_fail(err, SS_RETRY, "%s: no memory for a call", p->rules.operation);
        return false;
    }
    set_flying(p, call, true);
    p->in_flight++;
    return true;
}

static void send_all(aws_puts *p, ss_error *err)
{
    if (p->broken || p->all_due_ms > http_now_ms())
        return;
    for (uint32_t i = 0; i < p->rules.calls; i++)
        if (!p->calls[i].call && !send_one(p, &p->calls[i], err))
            return;
}

/* ---- the loop ---- */

/* How long until something else may be sent. */
static int64_t wait_ms(const aws_puts *p, int64_t now_ms)
{
    int64_t until = now_ms + PUTS_WAIT_MS;
    if (p->all_due_ms > now_ms)
        return p->all_due_ms < until ? p->all_due_ms - now_ms : PUTS_WAIT_MS;
    for (uint32_t i = p->open_from; i < p->count; i++) {
        const puts_item *item = &p->items[i];
        int64_t due = item->due_ms;
        if (item->state != PUTS_WAITING)
            continue;
        if (item->shard && p->shards[item->shard - 1].due_ms > due)
            due = p->shards[item->shard - 1].due_ms;
        if (due > now_ms && due < until)
            until = due;
    }
    return until - now_ms;
}

/* Nothing more is sent: the rest comes again with the host's own pauses. */
static bool is_over(const aws_puts *p)
{
    bool late = p->host->now_us(p->host->self) > p->batch->deadline_us - 2 * PUTS_MARGIN_US;
    return p->broken || late || p->lost >= PUTS_LOST_MAX ||
           (p->failures > 0 && p->host->stopping(p->host->self));
}

static void collect(aws_puts *p, ss_result *result, ss_error *err)
{
    aws_call *done;
    while ((done = aws_done(p->client)) != NULL) {
        puts_call *call = aws_reply_of(done)->user;
        set_flying(p, call, false);
        puts_judge(p, call, result, err);
        aws_call_free(done);
        call->call = NULL;
        p->in_flight--;
    }
    while (p->open_from < p->count && p->items[p->open_from].state == PUTS_DONE)
        p->open_from++;
}

/* What is left comes again; the host's log shows why. */
static void mark_rest(aws_puts *p, ss_result *result)
{
    for (uint32_t i = p->open_from; i < p->count; i++) {
        const puts_item *item = &p->items[i];
        for (uint32_t k = 0; item->state != PUTS_DONE && k < item->count; k++)
            p->host->result(p->host->self, result, item->first + k, SS_RECORD_RETRY, 0,
                            ss_cstr(p->last_text));
    }
}

int32_t puts_run(aws_puts *p, ss_result *result, ss_error *err)
{
    p->broken = SS_OK;
    p->last_text[0] = '\0';
    memset(p->flying, 0, sizeof p->flying);
    while (p->left > 0) {
        bool over = is_over(p);
        if (!over)
            send_all(p, err);
        if (p->in_flight == 0 && (over || p->broken))
            break;
        int64_t ms = wait_ms(p, http_now_ms());
        if (p->in_flight > 0)
            (void)aws_poll(p->client, ms);
        else
            (void)poll(NULL, 0, (int)ms);
        collect(p, result, err);
    }
    mark_rest(p, result);
    return p->broken;
}
