/* Which shards are read. A shard that was split or merged is read to its end first; then its children begin
   at their first record, and only then is it forgotten: so that at any moment the stored places alone tell
   what was read, what is, and what comes next. */
#include "receivers/kinesis/kinesis.h"

#include "plugins/common/http_client.h"
#include "plugins/common/json.h"

shard *shard_find(const kinesis *k, const char *id)
{
    for (size_t i = 0; i < k->count; i++)
        if (strcmp(k->shards[i]->id, id) == 0)
            return k->shards[i];
    return NULL;
}

shard *shard_add(kinesis *k, const char *id, const place *at)
{
    shard *s = k->count < SHARDS_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    (void)snprintf(s->id, sizeof s->id, "%s", id);
    s->now = *at;
    s->state = at->drained ? SHARD_IDLE : SHARD_LOST;
    s->body.limit = ARN_MAX + json_escape_bound(ITERATOR_MAX) + 1024;
    k->shards[k->count++] = s;
    return s;
}

void shard_lose(shard *s)
{
    s->iterator[0] = '\0';
    s->state = s->now.drained ? SHARD_IDLE : SHARD_LOST;
}

void kinesis_forget(kinesis *k, size_t i)
{
    aws_call_free(k->shards[i]->call); /* it may be asked for, still, when a list says that it is gone */
    grow_free(&k->shards[i]->body);
    free(k->shards[i]);
    k->shards[i] = k->shards[--k->count];
}

/* ---- what was stored ---- */

/* "/stream/shard=place"; what belongs to another stream stays where it is: the option may be changed back. */
static int32_t resume_part(kinesis *k, ss_str part, ss_str value, ss_error *err)
{
    size_t own = strlen(k->name);
    char id[SHARD_ID_MAX + 1];
    place at;
    if (part.len < own + 3 || part.ptr[0] != '/' || memcmp(part.ptr + 1, k->name, own) != 0 ||
        part.ptr[own + 1] != '/')
        return SS_OK;
    ss_str name = ss_s(part.ptr + own + 2, part.len - own - 2);
    if (name.len > SHARD_ID_MAX || !place_read(&at, value))
        return ss_fail(err, SS_REJECT, "the stored position of stream %s is damaged at %.*s: %.*s", k->name,
                       (int)part.len, part.ptr, value.len < 64 ? (int)value.len : 64, value.ptr);
    (void)snprintf(id, sizeof id, "%.*s", (int)name.len, name.ptr);
    shard *s = shard_add(k, id, &at);
    if (!s)
        return ss_fail(err, SS_REJECT, "more than %u shards have stored positions", SHARDS_MAX);
    s->durable = at;
    s->is_durable = true;
    return SS_OK;
}

int32_t kinesis_resume(kinesis *k, ss_str position, ss_error *err)
{
    while (k->count)
        kinesis_forget(k, 0);
    int32_t rc = SS_OK;
    while (rc == SS_OK && position.len) {
        const char *end = memchr(position.ptr, '\n', position.len);
        size_t len = end ? (size_t)(end - position.ptr) : position.len, used = len + (end != NULL);
        const char *equals = memchr(position.ptr, '=', len);
        if (equals)
            rc = resume_part(k, ss_s(position.ptr, (size_t)(equals - position.ptr)),
                             ss_s(equals + 1, len - (size_t)(equals + 1 - position.ptr)), err);
        position = ss_s(position.ptr + used, position.len - used);
    }
    k->fresh = k->count == 0;
    k->list_wanted = true;
    return rc;
}

/* ---- after a whole list ---- */

static const listed *listed_find(const kinesis *k, const char *id)
{
    for (size_t i = 0; *id && i < k->list.count; i++)
        if (strcmp(k->list.shards[i].id, id) == 0)
            return &k->list.shards[i];
    return NULL;
}

/* Ancestors of a shard that has a place were read, or lie before where reading began. */
static void mark_past(kinesis *k)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = k->list.count;
             i-- > 0;) { /* children have higher numbers: mostly one pass is enough */
            const listed *l = &k->list.shards[i];
            if (!l->past && !shard_find(k, l->id))
                continue;
            for (size_t p = 0; p < 2; p++) {
                listed *parent = (listed *)(uintptr_t)listed_find(k, l->parents[p]);
                if (parent && !parent->past && !shard_find(k, parent->id))
                    again = parent->past = true;
            }
        }
    }
}

/* Its data is gone: it was closed, and we were away for longer than the stream keeps records. */
static void note_expired(kinesis *k)
{
    for (size_t i = 0; i < k->count; i++) {
        shard *s = k->shards[i];
        if (s->now.drained || listed_find(k, s->id)) {
            s->missing = false;
            continue;
        }
        char at[SEQUENCE_MAX + 32] = "";
        (void)place_put(&s->now, at, sizeof at);
        ss_logf(k->host, SS_ERROR,
                "stream %s: %s is no longer kept by Kinesis; what came into it after %s is lost", k->name,
                s->id, at);
        k->host->metric_add(k->metrics.expired_shards, 1);
        s->now.drained = true;
        s->changed = true;
        s->iterator[0] = '\0';
        s->state = SHARD_IDLE;
    }
}

/* A read said that the shard has ended. Its children may begin only if the list says that it is closed: an
   answer that merely lacks the next iterator must not skip what is still to come. True: the list lags behind.
 */
static bool settle_ended(kinesis *k)
{
    bool waiting = false;
    for (size_t i = 0; i < k->count; i++) {
        shard *s = k->shards[i];
        if (s->state != SHARD_ENDED)
            continue;
        const listed *l = listed_find(k, s->id);
        if (!l || !l->open) {
            s->now.drained = s->changed = true;
            s->state = SHARD_IDLE;
            s->failures = 0;
        } else if (++s->failures >= FAILURES_MAX) {
            s->failures = 0;
            shard_lose(s);
        } else {
            waiting = true;
        }
    }
    return waiting;
}

static int32_t adopt(kinesis *k, const listed *l, const place *at, ss_error *err)
{
    shard *s = shard_add(k, l->id, at);
    if (!s)
        return ss_fail(
            err, SS_PAUSE,
            "stream %s has more than %u shards to read at a time: the journal keeps no more positions",
            k->name, SHARDS_MAX);
    s->changed = at->kind != PLACE_LATEST; /* that becomes a time first */
    return SS_OK;
}

/* May it begin? Where: at its first record, or at the time that its parents did not reach. */
static bool may_begin(const kinesis *k, const listed *l, place *at)
{
    *at = (place){.kind = PLACE_HORIZON};
    for (size_t p = 0; p < 2; p++) {
        const shard *parent = shard_find(k, l->parents[p]);
        if (parent && !parent->now.drained)
            return false;
        if (!parent && listed_find(k, l->parents[p])) {
            const listed *other = listed_find(k, l->parents[p]);
            if (!other->past)
                return false;
        }
        if (parent && parent->now.kind == PLACE_TIME)
            *at = (place){.kind = PLACE_TIME, .time_ms = parent->now.time_ms};
    }
    return true;
}

static int32_t begin(kinesis *k, ss_error *err)
{
    int32_t rc = SS_OK;
    for (size_t i = 0; rc == SS_OK && i < k->list.count; i++) {
        const listed *l = &k->list.shards[i];
        bool root = !listed_find(k, l->parents[0]) && !listed_find(k, l->parents[1]);
        if (k->first.kind == PLACE_LATEST ? l->open : root)
            rc = adopt(k, l, &k->first, err);
    }
    k->fresh = k->count == 0;
    return rc;
}

static int32_t adopt_children(kinesis *k, ss_error *err)
{
    int32_t rc = SS_OK;
    place at;
    for (size_t i = 0; rc == SS_OK && i < k->list.count; i++) {
        const listed *l = &k->list.shards[i];
        if (!l->past && !shard_find(k, l->id) && may_begin(k, l, &at))
            rc = adopt(k, l, &at, err);
    }
    return rc;
}

/* A drained shard may go when all its children have places of their own (or are past). */
static bool may_go(const kinesis *k, const shard *s)
{
    size_t children = 0;
    for (size_t i = 0; i < k->list.count; i++) {
        const listed *l = &k->list.shards[i];
        if (strcmp(l->parents[0], s->id) != 0 && strcmp(l->parents[1], s->id) != 0)
            continue;
        children++;
        if (!l->past && !shard_find(k, l->id))
            return false;
    }
    return children > 0 || !listed_find(k, s->id);
}

int32_t kinesis_reconcile(kinesis *k, ss_error *err)
{
    if (k->list.count == 0)
        return ss_fail(err, SS_RETRY, "stream %s lists no shards", k->name);
    bool waiting = settle_ended(k);
    note_expired(k);
    mark_past(k);
    int32_t rc = k->fresh ? begin(k, err) : adopt_children(k, err);
    for (size_t i = 0; i < k->count; i++) {
        shard *s = k->shards[i];
        if (!s->now.drained || s->gone)
            continue;
        s->gone = s->changed = may_go(k, s);
        waiting |= !s->gone;
    }
    /* Lists lag behind: the children of a shard that just ended may come later. So may those of a merge. */
    k->list_wanted = waiting;
    k->list_due_ms = http_now_ms() + RELIST_MS;
    return rc;
}
