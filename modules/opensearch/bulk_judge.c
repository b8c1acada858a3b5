/* What an answer of _bulk says of its documents. */
#include "modules/opensearch/answer.h"
#include "modules/opensearch/bulk.h"

static void count(bulk *b, enum bulk_metric which, double n)
{
    b->host->metric_add(b->metrics[which], n);
}

/* Exponential, full jitter. */
static int64_t pause_ms(const bulk *b, uint32_t failures)
{
    int64_t most = BULK_PAUSE_MS;
    uint32_t dice;
    for (uint32_t i = 1; i < failures && most < BULK_PAUSE_MAX; i++)
        most *= 2;
    b->host->random(b->host->self, &dice, sizeof dice);
    return 1 + (int64_t)(dice % (uint32_t)(most < BULK_PAUSE_MAX ? most : BULK_PAUSE_MAX));
}

static void done(bulk *b, bulk_item *item)
{
    ss_mark(b->result, item->record, SS_RECORD_OK);
    item->state = BULK_DONE;
    b->left--;
    b->works = true;
}

static void refuse(bulk *b, bulk_item *item, const char *why)
{
    b->host->result(b->host->self, b->result, item->record, SS_RECORD_REJECT, 0, ss_cstr(why));
    item->state = BULK_DONE;
    b->left--;
    b->refused++;
    (void)snprintf(b->refusal, sizeof b->refusal, "%s", why);
    count(b, BULK_REFUSED, 1);
}

static void again(bulk *b, bulk_item *item, int64_t due_ms)
{
    item->failures++;
    item->due_ms = due_ms;
    b->failures++;
    count(b, BULK_AGAIN, 1);
}

static void all_again(bulk *b, const bulk_call *call, bool unknown)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < call->count; i++)
        most = b->items[call->items[i]].failures > most ? b->items[call->items[i]].failures : most;
    int64_t due_ms = http_now_ms() + pause_ms(b, most + 1);
    b->lost++;
    for (uint32_t i = 0; i < call->count; i++)
        again(b, &b->items[call->items[i]], due_ms);
    if (unknown)
        count(b, BULK_UNKNOWN, call->count);
}

/* ---- less, and more again ---- */

static void less(bulk *b, int64_t retry_after_ms)
{
    b->slow++;
    b->bytes_now = b->bytes_now / 2 > BULK_BYTES_LEAST ? b->bytes_now / 2 : BULK_BYTES_LEAST;
    int64_t ms = pause_ms(b, b->slow);
    b->all_due_ms = http_now_ms() + (retry_after_ms > ms ? retry_after_ms : ms);
    count(b, BULK_BUSY, 1);
}

static void more(bulk *b)
{
    b->slow = 0;
    size_t next = b->bytes_now + b->bytes_now / 4;
    b->bytes_now = next < b->bytes_max ? next : b->bytes_max;
}

/* ---- document by document ---- */

typedef struct judging {
    bulk *b;
    const bulk_call *call;
    ss_error *err;
    int64_t due_ms;
    bool busy, conflict_is_there;
} judging;

static void judge_item(void *arg, uint32_t i, const answer_item *a)
{
    judging *j = arg;
    bulk *b = j->b;
    bulk_item *item = &b->items[j->call->items[i]];
    enum answer_verdict verdict = answer_judge(a, j->conflict_is_there);
    if (verdict == ANSWER_OK || verdict == ANSWER_THERE) {
        done(b, item);
        count(b, BULK_THERE, verdict == ANSWER_THERE);
        return;
    }
    (void)snprintf(b->text, sizeof b->text, "%lld %s: %s", (long long)a->status, a->type, a->reason);
    switch (verdict) {
    case ANSWER_REFUSE:
        refuse(b, item, b->text);
        break;
    case ANSWER_PAUSE:
        b->broken = ss_fail(j->err, SS_PAUSE, "opensearch: %s: %s", b->text, answer_remedy(a));
        break;
    default:
        j->busy |= verdict == ANSWER_BUSY;
        again(b, item, j->due_ms);
        break;
    }
}

static void judge_items(bulk *b, const bulk_call *call, const wire_answer *answer, ss_error *err)
{
    uint32_t failures = 0;
    for (uint32_t i = 0; i < call->count; i++)
        failures =
            b->items[call->items[i]].failures > failures ? b->items[call->items[i]].failures : failures;
    judging j = {.b = b,
                 .call = call,
                 .err = err,
                 .due_ms = http_now_ms() + pause_ms(b, failures + 1),
                 .conflict_is_there = b->names->op == NAME_CREATE || b->names->with_version};
    if (!answer_walk(answer->body, call->count, judge_item, &j)) {
        (void)snprintf(b->text, sizeof b->text,
                       "the answer of _bulk is not whole, or of something else: %.100s",
                       answer->body.len ? answer->body.ptr : "(empty)");
        all_again(b, call, true);
        return;
    }
    b->lost = 0;
    if (j.busy)
        less(b, answer->retry_after_ms);
    else
        more(b);
}

/* ---- the call as a whole ---- */

/* One of its documents is not liked, or all are too much: halves until the one is found. */
static void halve(bulk *b, const bulk_call *call, const char *alone, ss_error *err)
{
    char reason[BULK_TEXT_MAX];
    (void)snprintf(reason, sizeof reason, "%s: %.400s", alone, b->text);
    if (call->count == 1 && b->works) {
        refuse(b, &b->items[call->items[0]], reason);
        return;
    }
    if (call->count == 1) { /* nothing was taken so far: the target's fault rather than the document's */
        b->broken = ss_fail(err, SS_PAUSE, "opensearch: %s", reason);
        return;
    }
    for (uint32_t i = 0; i < call->count; i++)
        b->items[call->items[i]].most = call->count / 2;
}

void bulk_judge(bulk *b, bulk_call *call, const wire_answer *answer, ss_error *err)
{
    uint32_t status = answer->status;
    if (status == 200) {
        judge_items(b, call, answer, err);
        return;
    }
    char reason[BULK_TEXT_MAX - 24];
    wire_reason(answer, reason, sizeof reason);
    (void)snprintf(b->text, sizeof b->text, status ? "status %u: %s" : "%.0u%s", status, reason);
    if (answer->result == WIRE_WRONG || status == 401 || status == 403 || status == 404 || status == 405 ||
        (status >= 300 && status < 400)) {
        b->broken = ss_fail(err, SS_PAUSE, "opensearch: %s", b->text);
    } else if (status == 429 || status == 503) {
        less(b, answer->retry_after_ms);
        all_again(b, call, false);
    } else if (status == 413) {
        size_t half = call->body.len / 2;
        if (call->count > 1 && half < b->bytes_now && half > BULK_BYTES_LEAST)
            b->bytes_now = half;
        b->works |= call->count == 1; /* it is OpenSearch that says so */
        halve(b, call, "the document is too large for the cluster (http.max_content_length)", err);
    } else if (status >= 400 && status < 500 && status != 408) {
        halve(b, call, "refused as a whole", err);
    } else {
        all_again(b, call, answer->sent);
        if (!answer->sent) /* nobody there: when every node was asked the host pauses */
            b->lost += BULK_LOST_MAX / b->wire->host_count;
    }
}
