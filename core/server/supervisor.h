/* The supervisor: reads the configuration (in a forked child), makes the listening sockets, the shared page
   and the control socket, starts ingest and the modules and keeps them alive. One thread; no event passes
   through it. */
#ifndef SERVER_SUPERVISOR_H
#define SERVER_SUPERVISOR_H

#include <stdbool.h>

#include "core/base/buf.h"

typedef struct supervisor_options {
    const char *config_path;
    /* Called once, when every listener is open and ingest is ready; may be NULL. addresses: "127.0.0.1:8080"
       of each public listener, one a line. */
    void (*listening)(void *arg, const char *addresses, const char *data_dir);
    void *arg;
} supervisor_options;

/* Serves until SIGTERM or SIGINT. 0: stopped in order; 1: could not start, or had to kill at the end. */
int supervisor_run_with(const supervisor_options *options);
int supervisor_run(const char *config_path);

#endif
