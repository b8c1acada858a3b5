/* Iterators and reads of one shard. */
#include "receivers/kinesis/kinesis.h"

#include "plugins/common/http_client.h"
#include "plugins/common/json.h"

void put_stream(const kinesis *k, grow *body)
{
    bool arn = strncmp(k->stream, "arn:", 4) == 0;
    (void)grow_puts(body, arn ? "{\"StreamARN\":\"" : "{\"StreamName\":\"");
    (void)grow_puts(body, k->stream); /* checked: no character of it needs an escape */
    (void)grow_puts(body, "\"");
}

static int64_t backoff(const kinesis *k, uint32_t failures)
{
    int64_t ms = BACKOFF_FIRST_MS;
    uint32_t dice = 0;
    for (uint32_t i = 1; i < failures && ms < BACKOFF_MOST_MS; i++)
        ms *= 2;
    ms = ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS;
    k->host->random(k->host->self, &dice, sizeof dice);
    return ms / 2 + (int64_t)(dice % (uint32_t)(ms / 2 + 1));
}

int32_t kinesis_failed(kinesis *k, const aws_reply *reply, uint32_t *failures, int64_t *due_ms, ss_error *err)
{
    bool throttled = reply->result == AWS_THROTTLE;
    int64_t wait = backoff(k, ++*failures);
    if (!throttled && reply->result != AWS_RETRY)
        return ss_fail(err, SS_PAUSE, "stream %s: %s", k->name, reply->text);
    *due_ms = http_now_ms() + (reply->retry_after_ms > wait ? reply->retry_after_ms : wait);
    if (throttled) /* the stream's consumers share five reads a second and shard: no failure */
        k->host->metric_add(k->metrics.throttled, 1);
    else if (*failures >= FAILURES_MAX)
        return ss_fail(err, SS_RETRY, "stream %s: %s", k->name, reply->text);
    return SS_OK;
}

/* ---- asking ---- */

static void put_place(const place *p, grow *body)
{
    char text[128];
    switch (p->kind) {
    case PLACE_HORIZON:
        (void)grow_puts(body, ",\"ShardIteratorType\":\"TRIM_HORIZON\"");
        return;
    case PLACE_LATEST:
        (void)grow_puts(body, ",\"ShardIteratorType\":\"LATEST\"");
        return;
    case PLACE_TIME:
        (void)snprintf(text, sizeof text, ",\"ShardIteratorType\":\"AT_TIMESTAMP\",\"Timestamp\":%lld.%03d",
                       (long long)(p->time_ms / 1000), (int)(p->time_ms % 1000));
        (void)grow_puts(body, text);
        return;
    case PLACE_AFTER:
    case PLACE_WITHIN:
        (void)grow_puts(body, p->kind == PLACE_AFTER ? ",\"ShardIteratorType\":\"AFTER_SEQUENCE_NUMBER\""
                                                     : ",\"ShardIteratorType\":\"AT_SEQUENCE_NUMBER\"");
        (void)grow_puts(body, ",\"StartingSequenceNumber\":\"");
        (void)grow_puts(body, p->sequence);
        (void)grow_puts(body, "\"");
    }
}

static int32_t ask(kinesis *k, shard *s, const char *operation, enum shard_state state, ss_error *err)
{
    (void)grow_puts(&s->body, "}");
    if (!s->body.full)
        s->call = aws_json(k->aws, AWS_KINESIS, operation, grow_str(&s->body), 0, s);
    if (!s->call)
        return ss_fail(err, SS_RETRY, "no memory");
    s->state = state;
    s->started_ms = http_now_ms();
    return SS_OK;
}

int32_t shard_ask(kinesis *k, shard *s, ss_error *err)
{
    grow_clear(&s->body);
    put_stream(k, &s->body);
    (void)grow_puts(&s->body, ",\"ShardId\":\"");
    (void)grow_puts(&s->body, s->id);
    (void)grow_puts(&s->body, "\"");
    put_place(&s->now, &s->body);
    return ask(k, s, "GetShardIterator", SHARD_ASKING, err);
}

int32_t shard_read(kinesis *k, shard *s, ss_error *err)
{
    char text[64], iterator[json_escape_bound(ITERATOR_MAX)];
    grow_clear(&s->body);
    (void)snprintf(text, sizeof text, "{\"Limit\":%u,\"ShardIterator\":", k->limit);
    (void)grow_puts(&s->body, text);
    (void)grow_put(&s->body, ss_s(iterator, json_put_string(iterator, ss_cstr(s->iterator))));
    if (strncmp(k->stream, "arn:", 4) == 0) {
        (void)grow_puts(&s->body, ",\"StreamARN\":\"");
        (void)grow_puts(&s->body, k->stream);
        (void)grow_puts(&s->body, "\"");
    }
    return ask(k, s, "GetRecords", SHARD_READING, err);
}

/* ---- taking ---- */

static bool read_iterator(shard *s, ss_str body)
{
    json_scan scan;
    json_value v, key;
    s->iterator[0] = '\0';
    json_start(&scan, body);
    if (!json_read(&scan, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(&scan, &key)) {
        if (!json_is(&key, "ShardIterator")) {
            (void)json_skip(&scan, NULL);
            continue;
        }
        if (!json_read(&scan, &v) || v.kind != JSON_STRING || v.text.len > ITERATOR_MAX)
            return false;
        s->iterator[json_unescape(s->iterator, v.text)] = '\0';
    }
    return json_finish(&scan) && s->iterator[0];
}

/* "From now on" is a place that cannot be stored. The time by Kinesis's clock is one, and where nothing comes
   before a restart, reading begins there. */
static void fix_latest(kinesis *k, shard *s, const aws_call *call)
{
    if (s->now.kind != PLACE_LATEST)
        return;
    int64_t us = aws_answered_us(call);
    s->now = (place){.kind = PLACE_TIME, .time_ms = (us ? us : k->host->now_us(k->host->self)) / 1000};
    s->changed = true;
}

static int32_t take_iterator(kinesis *k, shard *s, aws_call *call, ss_error *err)
{
    const aws_reply *reply = aws_reply_of(call);
    shard_lose(s);
    if (reply->result == AWS_OK) {
        if (!read_iterator(s, reply->body))
            return ss_fail(err, SS_RETRY,
                           "GetShardIterator of %s: the answer is not as expected (request %s)", s->id,
                           reply->request_id);
        fix_latest(k, s, call);
        s->state = SHARD_READY;
        s->failures = 0;
        return SS_OK;
    }
    if (strcmp(reply->code, "InvalidArgumentException") == 0)
        return ss_fail(err, SS_PAUSE,
                       "stream %s: the stored position of %s is not of this stream; was it deleted and made "
                       "again? A receiver of "
                       "another name begins anew (%s)",
                       k->name, s->id, reply->text);
    return kinesis_failed(k, reply, &s->failures, &s->due_ms, err);
}

static int32_t take_records(kinesis *k, shard *s, aws_call *call, ss_error *err)
{
    const aws_reply *reply = aws_reply_of(call);
    if (reply->result == AWS_OK) {
        s->state = SHARD_READY;
        s->failures = 0;
        int32_t rc = records_take(k, s, reply->body, err);
        if (rc != SS_OK)
            shard_lose(s); /* what was handed over of it has moved its place: the rest comes again */
        return rc;
    }
    if (strcmp(reply->code, "ExpiredIteratorException") == 0) {
        k->host->metric_add(k->metrics.expired_iterators, 1);
        shard_lose(s);
        return SS_OK;
    }
    s->state = SHARD_READY;
    return kinesis_failed(k, reply, &s->failures, &s->due_ms, err);
}

int32_t shard_take(kinesis *k, shard *s, aws_call *call, ss_error *err)
{
    const aws_reply *reply = aws_reply_of(call);
    /* The shard, or the stream? The list knows. */
    if (strcmp(reply->code, "ResourceNotFoundException") == 0 && ++s->failures < FAILURES_MAX) {
        shard_lose(s);
        s->missing = true;
        k->list_wanted = true;
        k->list_due_ms = 0;
        s->due_ms = http_now_ms() + RELIST_MS;
        return SS_OK;
    }
    return s->state == SHARD_ASKING ? take_iterator(k, s, call, err) : take_records(k, s, call, err);
}
