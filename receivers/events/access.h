/* Who may send: API keys, origins of browsers; and what browsers are told (CORS). */
#ifndef EVENTS_ACCESS_H
#define EVENTS_ACCESS_H

#include "receivers/events/events.h"

/* The options keys, key_header, key_parameter, origins and methods. */
int32_t access_make(events *e, const ss_config *cfg, ss_error *err);
void access_free(events *e);

/* The key that the request carries, NULL where it is none of ours. Takes the same time for every wrong key.
 */
const event_key *access_key(const events *e, const ss_request *request);
bool access_origin(const events *e, ss_str origin);
bool access_method(const events *e, ss_str method);
/* Adds the headers for that origin to the answer. false: no memory. */
bool access_headers(const events *e, const ss_request *request, ss_response *response);
/* Answers a preflight. false: no memory. */
bool access_preflight(const events *e, const ss_request *request, ss_response *response);

#endif
