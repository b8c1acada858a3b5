/* A backfill's piece from a lake's files: the module's plugin computes it in this process. */
#ifndef CLI_WINDOWS_LAKE_H
#define CLI_WINDOWS_LAKE_H

#include "plugins/common/windows_backfill.h"

typedef struct windows_lake_job {
    const char *config, *module; /* the file; the instance's name */
    const char *lake, *dir;
    int64_t from_us, to_us;
    uint64_t through, lines; /* out */
} windows_lake_job;

/* 0, or an exit code after the error was printed. */
int windows_lake_compute(windows_lake_job *job, backfill_result *result);

#endif
