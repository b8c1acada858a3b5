/* The receiver for topics of Apache Kafka: the descriptor and run(). */
#include <stdlib.h>

#include "receivers/kafka/assign.h"
#include "receivers/kafka/hand.h"
#include "receivers/kafka/options.h"
#include "receivers/kafka/places.h"
#include "receivers/kafka/trouble.h"

#define TICK_US  1000000
#define PROBE_US 5000000 /* while no broker answers */
#define PROBE_MS 1000
#define CHECK_MS 10000

/* ---- life -------------------------------------------------------------------------------------- */

static void kafka_destroy(void *inst)
{
    kafka *k = inst;
    if (k->conf)
        rd_kafka_conf_destroy(k->conf);
    for (size_t i = 0; i < k->topic_count; i++)
        free(k->topics[i]);
    kafka_client_free(&k->client);
    places_free(&k->places);
    free(k->batch.list);
    free(k);
}

static void register_metrics(kafka *k)
{
    const ss_host *h = k->host;
    k->messages = h->counter(h->self, "kafka_messages_total", "Messages that are in the journal.", "");
    k->bytes = h->counter(h->self, "kafka_bytes_total", "Bytes of their values.", "");
    k->tombstones =
        h->counter(h->self, "kafka_tombstones_total", "Messages without a value, which are passed over.", "");
    k->known = h->counter(h->self, "kafka_known_total",
                          "Messages that came again and were in the journal: passed over.", "");
    k->lost = h->counter(h->self, "kafka_lost_total",
                         "Offsets that were deleted at the brokers before they were read.", "");
    k->rebalances = h->counter(h->self, "kafka_rebalances_total", "Times that partitions came or went.", "");
    k->lag = h->gauge(h->self, "kafka_lag", "Messages of all partitions of ours that are not here yet.", "");
    k->partitions = h->gauge(h->self, "kafka_partitions", "Partitions that are ours now.", "");
}

static int32_t kafka_create(const ss_host *host, const ss_config *cfg, void **inst, ss_error *err)
{
    kafka *k = calloc(1, sizeof *k);
    if (!k)
        return ss_fail(err, SS_LIMIT, "out of memory");
    k->host = host;
    int32_t status = options_read(k, cfg, err);
    if (status == SS_OK && !(k->batch.list = calloc(k->max_messages, sizeof(rd_kafka_message_t *))))
        status = ss_fail(err, SS_LIMIT, "out of memory");
    if (status != SS_OK) {
        kafka_destroy(k);
        return status;
    }
    rd_kafka_conf_set_opaque(k->conf, k);
    rd_kafka_conf_set_error_cb(k->conf, trouble_on_error);
    rd_kafka_conf_set_log_cb(k->conf, trouble_on_log);
    rd_kafka_conf_set_rebalance_cb(k->conf, assign_on_rebalance);
    register_metrics(k);
    *inst = k;
    return SS_OK;
}

static int32_t kafka_start(void *inst, const ss_resume *resume, ss_error *err)
{
    kafka *k = inst;
    places_free(&k->places);
    return places_read(&k->places, resume->position, err) ? SS_OK : SS_REJECT;
}

static rd_kafka_t *new_consumer(kafka *k, ss_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(k->conf);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err->text, sizeof err->text);
    if (!consumer) {
        rd_kafka_conf_destroy(conf);
    } else if (kafka_client_started(&k->client, consumer, err) != SS_OK) {
        rd_kafka_destroy(consumer);
        consumer = NULL;
    }
    return consumer;
}

static int32_t kafka_check(void *inst, ss_error *err)
{
    kafka *k = inst;
    const struct rd_kafka_metadata *found;
    rd_kafka_t *consumer = new_consumer(k, err);
    if (!consumer)
        return SS_REJECT;
    rd_kafka_resp_err_t rc = rd_kafka_metadata(consumer, 1, NULL, &found, CHECK_MS);
    if (!rc)
        rd_kafka_metadata_destroy(found);
    rd_kafka_destroy(consumer);
    if (rc)
        return ss_fail(err, SS_RETRY, "the brokers of %.200s do not answer: %s", k->brokers,
                       rd_kafka_err2str(rc));
    return SS_OK;
}

/* ---- run --------------------------------------------------------------------------------------- */

static void take_error(kafka *k, const rd_kafka_message_t *m)
{
    const char *text = rd_kafka_message_errstr(m);
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && m->rkt)
        assign_resolve(k, rd_kafka_topic_name(m->rkt), m->partition, text);
    else
        trouble_note(k, m->err, text ? text : rd_kafka_err2str(m->err));
}

/* Polls until the batch is full, or nothing more is there at once. Rebalances happen in here, too: what they
   take away leaves the batch. */
static void fetch(kafka *k)
{
    kafka_batch *b = &k->batch;
    while (k->status == SS_OK && b->count < k->max_messages && b->bytes < k->max_bytes) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(k->consumer, b->count ? 0 : k->poll_ms);
        if (!m)
            return;
        if (m->err) {
            take_error(k, m);
            rd_kafka_message_destroy(m);
            return;
        }
        b->list[b->count++] = m;
        b->bytes += m->len;
    }
}

/* An idle topic says nothing when its brokers are back. */
static void probe(kafka *k, int64_t now)
{
    const struct rd_kafka_metadata *found;
    if (!k->brokers_down || now < k->probe_due_us)
        return;
    k->probe_due_us = now + PROBE_US;
    if (rd_kafka_metadata(k->consumer, 0, NULL, &found, PROBE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    rd_kafka_metadata_destroy(found);
    trouble_over(k);
}

static void look_around(kafka *k)
{
    int64_t now = k->host->now_us(k->host->self);
    if (now < k->tick_due_us && k->tick_due_us - now <= TICK_US)
        return;
    k->tick_due_us = now + TICK_US;
    assign_tick(k);
    probe(k, now);
}

static bool subscribe(kafka *k, ss_error *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new((int)k->topic_count);
    for (size_t i = 0; i < k->topic_count; i++)
        (void)rd_kafka_topic_partition_list_add(topics, k->topics[i], RD_KAFKA_PARTITION_UA);
    (void)rd_kafka_poll_set_consumer(k->consumer);
    rd_kafka_resp_err_t rc = rd_kafka_subscribe(k->consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (rc)
        (void)ss_fail(err, SS_PAUSE, "topics: %s", rd_kafka_err2str(rc));
    return !rc;
}

static void work(kafka *k)
{
    while (k->status == SS_OK && !k->host->stopping(k->host->self)) {
        fetch(k);
        if (k->batch.count && k->status == SS_OK) {
            trouble_over(k);
            hand_over(k);
        }
        look_around(k);
    }
    batch_empty(k);
}

static int32_t kafka_run(void *inst, ss_error *err)
{
    kafka *k = inst;
    k->status = SS_OK;
    k->why = (ss_error){.struct_size = sizeof k->why};
    k->tick_due_us = k->probe_due_us = 0;
    k->consumer = new_consumer(k, err);
    if (!k->consumer)
        return SS_PAUSE;
    if (subscribe(k, err))
        work(k);
    else
        k->status = SS_PAUSE;
    (void)rd_kafka_consumer_close(k->consumer); /* with a last rebalance, which commits to the group */
    batch_empty(k);
    rd_kafka_destroy(k->consumer);
    k->consumer = NULL;
    trouble_over(k);
    if (k->why.text[0])
        (void)snprintf(err->text, sizeof err->text, "%s", k->why.text);
    return k->host->stopping(k->host->self) && k->status == SS_RETRY ? SS_OK : k->status;
}

/* ---- descriptor -------------------------------------------------------------------------------- */

static const ss_receiver receiver = {.struct_size = sizeof(ss_receiver), .run = kafka_run};

static const ss_plugin plugin = {
    SS_PLUGIN_HEADER,        .kind = SS_RECEIVER,
    .name = "kafka",         .version = "0.1.0",
    .build_id = SS_VERSION,  .summary = "Reads topics of Apache Kafka, exactly once into the journal.",
    .license = "MIT",        .options = kafka_options,
    .receiver = &receiver,   .create = kafka_create,
    .check = kafka_check,    .start = kafka_start,
    .destroy = kafka_destroy};

SS_PLUGIN(plugin);
