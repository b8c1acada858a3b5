/* Where each partition stands, and the text that says so in the journal: lines "/TOPIC/PARTITION=OFFSET". */
#ifndef KAFKA_PLACES_H
#define KAFKA_PLACES_H

#include "receivers/kafka/kafka.h"

/* NULL where the journal has no position of it. */
kafka_place *places_find(kafka_places *p, const char *topic, int32_t partition);
/* The one that is there, or a new one with next -1. NULL: no memory, or there are KAFKA_PLACES_MAX already.
 */
kafka_place *places_add(kafka_places *p, const char *topic, int32_t partition);
/* The whole text of a resume. false: it is not one of ours; err says where. */
bool places_read(kafka_places *p, ss_str text, ss_error *err);
/* One line; its length, or 0 where it does not fit. */
size_t places_put(char *out, size_t size, const char *topic, int32_t partition, int64_t next);
void places_free(kafka_places *p);

#endif
