/* An answer with records: each is one message, or several that the Kinesis Producer Library packed. */
#include "receivers/kinesis/kinesis.h"

#include "plugins/common/base64.h"
#include "plugins/common/http_client.h"
#include "plugins/common/json.h"

#define TIME_MAX_S 1e11 /* beyond it microseconds do not fit */

typedef struct record {
    ss_str data, key; /* key unescaped */
    char sequence[SEQUENCE_MAX + 1];
    int64_t time_us;
    char key_text[KEY_BYTES_MAX];
} record;

/* ---- reading ---- */

static bool read_data(kinesis *k, const json_value *v, record *r)
{
    ss_str text = v->text;
    size_t len = 0;
    if (v->kind != JSON_STRING || text.len > BASE64_SIZE(DATA_MAX))
        return false;
    if (v->escaped)
        text = ss_s(k->text, json_unescape(k->text, text));
    if (!base64_read(text, k->data, &len))
        return false;
    r->data = ss_s(k->data, len);
    return true;
}

static bool read_sequence(const json_value *v, record *r)
{
    if (v->kind != JSON_STRING || v->text.len > SEQUENCE_MAX || v->text.len == 0)
        return false;
    memcpy(r->sequence, v->text.ptr, v->text.len);
    r->sequence[v->text.len] = '\0';
    return strspn(r->sequence, "0123456789") == v->text.len;
}

static bool read_key(const json_value *v, record *r)
{
    if (v->kind != JSON_STRING || v->text.len > sizeof r->key_text)
        return false;
    r->key = ss_s(r->key_text, json_unescape(r->key_text, v->text));
    return true;
}

static void read_time(const json_value *v, record *r)
{
    double seconds = 0;
    if (v->kind == JSON_NUMBER && json_double(v->text, &seconds) && seconds > 0 && seconds < TIME_MAX_S)
        r->time_us = (int64_t)(seconds * 1000.0 + 0.5) * 1000;
}

static bool read_member(kinesis *k, json_scan *s, const json_value *key, record *r)
{
    json_value v;
    bool data = json_is(key, "Data"), sequence = json_is(key, "SequenceNumber"),
         partition = json_is(key, "PartitionKey"), time = json_is(key, "ApproximateArrivalTimestamp");
    if (!data && !sequence && !partition && !time)
        return json_skip(s, NULL);
    if (!json_read(s, &v) || v.kind == JSON_OBJECT || v.kind == JSON_ARRAY)
        return false;
    if (time)
        read_time(&v, r);
    return time || (data ? read_data(k, &v, r) : sequence ? read_sequence(&v, r) : read_key(&v, r));
}

static bool read_record(kinesis *k, json_scan *s, record *r)
{
    json_value v, key;
    r->data = r->key = ss_s("", 0);
    r->sequence[0] = '\0';
    r->time_us = 0;
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return false;
    while (json_member(s, &key))
        if (!read_member(k, s, &key, r))
            return false;
    return r->sequence[0] != '\0';
}

/* ---- handing over ---- */

static int32_t pass(kinesis *k, const shard *s, const record *r, ss_str key, ss_str data, int64_t number,
                    ss_error *err)
{
    char id[STREAM_MAX + SHARD_ID_MAX + SEQUENCE_MAX + 32];
    int len = number < 0
                  ? snprintf(id, sizeof id, "%s/%s/%s", k->name, s->id, r->sequence)
                  : snprintf(id, sizeof id, "%s/%s/%s/%lld", k->name, s->id, r->sequence, (long long)number);
    const ss_message m = {.struct_size = sizeof m,
                          .pair_size = sizeof(ss_pair),
                          .body = data,
                          .key = key,
                          .id = ss_s(id, (size_t)len),
                          .time_us = r->time_us};
    k->host->metric_add(k->metrics.messages, 1);
    return group_pass(k, &m, err);
}

static void move_to(shard *s, const record *r, enum place_kind kind, uint32_t within)
{
    s->now.kind = kind;
    s->now.within = within;
    memcpy(s->now.sequence, r->sequence, sizeof s->now.sequence);
    s->changed = true;
}

/* The place moves with each message, so that a group may end anywhere. */
static int32_t take_packed(kinesis *k, shard *s, const record *r, ss_error *err)
{
    kpl_record user;
    uint32_t number = 0, done = 0;
    if (s->now.kind == PLACE_WITHIN && strcmp(s->now.sequence, r->sequence) == 0)
        done = s->now.within;
    for (; kpl_next(k->kpl, &user); number++) {
        if (number < done)
            continue;
        int32_t rc = pass(k, s, r, user.key, user.data, number, err);
        if (rc != SS_OK)
            return rc;
        move_to(s, r, PLACE_WITHIN, number + 1);
    }
    k->host->metric_add(k->metrics.packed, 1);
    move_to(s, r, PLACE_AFTER, 0);
    return SS_OK;
}

static int32_t take_record(kinesis *k, shard *s, const record *r, ss_error *err)
{
    k->host->metric_add(k->metrics.records, 1);
    k->host->metric_add(k->metrics.bytes, (double)r->data.len);
    if (kpl_start(k->kpl, r->data))
        return take_packed(k, s, r, err);
    int32_t rc = pass(k, s, r, r->key, r->data, -1, err);
    if (rc == SS_OK)
        move_to(s, r, PLACE_AFTER, 0);
    return rc;
}

/* ---- the answer ---- */

typedef struct answer {
    uint32_t records;
    int64_t behind_ms;
    bool strange, has_records;
} answer;

static int32_t take_list(kinesis *k, shard *s, json_scan *scan, answer *a, ss_error *err)
{
    json_value v;
    record r;
    int32_t rc = SS_OK;
    if (!json_read(scan, &v) || v.kind != JSON_ARRAY) {
        a->strange = true;
        return SS_OK;
    }
    while (rc == SS_OK && !a->strange && json_item(scan)) {
        a->strange = !read_record(k, scan, &r);
        if (!a->strange)
            rc = take_record(k, s, &r, err);
        a->records++;
    }
    return rc;
}

static bool take_next(shard *s, const json_value *v)
{
    if (v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_STRING || v->text.len > ITERATOR_MAX)
        return false;
    size_t len = json_unescape(s->iterator, v->text);
    s->iterator[len] = '\0';
    return len > 0 && strlen(s->iterator) == len;
}

static void plan_next(kinesis *k, shard *s, const answer *a)
{
    s->behind_ms = a->behind_ms;
    if (!s->iterator[0]) { /* closed, and this was its end: if the list agrees */
        s->state = SHARD_ENDED;
        s->behind_ms = 0;
        k->list_wanted = true;
        k->list_due_ms = 0;
        return;
    }
    s->due_ms = s->started_ms + (a->behind_ms > 0 ? READ_GAP_MS : k->poll_ms);
}

int32_t records_take(kinesis *k, shard *s, ss_str body, ss_error *err)
{
    json_scan scan;
    json_value v, key;
    answer a = {.strange = false};
    int32_t rc = SS_OK;
    json_start(&scan, body);
    s->iterator[0] = '\0';
    if (!json_read(&scan, &v) || v.kind != JSON_OBJECT)
        a.strange = true;
    while (rc == SS_OK && !a.strange && json_member(&scan, &key)) {
        if (json_is(&key, "Records")) {
            a.has_records = true;
            rc = take_list(k, s, &scan, &a, err);
        } else if (json_is(&key, "NextShardIterator"))
            a.strange = !json_read(&scan, &v) || !take_next(s, &v);
        else if (json_is(&key, "MillisBehindLatest"))
            a.strange = !json_read(&scan, &v) || (v.kind == JSON_NUMBER && !json_i64(v.text, &a.behind_ms));
        else
            a.strange = !json_skip(&scan, NULL);
    }
    if (rc != SS_OK)
        return rc;
    if (a.strange || !a.has_records || !json_finish(&scan))
        return ss_fail(err, SS_RETRY, "GetRecords of %s/%s: the answer is not as expected", k->name, s->id);
    plan_next(k, s, &a);
    return SS_OK;
}
