#include "core/base/memory.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t limit_bytes; /* written once at the start, before there are threads */

void memory_limit(uint64_t bytes)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rlimit limit = {bytes, bytes};
    if (bytes != 0 && setrlimit(RLIMIT_DATA, &limit) == 0)
        limit_bytes = bytes;
#else
    (void)bytes;
#endif
}

bool memory_is_short(void)
{
    unsigned long pages = 0;
    FILE *statm = limit_bytes ? fopen("/proc/self/statm", "re") : NULL;
    if (!statm)
        return false;
    /* size resident shared text lib data */
    bool read = fscanf(statm, "%*u %*u %*u %*u %*u %lu", &pages) == 1;
    (void)fclose(statm);
    return read && (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) > limit_bytes / 4 * 3;
}
