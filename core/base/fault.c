#include "core/base/fault.h"

#ifdef SS_FAULTS
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long passages;

void fault_point(const char *name)
{
    const char *wanted = getenv("STREAMSTEAM_FAULT");
    size_t len = strlen(name);
    if (!wanted || strncmp(wanted, name, len) != 0 || wanted[len] != ':')
        return;
    if (atomic_fetch_add(&passages, 1) + 1 != strtol(wanted + len + 1, NULL, 10))
        return;
    const char *once = getenv("STREAMSTEAM_FAULT_ONCE");
    if (once && open(once, O_CREAT | O_EXCL | O_CLOEXEC, 0600) < 0)
        return;
    (void)kill(getpid(), SIGKILL);
}
#else
typedef int fault_unused; /* ISO C wants one declaration per file */
#endif
