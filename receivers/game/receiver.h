/* From a request to its events and the answer; from a direct producer's message to its event. */
#ifndef GAME_RECEIVER_H
#define GAME_RECEIVER_H

#include "streamsteam/plugin.h"

int32_t receiver_receive(void *instance, const ss_request *request, ss_response *response, ss_error *err);
int32_t direct_parse(void *instance, ss_call *call, const ss_message *message, ss_error *err);
extern const ss_view game_views[];

#endif
