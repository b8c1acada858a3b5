#include "core/server/checker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/server/child.h"

enum { CHECK_GOOD = 0, CHECK_BAD = 1, CHECK_LOST = 4 };

#define CHECKER_ERRORS_MAX (256u * 1024)

static int check(const char *config_path, int result_fd)
{
    buf errors;
    buf_init(&errors, CHECKER_ERRORS_MAX);
    plan *p = plan_load(config_path, &errors);
    char *json = p ? plan_to_json(p) : NULL;
    int code = json ? CHECK_GOOD : CHECK_BAD;
    const char *text = json ? json : buf_text(&errors);
    if (file_write_all(result_fd, text, strlen(text)) != 0)
        code = CHECK_LOST;
    free(json);
    plan_free(p);
    buf_fini(&errors);
    return code;
}

int checker_start(checker *c, const char *config_path, ss_error *err)
{
    *c = (checker){.result_fd = memfd_create("streamsteam-plan", MFD_CLOEXEC)};
    if (c->result_fd < 0)
        return ss_fail(err, -1, "cannot check the configuration: memfd: %s", strerror(errno));
    pid_t parent = getpid();
    c->pid = fork();
    if (c->pid == 0) {
        sigset_t none;
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)prctl(PR_SET_NAME, "check");
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
            _exit(CHECK_LOST);
        _exit(check(config_path, c->result_fd));
    }
    if (c->pid < 0) {
        c->pid = 0;
        (void)close(c->result_fd);
        return ss_fail(err, -1, "cannot check the configuration: fork: %s", strerror(errno));
    }
    c->deadline_us = clock_mono_us() + CHECKER_TIMEOUT_US;
    return 0;
}

static int read_result(int fd, buf *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !buf_reserve(out, (size_t)st.st_size))
        return -1;
    ssize_t n = file_pread_all(fd, out->ptr, (size_t)st.st_size, 0);
    if (n < 0)
        return -1;
    out->len = (size_t)n;
    return 0;
}

plan *checker_finish(checker *c, int wait_status, buf *errors)
{
    buf text;
    buf_init(&text, CHECKER_TEXT_MAX);
    plan *p = NULL;
    int rc = read_result(c->result_fd, &text);
    (void)close(c->result_fd);
    *c = (checker){.result_fd = -1};
    if (WIFSIGNALED(wait_status)) {
        char how[96];
        child_describe(wait_status, how);
        buf_addf(
            errors,
            "reading the configuration ended with %s: a plugin that it names crashes or hangs while it is "
            "loaded; try `streamsteam check` after taking plugins out one by one\n",
            how);
    } else if (rc != 0 || WEXITSTATUS(wait_status) == CHECK_LOST) {
        buf_adds(errors, "the checked configuration could not be handed over: out of memory?\n");
    } else if (WEXITSTATUS(wait_status) != CHECK_GOOD) {
        buf_add(errors, text.ptr, text.len);
    } else {
        ss_error err = error_init();
        p = plan_from_json(text.ptr, text.len, &err);
        if (!p)
            buf_addf(errors, "the checked configuration cannot be read back: %s\n", err.text);
    }
    buf_fini(&text);
    return p;
}

plan *checker_run(const char *config_path, buf *errors)
{
    checker c;
    ss_error err = error_init();
    if (checker_start(&c, config_path, &err) != 0) {
        buf_addf(errors, "%s\n", err.text);
        return NULL;
    }
    int pidfd = (int)syscall(SYS_pidfd_open, c.pid, 0);
    if (pidfd >= 0) {
        struct pollfd end = {pidfd, POLLIN, 0};
        int64_t left_us = 0;
        int n = 0;
        while (n <= 0 && (left_us = c.deadline_us - clock_mono_us()) > 0)
            n = poll(&end, 1, (int)(left_us / 1000) + 1);
        if (n <= 0)
            (void)kill(c.pid, SIGKILL);
        (void)close(pidfd);
    }
    int status = 0;
    while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return checker_finish(&c, status, errors);
}
