/* Fault points for plugins: as core/base/fault.h, but all in this header, since a plugin links nothing of the
   server. Only with -DSS_FAULTS (make FAULTS=1). STREAMSTEAM_FAULT="lake.before_rename:3" kills the process
   at the 3rd passage of that point; STREAMSTEAM_FAULT_ONCE=FILE: only the first process that creates FILE. */
#ifndef COMMON_FAULT_H
#define COMMON_FAULT_H

#ifdef SS_FAULTS
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void fault_plugin_point(const char *name, atomic_long *passages)
{
    const char *wanted = getenv("STREAMSTEAM_FAULT");
    size_t len = strlen(name);
    if (!wanted || strncmp(wanted, name, len) != 0 || wanted[len] != ':')
        return;
    if (atomic_fetch_add(passages, 1) + 1 != strtol(wanted + len + 1, NULL, 10))
        return;
    const char *once = getenv("STREAMSTEAM_FAULT_ONCE");
    if (once && open(once, O_CREAT | O_EXCL | O_CLOEXEC, 0600) < 0)
        return;
    (void)kill(getpid(), SIGKILL);
}

/* One counter for each place: a name stands at one place only. */
#define FAULT_POINT(name)                                                                                    \
    do {                                                                                                     \
        static atomic_long passages_;                                                                        \
        fault_plugin_point((name), &passages_);                                                              \
    } while (0)
#else
#define FAULT_POINT(name) ((void)0)
#endif

#endif
