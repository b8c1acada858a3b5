#include "core/server/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/observe/metrics.h"
#include "core/pull/link.h"
#include "core/server/child.h"
#include "core/server/inside.h"

#define LISTEN_WAIT_MS   5000 /* for ingest of a killed server to let go of the address */
#define CHECK_ERRORS_MAX (256u * 1024)
#define ADDRESSES_MAX    4096u

/* ---- signs to the outside ------------------------------------------------------------------------- */

/* What systemd wants to hear (Type=notify); one datagram, no library. */
static void notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len == 0 || len >= sizeof at.sun_path)
        return;
    memcpy(at.sun_path, path, len);
    if (path[0] == '@')
        at.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&at,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
        log_warn("NOTIFY_SOCKET %s: %s", path, strerror(errno));
    (void)close(fd);
}

void supervisor_opened(supervisor *s)
{
    if (s->open)
        return;
    s->open = true;
    atomic_store(&s->board->processes[0].ready, 1u);
    family_start_modules(s);
    buf addresses;
    buf_init(&addresses, ADDRESSES_MAX);
    for (size_t i = 0; i < s->listener_count; i++) {
        if (!s->listeners[i].admin)
            buf_addf(&addresses, "%s\n", s->listeners[i].bound);
    }
    notify("READY=1\n");
    if (s->options->listening)
        s->options->listening(s->options->arg, buf_text(&addresses), s->data_dir);
    buf_fini(&addresses);
}

/* ---- stopping ------------------------------------------------------------------------------------- */

static void tell_modules(supervisor *s, int signal_number)
{
    for (size_t i = 0; i < JOURNAL_READERS_MAX; i++)
        family_tell(&s->modules[i], signal_number);
}

static void tell_pullers(supervisor *s, int signal_number)
{
    for (size_t i = 0; i < BOARD_PULLERS_MAX; i++)
        family_tell(&s->pullers[i], signal_number);
}

/* Pull receivers first: ingest takes their last group. Then ingest: modules get what it still writes. */
void supervisor_child_gone(supervisor *s)
{
    if (s->stop == STOP_PULLERS && !family_pullers_run(s)) {
        s->stop = STOP_INGEST;
        family_tell(&s->ingest, SIGTERM);
    }
    if (s->stop == STOP_INGEST && s->ingest.pid == 0) {
        s->stop = STOP_MODULES;
        tell_modules(s, SIGTERM);
    }
    if (s->stop == STOP_MODULES && !family_modules_run(s))
        s->stop = STOP_DONE;
}

void supervisor_begin_stop(supervisor *s, int exit_code)
{
    if (s->stop != STOP_NOT)
        return;
    s->stop = STOP_PULLERS;
    s->exit_code = exit_code;
    s->stop_by_us = clock_mono_us() + plan_drain_ms(s->plan) * 1000;
    atomic_store(&s->board->processes[0].ready, 0u);
    notify("STOPPING=1\n");
    family_cannot_drain(s);
    setup_cancel(s);
    tell_pullers(s, SIGTERM);
    supervisor_child_gone(s);
}

void supervisor_stop_failed(supervisor *s, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    s->exit_code = 1;
    log_error("%s; exit code 1", text);
}

static void stop_by_force(supervisor *s)
{
    log_error("the time to stop is over (server.drain): what still runs is killed; nothing is lost, the "
              "journal has it");
    s->exit_code = 1;
    s->stop_by_us = SERVER_NEVER;
    tell_pullers(s, SIGKILL);
    family_tell(&s->ingest, SIGKILL);
    tell_modules(s, SIGKILL);
}

static void asked_to_stop(supervisor *s, const char *signal_name)
{
    if (s->stop == STOP_NOT) {
        log_info("%s: stopping", signal_name);
        supervisor_begin_stop(s, 0);
    } else if (s->stop_by_us != SERVER_NEVER) {
        s->stop_by_us = clock_mono_us(); /* asked twice: at once */
    }
}

/* ---- signals -------------------------------------------------------------------------------------- */

static void reap(supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == s->reload.checker.pid)
            reload_checked(s, status);
        else if (!setup_reaped(s, pid, status))
            family_reap(s, pid, status);
    }
}

static void signals_ready(void *arg, uint32_t events)
{
    supervisor *s = arg;
    struct signalfd_siginfo info;
    (void)events;
    while (read(s->signals.fd, &info, sizeof info) == sizeof info) {
        switch (info.ssi_signo) {
        case SIGCHLD:
            reap(s);
            break;
        case SIGHUP:
            reload_begin(s, NULL);
            break;
        case SIGINT:
            asked_to_stop(s, "SIGINT");
            break;
        default:
            asked_to_stop(s, "SIGTERM");
            break;
        }
    }
}

static int take_signals(supervisor *s)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, &s->old_mask);
    (void)signal(SIGPIPE, SIG_IGN);
    s->signals = (watch){signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), signals_ready, s};
    return s->signals.fd < 0 ? -1 : watch_add(s->loop, &s->signals, EPOLLIN);
}

/* ---- starting ------------------------------------------------------------------------------------- */

static int load_plan(supervisor *s)
{
    buf errors;
    buf_init(&errors, CHECK_ERRORS_MAX);
    s->plan = checker_run(s->config_path, &errors);
    if (!s->plan) {
        const char *text = buf_text(&errors);
        ssize_t ignored = write(STDERR_FILENO, text, strlen(text)); /* for people: as they came, one a line */
        (void)ignored;
    }
    buf_fini(&errors);
    return s->plan ? 0 : -1;
}

static int lock_data_dir(supervisor *s, ss_error *err)
{
    char path[PATH_MAX], pid[32] = "";
    if (file_make_dirs(s->data_dir, 0700) != 0)
        return ss_fail(
            err, -1,
            "cannot make the data directory %s: %s; make it for this user, or change server.data_dir",
            s->data_dir, strerror(errno));
    if ((size_t)snprintf(path, sizeof path, "%s/LOCK", s->data_dir) >= sizeof path)
        return ss_fail(err, -1, "server.data_dir is too long: %s", s->data_dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return ss_fail(err, -1, "cannot open %s: %s; check the owner of the data directory", path,
                       strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = pread(s->lock_fd, pid, sizeof pid - 1, 0);
        pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
        return ss_fail(
            err, -1,
            "another server (process %s) runs on %s: stop it, or give this one a server.data_dir of its own",
            pid[0] ? pid : "unknown", s->data_dir);
    }
    int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(s->lock_fd, 0) != 0 || file_pwrite_all(s->lock_fd, pid, (size_t)len, 0) != 0)
        return ss_fail(err, -1, "cannot write %s: %s; free disk space", path, strerror(errno));
    return 0;
}

static int make_board(supervisor *s, ss_error *err)
{
    s->binary_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (s->binary_fd < 0)
        return ss_fail(err, -1, "cannot open /proc/self/exe: %s; is /proc mounted?", strerror(errno));
    s->board_fd = board_create();
    s->board = s->board_fd < 0 ? NULL : board_map(s->board_fd);
    if (!s->board)
        return ss_fail(err, -1, "cannot make the shared page: %s; free memory", strerror(errno));
    metrics_init(s->board, 0);
    family_init(s);
    return 0;
}

static int open_listeners(supervisor *s, ss_error *err)
{
    s->loops = plan_loops(s->plan);
    size_t count = plan_listener_count(s->plan);
    if (count == 0 || count > SERVER_LISTENERS_MAX || count * s->loops + 4 > CHILD_FDS_MAX)
        return ss_fail(err, -1, "%zu listeners with %zu loops: there may be 1 to %u listeners and %u sockets",
                       count, s->loops, SERVER_LISTENERS_MAX, CHILD_FDS_MAX - 4);
    s->listen_fds = calloc(count * s->loops, sizeof *s->listen_fds);
    if (!s->listen_fds)
        return ss_fail(err, -1, "out of memory");
    for (size_t i = 0; i < count; i++) {
        plan_listener l = plan_listener_at(s->plan, i);
        server_listener *mine = &s->listeners[i];
        (void)snprintf(mine->name, sizeof mine->name, "%s", l.name);
        (void)snprintf(mine->configured, sizeof mine->configured, "%s", l.address);
        mine->admin = l.admin;
        if (listen_open(l.address, s->loops, LISTEN_WAIT_MS, s->listen_fds + i * s->loops, mine->bound,
                        err) != 0)
            return -1;
        s->listener_count = i + 1;
    }
    return 0;
}

static int open_inlet(supervisor *s, ss_error *err)
{
    s->inlet_fd = pull_listen(s->data_dir);
    if (s->inlet_fd >= 0)
        return 0;
    return ss_fail(err, -1, "cannot make %s/inlet.sock: %s; check the directory's owner and the file system",
                   s->data_dir, strerror(errno));
}

static int prepare(supervisor *s, ss_error *err)
{
    (void)snprintf(s->data_dir, sizeof s->data_dir, "%s", plan_data_dir(s->plan));
    log_init("supervisor", log_level_named(ss_cstr(plan_log_level(s->plan))));
    if (lock_data_dir(s, err) != 0 || make_board(s, err) != 0 || open_listeners(s, err) != 0 ||
        open_inlet(s, err) != 0 || family_take_modules(s, err) != 0 || family_take_pullers(s, err) != 0)
        return -1;
    s->control = control_open(s->data_dir, s->loop, requests_handle, s, err);
    if (!s->control)
        return -1;
    family_set_blob(&s->ingest, plan_ingest_blob(s->plan));
    return 0;
}

/* ---- running -------------------------------------------------------------------------------------- */

/* Whatever is due; returns how long epoll may wait, in ms. */
static int look_around(supervisor *s)
{
    int64_t now = clock_mono_us(), next = SERVER_NEVER, park_end = 0;
    if (s->stop == STOP_NOT) {
        if (restart_release(&s->parks, now, &park_end)) {
            log_info("parked plugins are tried again");
            reload_unpark(s);
        }
        if (park_end != 0)
            next = park_end;
        family_start_due(s, now, &next);
        family_end_overdue(s, now);
        if (now + FAMILY_LOOK_US < next)
            next = now + FAMILY_LOOK_US;
        reload_look(s, now, &next);
        setup_look(s, now, &next);
    } else if (s->stop_by_us <= now) {
        stop_by_force(s);
    } else {
        next = s->stop_by_us;
    }
    int control_ms = control_expire(s->control);
    if (next == SERVER_NEVER)
        return control_ms;
    int64_t ms = next > now ? (next - now) / 1000 + 1 : 0;
    if (control_ms >= 0 && control_ms < ms)
        ms = control_ms;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void run(supervisor *s)
{
    family_start(&s->ingest);
    while (s->stop != STOP_DONE) {
        int wait_ms = look_around(s);
        if (s->stop == STOP_DONE)
            break;
        if (watch_run_once(s->loop, wait_ms) < 0) {
            log_error("epoll: %s; stopping", strerror(errno));
            s->stop = STOP_DONE;
            s->exit_code = 1;
        }
    }
}

static void clean_up(supervisor *s)
{
    reload_fini(s);
    control_close(s->control);
    if (s->board) {
        family_fini(s);
        (void)munmap(s->board, sizeof *s->board);
    }
    for (size_t i = 0; i < s->listener_count * s->loops; i++)
        (void)close(s->listen_fds[i]);
    free(s->listen_fds);
    if (s->inlet_fd >= 0)
        pull_unlink(s->data_dir);
    int fds[] = {s->board_fd, s->binary_fd, s->inlet_fd, s->lock_fd, s->signals.fd, s->loop};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    plan_free(s->plan);
    (void)sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
    free(s);
}

int supervisor_run_with(const supervisor_options *options)
{
    ss_error err = error_init();
    supervisor *s = calloc(1, sizeof *s);
    if (!s)
        return 1;
    s->options = options;
    s->board_fd = s->binary_fd = s->inlet_fd = s->lock_fd = s->signals.fd = s->reload.checker.result_fd = -1;
    s->born_us = clock_mono_us();
    log_init("supervisor", SS_INFO);
    if (!realpath(options->config_path, s->config_path)) /* a reload reads the same file from anywhere */
        (void)snprintf(s->config_path, sizeof s->config_path, "%s", options->config_path);
    s->loop = watch_new_loop();
    s->exit_code = 1;
    if (s->loop < 0 || take_signals(s) != 0) {
        log_error("cannot start: epoll or signalfd: %s", strerror(errno));
    } else if (load_plan(s) == 0) {
        if (prepare(s, &err) != 0)
            log_error("cannot start: %s", err.text);
        else
            run(s);
    }
    int code = s->exit_code;
    clean_up(s);
    return code;
}

int supervisor_run(const char *config_path)
{
    supervisor_options options = {.config_path = config_path};
    return supervisor_run_with(&options);
}
