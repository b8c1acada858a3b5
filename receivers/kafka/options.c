#include "receivers/kafka/options.h"

#include <stdlib.h>

#define MIB 1048576

static const ss_option topic_item[] = {
    {.name = "*", .type = SS_T_STRING, .doc = "A topic, or a regular expression that begins with ^."},
    {.name = NULL}};
const ss_option kafka_options[] = {
    {.name = "brokers",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "Where to begin: host:port, several with commas between; the cluster names the others."},
    {.name = "topics",
     .type = SS_T_LIST,
     .flags = SS_OPT_REQUIRED,
     .min = 1,
     .max = (int64_t)KAFKA_TOPICS_MAX,
     .children = topic_item,
     .doc = "The topics to read; one that begins with ^ is a regular expression and takes topics that come "
            "later, too."},
    {.name = "group",
     .type = SS_T_STRING,
     .dflt = "streamsteam",
     .doc = "The consumer group at the brokers."},
    {.name = "parser",
     .type = SS_T_STRING,
     .flags = SS_OPT_REQUIRED,
     .doc = "The receiver of this configuration that reads the messages and makes events of them."},
    {.name = "start",
     .type = SS_T_ENUM,
     .dflt = "earliest",
     .choices = "earliest|latest",
     .doc = "Where a partition begins that neither the journal nor the group has a position of."},
    {.name = "out_of_range",
     .type = SS_T_ENUM,
     .dflt = "pause",
     .choices = "pause|earliest|latest",
     .doc = "What to do where the journal's position lies behind the partition's end (the topic was made "
            "anew, or "
            "brokers lost messages): pause with an alarm until this is set, read all that is there now, or "
            "only what "
            "comes from now on."},
    {.name = "shared_group",
     .type = SS_T_BOOL,
     .dflt = "false",
     .doc = "Several servers share the group: where the group's committed offset is ahead of this journal's "
            "position, "
            "it counts, for another server took those messages."},
    {.name = "max_messages",
     .type = SS_T_INT,
     .dflt = "1000",
     .min = 1,
     .max = 10000,
     .doc = "Messages that are made durable together at the most."},
    {.name = "max_bytes",
     .type = SS_T_SIZE,
     .dflt = "4MiB",
     .min = 1024,
     .max = 8 * MIB,
     .doc = "Bytes of them at the most; one larger message goes alone."},
    {.name = "poll",
     .type = SS_T_DURATION,
     .dflt = "100ms",
     .min = 1,
     .max = 10000,
     .doc = "How long to wait for a first message before looking at everything else."},
    KAFKA_CLIENT_OPTIONS,
    {.name = NULL},
};

/* ---- what exactly once rests on ---- */

typedef struct setting {
    const char *name, *value;
} setting;

/* Or what has an option of its own. */
static const char *const reserved[] = {
    "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset", "auto.commit.interval.ms",
    "group.id",           "enable.partition.eof",     "isolation.level",   NULL};

static const setting fixed[] = {
    {"enable.auto.commit", "false"}, /* the journal's position counts; ours is committed after it */
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"}, /* a position that is not there is a decision, not a default */
    {"enable.partition.eof", "false"},
    {"isolation.level", "read_committed"},
    {"queued.min.messages", "10000"},
    {"queued.max.messages.kbytes", "16384"},
    {"session.timeout.ms", "10000"}, /* a killed process's partitions come to the next one after this */
    {"client.id", "streamsteam"},
};

/* ---- all ---- */

static enum kafka_policy policy_of(ss_str text)
{
    if (ss_eq(text, SS_LIT("earliest")))
        return KAFKA_EARLIEST;
    return ss_eq(text, SS_LIT("latest")) ? KAFKA_LATEST : KAFKA_PAUSE;
}

static int32_t read_topics(kafka *k, const ss_config *list, ss_error *err)
{
    for (size_t i = 0; i < k->host->cfg_len(list) && i < KAFKA_TOPICS_MAX; i++) {
        ss_str topic = k->host->cfg_str(k->host->cfg_at(list, i), "");
        if (topic.len == 0 || topic.len >= KAFKA_NAME_BYTES)
            return ss_fail(err, SS_REJECT, "topics: item %zu is empty or longer than %u bytes", i + 1,
                           KAFKA_NAME_BYTES - 1);
        k->topics[k->topic_count] = strndup(topic.ptr, topic.len);
        if (!k->topics[k->topic_count++])
            return ss_fail(err, SS_LIMIT, "out of memory");
    }
    return SS_OK;
}

int32_t options_read(kafka *k, const ss_config *cfg, ss_error *err)
{
    const ss_host *h = k->host;
    k->conf = rd_kafka_conf_new();
    if (!k->conf)
        return ss_fail(err, SS_LIMIT, "out of memory");
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (kafka_client_set(k->conf, fixed[i].name, fixed[i].value, "librdkafka", err) != SS_OK)
            return SS_REJECT;
    ss_str brokers = h->cfg_str(cfg, "brokers");
    (void)snprintf(k->brokers, sizeof k->brokers, "%.*s", (int)brokers.len, brokers.ptr);
    k->start = policy_of(h->cfg_str(cfg, "start"));
    k->out_of_range = policy_of(h->cfg_str(cfg, "out_of_range"));
    k->shared_group = h->cfg_int(cfg, "shared_group") != 0;
    k->max_messages = (uint32_t)h->cfg_int(cfg, "max_messages");
    k->max_bytes = (size_t)h->cfg_int(cfg, "max_bytes");
    k->poll_ms = (int)h->cfg_int(cfg, "poll");
    int32_t status = kafka_client_set_str(k->conf, "bootstrap.servers", brokers, "brokers", err);
    if (status == SS_OK)
        status = kafka_client_set_str(k->conf, "group.id", h->cfg_str(cfg, "group"), "group", err);
    if (status == SS_OK)
        status = read_topics(k, h->cfg_get(cfg, "topics"), err);
    if (status == SS_OK)
        status = kafka_client_read(&k->client, k->conf, h, cfg, reserved, err);
    return status;
}
