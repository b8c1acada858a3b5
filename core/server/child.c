#include "core/server/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"

#define FIRST_FD 3

/* In the child, between fork and exec: only async-signal-safe calls. Returns only where something failed. */
static void become(const child_spec *spec, int error_fd, pid_t parent, int *moved)
{
    char *const argv[] = {(char *)spec->title, NULL};
    int above =
        FIRST_FD + (int)spec->fd_count; /* nobody's place: dup2 below cannot overwrite what is needed */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
        return;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the whole group: the supervisor decides */
    (void)signal(SIGHUP, SIG_IGN);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    int binary = fcntl(spec->binary_fd, F_DUPFD_CLOEXEC, above);
    int errors = fcntl(error_fd, F_DUPFD_CLOEXEC, above);
    if (binary < 0 || errors < 0)
        return;
    for (size_t i = 0; i < spec->fd_count; i++) {
        moved[i] = fcntl(spec->fds[i], F_DUPFD_CLOEXEC, above);
        if (moved[i] < 0)
            return;
    }
    bool placed = true;
    for (size_t i = 0; i < spec->fd_count && placed; i++)
        placed = dup2(moved[i], FIRST_FD + (int)i) >= 0; /* without close-on-exec: these are for the child */
    if (placed)
        (void)fexecve(binary, argv, environ);
    int number = errno;
    ssize_t ignored = write(errors, &number, sizeof number);
    (void)ignored;
    _exit(127);
}

/* The pipe closes when exec succeeds; otherwise errno comes through it. */
static int exec_result(int fd)
{
    int number = 0;
    ssize_t n;
    do
        n = read(fd, &number, sizeof number);
    while (n < 0 && errno == EINTR);
    return n == sizeof number ? number : 0;
}

pid_t child_spawn(const child_spec *spec, ss_error *err)
{
    static int moved[CHILD_FDS_MAX];
    int report[2];
    if (spec->fd_count > CHILD_FDS_MAX)
        return ss_fail(err, -1, "cannot start \"%s\": more than %u descriptors; lower server.loops",
                       spec->title, CHILD_FDS_MAX);
    if (pipe2(report, O_CLOEXEC) != 0)
        return ss_fail(err, -1, "cannot start \"%s\": pipe: %s", spec->title, strerror(errno));
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        become(spec, report[1], parent, moved);
        int number = errno;
        ssize_t ignored = write(report[1], &number, sizeof number);
        (void)ignored;
        _exit(127);
    }
    int number = pid < 0 ? errno : 0;
    (void)close(report[1]);
    if (pid > 0)
        number = exec_result(report[0]);
    (void)close(report[0]);
    if (number == 0)
        return pid;
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    const char *remedy =
        number == EAGAIN || number == ENOMEM ? "free memory, or raise the limit of processes (ulimit -u)"
        : number == EMFILE                   ? "raise the limit of open files (ulimit -n)"
                           : "check that the binary may be executed where it lies (mount option noexec?)";
    return ss_fail(err, -1, "cannot start \"%s\": %s; %s", spec->title, strerror(number), remedy);
}

int child_blob(const char *name, const char *text, size_t len)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (file_write_all(fd, text, len) == 0 && lseek(fd, 0, SEEK_SET) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
        return fd;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

bool child_crashed(int wait_status)
{
    if (WIFEXITED(wait_status))
        return WEXITSTATUS(wait_status) == CHILD_EXIT_DEADLINE;
    switch (WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0) {
    case SIGSEGV:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
        return true;
    default:
        return false;
    }
}

void child_describe(int wait_status, char out[96])
{
    if (WIFSIGNALED(wait_status))
        (void)snprintf(out, 96, "signal %d (%s)", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    else if (WEXITSTATUS(wait_status) == CHILD_EXIT_DEADLINE)
        (void)snprintf(out, 96, "a callback that overran its deadline (exit code 3)");
    else if (WEXITSTATUS(wait_status) == CHILD_EXIT_BROKEN)
        (void)snprintf(out, 96, "descriptors closed that were not the plugin's (exit code 5)");
    else
        (void)snprintf(out, 96, "exit code %d", WEXITSTATUS(wait_status));
}
