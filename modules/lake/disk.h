/* Publishing a cut on disk: renames, each with its directory synced, then the manifest. Results as in cut.h.
 */
#ifndef LAKE_DISK_H
#define LAKE_DISK_H

#include "modules/lake/cut.h"

void disk_forget(cut *c); /* which directories are known to be synced */
int32_t disk_publish(cut *c, const char *name, ss_error *err);

#endif
