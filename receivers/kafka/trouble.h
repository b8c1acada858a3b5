/* What goes wrong with brokers and topics: alarms, and when run() has to end. */
#ifndef KAFKA_TROUBLE_H
#define KAFKA_TROUBLE_H

#include "receivers/kafka/kafka.h"

/* run() shall end with that status and sentence, unless it has one already. */
void trouble_stop(kafka *k, int32_t status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* An error of the client or of one partition that is not about its position. */
void trouble_note(kafka *k, rd_kafka_resp_err_t err, const char *text);
void trouble_over(kafka *k); /* brokers answer */
/* librdkafka's callbacks. */
void trouble_on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque);
void trouble_on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text);

#endif
