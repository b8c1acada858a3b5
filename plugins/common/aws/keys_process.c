/* credential_process: a program that prints credentials. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugins/common/aws/inside.h"

#define OUTPUT_MAX (64u * 1024u)
#define LIMIT_MS   20000 /* a callback of a plugin must not hang */
#define TURN_MS    20

extern char **environ;

/* Starts /bin/sh -c command in a process group of its own, so that it can be ended as a whole. */
static pid_t start(const char *command, int *out)
{
    int ends[2];
    pid_t pid = -1;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    char *shell = strdup("sh"), *flag = strdup("-c"), *line = strdup(command);
    char *argv[] = {shell, flag, line, NULL};
    if (!shell || !flag || !line || pipe2(ends, O_CLOEXEC) != 0)
        goto out;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawnattr_init(&attributes);
    (void)sigemptyset(&none);
    (void)posix_spawnattr_setsigmask(&attributes, &none); /* the host may have blocked some */
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    if (posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv, environ) != 0)
        pid = -1;
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    (void)close(ends[1]);
    *out = ends[0];
    if (pid < 0)
        (void)close(ends[0]);
out:
    free(shell);
    free(flag);
    free(line);
    return pid;
}

/* 1 = all was read, 0 = too much or too slow. */
static int drain(int fd, grow *text, int64_t end_ms)
{
    char bytes[4096];
    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        int64_t left = end_ms - http_now_ms();
        if (left <= 0)
            return 0;
        int ready = poll(&p, 1, (int)left);
        if (ready < 0 && errno == EINTR)
            continue;
        ssize_t got = ready > 0 ? read(fd, bytes, sizeof bytes) : -1;
        if (got < 0 && ready > 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        bool room = grow_put(text, ss_s(bytes, (size_t)got));
        aws_wipe(bytes, (size_t)got);
        if (!room)
            return 0;
    }
}

static bool ended_well(pid_t pid, int64_t end_ms)
{
    int status = 0;
    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if ((got < 0 && errno != EINTR) || http_now_ms() >= end_ms)
            return false;
        struct timespec turn = {0, TURN_MS * 1000000L};
        (void)nanosleep(&turn, NULL);
    }
}

int32_t aws_keys_process(const char *command, aws_keys_found *out, ss_error *err)
{
    int fd = -1;
    int64_t end_ms = http_now_ms() + LIMIT_MS;
    grow text = {.limit = OUTPUT_MAX};
    pid_t pid = start(command, &fd);
    if (pid < 0)
        return ss_fail(err, SS_RETRY, "credential_process cannot be started: %s", strerror(errno));
    bool whole = drain(fd, &text, end_ms) == 1;
    bool good = whole && ended_well(pid, end_ms);
    (void)close(fd);
    if (!whole || !good) {
        (void)kill(-pid,
                   SIGKILL); /* whatever of it is left; the shell is not reaped yet, or the group is empty */
        (void)waitpid(pid, NULL, 0);
    }
    bool read = good && aws_keys_json(grow_str(&text), out);
    if (text.at)
        aws_wipe(text.at, text.len);
    grow_free(&text);
    if (read) {
        (void)snprintf(out->source, sizeof out->source, "credential_process");
        return SS_OK;
    }
    return ss_fail(err, whole && good ? SS_PAUSE : SS_RETRY, "credential_process %s",
                   !whole  ? "gave no answer of at most 64 KiB within 20 s"
                   : !good ? "ended with a failure; run it by hand to see why"
                           : "printed no JSON with AccessKeyId and SecretAccessKey");
}
