/* From fetched messages to durable groups. */
#ifndef KAFKA_HAND_H
#define KAFKA_HAND_H

#include "receivers/kafka/kafka.h"

/* Hands the whole batch over and empties it; waits while ingest takes nothing. Sets k->status where it cannot
   go on. What is left of the batch then comes again from the brokers. */
void hand_over(kafka *k);
/* Stores a position although no message moved it. False: k->status says why not. */
bool hand_position(kafka *k, const kafka_place *place);
void batch_empty(kafka *k);
void batch_drop(kafka *k, const char *topic, int32_t partition); /* that partition's messages */

#endif
