/* One instance of the module, shared by its files. deliver() has one thread; librdkafka calls back on it,
   inside of poll. */
#ifndef KAFKA_OUT_KAFKA_H
#define KAFKA_OUT_KAFKA_H

#include "plugins/common/kafka_client.h"
#include "plugins/common/template.h"

#define KAFKA_BATCH_RECORDS 10000u
#define KAFKA_BATCH_BYTES   (16u << 20)
#define KAFKA_TOPICS_MAX    256u /* topics in use at the same time */
#define KAFKA_TOPIC_MAX     249u
#define KAFKA_KEY_MAX       1024u

enum kafka_metric {
    KAFKA_MESSAGES,
    KAFKA_BYTES,
    KAFKA_UNKNOWN,
    KAFKA_REOPENED,
    KAFKA_REQUESTS,
    KAFKA_RETRIES,
    KAFKA_RTT,
    KAFKA_METRICS
};

typedef struct kafka_topic {
    char name[KAFKA_TOPIC_MAX + 1];
    rd_kafka_topic_t *handle;
} kafka_topic;

/* How a batch stands. */
typedef struct kafka_turn {
    const ss_batch *batch;
    ss_result *result;
    uint8_t *state; /* enum record_state, one a record */
    uint32_t left;  /* with librdkafka, not reported yet */
    uint32_t taken; /* confirmed in one look at the reports */
    uint64_t taken_bytes;
    bool refused;        /* some state is ALONE */
    int64_t progress_us; /* the last good report */
    int32_t rc;          /* what deliver() shall say; SS_OK = what the records say */
    bool stop;           /* nothing more is handed to librdkafka */
    bool broken;         /* the producer has to be made anew */
} kafka_turn;

typedef struct kafka {
    kafka_client client; /* first: the conf's opaque is this struct */
    const ss_host *host;
    rd_kafka_conf_t *conf; /* owned: checked settings, copied for each producer */
    record_template topic, key;
    char brokers[512];
    bool headers, create;
    int partitions, replication;
    size_t message_max_bytes;
    int64_t patience_us;  /* without any good report while something is wrong */
    rd_kafka_t *producer; /* NULL: not open */
    kafka_topic topics[KAFKA_TOPICS_MAX];
    size_t topic_count;
    kafka_turn turn;
    uint32_t state_size;
    char trouble[400]; /* what librdkafka said last of the connection; "" = nothing since the last good report
                        */
    bool login_failed;
    double requests, retries; /* as the statistics had them last */
    ss_metric *metrics[KAFKA_METRICS];
} kafka;

/* options.c */
extern const ss_option kafka_out_options[];
int32_t options_read(kafka *k, const ss_config *cfg, ss_error *err); /* SS_OK, or SS_REJECT with err */

/* producer.c: its life, and what it says of itself. */
int32_t producer_open(kafka *k, ss_error *err);
void producer_close(kafka *k); /* at once: what is on its way has been reported before */
void producer_callbacks(kafka *k);
/* A topic's handle; made where `create` says so. NULL: err and rc. */
rd_kafka_topic_t *producer_topic(kafka *k, ss_str name, int32_t *rc, ss_error *err);

/* turn.c: a batch. */
int32_t turn_run(kafka *k, const ss_batch *batch, ss_result *result, ss_error *err);
void turn_report(rd_kafka_t *producer, const rd_kafka_message_t *m, void *opaque); /* dr_msg_cb */

#endif
