/* A batch: its records go to librdkafka, which batches, compresses and sends them in order; its reports say
   what became of each. What is not confirmed comes again. */
#include <stdlib.h>
#include <time.h>

#include "modules/kafka/kafka.h"
#include "plugins/common/fault.h"

#define SLICE_MS   100
#define MARGIN_US  3000000 /* before the batch's deadline it is given up in order */
#define LOOK_EVERY 256u    /* records: at the clock, and at what was reported */
#define PURGE_MS   5000

enum record_state { WAITING = 0, SENT, DONE, AGAIN, ALONE };

/* Patience is the network's time, not the records'. */
static int64_t mono_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- reports ---- */

/* The batch of messages that it was in was refused: which one is guilty shows when each goes alone. */
static bool is_bad_message(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
           code == RD_KAFKA_RESP_ERR_INVALID_MSG || code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

/* Somebody has to do something: a topic, rights. */
static bool is_for_people(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION || code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
           code == RD_KAFKA_RESP_ERR_INVALID_CONFIG;
}

static bool is_purged(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

static void taken(kafka *k, uint32_t i, const rd_kafka_message_t *m)
{
    k->turn.state[i] = DONE;
    k->turn.taken++;
    k->turn.taken_bytes += m->len;
    k->trouble[0] = '\0';
    ss_mark(k->turn.result, i, SS_RECORD_OK);
}

static void failed(kafka *k, uint32_t i, const rd_kafka_message_t *m)
{
    kafka_turn *t = &k->turn;
    t->state[i] = is_bad_message(m->err) ? ALONE : AGAIN;
    t->refused |= t->state[i] == ALONE;
    if (rd_kafka_message_status(m) == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED)
        k->host->metric_add(k->metrics[KAFKA_UNKNOWN], 1);
    if (is_purged(m->err))
        return;
    /* Those behind it shall not overtake it: what has not left yet stays. */
    if (!t->stop)
        (void)rd_kafka_purge(k->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
    t->stop = true;
    if (t->state[i] == ALONE)
        return;
    t->broken |= m->err == RD_KAFKA_RESP_ERR__FATAL;
    if (is_for_people(m->err))
        t->rc = SS_PAUSE;
    if (!k->trouble[0] || t->rc == SS_PAUSE)
        (void)snprintf(k->trouble, sizeof k->trouble, "topic %s: %.300s",
                       m->rkt ? rd_kafka_topic_name(m->rkt) : "?", rd_kafka_err2str(m->err));
}

void turn_report(rd_kafka_t *producer, const rd_kafka_message_t *m, void *opaque)
{
    kafka *k = opaque;
    uint32_t i = (uint32_t)(uintptr_t)m->_private - 1;
    (void)producer;
    k->turn.left--;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        taken(k, i, m);
    else
        failed(k, i, m);
}

/* ---- handing over ---- */

static bool is_late(const kafka *k)
{
    const kafka_turn *t = &k->turn;
    int64_t now = k->host->now_us(k->host->self);
    return now > t->batch->deadline_us - MARGIN_US || k->login_failed || t->broken ||
           mono_us() > t->progress_us + k->patience_us || (k->trouble[0] && k->host->stopping(k->host->self));
}

/* A wait ends where patience does. */
static int slice_ms(const kafka *k)
{
    int64_t left_ms = (k->turn.progress_us + k->patience_us - mono_us()) / 1000 + 1;
    return left_ms < 1 ? 1 : left_ms < SLICE_MS ? (int)left_ms : SLICE_MS;
}

/* Takes what was reported; `last`: nothing more comes, so that nothing lingers. */
static void serve(kafka *k, int ms, bool last)
{
    k->turn.taken = 0;
    k->turn.taken_bytes = 0;
    if (last)
        (void)rd_kafka_flush(k->producer, ms);
    else
        (void)rd_kafka_poll(k->producer, ms);
    if (k->turn.taken == 0)
        return;
    k->turn.progress_us = mono_us();
    k->host->metric_add(k->metrics[KAFKA_MESSAGES], (double)k->turn.taken);
    k->host->metric_add(k->metrics[KAFKA_BYTES], (double)k->turn.taken_bytes);
}

static rd_kafka_headers_t *headers_of(const ss_record *r)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(2);
    if (h && (rd_kafka_header_add(h, "event_id", 8, r->id.ptr, (ssize_t)r->id.len) ||
              rd_kafka_header_add(h, "event_type", 10, r->type.ptr, (ssize_t)r->type.len))) {
        rd_kafka_headers_destroy(h);
        return NULL;
    }
    return h;
}

/* Bytes stay the host's: they are there until deliver() returns, and by then everything was reported. */
static rd_kafka_resp_err_t produce(rd_kafka_t *producer, rd_kafka_topic_t *topic, const ss_record *r,
                                   ss_str key, rd_kafka_headers_t *headers, uint32_t i)
{
    rd_kafka_vu_t parts[6];
    size_t n = 0;
    parts[n].vtype = RD_KAFKA_VTYPE_RKT;
    parts[n++].u.rkt = topic;
    parts[n].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[n].u.mem.ptr = (void *)(uintptr_t)r->body.ptr;
    parts[n++].u.mem.size = r->body.len;
    parts[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    parts[n++].u.ptr = (void *)(uintptr_t)(i + 1);
    if (key.len) { /* copied by librdkafka */
        parts[n].vtype = RD_KAFKA_VTYPE_KEY;
        parts[n].u.mem.ptr = (void *)(uintptr_t)key.ptr;
        parts[n++].u.mem.size = key.len;
    }
    if (headers) {
        parts[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        parts[n++].u.headers = headers;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(producer, parts, n);
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_destroy(error);
    if (error && headers)
        rd_kafka_headers_destroy(headers);
    return code;
}

static void reject(kafka *k, uint32_t i, uint32_t code, const char *text)
{
    k->turn.state[i] = DONE;
    k->host->result(k->host->self, k->turn.result, i, SS_RECORD_REJECT, code, ss_cstr(text));
}

static void reject_size(kafka *k, uint32_t i, size_t bytes, const char *limit)
{
    char text[200];
    (void)snprintf(text, sizeof text, "the message has %zu bytes with its key, more than %s", bytes, limit);
    reject(k, i, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, text);
}

/* False: it did not go: it is refused, or the turn has to end. */
static bool send_one(kafka *k, uint32_t i, ss_error *err)
{
    const ss_record *r = ss_record_at(k->turn.batch, i);
    char name[KAFKA_TOPIC_MAX + 1], key[KAFKA_KEY_MAX];
    size_t len = template_write(&k->topic, r, name, sizeof name);
    if (len == 0 || len > KAFKA_TOPIC_MAX) {
        reject(k, i, 0,
               len ? "the topic's name is longer than 249 bytes"
                   : "the topic's name is empty for this event");
        return false;
    }
    int32_t rc = SS_OK;
    rd_kafka_topic_t *topic = producer_topic(k, ss_s(name, len), &rc, err);
    if (!topic) {
        k->turn.rc = rc;
        return false;
    }
    ss_str made = ss_s(key, template_write(&k->key, r, key, sizeof key));
    size_t bytes = r->body.len + made.len;
    if (bytes > k->message_max_bytes) {
        reject_size(k, i, bytes, "message_max_bytes");
        return false;
    }
    do {
        rd_kafka_resp_err_t code = produce(k->producer, topic, r, made, k->headers ? headers_of(r) : NULL, i);
        switch (code) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            k->turn.state[i] = SENT;
            k->turn.left++;
            return true;
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
            reject_size(k, i, bytes, "message_max_bytes");
            return false;
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            serve(k, slice_ms(k), false); /* as much as may be is on its way: wait */
            break;
        default:
            k->turn.broken |= code == RD_KAFKA_RESP_ERR__FATAL;
            k->turn.stop = true;
            (void)snprintf(k->trouble, sizeof k->trouble, "topic %s: %s", name, rd_kafka_err2str(code));
        }
    } while (!k->turn.stop && !is_late(k));
    return false;
}

/* Until everything is reported, or it takes too long. */
static void await(kafka *k)
{
    while (k->turn.left > 0 && !is_late(k))
        serve(k, slice_ms(k), true);
}

/* What is still with librdkafka is taken back; what may have arrived nevertheless is counted as unknown. */
static void give_up(kafka *k)
{
    if (k->turn.left == 0)
        return;
    (void)rd_kafka_purge(k->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    for (int waited = 0; k->turn.left > 0 && waited < PURGE_MS; waited += SLICE_MS)
        serve(k, SLICE_MS, false);
    k->turn.broken = true; /* numbers of this producer may have a gap now */
}

static void send_all(kafka *k, ss_error *err)
{
    for (uint32_t i = 0; i < k->turn.batch->count && !k->turn.stop && k->turn.rc == SS_OK; i++) {
        if (i % LOOK_EVERY == LOOK_EVERY - 1)
            serve(k, 0, false);
        if (i % LOOK_EVERY == 0 && is_late(k))
            break;
        (void)send_one(k, i, err);
    }
    FAULT_POINT("kafka.sent");
    await(k);
    FAULT_POINT("kafka.reported");
}

/* Those of a batch of messages that the broker refused as a whole. */
static void send_alone(kafka *k, ss_error *err)
{
    for (uint32_t i = 0; k->turn.refused && i < k->turn.batch->count && k->turn.rc == SS_OK; i++) {
        if (k->turn.state[i] != ALONE || is_late(k))
            continue;
        k->turn.stop = false;
        if (!send_one(k, i, err))
            continue;
        await(k);
        const ss_record *r = ss_record_at(k->turn.batch, i);
        if (k->turn.state[i] == ALONE)
            reject_size(k, i, r->body.len,
                        "the topic takes (max.message.bytes), or it is no message that it takes");
    }
}

/* ---- the batch ---- */

static bool begin(kafka *k, const ss_batch *batch, ss_result *result)
{
    if (k->state_size < batch->count) {
        uint8_t *grown = realloc(k->turn.state, batch->count);
        if (!grown)
            return false;
        k->turn.state = grown;
        k->state_size = batch->count;
    }
    uint8_t *state = k->turn.state;
    memset(state, WAITING, batch->count);
    k->turn =
        (kafka_turn){.batch = batch, .result = result, .state = state, .progress_us = mono_us(), .rc = SS_OK};
    return true;
}

static int32_t finish(kafka *k, ss_error *err)
{
    kafka_turn *t = &k->turn;
    uint32_t open = 0;
    const char *why = k->trouble[0] ? k->trouble : "the brokers did not confirm it in time";
    if (k->login_failed && t->rc == SS_OK)
        t->rc = SS_PAUSE;
    for (uint32_t i = 0; i < t->batch->count; i++) {
        if (t->state[i] == DONE)
            continue;
        open++;
        k->host->result(k->host->self, t->result, i, SS_RECORD_RETRY, 0, ss_cstr(why));
    }
    if (open == 0)
        return SS_OK;
    if (t->rc != SS_OK)
        return *err->text ? t->rc : ss_fail(err, t->rc, "kafka at %.200s: %s", k->brokers, why);
    return ss_fail(err, SS_RETRY, "kafka at %.200s: %s", k->brokers, why);
}

int32_t turn_run(kafka *k, const ss_batch *batch, ss_result *result, ss_error *err)
{
    if (!begin(k, batch, result))
        return ss_fail(err, SS_RETRY, "kafka: no memory for a batch of %u records", batch->count);
    send_all(k, err);
    send_alone(k, err);
    give_up(k);
    int32_t rc = finish(k, err);
    if (k->turn.broken || k->login_failed) {
        producer_close(k);
        k->host->metric_add(k->metrics[KAFKA_REOPENED], 1);
    }
    return rc;
}
