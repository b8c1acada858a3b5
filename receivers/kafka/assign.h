/* Which partitions are ours, and where they begin: the journal's position first, then the group's, then
 * `start`. */
#ifndef KAFKA_ASSIGN_H
#define KAFKA_ASSIGN_H

#include "receivers/kafka/kafka.h"

void assign_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *partitions,
                         void *opaque);
/* The position that a partition was begun with is not there, or there was none: decides where it goes on. */
void assign_resolve(kafka *k, const char *topic, int32_t partition, const char *text);
/* Tells the group how far the journal is, for those who look at the lag there. */
void assign_commit(kafka *k, const rd_kafka_topic_partition_list_t *partitions, bool wait);
void assign_tick(kafka *k); /* once a second: the above, and lag in metrics */

#endif
