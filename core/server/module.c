#include "core/server/module.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/config/node.h"
#include "core/delivery/delivery.h"
#include "core/observe/metrics.h"

enum { FD_BLOB = 3, FD_BOARD = 4, FD_CONTROL = 5 };

#define MESSAGE_MAX 1024
#define MAP_THRESHOLD_BYTES                                                                                  \
    (256 * 1024) /* larger buffers are mapped, so that an idle module gives them back */

/* ThreadSanitizer runs a handler only when the call that the signal came into has returned: with a restart,
   the wait for records would never see the stop. */
#ifdef __SANITIZE_THREAD__
#define SIGNAL_FLAGS 0
#else
#define SIGNAL_FLAGS SA_RESTART
#endif

static void on_stop(int signal_number)
{
    (void)signal_number;
    int saved = errno;
    delivery_ask_stop();
    errno = saved;
}

static void on_look(int signal_number)
{
    (void)signal_number;
    int saved = errno;
    delivery_ask_look();
    errno = saved;
}

static void take_signals(void)
{
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SIGNAL_FLAGS};
    struct sigaction look = {.sa_handler = on_look, .sa_flags = SIGNAL_FLAGS};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGINT, &ignore, NULL); /* Ctrl-C goes to the whole group: the supervisor decides */
    (void)sigaction(SIGHUP, &ignore, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGUSR1, &look, NULL);
}

static uint32_t look(void *arg)
{
    (void)arg;
    uint32_t asked = 0;
    char text[MESSAGE_MAX];
    ssize_t n;
    while ((n = recv(FD_CONTROL, text, sizeof text - 1, MSG_DONTWAIT)) > 0) {
        text[n] = '\0';
        if (strcmp(text, "quarantine") == 0)
            asked |= DELIVERY_ASK_QUARANTINE;
        else if (strcmp(text, "flush") == 0)
            asked |= DELIVERY_ASK_FLUSH;
    }
    return n == 0 ? asked | DELIVERY_ASK_STOP : asked; /* end of file: the supervisor is gone */
}

/* A plugin that closes what it does not own also closes this one, or has something else under its number. */
static bool intact(void *arg)
{
    const struct stat *control = arg;
    struct stat now;
    return fstat(FD_CONTROL, &now) == 0 && now.st_dev == control->st_dev && now.st_ino == control->st_ino;
}

static void say(void *arg, const char *message)
{
    (void)arg;
    (void)send(FD_CONTROL, message, strlen(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The process slot whose name the supervisor set to "module NAME". */
static bool find_slot(const board *b, const char *name, uint32_t *index)
{
    char wanted[BOARD_NAME_BYTES];
    (void)snprintf(wanted, sizeof wanted, "module %.40s", name);
    for (uint32_t i = 2; i < BOARD_PROCESSES_MAX; i++) {
        if (strncmp(b->processes[i].name, wanted, BOARD_NAME_BYTES) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static int run_with(ss_str blob, board *b)
{
    ss_error err = error_init();
    ss_config *config = node_parse(blob.ptr, blob.len, &err);
    char name[BOARD_NAME_BYTES], process[BOARD_NAME_BYTES];
    (void)snprintf(name, sizeof name, "%.40s", config ? node_str(config, "name").ptr : "");
    (void)snprintf(process, sizeof process, "module %.40s", name);
    log_init(process, config ? log_level_named(node_str(config, "log_level")) : SS_INFO);
    node_free(config);
    uint32_t index;
    if (!name[0] || !find_slot(b, name, &index)) {
        log_error(
            "module '%s': no place in the shared page is named so; it is started by `streamsteam serve` only",
            name);
        return DELIVERY_REFUSED;
    }
    metrics_init(b, index);
    struct stat control;
    bool known = fstat(FD_CONTROL, &control) == 0;
    delivery_setup setup = {.arg = &control,
                            .intact = known ? intact : NULL,
                            .blob = blob,
                            .board = b,
                            .process_index = index,
                            .slot = index - 2,
                            .look = look,
                            .say = say};
    return delivery_run(&setup);
}

int module_main(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MAP_THRESHOLD_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, MAP_THRESHOLD_BYTES);
    take_signals();
    for (int fd = FD_BLOB; fd <= FD_CONTROL; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    struct stat st;
    board *b = board_map(FD_BOARD);
    if (!b || fstat(FD_BLOB, &st) != 0 || st.st_size <= 0) {
        log_error("module: descriptors 3 and 4 are not what `streamsteam serve` hands over; do not start "
                  "this by hand");
        return DELIVERY_REFUSED;
    }
    void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, FD_BLOB, 0);
    if (text == MAP_FAILED) {
        log_error("module: cannot map its configuration: %s; free memory", strerror(errno));
        return DELIVERY_FAILED;
    }
    int rc = run_with(ss_s(text, (size_t)st.st_size), b);
    (void)munmap(text, (size_t)st.st_size);
    (void)munmap(b, sizeof *b);
    return rc;
}
