/* The application store within ingest: the authorizer that receivers ask, and the store for who changes it.
 */
#ifndef SERVER_APPLICATIONS_H
#define SERVER_APPLICATIONS_H

#include "core/admin/authorizer.h"
#include "core/config/node.h"
#include "core/pipeline/pipeline.h"

typedef struct applications applications;

/* After metrics_init(). NULL with err; with an empty err: none is configured. A store that cannot be read is
   no error: receivers hear SS_RETRY until it can be. */
applications *applications_open(const ss_config *blob, ss_error *err);
void applications_close(applications *a); /* after http_stop and the last set */
void applications_lend(applications *a, pipeline *p);
/* Waits a moment for the first reading, so that a restart does not answer 503 meanwhile. */
void applications_await(applications *a);
void applications_publish(applications *a); /* once a second: metrics */
store *applications_store(applications *a); /* its changes hold here when its calls return */
authorizer *applications_authorizer(applications *a);

#endif
