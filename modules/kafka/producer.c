#include <stdlib.h>

#include "modules/kafka/kafka.h"
#include "plugins/common/json.h"

#define CREATE_MS     15000
#define US_PER_SECOND 1e6

/* ---- what librdkafka says ---- */

static void note(kafka *k, const char *what, const char *reason)
{
    (void)snprintf(k->trouble, sizeof k->trouble, "%s: %.300s", what, reason ? reason : "");
}

static void on_error(rd_kafka_t *producer, int code, const char *reason, void *opaque)
{
    kafka *k = opaque;
    rd_kafka_resp_err_t err = (rd_kafka_resp_err_t)code;
    char why[300];
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        err = rd_kafka_fatal_error(producer, why, sizeof why);
        note(k, rd_kafka_err2name(err), why);
        k->turn.broken = true;
        return;
    }
    k->login_failed |=
        err == RD_KAFKA_RESP_ERR__AUTHENTICATION || err == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED;
    note(k, rd_kafka_err2str(err), reason);
}

/* Its own lines are the error callback's again, mostly. */
static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
    const kafka *k = rd_kafka_opaque(producer);
    k->host->log(k->host->self, SS_DEBUG, text);
    (void)level, (void)facility;
}

/* "p99" of a broker's round trips, in microseconds. */
static double read_window(json_scan *s)
{
    json_value v, key;
    double p99 = 0;
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return 0;
    while (json_member(s, &key)) {
        int64_t number = 0;
        if (!json_is(&key, "p99"))
            (void)json_skip(s, NULL);
        else if (json_read(s, &v) && v.kind == JSON_NUMBER && json_i64(v.text, &number))
            p99 = (double)number;
    }
    return p99;
}

static void read_broker(json_scan *s, double *retries, double *rtt_us)
{
    json_value v, key;
    if (!json_read(s, &v) || v.kind != JSON_OBJECT)
        return;
    while (json_member(s, &key)) {
        int64_t number = 0;
        if (json_is(&key, "rtt")) {
            double p99 = read_window(s);
            *rtt_us = p99 > *rtt_us ? p99 : *rtt_us;
        } else if (!json_is(&key, "txretries")) {
            (void)json_skip(s, NULL);
        } else if (json_read(s, &v) && v.kind == JSON_NUMBER && json_i64(v.text, &number)) {
            *retries += (double)number;
        }
    }
}

static void grown(ss_metric *metric, const ss_host *host, double now, double *before)
{
    if (now > *before)
        host->metric_add(metric, now - *before);
    *before = now;
}

static int on_stats(rd_kafka_t *producer, char *text, size_t len, void *opaque)
{
    kafka *k = opaque;
    json_scan s;
    json_value v, key;
    double requests = 0, retries = 0, rtt_us = 0;
    (void)producer;
    json_start(&s, ss_s(text, len));
    if (!json_read(&s, &v) || v.kind != JSON_OBJECT)
        return 0;
    while (json_member(&s, &key)) {
        int64_t number = 0;
        if (json_is(&key, "brokers") && json_read(&s, &v) && v.kind == JSON_OBJECT) {
            while (json_member(&s, &key))
                read_broker(&s, &retries, &rtt_us);
        } else if (!json_is(&key, "tx")) {
            (void)json_skip(&s, NULL);
        } else if (json_read(&s, &v) && v.kind == JSON_NUMBER && json_i64(v.text, &number)) {
            requests = (double)number;
        }
    }
    grown(k->metrics[KAFKA_REQUESTS], k->host, requests, &k->requests);
    grown(k->metrics[KAFKA_RETRIES], k->host, retries, &k->retries);
    k->host->metric_set(k->metrics[KAFKA_RTT], rtt_us / US_PER_SECOND);
    return 0; /* the text stays librdkafka's */
}

void producer_callbacks(kafka *k)
{
    rd_kafka_conf_set_opaque(k->conf, k);
    rd_kafka_conf_set_error_cb(k->conf, on_error);
    rd_kafka_conf_set_log_cb(k->conf, on_log);
    rd_kafka_conf_set_stats_cb(k->conf, on_stats);
    rd_kafka_conf_set_dr_msg_cb(k->conf, turn_report);
}

/* ---- life ---- */

int32_t producer_open(kafka *k, ss_error *err)
{
    if (k->producer)
        return SS_OK;
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(k->conf);
    k->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err->text, sizeof err->text);
    if (!k->producer) {
        rd_kafka_conf_destroy(conf);
        return SS_PAUSE;
    }
    k->requests = k->retries = 0;
    k->trouble[0] = '\0';
    k->login_failed = false;
    int32_t rc = kafka_client_started(&k->client, k->producer, err);
    if (rc == SS_OK)
        return SS_OK;
    producer_close(k);
    return SS_PAUSE;
}

void producer_close(kafka *k)
{
    if (!k->producer)
        return;
    for (size_t i = 0; i < k->topic_count; i++)
        rd_kafka_topic_destroy(k->topics[i].handle);
    k->topic_count = 0;
    rd_kafka_destroy(k->producer);
    k->producer = NULL;
}

/* ---- topics ---- */

static int32_t created(rd_kafka_event_t *event, const char *name, ss_error *err)
{
    const rd_kafka_CreateTopics_result_t *result = event ? rd_kafka_event_CreateTopics_result(event) : NULL;
    size_t count = 0;
    const rd_kafka_topic_result_t **all = result ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;
    if (!event || rd_kafka_event_error(event) || count == 0)
        return ss_fail(err, SS_RETRY, "kafka: topic %s could not be made: %.200s", name,
                       event ? rd_kafka_event_error_string(event) : "no answer");
    rd_kafka_resp_err_t code = rd_kafka_topic_result_error(all[0]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return SS_OK;
    const char *why = rd_kafka_topic_result_error_string(all[0]);
    return ss_fail(err, SS_PAUSE, "kafka: topic %s could not be made: %.200s", name,
                   why ? why : rd_kafka_err2str(code));
}

static int32_t create_topic(kafka *k, const char *name, ss_error *err)
{
    char why[200];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, k->partitions, k->replication, why, sizeof why);
    if (!topic)
        return ss_fail(err, SS_PAUSE, "kafka: topic %s cannot be made: %s", name, why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(k->producer);
    rd_kafka_CreateTopics(k->producer, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CREATE_MS);
    int32_t rc = created(event, name, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    return rc;
}

/* Handles are counted by librdkafka: messages that are on their way keep theirs. */
static void forget_oldest(kafka *k)
{
    rd_kafka_topic_destroy(k->topics[0].handle);
    memmove(&k->topics[0], &k->topics[1], --k->topic_count * sizeof *k->topics);
}

rd_kafka_topic_t *producer_topic(kafka *k, ss_str name, int32_t *rc, ss_error *err)
{
    for (size_t i = k->topic_count; i-- > 0;)
        if (ss_eq(name, ss_cstr(k->topics[i].name)))
            return k->topics[i].handle;
    if (k->topic_count == KAFKA_TOPICS_MAX)
        forget_oldest(k);
    kafka_topic *t = &k->topics[k->topic_count];
    memcpy(t->name, name.ptr, name.len);
    t->name[name.len] = '\0';
    *rc = k->create ? create_topic(k, t->name, err) : SS_OK;
    t->handle = *rc == SS_OK ? rd_kafka_topic_new(k->producer, t->name, NULL) : NULL;
    if (*rc == SS_OK && !t->handle)
        *rc = ss_fail(err, SS_PAUSE, "kafka: topic %s: %s", t->name, rd_kafka_err2str(rd_kafka_last_error()));
    k->topic_count += t->handle != NULL;
    return t->handle;
}
