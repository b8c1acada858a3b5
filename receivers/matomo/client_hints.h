/* Client hints of the request's headers, as the field client_hints, where the parameter uadata brings none.
 */
#ifndef MATOMO_CLIENT_HINTS_H
#define MATOMO_CLIENT_HINTS_H

#include "streamsteam/plugin.h"

/* false: the request has none (the same for all hits of it), or memory is short. */
bool client_hints_set(const ss_host *host, const ss_request *request, ss_event *event);

#endif
