/* The admin API in the ingest process: takes requests below the stage from the event loops, lets worker
   threads answer them, gives the answers back. Calls wait in a bounded queue; setups, which may take minutes,
   have a thread of their own. And signatures of events, which are judged on the loops, from memory. */
#ifndef SERVER_DESK_H
#define SERVER_DESK_H

#include "core/admin/authorizer.h"
#include "core/config/node.h"
#include "core/http/http.h"

typedef struct desk desk;

/* blob: ingest's configuration, taken over; store: borrowed. Starts the threads. NULL with err. */
desk *desk_new(ss_config *blob, store *s, ss_error *err);
const http_desk *desk_http(desk *d);
/* What waits is answered at once from now on, a setup is not waited for. */
void desk_stopping(desk *d);
void desk_end(desk *d);  /* after http_stop: its threads are gone then */
void desk_free(desk *d); /* after the authorizer has gone, which tells it of changes */

/* For authorizer_set_signature() and authorizer_on_change(). */
authorizer_signature desk_signature(desk *d);
void desk_changed(void *d, const database_change *change);

#endif
