/* Records into topics of Apache Kafka: the descriptor. */
#include <stdlib.h>

#include "modules/kafka/kafka.h"

#define CHECK_MS 10000

static void register_metrics(kafka *k)
{
    const ss_host *h = k->host;
    ss_metric **m = k->metrics;
    m[KAFKA_MESSAGES] = h->counter(h->self, "kafka_messages_total", "Messages that brokers confirmed.", "");
    m[KAFKA_BYTES] = h->counter(h->self, "kafka_bytes_total", "Bytes of their values.", "");
    m[KAFKA_UNKNOWN] =
        h->counter(h->self, "kafka_unknown_total",
                   "Messages sent again whose outcome was not known: they may be there twice.", "");
    m[KAFKA_REOPENED] = h->counter(h->self, "kafka_reopened_total",
                                   "Times that the producer was made anew after an error.", "");
    m[KAFKA_REQUESTS] = h->counter(h->self, "kafka_requests_total", "Requests to brokers.", "");
    m[KAFKA_RETRIES] = h->counter(h->self, "kafka_retries_total", "Those that librdkafka sent again.", "");
    m[KAFKA_RTT] = h->gauge(h->self, "kafka_round_trip_seconds",
                            "The slowest broker's round trip, 99 of 100 of the last 10 s.", "");
}

static void kafka_destroy(void *inst)
{
    kafka *k = inst;
    producer_close(k);
    if (k->conf)
        rd_kafka_conf_destroy(k->conf);
    kafka_client_free(&k->client);
    free(k->turn.state);
    free(k);
}

static int32_t kafka_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    kafka *k = calloc(1, sizeof *k);
    if (!k)
        return ss_fail(err, SS_RETRY, "kafka: no memory");
    k->host = host;
    int32_t rc = options_read(k, cfg, err);
    if (rc != SS_OK) {
        kafka_destroy(k);
        return rc;
    }
    producer_callbacks(k);
    register_metrics(k);
    *inst = k;
    return SS_OK;
}

static int32_t look_at_topic(const struct rd_kafka_metadata *found, const kafka *k, const char *topic,
                             ss_error *err)
{
    for (int i = 0; i < found->topic_cnt; i++)
        if (found->topics[i].err &&
            !(k->create && found->topics[i].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART))
            return ss_fail(err, SS_PAUSE, "kafka at %.200s: topic %s: %s; make it, or set create.enabled",
                           k->brokers, topic, rd_kafka_err2str(found->topics[i].err));
    return SS_OK;
}

/* Do the brokers answer, may this user speak with them, and is the topic there? */
static int32_t kafka_check(void *inst, ss_error *err)
{
    kafka *k = inst;
    const struct rd_kafka_metadata *found;
    int32_t rc = producer_open(k, err);
    if (rc != SS_OK)
        return rc;
    char name[KAFKA_TOPIC_MAX + 1];
    const ss_record none = {.seq = 0};
    size_t len = template_is_fixed(&k->topic) ? template_write(&k->topic, &none, name, sizeof name - 1) : 0;
    name[len] = '\0';
    rd_kafka_topic_t *topic = len ? rd_kafka_topic_new(k->producer, name, NULL) : NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(k->producer, 0, topic, &found, CHECK_MS);
    (void)rd_kafka_poll(k->producer, 0); /* what went wrong on the way */
    if (code)
        rc = ss_fail(err, k->login_failed ? SS_PAUSE : SS_RETRY, "the brokers of %.200s do not answer: %s",
                     k->brokers, k->trouble[0] ? k->trouble : rd_kafka_err2str(code));
    else
        rc = look_at_topic(found, k, name, err);
    if (!code)
        rd_kafka_metadata_destroy(found);
    if (topic)
        rd_kafka_topic_destroy(topic);
    producer_close(k);
    return rc;
}

static int32_t kafka_deliver(void *inst, const ss_batch *batch, ss_result *result, ss_error *err)
{
    kafka *k = inst;
    int32_t rc = producer_open(k, err);
    return rc == SS_OK ? turn_run(k, batch, result, err) : rc;
}

static const ss_module kafka_ops = {
    .struct_size = sizeof kafka_ops,
    .max_records = KAFKA_BATCH_RECORDS,
    .max_bytes = KAFKA_BATCH_BYTES,
    .deliver = kafka_deliver,
};

static const ss_plugin kafka_plugin = {
    SS_PLUGIN_HEADER,
    .kind = SS_MODULE,
    .name = "kafka",
    .version = "1.0.0",
    .summary = "Sends records into topics of Apache Kafka and of Amazon MSK.",
    .license = "MIT",
    .options = kafka_out_options,
    .module = &kafka_ops,
    .create = kafka_create,
    .check = kafka_check,
    .destroy = kafka_destroy,
    .warning = "Records leave this machine.",
};

SS_PLUGIN(kafka_plugin);
