/* The methods of Matomo's reporting API that its log importer asks before it sends hits:
   POST / with the form module=API&method=... The answers are JSON, always with status 200. */
#ifndef MATOMO_API_H
#define MATOMO_API_H

#include "receivers/matomo/matomo.h"

/* Is it one of the two paths, whatever they are called in the configuration? */
bool api_is(const ss_request *request);
/* SS_DECLINE: not a request of the API. */
int32_t api_receive(const matomo *m, const ss_request *request, ss_response *response);

#endif
