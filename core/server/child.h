/* Starting a child of the supervisor: fork, put the descriptors in their places, exec the same binary from a
   descriptor (a package upgrade must not mix versions). Called by the supervisor's one thread. */
#ifndef SERVER_CHILD_H
#define SERVER_CHILD_H

#include <sys/types.h>

#include "core/base/error.h"

enum { CHILD_FD_BLOB = 3, CHILD_FD_BOARD = 4, CHILD_FD_CONTROL = 5, CHILD_FD_LISTEN = 6 };
enum { CHILD_EXIT_CLEAN = 0, CHILD_EXIT_REFUSED = 2, CHILD_EXIT_DEADLINE = 3, CHILD_EXIT_BROKEN = 5 };

#define CHILD_FDS_MAX 1024u

typedef struct child_spec {
    int binary_fd;
    const char *title; /* argv[0], what `ps` shows: "streamsteam: module lake"           */
    const int *fds;    /* become 3, 4, 5, ...; stay open here                            */
    size_t fd_count;
} child_spec;

/* The process id; -1: err says why the binary could not be executed. */
pid_t child_spawn(const child_spec *spec, ss_error *err);

/* A sealed memfd with these bytes: nobody can change a configuration once it is handed out. -1 with errno. */
int child_blob(const char *name, const char *text, size_t len);

/* Was it a crash of plugin code (as opposed to a kill or a refusal)? */
bool child_crashed(int wait_status);
void child_describe(int wait_status, char out[96]); /* "exit code 2", "signal 11 (Segmentation fault)" */

#endif
