/* The supervisor's own state, shared by supervisor.c, family.c, reload.c and requests.c. One thread. */
#ifndef SERVER_INSIDE_H
#define SERVER_INSIDE_H

#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/config/plan.h"
#include "core/observe/board.h"
#include "core/server/checker.h"
#include "core/server/control.h"
#include "core/server/listen.h"
#include "core/server/restart.h"
#include "core/server/supervisor.h"
#include "core/server/watch.h"

#define SERVER_LISTENERS_MAX 8u
#define SERVER_NEVER         INT64_MAX

struct supervisor;

typedef struct child {
    struct supervisor *owner;
    uint32_t process;                /* index in the board: 1 = ingest, 2 + slot = module */
    bool wanted;                     /* in the configuration: to be kept running          */
    bool known;                      /* the slot is taken                                 */
    bool refresh;                    /* it was told to end so that it starts with a new blob */
    pid_t pid;                       /* 0 = does not run                                  */
    char *blob;                      /* owned JSON text                                   */
    watch control;                   /* fd -1 = none                                      */
    bool overdue;                    /* was killed because deliver() did not end          */
    int64_t started_us, start_at_us; /* monotonic; start_at_us 0 = nothing planned */
    restart history;
} child;

typedef struct server_listener {
    char name[32], configured[LISTEN_ADDRESS_BYTES], bound[LISTEN_ADDRESS_BYTES];
    bool admin;
} server_listener;

typedef struct reload {
    checker checker; /* pid != 0: the new file is being read          */
    bool again;      /* a signal came while one was under way         */
    plan *next;      /* checked; ingest is asked whether it takes it  */
    int64_t answer_by_us;
    unsigned unparking;     /* answers of ingest that nobody waits for       */
    control_client *client; /* who waits for the answer, or NULL             */
    buf notes;              /* "server.listen changed: restart needed"       */
} reload;

typedef struct setup_run { /* a module's setup verb that was asked for */
    pid_t pid;             /* 0 = none runs */
    int64_t deadline_us;
    control_client *client; /* who waits for its end */
} setup_run;

enum stop_phase { STOP_NOT, STOP_PULLERS, STOP_INGEST, STOP_MODULES, STOP_DONE };

typedef struct supervisor {
    const supervisor_options *options;
    char config_path[PATH_MAX], data_dir[PATH_MAX];
    plan *plan;
    int loop, board_fd, binary_fd, lock_fd;
    watch signals;
    sigset_t old_mask;
    board *board;
    control *control;
    server_listener listeners[SERVER_LISTENERS_MAX];
    size_t listener_count, loops;
    int *listen_fds; /* listener i, loop j at i * loops + j */
    int inlet_fd;    /* where groups of messages come in: ingest inherits it */
    child ingest, modules[JOURNAL_READERS_MAX], pullers[BOARD_PULLERS_MAX];
    restart_parks parks;
    reload reload;
    setup_run setup;
    int64_t born_us;
    bool open; /* ingest was ready once */
    enum stop_phase stop;
    int64_t stop_by_us;
    int exit_code;
} supervisor;

/* family.c, family_start.c, family_death.c: the children */
static inline board_process *family_process(const child *c)
{
    return &c->owner->board->processes[c->process];
}

static inline bool family_is_ingest(const child *c)
{
    return c == &c->owner->ingest;
}

static inline bool family_is_puller(const child *c)
{
    return c->process >= BOARD_PULLER_FIRST;
}

void family_hear(child *c); /* takes what it said */
void family_hang_up(child *c);
const char *family_leftovers(const child *c); /* what a child that ended had not done yet */
void family_init(supervisor *s);
int family_take_modules(supervisor *s,
                        ss_error *err); /* slots for all modules of the plan, and for orphans */
child *family_module(supervisor *s, const char *name); /* NULL: no slot has that name      */
child *family_add_module(supervisor *s, const plan_module *m, ss_error *err);
/* A module that is off gives up its place in the journal and its directory. false: err says why not. */
bool family_forget(supervisor *s, const char *name, ss_error *err);
/* Modules and pull receivers, one after the other: for what is the same for all of them. */
#define FAMILY_OTHERS (JOURNAL_READERS_MAX + BOARD_PULLERS_MAX)
static inline child *family_other(supervisor *s, size_t i)
{
    return i < JOURNAL_READERS_MAX ? &s->modules[i] : &s->pullers[i - JOURNAL_READERS_MAX];
}
void family_start(child *c); /* now; a failure is logged and tried again */
void family_start_modules(supervisor *s);
void family_reap(supervisor *s, pid_t pid, int wait_status);
void family_start_due(supervisor *s, int64_t now, int64_t *next);
void family_tell(child *c, int signal_number);
bool family_send(child *c, const char *text, int fd); /* fd -1 = none */
#define FAMILY_OVERDUE_US                                                                                    \
    2000000 /* a module ends itself at its deadline; this long after, the supervisor does */
#define FAMILY_LOOK_US 1000000 /* how often that is looked at */
void family_end_overdue(supervisor *s, int64_t now);
bool family_modules_run(const supervisor *s);
void family_cannot_drain(supervisor *s); /* at a stop: tells of those that wait for their restart */
const char *family_name(const child *c); /* "ingest", "module lake" */
void family_set_state(child *c, const char *text);
void family_set_blob(child *c, const char *json);
char *family_ingest_blob(supervisor *s, const char *json); /* with "parked"; to be freed */
void family_fini(supervisor *s);

/* pullers.c */
int family_take_pullers(supervisor *s, ss_error *err);
child *family_puller(supervisor *s, const char *name);
child *family_add_puller(supervisor *s, const plan_puller *r, ss_error *err);
void family_forget_puller(child *c); /* does not run, is not wanted */
bool family_pullers_run(const supervisor *s);

/* reload.c */
void reload_begin(supervisor *s, control_client *client);
void reload_checked(supervisor *s, int wait_status);
void reload_answered(supervisor *s, bool taken, const char *text); /* by ingest */
void reload_look(supervisor *s, int64_t now, int64_t *next);
void reload_unpark(supervisor *s); /* ingest shall try parked plugins again */
void reload_fini(supervisor *s);

/* setup.c */
void setup_begin(supervisor *s, control_client *client, const char *name);
bool setup_reaped(supervisor *s, pid_t pid, int wait_status); /* false: it was another child */
void setup_look(supervisor *s, int64_t now, int64_t *next);
void setup_cancel(supervisor *s);

/* requests.c */
void requests_handle(void *arg, control_client *client, const char *request);

/* supervisor.c */
void supervisor_opened(supervisor *s);
void supervisor_begin_stop(supervisor *s, int exit_code);
void supervisor_child_gone(supervisor *s);
/* A child did not do its part of the stop: said, and the exit code is 1. */
void supervisor_stop_failed(supervisor *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
