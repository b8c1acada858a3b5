/* The loop: what is due is asked for, what came is handed over and stored. */
#include <poll.h>

#include "plugins/common/http_client.h"
#include "receivers/kinesis/kinesis.h"

static int32_t start_one(kinesis *k, shard *s, ss_error *err)
{
    if (s->state == SHARD_LOST)
        return shard_ask(k, s, err);
    return s->state == SHARD_READY ? shard_read(k, s, err) : SS_OK;
}

/* "latest" of all shards is one moment: it is stored before any of them is read. */
static bool beginning(const kinesis *k)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->shards[i]->now.kind == PLACE_LATEST)
            return true;
    return false;
}

static int64_t sooner(int64_t wait, int64_t due, int64_t now)
{
    int64_t left = due > now ? due - now : 0;
    return left < wait ? left : wait;
}

/* Starts what is due; *wait: until the next is. */
static int32_t start_calls(kinesis *k, int64_t *wait, ss_error *err)
{
    int64_t now = http_now_ms();
    bool only_ask = beginning(k);
    int32_t rc = SS_OK;
    *wait = TURN_MS;
    if (!k->list_call && (k->list_wanted || k->list_token[0])) {
        if (k->list_due_ms > now)
            *wait = sooner(*wait, k->list_due_ms, now);
        else
            rc = list_ask(k, err);
    }
    for (size_t i = 0; rc == SS_OK && i < k->count; i++) {
        shard *s = k->shards[i];
        if (s->call || s->state >= SHARD_ENDED || (only_ask && s->state == SHARD_READY))
            continue;
        if (s->due_ms > now)
            *wait = sooner(*wait, s->due_ms, now);
        else
            rc = start_one(k, s, err);
    }
    return rc;
}

static int32_t take_one(kinesis *k, aws_call *call, ss_error *err)
{
    const aws_reply *reply = aws_reply_of(call);
    int32_t rc = SS_OK;
    if (call == k->list_call) {
        k->list_call = NULL;
        if (k->group_count) /* a list may bring many places to store: apart from the messages before it */
            rc = group_commit(k, err);
        if (rc != SS_OK)
            return rc;
        k->list_wanted = false;
        rc = list_take(k, reply, err);
        if (reply->result != AWS_OK)
            k->list_wanted = true;
    } else {
        shard *s = reply->user;
        s->call = NULL;
        rc = shard_take(k, s, call, err);
    }
    /* Many places to store: apart from the messages that follow. */
    if (!k->failed && !beginning(k) && group_changed(k) >= CHANGED_MAX) {
        int32_t stored = group_commit(k, err);
        rc = stored != SS_OK ? stored : rc;
    }
    return rc;
}

static int32_t take_done(kinesis *k, ss_error *err)
{
    int32_t rc = SS_OK;
    for (aws_call *call; rc == SS_OK && (call = aws_done(k->aws)) != NULL;) {
        rc = take_one(k, call, err);
        aws_call_free(call);
    }
    return rc;
}

static void show(kinesis *k)
{
    int64_t most = 0;
    for (size_t i = 0; i < k->count; i++)
        if (k->shards[i]->behind_ms > most)
            most = k->shards[i]->behind_ms;
    k->host->metric_set(k->metrics.behind, (double)most);
    k->host->metric_set(k->metrics.shards, (double)k->count);
}

static int32_t turn(kinesis *k, ss_error *err)
{
    int64_t wait = 0;
    int32_t rc = start_calls(k, &wait, err);
    if (rc != SS_OK)
        return rc;
    if (aws_in_flight(k->aws) == 0 && wait > 0)
        (void)poll(NULL, 0, (int)wait);
    else
        (void)aws_poll(k->aws, wait);
    rc = take_done(k, err);
    /* What was handed over has moved its place, whatever happened afterwards: store both. */
    if (!k->failed && !beginning(k)) {
        ss_error late = {.struct_size = sizeof late};
        int32_t stored = group_commit(k, rc == SS_OK ? err : &late);
        rc = rc == SS_OK || stored == SS_FATAL ? stored : rc;
    }
    show(k);
    return rc;
}

int32_t kinesis_run(void *inst, ss_error *err)
{
    kinesis *k = inst;
    int32_t rc = SS_OK;
    while (rc == SS_OK && !k->host->stopping(k->host->self))
        rc = turn(k, err);
    if (k->failed)
        kinesis_rewind(k);
    else
        kinesis_cancel(k);
    return rc;
}
