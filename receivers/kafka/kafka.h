/* One instance of the receiver, shared by its files. run() has one thread; librdkafka calls back on it,
   inside of poll. */
#ifndef KAFKA_KAFKA_H
#define KAFKA_KAFKA_H

#include "plugins/common/kafka_client.h"

#define KAFKA_TOPICS_MAX     64u
#define KAFKA_NAME_BYTES     256u /* a topic has at most 249                                    */
#define KAFKA_PLACES_MAX     960u /* partitions whose position is kept: the journal keeps 1,024 */
#define KAFKA_GROUP_PARTS    200u /* partitions in one group                                    */
#define KAFKA_PART_BYTES_MAX 256u /* instance/topic/partition, as the journal keeps it           */

enum kafka_policy { KAFKA_PAUSE, KAFKA_EARLIEST, KAFKA_LATEST };

typedef struct kafka_place { /* a partition that this journal has taken something of */
    char *topic;             /* owned */
    int32_t partition;
    int64_t next; /* the first offset that is not in the journal; -1 = the journal knows nothing yet */
    ss_metric *lag;
    bool lag_tried; /* the metric was asked for (there may be no room for it) */
} kafka_place;

typedef struct kafka_places {
    kafka_place *list; /* owned */
    size_t count, size;
} kafka_places;

typedef struct kafka_batch {   /* fetched, and not in the journal yet */
    rd_kafka_message_t **list; /* room for max_messages; each is owned */
    size_t count, bytes;
} kafka_batch;

typedef struct kafka {
    kafka_client client; /* first: the conf's opaque is this struct */
    const ss_host *host;
    rd_kafka_conf_t *conf; /* owned: checked settings, copied for each consumer */
    char *topics[KAFKA_TOPICS_MAX];
    size_t topic_count;
    char brokers[512];
    enum kafka_policy start, out_of_range;
    bool shared_group;
    uint32_t max_messages;
    size_t max_bytes;
    int poll_ms;
    kafka_places places;
    /* while run() runs */
    rd_kafka_t *consumer;
    kafka_batch batch;
    int64_t tick_due_us, probe_due_us;
    bool brokers_down, topic_missing;
    int32_t status; /* what run() shall return; SS_OK = go on */
    ss_error why;
    ss_metric *messages, *bytes, *tombstones, *known, *lost, *rebalances, *lag, *partitions;
} kafka;

#endif
