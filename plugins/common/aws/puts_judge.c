/* What an answer says of each item. */
#include "plugins/common/aws/puts_inside.h"
#include "plugins/common/json.h"

static void count(aws_puts *p, enum puts_metric which, double n)
{
    p->host->metric_add(p->metrics[which], n);
}

static void finish(aws_puts *p, puts_item *item, ss_result *result, uint32_t status, uint32_t code,
                   ss_str text)
{
    for (uint32_t i = 0; i < item->count; i++) {
        if (status == SS_RECORD_OK)
            ss_mark(result, item->first + i, status);
        else
            p->host->result(p->host->self, result, item->first + i, status, code, text);
    }
    item->state = PUTS_DONE;
    p->left--;
}

/* Exponential, full jitter; one throw for an answer: what failed together is sent again together, in a full
 * call. */
static int64_t pause_ms(const aws_puts *p, uint32_t failures)
{
    int64_t most = PUTS_PAUSE_MS;
    for (uint32_t i = 1; i < failures && most < PUTS_PAUSE_MAX; i++)
        most *= 2;
    return 1 + (int64_t)(p->dice % (uint32_t)(most < PUTS_PAUSE_MAX ? most : PUTS_PAUSE_MAX));
}

static void again(aws_puts *p, puts_item *item)
{
    item->failures++;
    item->due_ms = http_now_ms() + pause_ms(p, item->failures);
    p->failures++;
    count(p, PUTS_AGAIN, 1);
}

/* "Rate exceeded for shard shardId-000000000001 in stream ...": 0 = no shard is named. */
static uint32_t shard_named(aws_puts *p, ss_str message)
{
    static const char mark[] = "shardId-";
    const char *at = message.len ? memmem(message.ptr, message.len, mark, sizeof mark - 1) : NULL;
    size_t len = 0, most = at ? message.len - (size_t)(at - message.ptr) : 0;
    while (len < most && len < PUTS_NAME_MAX - 1 && at[len] > ' ' && at[len] != ',' && at[len] != '"')
        len++;
    if (len == 0)
        return 0;
    for (uint32_t i = 0; i < p->shard_count; i++)
        if (strlen(p->shards[i].name) == len && memcmp(p->shards[i].name, at, len) == 0)
            return i + 1;
    if (p->shard_count == PUTS_SHARDS_MAX)
        return 0;
    puts_shard *s = &p->shards[p->shard_count++];
    *s = (puts_shard){.failures = 0};
    memcpy(s->name, at, len);
    return p->shard_count;
}

static void slow_shard(aws_puts *p, puts_item *item, ss_str message, int64_t now_ms)
{
    item->shard = shard_named(p, message);
    if (item->shard == 0)
        return;
    puts_shard *s = &p->shards[item->shard - 1];
    if (s->due_ms <= now_ms) { /* once for all items of one answer */
        s->failures++;
        s->due_ms = now_ms + pause_ms(p, s->failures);
    }
}

/* The text outlives the answer. */
static ss_str explain(aws_puts *p, ss_str code, ss_str message)
{
    int n = snprintf(p->last_text, sizeof p->last_text, "%s: %.*s: %.*s", p->rules.operation,
                     (int)(code.len < 100 ? code.len : 100), code.ptr,
                     (int)(message.len < 300 ? message.len : 300), message.ptr);
    return ss_s(p->last_text, n > 0 && (size_t)n < sizeof p->last_text ? (size_t)n : strlen(p->last_text));
}

static void refused(aws_puts *p, puts_item *item, ss_str code, ss_str message, ss_result *result,
                    ss_error *err)
{
    ss_str text = explain(p, code, message);
    switch (aws_classify(0, code)) {
    case AWS_POISON:
        finish(p, item, result, SS_RECORD_REJECT, 0, text);
        break;
    case AWS_AUTH:
        p->broken = ss_fail(err, SS_PAUSE, "%s", p->last_text);
        item->due_ms = 0;
        break;
    default:
        again(p, item);
        slow_shard(p, item, message, http_now_ms());
        break;
    }
}

/* ---- the answer as a whole ---- */

typedef struct entry {
    bool failed;
    ss_str code, message;
} entry;

static bool read_entry(json_scan *s, entry *e)
{
    json_value v, key;
    *e = (entry){.code = ss_s("", 0), .message = ss_s("", 0)};
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(s, &key)) {
        bool code = json_is(&key, "ErrorCode"), message = json_is(&key, "ErrorMessage");
        if (!code && !message) {
            (void)json_skip(s, NULL);
            continue;
        }
        if (!json_read(s, &v) || v.kind == JSON_OBJECT || v.kind == JSON_ARRAY)
            return false;
        if (code && v.kind == JSON_STRING && v.text.len > 0) {
            e->failed = true;
            e->code = v.text;
        } else if (message && v.kind == JSON_STRING) {
            e->message = v.text;
        }
    }
    return !s->problem;
}

/* Moves to the list of results. */
static bool find_results(const aws_puts *p, json_scan *s, ss_str body)
{
    json_value v, key;
    json_start(s, body);
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(s, &key)) {
        if (json_is(&key, p->rules.results))
            return json_read(s, &v) && v.kind == JSON_ARRAY;
        if (!json_skip(s, NULL))
            return false;
    }
    return false;
}

/* As many results as items, or nothing of it is believed. */
static bool is_whole(const aws_puts *p, const puts_call *call, ss_str body)
{
    json_scan s;
    entry e;
    uint32_t n = 0;
    if (!find_results(p, &s, body))
        return false;
    for (; json_item(&s); n++)
        if (!read_entry(&s, &e))
            return false;
    return n == call->count && !s.problem;
}

static void take_results(aws_puts *p, puts_call *call, ss_str body, ss_result *result, ss_error *err)
{
    json_scan s;
    entry e;
    uint32_t taken = 0;
    (void)find_results(p, &s, body);
    for (uint32_t i = 0; i < call->count && json_item(&s) && read_entry(&s, &e); i++) {
        puts_item *item = &p->items[call->items[i]];
        if (e.failed) {
            refused(p, item, e.code, e.message, result, err);
            continue;
        }
        finish(p, item, result, SS_RECORD_OK, 0, ss_s("", 0));
        taken++;
    }
    count(p, PUTS_ITEMS, taken);
    count(p, PUTS_CALLS, 1);
    count(p, PUTS_FULL, call->full);
}

/* ---- a call that failed as a whole ---- */

static void all_again(aws_puts *p, puts_call *call, bool unknown)
{
    p->lost++;
    for (uint32_t i = 0; i < call->count; i++)
        again(p, &p->items[call->items[i]]);
    if (unknown)
        count(p, PUTS_UNKNOWN, call->count);
}

static void halve(aws_puts *p, puts_call *call, const aws_reply *reply, ss_result *result, ss_error *err)
{
    if (call->count == 1 && !p->works) {
        p->broken = ss_fail(err, SS_PAUSE, "%s", p->last_text);
        return;
    }
    if (call->count == 1) {
        finish(p, &p->items[call->items[0]], result, SS_RECORD_REJECT, reply->status, ss_cstr(p->last_text));
        return;
    }
    p->failures++;
    for (uint32_t i = 0; i < call->count; i++)
        p->items[call->items[i]].most = (call->count + 1) / 2;
}

static void slow_down(aws_puts *p, const aws_reply *reply)
{
    int64_t ms = reply->retry_after_ms > 0 ? reply->retry_after_ms : pause_ms(p, ++p->slow);
    p->all_due_ms = http_now_ms() + ms;
}

void puts_judge(aws_puts *p, puts_call *call, ss_result *result, ss_error *err)
{
    const aws_reply *reply = aws_reply_of(call->call);
    p->host->random(p->host->self, &p->dice, sizeof p->dice);
    if (reply->result == AWS_OK && is_whole(p, call, reply->body)) {
        p->slow = p->lost = 0;
        p->works = true;
        take_results(p, call, reply->body, result, err);
        return;
    }
    if (reply->result == AWS_OK) {
        (void)snprintf(p->last_text, sizeof p->last_text,
                       "%s: the answer does not have a result for each of the %u records that were sent",
                       p->rules.operation, call->count);
        all_again(p, call, true);
        return;
    }
    (void)snprintf(p->last_text, sizeof p->last_text, "%s", reply->text);
    switch (reply->result) {
    case AWS_AUTH:
        p->broken = ss_fail(err, SS_PAUSE, "%s", reply->text);
        break;
    case AWS_POISON:
        halve(p, call, reply, result, err);
        break;
    case AWS_THROTTLE:
        slow_down(p, reply);
        all_again(p, call, reply->unknown);
        break;
    default:
        all_again(p, call, reply->unknown);
        break;
    }
}
