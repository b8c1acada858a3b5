/* Fault points: places where a test build kills the process to prove that nothing is lost.
   Only with -DSS_FAULTS (make FAULTS=1); otherwise they cost nothing.
   STREAMSTEAM_FAULT="journal.before_sync:17" kills the process with SIGKILL at the 17th passage (any
   process that inherits the variable; each counts its own passages). STREAMSTEAM_FAULT_ONCE=FILE: only
   the first process that manages to create FILE dies, so that the restarted one goes on.
   tests/torture lists the points with `streamsteam-faults`: each name must appear once in the sources. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#ifdef SS_FAULTS
void fault_point(const char *name);
#define FAULT_POINT(name) fault_point(name)
#else
#define FAULT_POINT(name) ((void)0)
#endif

#endif
