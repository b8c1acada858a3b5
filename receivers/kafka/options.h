/* The receiver's options, and what they become for librdkafka. */
#ifndef KAFKA_OPTIONS_H
#define KAFKA_OPTIONS_H

#include "receivers/kafka/kafka.h"

extern const ss_option kafka_options[];

/* Fills k->conf and the rest. SS_OK, or SS_REJECT with err. */
int32_t options_read(kafka *k, const ss_config *cfg, ss_error *err);

#endif
