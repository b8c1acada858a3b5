/* A backfill's piece from a lake's files: the module's plugin computes it in this process. */
#ifndef CLI_WINDOWS_LAKE_H
#define CLI_WINDOWS_LAKE_H

#include "core/config/config.h"
#include "plugins/common/windows_backfill.h"

/* module: the instance's name. ask: places and times; the names are filled in. 0, or an exit code after the
   error was printed. */
int windows_lake_compute(const config *c, const char *module, windows_lake *ask, windows_lake_result *result);

#endif
