/* The unit test harness: TAP on stdout, one fork per test so that a crash is one failure. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct check_test {
    const char *name;
    void (*run)(void);
} check_test;

static bool check_failed;

#define CHECK(expr)                                                                                          \
    do {                                                                                                     \
        if (!(expr)) {                                                                                       \
            check_failed = true;                                                                             \
            printf("# %s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #expr);                                \
            (void)fflush(stdout);                                                                            \
        }                                                                                                    \
    } while (0)

/* Stops the test where going on makes no sense. */
#define REQUIRE(expr)                                                                                        \
    do {                                                                                                     \
        CHECK(expr);                                                                                         \
        if (check_failed)                                                                                    \
            return;                                                                                          \
    } while (0)

#define CHECK_STR(got, want)                                                                                 \
    do {                                                                                                     \
        const char *got_ = (got), *want_ = (want);                                                           \
        if (!got_ || strcmp(got_, want_) != 0) {                                                             \
            check_failed = true;                                                                             \
            printf("# %s:%d: got \"%s\", want \"%s\"\n", __FILE__, __LINE__, got_ ? got_ : "(null)", want_); \
            (void)fflush(stdout);                                                                            \
        }                                                                                                    \
    } while (0)

#define CHECK_INT(got, want)                                                                                 \
    do {                                                                                                     \
        long long got_ = (long long)(got), want_ = (long long)(want);                                        \
        if (got_ != want_) {                                                                                 \
            check_failed = true;                                                                             \
            printf("# %s:%d: %s is %lld, want %lld\n", __FILE__, __LINE__, #got, got_, want_);               \
            (void)fflush(stdout);                                                                            \
        }                                                                                                    \
    } while (0)

#define TEST(name)                                                                                           \
    {                                                                                                        \
#name, name                                                                                          \
    }

static inline int check_main(const check_test *tests, size_t count, const char *only)
{
    size_t failures = 0;
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        if (only && strcmp(only, tests[i].name) != 0)
            continue;
        (void)fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            (void)alarm(120);
            tests[i].run();
            (void)fflush(stdout);
            exit(check_failed ? 1 : 0); /* not _exit: the leak checker runs at exit */
        }
        int status = 0;
        (void)waitpid(pid, &status, 0);
        bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (WIFSIGNALED(status))
            printf("# %s died of signal %d\n", tests[i].name, WTERMSIG(status));
        printf("%s %zu - %s\n", ok ? "ok" : "not ok", i + 1, tests[i].name);
        failures += !ok;
    }
    return failures ? 1 : 0;
}

#define CHECK_MAIN(tests)                                                                                    \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        return check_main(tests, sizeof(tests) / sizeof((tests)[0]), argc > 1 ? argv[1] : NULL);             \
    }

#endif
