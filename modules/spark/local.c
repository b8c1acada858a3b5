/* spark-submit on this machine. A shell of our own writes down its pid before it starts anything, and the
   exit code behind it; the pid's file can be made only once, so that one run name never starts twice, whoever
   was killed in between. The lock on the run's folder is inherited by all that the run starts: as long as
   somebody holds it, the run goes on. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "modules/spark/target.h"
#include "plugins/common/fault.h"

#define LOCK_FD      9
#define LOCAL_POLL   500
#define LOCAL_SETTLE 2000
#define KILL_ROUNDS  50
#define KILL_WAIT_NS 100000000l
#define TAIL_BYTES   200u

extern char **environ;

typedef struct local {
    char runs[PATH_MAX - 200], spark_submit[PATH_MAX], half_log[24];
} local;

/* $0 = the run's folder, $1 = bytes of each half of the log, the rest is the command. */
static const char script[] = "set -C\n"
                             "echo $$ 2>/dev/null >\"$0/pid\" || exit 97\n"
                             "set +C\n"
                             "half=$1; shift\n"
                             "{ \"$@\" 2>&1 </dev/null; echo $? >\"$0/exit.new\"; } |\n"
                             "  { head -c \"$half\"; tail -c \"$half\"; } >\"$0/log\"\n"
                             "mv \"$0/exit.new\" \"$0/exit\"\n";

static bool run_path(const local *l, const spark_run *r, const char *name, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%s%s%s", l->runs, r->name, *name ? "/" : "", name);
    return n > 0 && n < PATH_MAX;
}

static bool read_small(const char *path, char *out, size_t size, bool end)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    out[0] = '\0';
    if (fd < 0)
        return false;
    if (end && fstat(fd, &st) == 0 && st.st_size >= (off_t)size)
        (void)lseek(fd, st.st_size - (off_t)size + 1, SEEK_SET);
    ssize_t n = read(fd, out, size - 1);
    (void)close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static bool somebody_runs(const local *l, const spark_run *r)
{
    char path[PATH_MAX];
    if (!run_path(l, r, "lock", path))
        return false;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        (void)close(fd);
    return held;
}

static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return good;
}

static int spawn(const char *folder, char *const argv[], int lock, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    if ((rc = posix_spawnattr_init(&attr)) == 0) {
        (void)posix_spawnattr_setflags(
            &attr, (short)(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
        (void)posix_spawnattr_setsigmask(&attr, &none);
        (void)posix_spawnattr_setsigdefault(&attr, &all);
        rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        rc = rc ? rc : posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        rc = rc ? rc : posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        rc = rc ? rc : posix_spawn_file_actions_adddup2(&actions, lock, LOCK_FD);
        rc = rc ? rc : posix_spawn_file_actions_addchdir_np(&actions, folder);
        rc = rc ? rc : posix_spawn(pid, "/bin/sh", &actions, &attr, argv, environ);
        (void)posix_spawnattr_destroy(&attr);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static enum answer start(spark_target *t, spark_run *r, const char *folder, int lock)
{
    local *l = t->self;
    char *argv[ARGUMENTS_MAX + 8] = {
        "sh", "-c", (char *)(uintptr_t)script, (char *)(uintptr_t)folder, l->half_log, l->spark_submit};
    grow words = {.limit = JOB_ARGS_BYTES};
    size_t count = 0, at = 6;
    pid_t pid = 0;
    enum answer a = RUN_STARTED;
    if (!run_command(t, r, false, &words, &count) || count > ARGUMENTS_MAX) {
        a = run_says(r, RUN_FAILED, "its arguments are too many or too long");
    } else {
        for (char *word = words.at; count > 0; count--, word += strlen(word) + 1)
            argv[at++] = word;
        int rc = spawn(folder, argv, lock, &pid);
        if (rc != 0)
            a = run_says(r, RUN_BUSY, "spark-submit cannot be started: %s", strerror(rc));
    }
    FAULT_POINT("spark.spawned");
    (void)snprintf(r->ext, sizeof r->ext, "%d", (int)pid);
    grow_free(&words);
    return a;
}

static enum answer local_submit(spark_target *t, spark_run *r)
{
    local *l = t->self;
    char folder[PATH_MAX], path[PATH_MAX];
    if (!run_path(l, r, "", folder) || !run_path(l, r, "lock", path))
        return run_says(r, RUN_FAILED, "the path of its folder is too long");
    if ((mkdir(l->runs, 0750) != 0 && errno != EEXIST) || (mkdir(folder, 0750) != 0 && errno != EEXIST))
        return run_says(r, RUN_BUSY, "%.200s: %s", folder, strerror(errno));
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (lock < 0)
        return run_says(r, RUN_BUSY, "%.200s: %s", path, strerror(errno));
    if (lock == LOCK_FD) { /* dup2 of a descriptor onto itself would keep its close-on-exec */
        int other = fcntl(lock, F_DUPFD_CLOEXEC, LOCK_FD + 1);
        (void)close(lock);
        lock = other;
    }
    enum answer a = RUN_UNKNOWN;
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0 && sync_folder(folder) && sync_folder(l->runs))
        a = start(t, r, folder, lock);
    else
        (void)run_says(r, RUN_UNKNOWN, "somebody holds the lock of %.200s", folder);
    if (lock >= 0)
        (void)close(lock);
    return a;
}

static enum answer local_find(spark_target *t, spark_run *r)
{
    char path[PATH_MAX], pid[24];
    if (!run_path(t->self, r, "pid", path))
        return RUN_ABSENT;
    if (!read_small(path, pid, sizeof pid, false))
        return somebody_runs(t->self, r) ? run_says(r, RUN_UNKNOWN, "it is starting") : RUN_ABSENT;
    pid[strcspn(pid, "\n")] = '\0';
    (void)snprintf(r->ext, sizeof r->ext, "%s", pid);
    return RUN_STARTED;
}

static const char *last_words(const local *l, const spark_run *r, char out[TAIL_BYTES])
{
    char path[PATH_MAX];
    if (!run_path(l, r, "log", path) || !read_small(path, out, TAIL_BYTES, true))
        return "";
    size_t len = strlen(out);
    while (len > 0 && (out[len - 1] == '\n' || out[len - 1] == ' '))
        out[--len] = '\0';
    char *line = strrchr(out, '\n');
    return line ? line + 1 : out;
}

static enum answer ended(spark_target *t, spark_run *r, int code)
{
    char words[TAIL_BYTES];
    if (code == 0)
        return RUN_DONE;
    return run_says(r, RUN_FAILED, "spark-submit ended with %d: %s (log: %s/%s/log)", code,
                    last_words(t->self, r, words), ((local *)t->self)->runs, r->name);
}

static enum answer local_poll(spark_target *t, spark_run *r)
{
    char path[PATH_MAX], text[24], words[TAIL_BYTES];
    while (waitpid((pid_t)strtol(r->ext, NULL, 10), NULL, WNOHANG) > 0)
        ;
    for (int i = 0; i < 2; i++) { /* it may end between the two looks */
        if (run_path(t->self, r, "exit", path) && read_small(path, text, sizeof text, false))
            return ended(t, r, (int)strtol(text, NULL, 10));
        if (somebody_runs(t->self, r))
            return RUN_GOING;
    }
    if (run_path(t->self, r, "exit.new", path) && read_small(path, text, sizeof text, false))
        return ended(t, r, (int)strtol(text, NULL, 10)); /* only the shell was killed */
    return run_says(r, RUN_FAILED, "spark-submit was killed, or the machine restarted: %s",
                    last_words(t->self, r, words));
}

/* The shell leads a session: its group is all that the run started. */
static void local_end(spark_target *t, spark_run *r)
{
    pid_t pid = (pid_t)strtol(r->ext, NULL, 10);
    static const int signals[] = {SIGTERM, SIGKILL};
    for (size_t k = 0; k < 2 && pid > 1 && somebody_runs(t->self, r); k++) {
        (void)kill(-pid, signals[k]);
        for (int i = 0; i < KILL_ROUNDS && somebody_runs(t->self, r); i++) {
            (void)waitpid(pid, NULL, WNOHANG);
            (void)nanosleep(&(struct timespec){.tv_nsec = KILL_WAIT_NS}, NULL);
        }
    }
}

static int32_t local_check(spark_target *t, ss_error *err)
{
    local *l = t->self;
    if (strchr(l->spark_submit, '/') && access(l->spark_submit, X_OK) != 0)
        return ss_fail(err, SS_PAUSE, "local.spark_submit: %.300s: %m", l->spark_submit);
    return SS_OK;
}

static void local_free(spark_target *t)
{
    free(t->self);
}

static void local_forget(spark_target *t, const char *run)
{
    static const char *const files[] = {"log", "exit", "exit.new", "pid", "lock"};
    spark_run r = {.job = NULL};
    char path[PATH_MAX];
    (void)snprintf(r.name, sizeof r.name, "%s", run);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (run_path(t->self, &r, files[i], path))
            (void)unlink(path);
    if (run_path(t->self, &r, "", path))
        (void)rmdir(path);
}

bool target_local(spark_target *t, const ss_config *cfg, ss_error *err)
{
    local *l = calloc(1, sizeof *l);
    const ss_host *h = t->host;
    ss_str dir = h->data_dir(h->self), program = h->cfg_str(cfg, "local.spark_submit");
    if (!l || dir.len + 8 >= sizeof l->runs || program.len >= sizeof l->spark_submit)
        return free(l),
               ss_fail(err, SS_REJECT, "local.spark_submit or the data directory is too long a path"), false;
    (void)snprintf(l->runs, sizeof l->runs, "%.*s/runs", (int)dir.len, dir.ptr);
    memcpy(l->spark_submit, program.ptr, program.len);
    (void)snprintf(l->half_log, sizeof l->half_log, "%lld",
                   (long long)h->cfg_int(cfg, "local.log_bytes") / 2);
    t->self = l;
    t->poll_ms = LOCAL_POLL;
    t->settle_ms = LOCAL_SETTLE;
    t->submit = local_submit;
    t->find = local_find;
    t->poll = local_poll;
    t->end = local_end;
    t->check = local_check;
    t->forget = local_forget;
    t->free = local_free;
    return true;
}
