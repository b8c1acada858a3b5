/* Groups: messages handed over, and the places behind them, stored in one frame. */
#include "receivers/kinesis/kinesis.h"

#include <poll.h>

#define POSITION_MAX   (30u * 1024u) /* of one commit, below what the inlet takes */
#define BEGIN_PAUSE_MS 20

static int32_t group_begin(kinesis *k, ss_error *err)
{
    while (!k->group) {
        k->group = k->host->call_begin(k->host->self);
        if (k->group)
            break;
        if (k->host->stopping(k->host->self))
            return ss_fail(err, SS_RETRY, "the server stops");
        (void)poll(NULL, 0, BEGIN_PAUSE_MS); /* ingest is being started anew */
    }
    return SS_OK;
}

int32_t group_pass(kinesis *k, const ss_message *message, ss_error *err)
{
    for (int tries = 0; tries < 2; tries++) {
        int32_t rc = group_begin(k, err);
        if (rc == SS_OK)
            rc = k->host->pass(k->group, message);
        if (rc == SS_OK) {
            k->group_count++;
            return SS_OK;
        }
        if (rc != SS_LIMIT)
            return rc;
        if (!k->group_count)
            break;
        rc = group_commit(k, err);
        if (rc != SS_OK)
            return rc;
    }
    return ss_fail(err, SS_RETRY, "a message does not fit into an empty group: memory is short");
}

/* ---- places ---- */

static bool put_line(const kinesis *k, const shard *s, grow *out)
{
    char text[SEQUENCE_MAX + 32];
    size_t len = s->gone ? 0 : place_put(&s->now, text, sizeof text), before = out->len;
    bool good = grow_puts(out, "/") && grow_puts(out, k->name) && grow_puts(out, "/") &&
                grow_puts(out, s->id) && grow_puts(out, "=") && grow_put(out, ss_s(text, len)) &&
                grow_puts(out, "\n");
    if (!good)
        out->len = before;
    return good;
}

static bool to_store(const shard *s)
{
    return s->changed && s->now.kind != PLACE_LATEST && !(s->gone && !s->is_durable);
}

/* New children before the parents that go: in one commit mostly; where there are too many for one, a crash
   between two leaves a parent that is forgotten later. */
static size_t put_places(kinesis *k, grow *out, bool *in)
{
    size_t count = 0;
    for (int going = 0; going < 2; going++)
        for (size_t i = 0; i < k->count; i++) {
            const shard *s = k->shards[i];
            if (s->gone != (going == 1) || !to_store(s))
                continue;
            if (out->full || !put_line(k, s, out))
                return count;
            in[i] = true;
            count++;
        }
    return count;
}

static void stored(kinesis *k, const bool *in)
{
    for (size_t i = k->count; i-- > 0;) { /* from the end: forgetting moves the last one here */
        shard *s = k->shards[i];
        if (!in[i] && !(s->gone && !s->is_durable))
            continue;
        s->changed = false;
        s->is_durable = true;
        s->durable = s->now;
        if (s->gone)
            kinesis_forget(k, i);
    }
}

static int32_t commit_some(kinesis *k, bool *more, ss_error *err)
{
    bool in[SHARDS_MAX] = {false};
    grow text = {.limit = POSITION_MAX};
    size_t count = put_places(k, &text, in);
    bool messages = k->group_count > 0;
    *more = text.full;
    int32_t rc = SS_OK;
    if (count || messages) {
        /* Messages without their places would come twice. */
        rc = messages && text.full
                 ? ss_fail(err, SS_FATAL, "the places of one group need more than %u bytes", POSITION_MAX)
                 : group_begin(k, err);
        if (rc == SS_OK) {
            ss_call *call = k->group;
            k->group = NULL;
            rc = k->host->call_commit(k->host->self, call, grow_str(&text), err);
        }
        k->group_count = 0;
        if (rc == SS_OK)
            stored(k, in);
    }
    grow_free(&text);
    return rc;
}

int32_t group_commit(kinesis *k, ss_error *err)
{
    bool more = true;
    int32_t rc = SS_OK;
    while (rc == SS_OK && more)
        rc = commit_some(k, &more, err);
    k->failed = rc != SS_OK;
    return rc == SS_LIMIT ? SS_PAUSE : rc;
}

size_t group_changed(const kinesis *k)
{
    size_t count = 0;
    for (size_t i = 0; i < k->count; i++)
        count += to_store(k->shards[i]);
    return count;
}

void kinesis_cancel(kinesis *k)
{
    aws_call_free(k->list_call);
    k->list_call = NULL;
    k->list_token[0] = '\0';
    for (size_t i = 0; i < k->count; i++) {
        shard *s = k->shards[i];
        if (!s->call)
            continue;
        aws_call_free(s->call);
        s->call = NULL;
        s->state = s->iterator[0] ? SHARD_READY : SHARD_LOST;
    }
}

void kinesis_rewind(kinesis *k)
{
    kinesis_cancel(k);
    for (size_t i = k->count; i-- > 0;) {
        shard *s = k->shards[i];
        if (!s->is_durable) {
            kinesis_forget(k, i);
            continue;
        }
        s->now = s->durable;
        s->changed = s->gone = false;
        s->due_ms = 0;
        shard_lose(s);
    }
    k->failed = false;
    k->fresh = k->count == 0;
    k->list_wanted = true;
    k->list_due_ms = 0;
}
