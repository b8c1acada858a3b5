/* Publishing a cut on S3: one PutObject for each object, several in flight, then the manifest's. */
#ifndef LAKE_UPLOAD_H
#define LAKE_UPLOAD_H

#include "modules/lake/cut.h"
#include "modules/lake/s3.h"

/* SS_OK: all is there. SS_RETRY, SS_THROTTLE, SS_PAUSE: nothing is lost, what was published stays so, the
   same call may come again. SS_FATAL: as in cut.h. It returns some time before deadline_us; what is under way
   then flies on, and moves with the next call: err is empty. */
int32_t upload_publish(cut *c, const char *name, int64_t deadline_us, ss_error *err);
void upload_end(cut *c); /* what is in flight is given up */

#endif
