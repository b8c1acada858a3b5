/* LD_PRELOAD: makes system calls fail, by rules that the harness changes while the server runs
   (tests/torture/faults.py). STREAMSTEAM_FAULT_RULES names the file with the rules, which every process maps;
   a rule applies to a call, to paths that contain a text, to processes whose name contains a text; from its
   nth passage on, once, so many times, or until it is switched off. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RULES_MAX 16

enum call {
    CALL_WRITE = 1,
    CALL_SYNC = 2,
    CALL_OPEN = 4,
    CALL_RENAME = 8,
    CALL_UNLINK = 16,
    CALL_ALLOCATE = 32,
    CALL_MKDIR = 64,
    CALL_READ = 128
};
enum effect {
    EFFECT_ERROR = 1, /* the call fails with `error`                                            */
    EFFECT_SHORT = 2, /* a write or read does half of what it was asked for                     */
    EFFECT_DELAY = 3, /* the call happens, and then takes delay_us longer                       */
    EFFECT_GROW = 4,  /* a write fails with `error` where it would make the file longer, as on a full disk */
    EFFECT_KILL = 5   /* the process is killed before the call                                  */
};

typedef struct rule { /* the same layout as in faults.py */
    _Atomic uint32_t on;
    uint32_t calls, effect;
    int32_t error;
    uint64_t nth;   /* 1 = from the first passage on                                             */
    uint64_t times; /* 0 = until switched off                                                    */
    uint64_t delay_us;
    _Atomic uint64_t passages, hits;
    char path[128], process[64];
} rule;

static rule *rules;
static char process_name[256];

#define REAL(name)                                                                                           \
    static __typeof__(&name) real;                                                                           \
    if (!real)                                                                                               \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void start(void)
{
    const char *file = getenv("STREAMSTEAM_FAULT_RULES");
    int fd = file ? (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0) : -1;
    int cmdline = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    if (cmdline >= 0) {
        (void)syscall(SYS_read, cmdline, process_name, sizeof process_name - 1);
        (void)syscall(SYS_close, cmdline);
    }
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(rule) * RULES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    rules = map == MAP_FAILED ? NULL : map;
    (void)syscall(SYS_close, fd);
}

static bool wanted(rule *r, const char *path)
{
    if (!strstr(process_name, r->process) || !strstr(path, r->path))
        return false;
    uint64_t passage = atomic_fetch_add(&r->passages, 1) + 1;
    if (passage < r->nth || (r->times && passage >= r->nth + r->times))
        return false;
    return true;
}

/* The absolute path of fd, or of path relative to the directory fd (-1, AT_FDCWD: the working directory). */
static const char *resolve(int fd, const char *path, char out[PATH_MAX])
{
    char link[64], base[PATH_MAX / 2];
    if (path && path[0] == '/')
        return path;
    if (path && fd < 0)
        (void)snprintf(link, sizeof link, "/proc/self/cwd");
    else
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, base, sizeof base - 1);
    base[n > 0 ? n : 0] = '\0';
    (void)snprintf(out, PATH_MAX, "%s%s%.2000s", base, path ? "/" : "", path ? path : "");
    return out;
}

/* The rule that applies to this passage, or NULL. growing: the write would make the file longer. */
static rule *judge(uint32_t call, int fd, const char *path, bool growing)
{
    char own[PATH_MAX];
    if (!rules)
        return NULL;
    int saved = errno;
    rule *found = NULL;
    bool resolved = false;
    for (int i = 0; i < RULES_MAX && !found; i++) {
        rule *r = &rules[i];
        if (!atomic_load(&r->on) || !(r->calls & call) || (r->effect == EFFECT_GROW && !growing))
            continue;
        if (!resolved)
            path = resolve(fd, path, own);
        resolved = true;
        found =
            wanted(r, path) ? r : NULL; /* a pipe or a socket has no '/' in front, and no rule's path in it */
    }
    if (found)
        atomic_fetch_add(&found->hits, 1);
    if (found && found->effect == EFFECT_KILL)
        (void)kill(getpid(), SIGKILL);
    errno = saved;
    return found;
}

static bool grows(int fd, int64_t at, uint64_t len)
{
    struct stat st;
    if (!rules || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    if (at < 0)
        at = fcntl(fd, F_GETFL) & O_APPEND ? st.st_size : (int64_t)syscall(SYS_lseek, fd, 0L, SEEK_CUR);
    return at + (int64_t)len > st.st_size;
}

static void wait_us(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    (void)nanosleep(&t, NULL);
}

/* Before the call: true where it must not happen; errno is set. */
static bool failed(const rule *r)
{
    if (!r || (r->effect != EFFECT_ERROR && r->effect != EFFECT_GROW))
        return false;
    errno = r->error;
    return true;
}

static size_t shortened(const rule *r, size_t len)
{
    return r && r->effect == EFFECT_SHORT && len > 1 ? len / 2 : len;
}

static void slow(const rule *r)
{
    if (r && r->effect == EFFECT_DELAY) {
        int saved = errno;
        wait_us(r->delay_us);
        errno = saved;
    }
}

static uint64_t total(const struct iovec *iov, int count)
{
    uint64_t len = 0;
    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    return len;
}

/* ---- the calls ------------------------------------------------------------------------------------ */

#define BYTES(name, call, parameters, shorter, at)                                                           \
    ssize_t name parameters                                                                                  \
    {                                                                                                        \
        REAL(name);                                                                                          \
        const rule *r = judge(call, fd, NULL, (call) == CALL_WRITE && grows(fd, at, len));                   \
        if (failed(r))                                                                                       \
            return -1;                                                                                       \
        ssize_t n = real shorter;                                                                            \
        slow(r);                                                                                             \
        return n;                                                                                            \
    }

BYTES(write, CALL_WRITE, (int fd, const void *bytes, size_t len), (fd, bytes, shortened(r, len)), -1)
BYTES(pwrite, CALL_WRITE, (int fd, const void *bytes, size_t len, off_t at),
      (fd, bytes, shortened(r, len), at), at)
BYTES(pwrite64, CALL_WRITE, (int fd, const void *bytes, size_t len, off64_t at),
      (fd, bytes, shortened(r, len), at), at)
BYTES(pread, CALL_READ, (int fd, void *bytes, size_t len, off_t at), (fd, bytes, shortened(r, len), at), at)
BYTES(pread64, CALL_READ, (int fd, void *bytes, size_t len, off64_t at), (fd, bytes, shortened(r, len), at),
      at)

/* A short vector write: the first element only, or half of the one there is. */
static ssize_t short_writev(int fd, const struct iovec *iov, int64_t at)
{
    size_t len = iov[0].iov_len > 1 ? iov[0].iov_len / 2 : iov[0].iov_len;
    return at < 0 ? syscall(SYS_write, fd, iov[0].iov_base, len)
                  : syscall(SYS_pwrite64, fd, iov[0].iov_base, len, at);
}

#define VECTOR(name, parameters, arguments, at)                                                              \
    ssize_t name parameters                                                                                  \
    {                                                                                                        \
        REAL(name);                                                                                          \
        const rule *r = judge(CALL_WRITE, fd, NULL, grows(fd, at, total(iov, count)));                       \
        if (failed(r))                                                                                       \
            return -1;                                                                                       \
        ssize_t n =                                                                                          \
            r && r->effect == EFFECT_SHORT && count > 0 ? short_writev(fd, iov, at) : real arguments;        \
        slow(r);                                                                                             \
        return n;                                                                                            \
    }

VECTOR(writev, (int fd, const struct iovec *iov, int count), (fd, iov, count), -1)
VECTOR(pwritev, (int fd, const struct iovec *iov, int count, off_t where), (fd, iov, count, where), where)
VECTOR(pwritev64, (int fd, const struct iovec *iov, int count, off64_t where), (fd, iov, count, where), where)
VECTOR(pwritev2, (int fd, const struct iovec *iov, int count, off_t where, int flags),
       (fd, iov, count, where, flags), where)
VECTOR(pwritev64v2, (int fd, const struct iovec *iov, int count, off64_t where, int flags),
       (fd, iov, count, where, flags), where)

#define SIMPLE(name, call, parameters, arguments, fd_or, path_or)                                            \
    int name parameters                                                                                      \
    {                                                                                                        \
        REAL(name);                                                                                          \
        const rule *r = judge(call, fd_or, path_or, (call) == CALL_ALLOCATE);                                \
        if (failed(r))                                                                                       \
            return -1;                                                                                       \
        int result = real arguments;                                                                         \
        slow(r);                                                                                             \
        return result;                                                                                       \
    }

SIMPLE(fsync, CALL_SYNC, (int fd), (fd), fd, NULL)
SIMPLE(fdatasync, CALL_SYNC, (int fd), (fd), fd, NULL)
SIMPLE(sync_file_range, CALL_SYNC, (int fd, off64_t at, off64_t len, unsigned flags), (fd, at, len, flags),
       fd, NULL)
SIMPLE(fallocate, CALL_ALLOCATE, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len), fd, NULL)
SIMPLE(fallocate64, CALL_ALLOCATE, (int fd, int mode, off64_t at, off64_t len), (fd, mode, at, len), fd, NULL)
SIMPLE(rename, CALL_RENAME, (const char *from, const char *to), (from, to), -1, to)
SIMPLE(renameat, CALL_RENAME, (int a, const char *from, int b, const char *to), (a, from, b, to), b, to)
SIMPLE(renameat2, CALL_RENAME, (int a, const char *from, int b, const char *to, unsigned flags),
       (a, from, b, to, flags), b, to)
SIMPLE(unlink, CALL_UNLINK, (const char *path), (path), -1, path)
SIMPLE(unlinkat, CALL_UNLINK, (int dir, const char *path, int flags), (dir, path, flags), dir, path)
SIMPLE(mkdir, CALL_MKDIR, (const char *path, mode_t mode), (path, mode), -1, path)
SIMPLE(mkdirat, CALL_MKDIR, (int dir, const char *path, mode_t mode), (dir, path, mode), dir, path)

/* These two answer with the error number. */
#define ALLOCATE(name, type)                                                                                 \
    int name(int fd, type at, type len)                                                                      \
    {                                                                                                        \
        REAL(name);                                                                                          \
        const rule *r = judge(CALL_ALLOCATE, fd, NULL, true);                                                \
        if (failed(r))                                                                                       \
            return errno;                                                                                    \
        int result = real(fd, at, len);                                                                      \
        slow(r);                                                                                             \
        return result;                                                                                       \
    }
ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

#define OPENED(name, parameters, dir_or, arguments)                                                          \
    int name parameters                                                                                      \
    {                                                                                                        \
        REAL(name);                                                                                          \
        mode_t mode = 0;                                                                                     \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                               \
            va_list args;                                                                                    \
            va_start(args, flags);                                                                           \
            mode = va_arg(args, mode_t);                                                                     \
            va_end(args);                                                                                    \
        }                                                                                                    \
        const rule *r = judge(CALL_OPEN, dir_or, path, false);                                               \
        if (failed(r))                                                                                       \
            return -1;                                                                                       \
        int fd = real arguments;                                                                             \
        slow(r);                                                                                             \
        return fd;                                                                                           \
    }

OPENED(open, (const char *path, int flags, ...), -1, (path, flags, mode))
OPENED(open64, (const char *path, int flags, ...), -1, (path, flags, mode))
OPENED(openat, (int dir, const char *path, int flags, ...), dir, (dir, path, flags, mode))
OPENED(openat64, (int dir, const char *path, int flags, ...), dir, (dir, path, flags, mode))
