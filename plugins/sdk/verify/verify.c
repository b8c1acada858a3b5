#include "plugins/sdk/verify/verify.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugins/sdk/verify/inside.h"

#define ANY      ((1u << SS_RECEIVER) | (1u << SS_ENRICHER) | (1u << SS_MODULE))
#define RECEIVER (1u << SS_RECEIVER)
#define ENRICHER (1u << SS_ENRICHER)
#define MODULE   (1u << SS_MODULE)

typedef struct check {
    const char *name;
    void (*run)(const verify_subject *s);
    uint32_t kinds;
} check;

#define OPENS                                                                                                \
    "create() takes the options of the example" /* without it the checks below have nothing to go on */

static const check checks[] = {
    {"the descriptor is complete", check_identity, ANY},
    {"options are documented, their defaults and ranges fit", check_options, ANY},
    {"fields are documented and well named", check_fields, ANY},
    {"one export, and nothing of the server is linked", check_exports, ANY},
    {"no calls that a plugin must not make", check_calls, ANY},
    {OPENS, check_opens, ANY},
    {"create() and destroy() a hundred times: nothing is left", check_life, ANY},
    {"a reload: the new instance takes over from the old", check_reload, ANY},
    {"odd options are refused with a sentence, or taken; never a crash", check_refusals, ANY},
    {"failing host calls in create() are refused with a sentence", check_host_faults, ANY},
    {"setup, teardown and howto may be run twice", check_lifecycle_verbs, ANY},
    {"requests of each route are answered", check_requests, RECEIVER},
    {"hostile requests: no crash, no bad answer, no bad event", check_hostile_requests, RECEIVER},
    {"an event that the host refuses is never acknowledged", check_refused_events, RECEIVER},
    {"hundreds of calls: nothing is left", check_use, ANY},
    {"eight threads at once", check_threads, RECEIVER | ENRICHER},
    {"events of every shape are kept or dropped with a reason", check_events, ENRICHER},
    {"failing host calls in enrich() lose no event", check_enrich_faults, ENRICHER},
    {"each record of a batch gets its verdict", check_verdicts, MODULE},
    {"a scripted remote end: each record counted exactly once", check_remote, MODULE},
    {"a remote end that refuses everything: nothing is discarded", check_pause, MODULE},
    {"flush() and drain() end in time, and nothing comes after destroy()", check_drain, ANY},
    {"secrets do not show up in logs, errors, metrics or events", check_secrets, ANY},
};
#define CHECKS (sizeof checks / sizeof checks[0])

/* What the child writes and the parent reads, whatever becomes of the child. */
typedef struct findings {
    char text[VERIFY_TEXT_MAX];
    char step[256];
    int64_t due_ms; /* when the step has to be over, on the monotonic clock; 0: with the check */
    uint32_t limit_ms;
    bool failed, skipped, ended, raced;
} findings;

static findings *found; /* shared memory; set before fork() */

static void add(const char *format, va_list args)
{
    char text[1024];
    size_t len = strlen(found->text);
    (void)vsnprintf(text, sizeof text, format, args);
    if (!strstr(found->text, text)) /* once is enough */
        (void)snprintf(found->text + len, sizeof found->text - len, "%s%s", len ? "\n" : "", text);
}

void verify_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    found->failed = true;
    add(format, args);
    va_end(args);
}

void verify_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    found->skipped = true;
    add(format, args);
    va_end(args);
}

void verify_step(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(found->step, sizeof found->step, format, args);
    va_end(args);
    found->due_ms = 0;
}

int64_t verify_mono_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void verify_step_limit(uint32_t ms)
{
    found->limit_ms = ms;
    found->due_ms = verify_mono_ms() + ms;
}

testkit *verify_open(const verify_subject *s)
{
    verify_step("create()");
    testkit *k = testkit_new(s->plugin, s->options);
    if (testkit_instance(k))
        return k;
    verify_fail("create() refused the options of the example: %s",
                testkit_error(k)[0] ? testkit_error(k) : "without a sentence in ss_error");
    testkit_free(k);
    return NULL;
}

void verify_start(testkit *k)
{
    verify_step("start()");
    int32_t status = testkit_start(k, 0, NULL);
    if (status == SS_OK)
        return;
    verify_fail("start() returned %d with the options of the example: %s", status,
                testkit_error(k)[0] ? testkit_error(k) : "without a sentence in ss_error");
    found->ended = true;
    _exit(0);
}

void verify_close(testkit *k)
{
    if (testkit_problems(k)[0])
        verify_fail("%s", testkit_problems(k));
    verify_step("destroy()");
    testkit_free(k);
    verify_step("the time after destroy(): does a thread of its own still run?");
}

/* ---- one check in a process of its own ---- */

/* ThreadSanitizer calls it for each report and goes on; in other builds nobody does. */
void __tsan_on_report(void *report);
__attribute__((used, visibility("default"), no_sanitize("thread"))) void __tsan_on_report(void *report)
{
    (void)report;
    if (found)
        found->raced = true;
}

static void say_death(int status)
{
    const char *step = found->step[0] ? found->step : "its start";
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && found->due_ms)
        verify_fail(
            "it did not end within %.1f s, in %s: what is not done by the deadline stays in the journal",
            found->limit_ms / 1000.0, step);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        verify_fail("it did not end within %d s, in %s", VERIFY_TIMEOUT_S, step);
    else if (WIFSIGNALED(status))
        verify_fail("it crashed with signal %d (%s) in %s", WTERMSIG(status), strsignal(WTERMSIG(status)),
                    step);
    else
        verify_fail("it called exit(%d), or a sanitizer ended it, in %s: a plugin never ends its process",
                    WEXITSTATUS(status), step);
}

static int wait_for(pid_t pid)
{
    int status = 0;
    int64_t began = verify_mono_ms();
    while (waitpid(pid, &status, WNOHANG) == 0) {
        int64_t now = verify_mono_ms(), due = found->due_ms;
        if (now - began >= VERIFY_TIMEOUT_S * 1000 || (due && now >= due))
            (void)kill(pid, SIGKILL);
        (void)poll(NULL, 0, 5);
    }
    return status;
}

static void run_one(const check *c, const verify_subject *s)
{
    memset(found, 0, sizeof *found);
    pid_t pid = fork();
    if (pid == 0) {
        c->run(s);
        if (found->raced)
            verify_fail("a data race, see ThreadSanitizer's report on standard error: several threads call "
                        "with one instance; "
                        "only read what create() made, or lock");
        found->ended = true;
        _exit(0);
    }
    if (pid < 0)
        verify_fail("fork() failed");
    else {
        int status = wait_for(pid);
        if (!found->ended)
            say_death(status);
    }
}

size_t verify_run(const verify_subject *s, verify_report *report, void *arg)
{
    size_t failed = 0;
    found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < CHECKS; i++) {
        if (!(checks[i].kinds >> s->plugin->kind & 1u))
            continue;
        run_one(&checks[i], s);
        failed += found->failed;
        bool stop = found->failed && strcmp(checks[i].name, OPENS) == 0;
        report(arg, checks[i].name,
               found->failed    ? VERIFY_FAILED
               : found->skipped ? VERIFY_SKIPPED
                                : VERIFY_OK,
               found->text);
        if (stop)
            break;
    }
    (void)munmap(found, sizeof *found);
    return failed;
}
