/* The configuration is read in a forked child: plugins are loaded there, never in the supervisor, so a plugin
   that crashes while loading takes nobody down. The plan comes back as JSON in a memfd. */
#ifndef SERVER_CHECKER_H
#define SERVER_CHECKER_H

#include <sys/types.h>

#include "core/base/buf.h"
#include "core/config/plan.h"

#define CHECKER_TIMEOUT_US 30000000
#define CHECKER_TEXT_MAX   (64u * 1024 * 1024)

typedef struct checker {
    pid_t pid; /* 0 = none runs */
    int result_fd;
    int64_t deadline_us; /* monotonic */
} checker;

/* 0, or -1 with err. The caller learns of its end by SIGCHLD, and kills it after the deadline. */
int checker_start(checker *c, const char *config_path, ss_error *err);
/* After its death. The plan, or NULL with the reasons in errors, one a line. */
plan *checker_finish(checker *c, int wait_status, buf *errors);
/* Start, wait, finish. */
plan *checker_run(const char *config_path, buf *errors);

#endif
