/* ListShards, page by page. */
#include "receivers/kinesis/kinesis.h"

#include "plugins/common/http_client.h"
#include "plugins/common/json.h"

static bool copy(char *out, size_t size, const json_value *v)
{
    if (v->kind != JSON_STRING || v->text.len >= size || v->escaped)
        return false;
    memcpy(out, v->text.ptr, v->text.len);
    out[v->text.len] = '\0';
    return true;
}

/* {"StartingSequenceNumber": "1", "EndingSequenceNumber": "2"}: closed where there is an end. */
static bool read_range(json_scan *s, listed *l)
{
    json_value v, key;
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(s, &key)) {
        bool end = json_is(&key, "EndingSequenceNumber");
        ss_str raw;
        if (!json_skip(s, &raw))
            return false;
        if (end && !ss_eq(raw, SS_LIT("null")))
            l->open = false;
    }
    return true;
}

static bool read_shard(json_scan *s, listed *l)
{
    json_value v, key;
    bool good = true;
    *l = (listed){.open = true};
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (good && json_member(s, &key)) {
        char *to = json_is(&key, "ShardId")                 ? l->id
                   : json_is(&key, "ParentShardId")         ? l->parents[0]
                   : json_is(&key, "AdjacentParentShardId") ? l->parents[1]
                                                            : NULL;
        if (to)
            good = json_read(s, &v) && (v.kind == JSON_NULL || copy(to, SHARD_ID_MAX + 1, &v));
        else if (json_is(&key, "SequenceNumberRange"))
            good = read_range(s, l);
        else
            good = json_skip(s, NULL);
    }
    return good && l->id[0] && !strpbrk(l->id, "=\n");
}

static bool read_shards(kinesis *k, json_scan *s)
{
    listing *list = &k->next;
    json_value v;
    if (!json_read(s, &v) || v.kind != JSON_ARRAY)
        return false;
    while (json_item(s)) {
        if (list->count == list->size) {
            size_t size = list->size ? list->size * 2 : 64;
            listed *more = size <= LISTED_MAX ? realloc(list->shards, size * sizeof *more) : NULL;
            if (!more)
                return false;
            list->shards = more;
            list->size = size;
        }
        if (!read_shard(s, &list->shards[list->count]))
            return false;
        list->count++;
    }
    return true;
}

static bool read_page(kinesis *k, ss_str body)
{
    json_scan s;
    json_value v, key;
    bool good = true;
    json_start(&s, body);
    k->list_token[0] = '\0';
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (good && json_member(&s, &key)) {
        if (json_is(&key, "Shards")) {
            good = read_shards(k, &s);
        } else if (json_is(&key, "NextToken")) {
            good = json_read(&s, &v) && (v.kind == JSON_NULL || v.kind == JSON_STRING);
            if (good && v.kind == JSON_STRING) {
                good = v.text.len < sizeof k->list_token;
                size_t len = good ? json_unescape(k->list_token, v.text) : 0;
                k->list_token[len] = '\0';
            }
        } else {
            good = json_skip(&s, NULL);
        }
    }
    return good && json_finish(&s);
}

int32_t list_ask(kinesis *k, ss_error *err)
{
    char token[sizeof k->list_token * 6 + 32];
    grow *body = &k->list_body;
    grow_clear(body);
    body->limit = ARN_MAX + sizeof token + 64;
    if (k->list_token[0]) { /* it names the stream itself */
        (void)grow_puts(body, "{\"NextToken\":");
        (void)grow_put(body, ss_s(token, json_put_string(token, ss_cstr(k->list_token))));
        if (strncmp(k->stream, "arn:", 4) == 0) {
            (void)grow_puts(body, ",\"StreamARN\":\"");
            (void)grow_puts(body, k->stream);
            (void)grow_puts(body, "\"");
        }
    } else {
        put_stream(k, body);
        k->next.count = 0;
    }
    (void)grow_puts(body, "}");
    if (!body->full)
        k->list_call = aws_json(k->aws, AWS_KINESIS, "ListShards", grow_str(body), 0, k);
    return k->list_call ? SS_OK : ss_fail(err, SS_RETRY, "no memory");
}

int32_t list_take(kinesis *k, const aws_reply *reply, ss_error *err)
{
    if (reply->result != AWS_OK) {
        k->list_token[0] = '\0'; /* from its first page again */
        if (strcmp(reply->code, "ExpiredNextTokenException") == 0)
            return SS_OK;
        return kinesis_failed(k, reply, &k->list_failures, &k->list_due_ms, err);
    }
    k->list_failures = 0;
    if (!read_page(k, reply->body))
        return ss_fail(
            err, SS_RETRY,
            "ListShards of %s: the answer is not as expected, or has more than %u shards (request %s)",
            k->name, LISTED_MAX, reply->request_id);
    if (k->list_token[0])
        return SS_OK; /* the next page is wanted at once */
    listing old = k->list;
    k->list = k->next;
    k->next = old;
    return kinesis_reconcile(k, err);
}
