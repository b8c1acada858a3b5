#include "modules/kafka/kafka.h"

#include <stdlib.h>

#define MIB 1048576

static const ss_option create_keys[] = {
    {.name = "enabled",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "A topic that is not there is made; else the module pauses, unless the brokers make topics "
            "themselves."},
    {.name = "partitions",
     .type = SS_T_INT,
     .dflt = "6",
     .min = 1,
     .max = 10000,
     .doc = "Partitions of a topic that is made."},
    {.name = "replication",
     .type = SS_T_INT,
     .dflt = "3",
     .min = 1,
     .max = 100,
     .doc = "Copies of each partition of a topic that is made; not more than there are brokers."},
    {.name = NULL}};

const ss_option kafka_out_options[] = {
    {.name = "brokers",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "Where to begin: host:port, several with commas between; the cluster names the others."},
    {.name = "topic",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "The topic: text with {app}, {type}, {receiver}, {key}, {id} or {json:path.to.member}."},
    {.name = "key",
     .type = SS_T_STRING,
     .dflt = "{key}",
     .doc = "The messages' key, made like topic; messages of one key arrive in their order. Where it is "
            "empty a message has none."},
    {.name = "headers",
     .type = SS_T_BOOL,
     .dflt = "true",
     .doc = "Messages carry the headers event_id, by which readers can drop repeats, and event_type."},
    {.name = "compression",
     .type = SS_T_ENUM,
     .dflt = "lz4",
     .choices = "none|lz4|zstd|snappy|gzip",
     .doc = "How batches of messages are compressed."},
    {.name = "partitioner",
     .type = SS_T_ENUM,
     .dflt = "murmur2_random",
     .choices = "murmur2_random|consistent_random|random",
     .doc = "How a key chooses its partition: murmur2_random as Java's clients do, consistent_random as "
            "librdkafka's do, random "
            "without order per key."},
    {.name = "linger",
     .type = SS_T_DURATION,
     .dflt = "5ms",
     .min = 0,
     .max = 1000,
     .doc = "How long a message may wait for others that go with it."},
    {.name = "message_max_bytes",
     .type = SS_T_SIZE,
     .dflt = "1000000",
     .min = 1000,
     .max = 100 * MIB,
     .doc = "Most bytes of a message with key and headers; larger ones go into quarantine. Not above "
            "message.max.bytes of the brokers."},
    {.name = "buffer_bytes",
     .type = SS_T_SIZE,
     .dflt = "64MiB",
     .min = 1 * MIB,
     .max = 2048 * (int64_t)MIB - MIB,
     .doc = "Most bytes that are with the client and not confirmed yet; beyond it the module waits."},
    {.name = "patience",
     .type = SS_T_DURATION,
     .dflt = "20s",
     .min = 10,
     .max = 600000,
     .doc = "How long brokers may confirm nothing before the batch is taken back and comes again."},
    {.name = "create", .type = SS_T_OBJECT, .children = create_keys, .doc = "Making topics."},
    KAFKA_CLIENT_OPTIONS,
    {.name = NULL},
};

/* What no loss and order rest on, or what has an option of its own. */
static const char *const reserved[] = {"enable.idempotence",
                                       "acks",
                                       "request.required.acks",
                                       "max.in.flight.requests.per.connection",
                                       "max.in.flight",
                                       "retries",
                                       "message.send.max.retries",
                                       "message.timeout.ms",
                                       "delivery.timeout.ms",
                                       "enable.gapless.guarantee",
                                       "transactional.id",
                                       "compression.type",
                                       "compression.codec",
                                       "partitioner",
                                       "linger.ms",
                                       "queue.buffering.max.ms",
                                       "message.max.bytes",
                                       "queue.buffering.max.kbytes",
                                       "queue.buffering.max.messages",
                                       "statistics.interval.ms",
                                       "delivery.report.only.error",
                                       NULL};

static const struct {
    const char *name, *value;
} fixed[] = {
    {"client.id", "streamsteam"},
    {"enable.idempotence",
     "true"}, /* acks=all, and no message twice or out of order while the process lives */
    {"message.timeout.ms",
     "0"}, /* the batch's deadline counts: a message that times out alone would break its key's order */
    {"queue.buffering.max.messages", "100000"},
    {"statistics.interval.ms", "10000"},
    {"topic.metadata.propagation.max.ms", "10000"}, /* how long a topic may be unknown before it is missing */
};

static int32_t set_size(kafka *k, const char *name, int64_t value, const char *option, ss_error *err)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    return kafka_client_set(k->conf, name, text, option, err);
}

static int32_t read_own(kafka *k, const ss_config *cfg, ss_error *err)
{
    const ss_host *h = k->host;
    int32_t rc =
        kafka_client_set_str(k->conf, "bootstrap.servers", h->cfg_str(cfg, "brokers"), "brokers", err);
    if (rc == SS_OK)
        rc = kafka_client_set_str(k->conf, "compression.type", h->cfg_str(cfg, "compression"), "compression",
                                  err);
    if (rc == SS_OK)
        rc = kafka_client_set_str(k->conf, "partitioner", h->cfg_str(cfg, "partitioner"), "partitioner", err);
    if (rc == SS_OK)
        rc = set_size(k, "linger.ms", h->cfg_int(cfg, "linger"), "linger", err);
    if (rc == SS_OK)
        rc = set_size(k, "message.max.bytes", h->cfg_int(cfg, "message_max_bytes"), "message_max_bytes", err);
    if (rc == SS_OK)
        rc = set_size(k, "queue.buffering.max.kbytes", h->cfg_int(cfg, "buffer_bytes") / 1024, "buffer_bytes",
                      err);
    return rc;
}

int32_t options_read(kafka *k, const ss_config *cfg, ss_error *err)
{
    const ss_host *h = k->host;
    const ss_config *create = h->cfg_get(cfg, "create");
    ss_str brokers = h->cfg_str(cfg, "brokers");
    k->conf = rd_kafka_conf_new();
    if (!k->conf)
        return ss_fail(err, SS_RETRY, "kafka: no memory");
    (void)snprintf(k->brokers, sizeof k->brokers, "%.*s", (int)brokers.len, brokers.ptr);
    k->headers = h->cfg_int(cfg, "headers") != 0;
    k->message_max_bytes = (size_t)h->cfg_int(cfg, "message_max_bytes");
    k->patience_us = h->cfg_int(cfg, "patience") * 1000;
    k->create = create && h->cfg_int(create, "enabled");
    k->partitions = k->create ? (int)h->cfg_int(create, "partitions") : 0;
    k->replication = k->create ? (int)h->cfg_int(create, "replication") : 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (kafka_client_set(k->conf, fixed[i].name, fixed[i].value, "librdkafka", err) != SS_OK)
            return SS_REJECT;
    if (!template_compile(&k->topic, h->cfg_str(cfg, "topic"), err) ||
        !template_compile(&k->key, h->cfg_str(cfg, "key"), err))
        return SS_REJECT;
    int32_t rc = read_own(k, cfg, err);
    return rc == SS_OK ? kafka_client_read(&k->client, k->conf, h, cfg, reserved, err) : rc;
}
