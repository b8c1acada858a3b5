/* From a request to its hits and the answer. */
#ifndef MATOMO_RECEIVER_H
#define MATOMO_RECEIVER_H

#include "streamsteam/plugin.h"

int32_t receiver_receive(void *instance, const ss_request *request, ss_response *response, ss_error *err);
int32_t receiver_parse(void *instance, ss_call *call, const ss_message *message, ss_error *err);

#endif
