/* LD_PRELOAD: knows what would survive a power cut. All processes of a server share one shadow directory
   that is changed only by syncs; after a SIGKILL of everything the harness (tests/torture/power.py) puts
   the data directory into the state that the shadow describes.

   The model is POSIX's strictest reading:
     - fsync, fdatasync, msync of a file make its present bytes and size durable, and nothing else;
     - fsync of a directory makes its present entries durable (name -> inode), and nothing else: neither the
       bytes of the files in it, nor the entries of directories below it;
     - write, rename, link, unlink, mkdir alone make nothing durable; nor does sync_file_range.
   A file written with O_DSYNC, O_SYNC or RWF_DSYNC counts as synced by the write.

   STREAMSTEAM_UNSYNCED_DIR     the data directory (absolute)
   STREAMSTEAM_UNSYNCED_SHADOW  the shadow (absolute, outside of it), with inodes/ dirty/ dirs/
   STREAMSTEAM_UNSYNCED_IGNORE  "file:GLOB" or "dir:GLOB" or "GLOB", ';' between: syncs of these paths (below
                                the data directory; "." is itself) make nothing durable. The real call still
                                happens. This is how the harness removes one sync from the program.

   shadow/inodes/KEY  the durable bytes of an inode. KEY = inode number and birth time, both hexadecimal: an
                      inode number that is used again is another inode.
   shadow/dirty/KEY   one byte per page: 1 = written since the last sync. Shared by all processes and kept
                      after their end, so that a restarted process can sync what a dead one wrote.
   shadow/dirs/KEY    the durable entries of a directory: "f|d KEY NAME\n".
   Files smaller than SMALL_FILE are copied whole at each sync, so that what cannot be seen from here (stdio,
   writes through a mapping) is covered as well. Larger files that are written through a mapping are not. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE       4096u
#define FILE_MAX   ((uint64_t)1 << 30) /* larger files are copied whole at each sync               */
#define MAP_BYTES  (FILE_MAX / PAGE)
#define SMALL_FILE (256u * 1024)
#define INODES_MAX 4096u
#define CLEAN      0u
#define DIRTY      1u
#define COPYING    2u

typedef struct inode {
    uint64_t ino, born;
    _Atomic unsigned char *pages; /* shadow/dirty/KEY */
    bool ours, used;
} inode;

static char data_dir[PATH_MAX], shadow_dir[PATH_MAX], ignore_list[4096];
static bool active;
static inode inodes[INODES_MAX];
static unsigned next_victim;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool inside; /* calls made by the shim itself are not looked at */

#define REAL(name)                                                                                           \
    static __typeof__(&name) real;                                                                           \
    if (!real)                                                                                               \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static long raw_open(const char *path, int flags, int mode)
{
    return syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

__attribute__((constructor)) static void start(void)
{
    const char *dir = getenv("STREAMSTEAM_UNSYNCED_DIR"), *shadow = getenv("STREAMSTEAM_UNSYNCED_SHADOW");
    const char *ignore = getenv("STREAMSTEAM_UNSYNCED_IGNORE");
    if (!dir || !shadow)
        return;
    (void)snprintf(data_dir, sizeof data_dir, "%s", dir);
    (void)snprintf(shadow_dir, sizeof shadow_dir, "%s", shadow);
    (void)snprintf(ignore_list, sizeof ignore_list, "%s", ignore ? ignore : "");
    active = true;
}

/* The path of fd below the data directory, "." for itself; false where it lies elsewhere. */
static bool path_below(int fd, char out[PATH_MAX])
{
    char link[64], path[PATH_MAX];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    size_t len = strlen(data_dir);
    if (strncmp(path, data_dir, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return false;
    (void)snprintf(out, PATH_MAX, "%s", path[len] ? path + len + 1 : ".");
    return true;
}

/* SQLite's shared-memory index is rebuilt from the log: it need not survive, and it is never synced. */
static bool excluded(const char *path)
{
    size_t len = strlen(path);
    return len > 4 && strcmp(path + len - 4, "-shm") == 0;
}

static bool ignored(const char *path, const char *kind)
{
    char list[sizeof ignore_list], *save = NULL;
    memcpy(list, ignore_list, sizeof list);
    for (char *rule = strtok_r(list, ";", &save); rule; rule = strtok_r(NULL, ";", &save)) {
        char *colon = strchr(rule, ':');
        if (colon && ((size_t)(colon - rule) != strlen(kind) || strncmp(rule, kind, strlen(kind)) != 0))
            continue;
        if (fnmatch(colon ? colon + 1 : rule, path, 0) == 0)
            return true;
    }
    return false;
}

static bool look(int fd, struct statx *st)
{
    return syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME | STATX_SIZE | STATX_TYPE, st) ==
           0;
}

static uint64_t birth(const struct statx *st)
{
    return st->stx_mask & STATX_BTIME ? (uint64_t)st->stx_btime.tv_sec * 1000000000u + st->stx_btime.tv_nsec
                                      : 0;
}

static void key_path(char out[PATH_MAX], const char *folder, uint64_t ino, uint64_t born)
{
    (void)snprintf(out, PATH_MAX, "%.3000s/%s/%llx-%llx", shadow_dir, folder, (unsigned long long)ino,
                   (unsigned long long)born);
}

static _Atomic unsigned char *map_pages(uint64_t ino, uint64_t born)
{
    char path[PATH_MAX];
    key_path(path, "dirty", ino, born);
    int fd = (int)raw_open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return NULL;
    void *map = syscall(SYS_ftruncate, fd, (off_t)MAP_BYTES) == 0
                    ? (void *)syscall(SYS_mmap, NULL, MAP_BYTES, (long)(PROT_READ | PROT_WRITE),
                                      (long)MAP_SHARED, (long)fd, 0L)
                    : MAP_FAILED;
    (void)syscall(SYS_close, fd);
    return map == MAP_FAILED ? NULL : map;
}

/* With the lock held. The entry is only good until the lock is released. */
static inode *find(int fd, const struct statx *st)
{
    uint64_t born = birth(st);
    unsigned at = (unsigned)((st->stx_ino * 2654435761u) % INODES_MAX);
    for (unsigned i = 0; i < 16; i++) {
        inode *n = &inodes[(at + i) % INODES_MAX];
        if (n->used && n->ino == st->stx_ino && n->born == born)
            return n;
    }
    inode *n = NULL;
    for (unsigned i = 0; i < 16 && !n; i++)
        n = inodes[(at + i) % INODES_MAX].used ? NULL : &inodes[(at + i) % INODES_MAX];
    if (!n) {
        n = &inodes[(at + next_victim++ % 16) % INODES_MAX];
        if (n->pages)
            (void)syscall(SYS_munmap, (void *)n->pages, MAP_BYTES);
    }
    char path[PATH_MAX];
    n->used = true;
    n->ino = st->stx_ino;
    n->born = born;
    n->ours = path_below(fd, path) && !excluded(path);
    n->pages = n->ours ? map_pages(n->ino, born) : NULL;
    return n;
}

/* Marks [from, from + len) as written. */
static void mark(int fd, uint64_t from, uint64_t len)
{
    struct statx st;
    if (!active || inside || len == 0 || !look(fd, &st) || (st.stx_mode & S_IFMT) != S_IFREG)
        return;
    int saved = errno;
    inside = true;
    pthread_mutex_lock(&lock);
    inode *n = find(fd, &st);
    if (n->pages && from < FILE_MAX) {
        uint64_t end = len > FILE_MAX - from ? FILE_MAX : from + len;
        for (uint64_t page = from / PAGE; page <= (end - 1) / PAGE; page++)
            n->pages[page] = DIRTY;
    }
    pthread_mutex_unlock(&lock);
    inside = false;
    errno = saved;
}

static void mark_all(int fd)
{
    struct statx st;
    if (active && !inside && look(fd, &st))
        mark(fd, 0, st.stx_size ? st.stx_size : FILE_MAX / 64);
}

static bool copy_page(int from, int to, uint64_t page)
{
    char bytes[PAGE];
    ssize_t n = syscall(SYS_pread64, from, bytes, PAGE, (off_t)(page * PAGE));
    return n >= 0 && (n == 0 || syscall(SYS_pwrite64, to, bytes, (size_t)n, (off_t)(page * PAGE)) == n);
}

/* The present bytes of the file become durable. */
static void persist_file(int fd, const struct statx *st, _Atomic unsigned char *pages)
{
    char path[PATH_MAX], link[64];
    key_path(path, "inodes", st->stx_ino, birth(st));
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int from = (int)raw_open(link, O_RDONLY, 0);
    int to = (int)raw_open(path, O_RDWR | O_CREAT, 0600);
    if (from >= 0 && to >= 0 && syscall(SYS_flock, to, LOCK_EX) == 0) {
        struct statx now, had;
        uint64_t size = look(from, &now) ? now.stx_size : st->stx_size;
        uint64_t known = look(to, &had) ? had.stx_size : 0;
        bool whole = size <= SMALL_FILE || size > FILE_MAX || !pages;
        (void)syscall(SYS_ftruncate, to, (off_t)size);
        for (uint64_t page = 0; page * PAGE < size; page++) {
            unsigned char was = whole || page * PAGE >= known ? DIRTY : pages[page];
            if (was == CLEAN)
                continue;
            if (pages && page < MAP_BYTES)
                pages[page] = COPYING;
            unsigned char expected = COPYING;
            if (copy_page(from, to, page) && pages &&
                page < MAP_BYTES) /* unless it was written again meanwhile */
                (void)__atomic_compare_exchange_n((unsigned char *)&pages[page], &expected, CLEAN, false,
                                                  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        }
    }
    if (from >= 0)
        (void)syscall(SYS_close, from);
    if (to >= 0)
        (void)syscall(SYS_close, to);
}

/* The present entries of the directory become durable. */
static void persist_dir(int fd, const struct statx *st)
{
    char path[PATH_MAX], fresh[PATH_MAX + 32], link[64];
    key_path(path, "dirs", st->stx_ino, birth(st));
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    int turn =
        (int)raw_open(shadow_dir, O_RDONLY | O_DIRECTORY, 0); /* an older list must not replace a newer one */
    if (turn >= 0)
        (void)syscall(SYS_flock, turn, LOCK_EX);
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    DIR *dir = opendir(link);
    FILE *out = dir ? fopen(fresh, "we") : NULL;
    for (struct dirent *entry = out ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        struct statx child;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            syscall(SYS_statx, dirfd(dir), entry->d_name, AT_SYMLINK_NOFOLLOW,
                    STATX_INO | STATX_BTIME | STATX_TYPE, &child) != 0)
            continue;
        unsigned type = child.stx_mode & S_IFMT;
        if (type == S_IFREG || type == S_IFDIR)
            (void)fprintf(out, "%c %llx-%llx %s\n", type == S_IFDIR ? 'd' : 'f',
                          (unsigned long long)child.stx_ino, (unsigned long long)birth(&child),
                          entry->d_name);
    }
    if (out && fclose(out) == 0)
        (void)rename(fresh, path);
    if (dir)
        (void)closedir(dir);
    if (turn >= 0)
        (void)syscall(SYS_close, turn);
}

static void persist(int fd)
{
    struct statx st;
    char path[PATH_MAX];
    if (!active || inside || !look(fd, &st))
        return;
    unsigned type = st.stx_mode & S_IFMT;
    int saved = errno;
    inside = true;
    if (type == S_IFDIR && path_below(fd, path) && !ignored(path, "dir")) {
        persist_dir(fd, &st);
    } else if (type == S_IFREG && path_below(fd, path) && !excluded(path) && !ignored(path, "file")) {
        pthread_mutex_lock(&lock);
        _Atomic unsigned char *pages =
            map_pages(st.stx_ino, birth(&st)); /* its own mapping: no eviction under us */
        pthread_mutex_unlock(&lock);
        persist_file(fd, &st, pages);
        if (pages)
            (void)syscall(SYS_munmap, (void *)pages, MAP_BYTES);
    }
    inside = false;
    errno = saved;
}

static void after_write(int fd, int flags)
{
    if (!active || inside)
        return;
    long mode = syscall(SYS_fcntl, fd, F_GETFL, 0L);
    if ((mode > 0 && (mode & O_DSYNC)) || (flags & (RWF_DSYNC | RWF_SYNC)))
        persist(fd);
}

/* write() and writev() at the file's own position: O_APPEND moves it, so both sides are marked. */
static void mark_at_position(int fd, uint64_t len, bool done)
{
    if (!active || inside)
        return;
    off_t at = (off_t)syscall(SYS_lseek, fd, 0L, SEEK_CUR);
    if (at < 0)
        return;
    mark(fd, done && (uint64_t)at > len ? (uint64_t)at - len : done ? 0 : (uint64_t)at, len);
}

static uint64_t total(const struct iovec *iov, int count)
{
    uint64_t len = 0;
    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    return len;
}

/* ---- the calls ------------------------------------------------------------------------------------ */

ssize_t write(int fd, const void *bytes, size_t len)
{
    REAL(write);
    mark_at_position(fd, len, false);
    ssize_t n = real(fd, bytes, len);
    if (n > 0) {
        mark_at_position(fd, (uint64_t)n, true);
        after_write(fd, 0);
    }
    return n;
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    REAL(writev);
    mark_at_position(fd, total(iov, count), false);
    ssize_t n = real(fd, iov, count);
    if (n > 0) {
        mark_at_position(fd, (uint64_t)n, true);
        after_write(fd, 0);
    }
    return n;
}

#define POSITIONED(name, parameters, arguments, length, position, flags)                                     \
    ssize_t name parameters                                                                                  \
    {                                                                                                        \
        REAL(name);                                                                                          \
        mark(fd, (uint64_t)(position), (length));                                                            \
        ssize_t n = real arguments;                                                                          \
        if (n > 0) {                                                                                         \
            mark(fd, (uint64_t)(position), (uint64_t)n); /* a sync in between may have taken it for clean */ \
            after_write(fd, flags);                                                                          \
        }                                                                                                    \
        return n;                                                                                            \
    }

POSITIONED(pwrite, (int fd, const void *bytes, size_t len, off_t at), (fd, bytes, len, at), len, at, 0)
POSITIONED(pwrite64, (int fd, const void *bytes, size_t len, off64_t at), (fd, bytes, len, at), len, at, 0)
POSITIONED(pwritev, (int fd, const struct iovec *iov, int count, off_t at), (fd, iov, count, at),
           total(iov, count), at, 0)
POSITIONED(pwritev64, (int fd, const struct iovec *iov, int count, off64_t at), (fd, iov, count, at),
           total(iov, count), at, 0)
POSITIONED(pwritev2, (int fd, const struct iovec *iov, int count, off_t at, int f), (fd, iov, count, at, f),
           total(iov, count), at, f)
POSITIONED(pwritev64v2, (int fd, const struct iovec *iov, int count, off64_t at, int f),
           (fd, iov, count, at, f), total(iov, count), at, f)

ssize_t sendfile(int fd, int from, off_t *at, size_t len)
{
    REAL(sendfile);
    mark_at_position(fd, len, false);
    return real(fd, from, at, len);
}

ssize_t copy_file_range(int from, off64_t *at, int fd, off64_t *to, size_t len, unsigned flags)
{
    REAL(copy_file_range);
    if (to)
        mark(fd, (uint64_t)*to, len);
    else
        mark_at_position(fd, len, false);
    return real(from, at, fd, to, len, flags);
}

#define RESIZED(name, parameters, arguments)                                                                 \
    int name parameters                                                                                      \
    {                                                                                                        \
        REAL(name);                                                                                          \
        mark_all(fd);                                                                                        \
        int result = real arguments;                                                                         \
        mark_all(fd);                                                                                        \
        return result;                                                                                       \
    }

RESIZED(ftruncate, (int fd, off_t size), (fd, size))
RESIZED(ftruncate64, (int fd, off64_t size), (fd, size))
RESIZED(fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len))
RESIZED(fallocate64, (int fd, int mode, off64_t at, off64_t len), (fd, mode, at, len))
RESIZED(posix_fallocate, (int fd, off_t at, off_t len), (fd, at, len))
RESIZED(posix_fallocate64, (int fd, off64_t at, off64_t len), (fd, at, len))

#define SYNCED(name)                                                                                         \
    int name(int fd)                                                                                         \
    {                                                                                                        \
        REAL(name);                                                                                          \
        int result = real(fd);                                                                               \
        if (result == 0)                                                                                     \
            persist(fd);                                                                                     \
        return result;                                                                                       \
    }

SYNCED(fsync)
SYNCED(fdatasync)

#define OPENED(name, parameters, dir, first)                                                                 \
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
        int fd = real first;                                                                                 \
        if (fd >= 0 && (flags & O_TRUNC))                                                                    \
            mark_all(fd);                                                                                    \
        return fd;                                                                                           \
    }

OPENED(open, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
OPENED(open64, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
OPENED(openat, (int dir, const char *path, int flags, ...), dir, (dir, path, flags, mode))
OPENED(openat64, (int dir, const char *path, int flags, ...), dir, (dir, path, flags, mode))
