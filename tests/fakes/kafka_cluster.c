/* A Kafka cluster for tests: librdkafka's mock brokers, driven by lines on standard input. Each command is
   answered with one line.

     topic NAME PARTITIONS            make a topic
     produce TOPIC FROM TO PARTS      messages {"n":N} for N in FROM..TO-1, N to partition N % PARTS
     say TOPIC PARTITION TEXT         one message
     tombstone TOPIC PARTITION        one without a value
     down BROKER | up BROKER          1..3
     error CODE TIMES                 the next Fetch requests fail with that code
     refuse CODE TIMES                the next Produce requests do
     join GROUP TOPIC                 another consumer joins the group; it reads until it leaves, answers what
   it got leave                            it goes offset GROUP TOPIC PARTITION N   commits an offset for the
   group                                           */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BROKERS    3
#define LINE_BYTES 65536
#define FLUSH_MS   120000

static rd_kafka_mock_cluster_t *cluster;
static rd_kafka_t *producer;
static const char *bootstrap;

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "kafka_cluster: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        die(name, why);
}

/* The mock brokers forget members that wait for others longer than their session: who joins for long needs a
   long one, who stays a moment a short one. */
static rd_kafka_t *client(rd_kafka_type_t type, const char *group, const char *session_ms)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", bootstrap);
    set(conf, "log_level", "0");
    if (getenv("KAFKA_CLUSTER_DEBUG")) {
        set(conf, "log_level", "7");
        set(conf, "debug", getenv("KAFKA_CLUSTER_DEBUG"));
    }
    if (type == RD_KAFKA_PRODUCER)
        set(conf, "enable.idempotence", "true"); /* what is made once is there once */
    if (group) {
        set(conf, "group.id", group);
        set(conf, "enable.auto.commit", "false");
        set(conf, "auto.offset.reset", "earliest");
        set(conf, "session.timeout.ms", session_ms);
        set(conf, "heartbeat.interval.ms", "200");
    }
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (!rk)
        die("client", why);
    return rk;
}

static void start_cluster(const char *brokers)
{
    if (brokers) {
        bootstrap = brokers;
        producer = client(RD_KAFKA_PRODUCER, NULL, NULL);
        return;
    }
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "log_level", "0");
    rd_kafka_t *holder = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!holder)
        die("mock", why);
    cluster = rd_kafka_mock_cluster_new(holder, BROKERS);
    if (!cluster)
        die("mock", "no cluster");
    bootstrap = rd_kafka_mock_cluster_bootstraps(cluster);
    producer = client(RD_KAFKA_PRODUCER, NULL, NULL);
}

/* ---- producing -------------------------------------------------------------------------------- */

static rd_kafka_resp_err_t send_one(const char *topic, int32_t partition, const char *text)
{
    rd_kafka_resp_err_t err;
    do {
        err = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                RD_KAFKA_V_VALUE((void *)(uintptr_t)text, text ? strlen(text) : 0),
                                RD_KAFKA_V_KEY("key", 3), RD_KAFKA_V_HEADER("source", "test", 4),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            (void)rd_kafka_poll(producer, 50);
    } while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    return err;
}

static bool produce(const char *rest)
{
    char topic[256], text[64];
    long from, to, parts;
    if (sscanf(rest, "%255s %ld %ld %ld", topic, &from, &to, &parts) != 4)
        return false;
    for (long n = from; n < to; n++) {
        (void)snprintf(text, sizeof text, "{\"n\":%ld}", n);
        if (send_one(topic, (int32_t)(n % parts), text))
            return false;
    }
    return rd_kafka_flush(producer, FLUSH_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool say(const char *rest)
{
    char topic[256];
    int partition, used = 0;
    if (sscanf(rest, "%255s %d %n", topic, &partition, &used) != 2)
        return false;
    return !send_one(topic, partition, rest + used) && !rd_kafka_flush(producer, FLUSH_MS);
}

static bool tombstone(const char *rest)
{
    char topic[256];
    int partition;
    if (sscanf(rest, "%255s %d", topic, &partition) != 2)
        return false;
    return !send_one(topic, partition, NULL) && !rd_kafka_flush(producer, FLUSH_MS);
}

/* ---- another consumer --------------------------------------------------------------------------- */

static rd_kafka_t *other;
static pthread_t other_thread;
static _Atomic int other_leaves, other_assigned;

/* It commits nothing: what it read, its partner reads, too. */
static void *read_along(void *arg)
{
    (void)arg;
    while (!atomic_load(&other_leaves)) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(other, 100);
        if (m)
            rd_kafka_message_destroy(m);
        rd_kafka_topic_partition_list_t *mine = NULL;
        if (rd_kafka_assignment(other, &mine) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            atomic_store(&other_assigned, mine->cnt);
            rd_kafka_topic_partition_list_destroy(mine);
        }
    }
    (void)rd_kafka_consumer_close(other);
    rd_kafka_destroy(other);
    return NULL;
}

static bool join(const char *rest)
{
    char group[256], topic[256];
    if (sscanf(rest, "%255s %255s", group, topic) != 2 || other)
        return false;
    other = client(RD_KAFKA_CONSUMER, group, "20000");
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    bool good = !rd_kafka_subscribe(other, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    atomic_store(&other_leaves, 0);
    return good && pthread_create(&other_thread, NULL, read_along, NULL) == 0;
}

static bool leave(void)
{
    if (!other)
        return false;
    atomic_store(&other_leaves, 1);
    (void)pthread_join(other_thread, NULL);
    other = NULL;
    atomic_store(&other_assigned, 0);
    return true;
}

static bool offset(const char *rest)
{
    char group[256], topic[256];
    int partition;
    long long n;
    if (sscanf(rest, "%255s %255s %d %lld", group, topic, &partition, &n) != 4)
        return false;
    /* The brokers take offsets of members only. */
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, group, "9000");
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1), *mine = NULL;
    (void)rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    (void)rd_kafka_subscribe(rk, topics);
    int assigned = 0;
    for (int i = 0; i < 200 && !assigned; i++) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);
        if (m)
            rd_kafka_message_destroy(m);
        if (rd_kafka_assignment(rk, &mine) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            assigned = mine->cnt;
            rd_kafka_topic_partition_list_destroy(mine);
        }
    }
    rd_kafka_topic_partition_list_destroy(topics);
    rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(one, topic, partition)->offset = n;
    rd_kafka_resp_err_t err = rd_kafka_commit(rk, one, 0);
    rd_kafka_topic_partition_list_destroy(one);
    if (err)
        (void)fprintf(stderr, "kafka_cluster: commit: %s\n", rd_kafka_err2str(err));
    (void)rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return !err;
}

/* ---- commands ----------------------------------------------------------------------------------- */

static bool topic_new(const char *rest)
{
    char topic[256];
    int parts;
    return sscanf(rest, "%255s %d", topic, &parts) == 2 &&
           !rd_kafka_mock_topic_create(cluster, topic, parts, 1);
}

static bool broker(const char *rest, bool up)
{
    int32_t id = (int32_t)strtol(rest, NULL, 10);
    return !(up ? rd_kafka_mock_broker_set_up(cluster, id) : rd_kafka_mock_broker_set_down(cluster, id));
}

static bool errors(int16_t api, const char *rest)
{
    int code, times;
    if (sscanf(rest, "%d %d", &code, &times) != 2)
        return false;
    for (int i = 0; i < times; i++)
        rd_kafka_mock_push_request_errors(cluster, api, 1, (rd_kafka_resp_err_t)code);
    return true;
}

static bool run(const char *name, const char *rest)
{
    if (strcmp(name, "topic") == 0)
        return topic_new(rest);
    if (strcmp(name, "produce") == 0)
        return produce(rest);
    if (strcmp(name, "say") == 0)
        return say(rest);
    if (strcmp(name, "tombstone") == 0)
        return tombstone(rest);
    if (strcmp(name, "up") == 0 || strcmp(name, "down") == 0)
        return broker(rest, name[0] == 'u');
    if (strcmp(name, "error") == 0)
        return errors(1 /* Fetch */, rest);
    if (strcmp(name, "refuse") == 0)
        return errors(0 /* Produce */, rest);
    if (strcmp(name, "join") == 0)
        return join(rest);
    if (strcmp(name, "leave") == 0)
        return leave();
    if (strcmp(name, "offset") == 0)
        return offset(rest);
    return strcmp(name, "assigned") == 0;
}

int main(int argc, char **argv)
{
    static char line[LINE_BYTES];
    start_cluster(argc > 1 ? argv[1] : NULL);
    (void)printf("bootstrap %s\n", bootstrap);
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line + strcspn(line, " ");
        if (*rest)
            *rest++ = '\0';
        bool good = run(line, rest);
        (void)printf("%s %d\n", good ? "ok" : "failed", atomic_load(&other_assigned));
        (void)fflush(stdout);
    }
    return 0;
}
